"""Miniature but true Zulip servers on loopback, for the tests and the demo.

with Lab() as lab:
    server = lab.server("chat.test", version="9.0", realms=["", "acme"])
"""

from tests.lab.lab import Lab
from tests.lab.server import LabError, Server

__all__ = ["Lab", "LabError", "Server"]
