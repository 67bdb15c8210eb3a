"""A proxy that adds latency: `python -m bench.proxy PORT SECONDS`. It prints its own port.

It serves all addresses of loopback: a connection to ADDRESS leads to PORT of the same address. It
delays each byte by SECONDS in both directions, and each new connection by a round trip; the
throughput stays the same. It ends when its stdin is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):  # the other side notices it with the same delay
        while data := await reader.read(1 << 16):
            loop.call_later(delay, writer.write, data)
    loop.call_later(delay, writer.close)


async def _serve(port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        if not address.startswith("127."):
            writer.close()
            return
        # The SYN and its answer are delayed too.
        await asyncio.sleep(2 * delay)
        far_reader, far_writer = await asyncio.open_connection(address, port)
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(
            _pass_on(reader, far_writer, delay), _pass_on(far_reader, writer, delay)
        )

    server = await asyncio.start_server(connected, "0.0.0.0", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


@contextlib.contextmanager
def far_away(port: int, one_way: float) -> Iterator[int]:
    """Run the proxy during the `with` block. Yield its port."""
    argv = [sys.executable, "-m", "bench.proxy", str(port), str(one_way)]
    proxy = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # asyncio reports connections that are still open at the end
        text=True,
    )
    assert proxy.stdout is not None
    try:
        yield int(proxy.stdout.readline())
    finally:
        proxy.communicate()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
