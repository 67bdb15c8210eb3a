"""The first process of a lab server: `python -I -S tests/lab/inside CONFIG WEB_FD SSH_FD`.

As root it is process 1 of its own PID and mount namespace. As another user it is an ordinary
process that adopts orphaned descendants. It does the work of supervisor, nginx and inetd for one
Zulip server. It ends when its stdin is closed, so it also ends if the lab dies. It then stops all
its children.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path

from front import Front
from inetd import Inetd
from isolation import isolate
from supervisor import Supervisor

PR_SET_CHILD_SUBREAPER = 36


def main(config_path, web_fd, ssh_fd):
    """Start all parts, print "ready", wait for the end of stdin, and stop all parts."""
    os.umask(0o022)
    config = json.loads(Path(config_path).read_text())
    if config["isolated"]:
        isolate(config["isolated"])
    else:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGCHLD, _reap)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor = Supervisor(config["django"], config["supervisor"])
    servers = [supervisor, Front(socket.socket(fileno=web_fd), config["certificate"], supervisor)]
    if config["sshd"]:
        servers.append(Inetd(socket.socket(fileno=ssh_fd), config["sshd"]))
    problem = supervisor.start()
    for server in servers:
        threading.Thread(target=server.serve, daemon=True).start()
    print(problem or "ready", flush=True)
    orderly = sys.stdin.buffer.read()
    _end_descendants()
    if not orderly:  # the lab died and cannot delete its files
        shutil.rmtree(config["lab"], ignore_errors=True)


def _reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _end_descendants():
    """Kill children until none is left. Orphaned grandchildren become children."""
    while children := [pid for pid in _processes() if _parent(pid) == os.getpid()]:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid):
    try:
        # The name in brackets can contain any character. The state and the parent come after it.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
