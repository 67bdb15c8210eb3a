"""A proxy that adds latency: `python -m bench.proxy ADDRESS PORT SECONDS`. It prints its port.

It delays each byte by SECONDS in both directions. The round trip is twice as long; the throughput
stays the same. It ends when its stdin is closed.
"""

from __future__ import annotations

import asyncio
import socket
import sys


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(1 << 16):
            loop.call_later(delay, writer.write, data)
    except ConnectionError:
        pass  # one side disconnected; the other side notices it with the same delay
    loop.call_later(delay, writer.close)


async def _serve(address: str, port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The SYN and its answer are delayed too.
        await asyncio.sleep(2 * delay)
        far_reader, far_writer = await asyncio.open_connection(address, port)
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(
            _pass_on(reader, far_writer, delay), _pass_on(far_reader, writer, delay)
        )

    server = await asyncio.start_server(connected, address, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
