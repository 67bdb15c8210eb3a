"""Resolve names below `.test` to loopback, in each Python with this folder on its PYTHONPATH.

RFC 6761 reserves `.test` for tests, and no resolver knows it. LAB_HOSTS has other names, each with
the port of its server in the lab: "graph.microsoft.com=4443 login.microsoftonline.com=4443".
"""

import os
import socket

_system = socket.getaddrinfo
_ports = dict(each.split("=") for each in os.environ.get("LAB_HOSTS", "").split())


def getaddrinfo(host, *args, **kwargs):
    """Return 127.0.0.1 for the name of a lab server, and the system's answer for other names."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in _ports:
        return _system("127.0.0.1", int(_ports[name]), *args[1:], **kwargs)
    if name and name.rstrip(".").endswith(".test"):
        host = "127.0.0.1"
    return _system(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
