"""Start scimconf without the time that its imports take: a process that has them forks.

A test run starts scimconf more than a thousand times, and a third of a second of each start is
imports. What depends on a real start (memory, which modules a verb loads) is tested with one.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from scimconf import startup
from scimconf.cli import main as scimconf

PROJECT = Path(__file__).parents[2]
VERBS = (
    "apply",
    "handoff",
    "import_",
    "plan",
    "recover",
    "report",
    "rotate",
    "token",
    "undo",
    "verify",
)
_IDLE: defaultdict[str, list[subprocess.Popen[str]]] = defaultdict(list)
"""Processes that wait for a request, by their PYTHONPATH. Runs that overlap need several."""


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run scimconf with these arguments, without stdin, and wait for its end."""
    idle = _IDLE[environment["PYTHONPATH"]]
    process = idle.pop() if idle else _new(environment)
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.NamedTemporaryFile("w+") as out, tempfile.NamedTemporaryFile("w+") as err:
        asked = {
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "out": out.name,
            "err": err.name,
        }
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        idle.append(process)
        return subprocess.CompletedProcess(arguments, code, _all(out), _all(err))


def _all(file: Any) -> str:
    file.seek(0)
    found: str = file.read()
    return found


def _new(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a process that forks. It ends with this one, because its stdin ends."""
    argv = [sys.executable, "-m", "tests.lab.prepared"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        argv, cwd=PROJECT, env=environment, stdin=pipe, stdout=pipe, text=True
    )
    atexit.register(process.communicate)
    return process


def main() -> None:
    """Fork for each request on stdin. Write the exit code of each child to stdout."""
    startup.skip_invoke()
    for verb in VERBS:
        import_module(f"scimconf.cli.{verb}")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            scimconf()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(asked: Mapping[str, Any]) -> None:
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        descriptor = os.open(name, os.O_RDWR)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv[:] = ["scimconf", *asked["arguments"]]


if __name__ == "__main__":
    main()
