"""A small version of Zulip's scripts/lib/supervisor.py, which asks supervisord directly."""

import os
import socket


def list_supervisor_processes(supervisorctl):
    """Ask supervisord. Raise FileNotFoundError if its socket does not exist."""
    # The address of a Unix socket has at most 107 bytes. The whole path may be longer.
    before = os.getcwd()
    os.chdir(os.path.join(os.path.dirname(supervisorctl), ".."))
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect("supervisor.sock")
            with connection.makefile("rw") as lines:
                lines.write("status zulip-django\n")
                lines.flush()
                return lines.read()
    finally:
        os.chdir(before)
