"""Zulip's scripts/lib/supervisor.py in miniature: it talks to supervisord without supervisorctl."""

import os
import socket


def list_supervisor_processes(supervisorctl):
    """Ask supervisord; raises FileNotFoundError where its socket is gone."""
    # A Unix socket's address holds 107 bytes, which the way to it may exceed.
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
