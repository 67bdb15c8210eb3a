"""A server behind a slow line: `python -m bench.proxy ADDRESS PORT SECONDS`, its port on stdout.

Passes bytes both ways and holds each back for SECONDS, whatever came before it: the round trip is
twice that, the throughput is not touched. It lives until its stdin ends.
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
        pass  # whoever went away: the other side hears of it, as late as of everything
    loop.call_later(delay, writer.close)


async def _serve(address: str, port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The SYN and its answer take their time as well.
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
