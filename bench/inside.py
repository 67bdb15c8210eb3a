"""The first process of the targets: `python -I inside.py PLAN`, then one sshd for them all.

As root it is process 1 of a mount namespace with its own users (tests/lab/inside/isolation.py). As
another user, sshd accepts that user only. The process ends when its stdin is closed, and ends all
logins.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def main(plan_path: str) -> None:
    plan = json.loads(Path(plan_path).read_text())
    if plan["isolated"]:
        sys.path.insert(0, plan["isolation"])
        from isolation import isolate  # type: ignore[import-not-found]

        isolate(plan["isolated"])
        for home, number in plan["homes"].items():
            os.makedirs(home, 0o755)
            os.chown(home, number, number)
    with open(plan["log"], "ab") as log:
        sshd = subprocess.Popen(
            plan["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **plan["environment"]},
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
        )
    print("ready", flush=True)
    sys.stdin.buffer.read()
    sshd.terminate()
    sshd.wait()


main(sys.argv[1])
