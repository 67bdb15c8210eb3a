"""Resolve names below `.test` to loopback, in each Python with this folder on its PYTHONPATH.

RFC 6761 reserves `.test` for tests, and no resolver knows it.
"""

import socket

_system = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    """Return 127.0.0.1 for the name of a lab server, and the system's answer for other names."""
    name = host.decode() if isinstance(host, bytes) else host
    if name and name.rstrip(".").endswith(".test"):
        host = "127.0.0.1"
    return _system(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
