"""A link that can be cut: a TCP proxy that forwards, swallows, or resets."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading


class Proxy:
    """A context manager that listens on `port` of loopback and forwards to another port."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._swallows = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()
        for thread in self._threads:
            thread.join()

    def swallow(self) -> None:
        """From now on, accept everything and forward nothing, so that neither end notices."""
        self._swallows.set()

    def reset(self) -> None:
        """Close every connection, on both sides, with an RST."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)  # wakes the reading thread without sending anything
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._forward, args=(one, other))
                    self._threads.append(thread)
                    thread.start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if not self._swallows.is_set():
                    other.sendall(data)
            other.shutdown(socket.SHUT_WR)
