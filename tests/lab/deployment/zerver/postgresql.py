"""Simulate a stopped PostgreSQL. The lab uses SQLite, which cannot be stopped."""

import os

from django.db import OperationalError
from zproject.config import LAB

STOPPED = f"{LAB['database']}-is-stopped"
"""While this file exists, the database does not answer."""


def check():
    """Raise the error that Django raises if PostgreSQL does not answer."""
    if os.path.exists(STOPPED):
        raise OperationalError(
            'connection to server at "127.0.0.1", port 5432 failed: Connection refused\n'
            "\tIs the server running on that host and accepting TCP/IP connections?\n"
        )
