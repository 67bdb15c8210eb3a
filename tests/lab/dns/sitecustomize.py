"""Resolves names under `.test` to loopback, in every Python that has this folder on PYTHONPATH.

RFC 6761 keeps `.test` for tests, and no resolver answers for it.
"""

import socket

_system = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    """Give 127.0.0.1 for a lab server's name, and the system's answer for all others."""
    name = host.decode() if isinstance(host, bytes) else host
    if name and name.rstrip(".").endswith(".test"):
        host = "127.0.0.1"
    return _system(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
