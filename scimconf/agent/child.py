"""Run another program with a clean environment, its own process group and a time limit.

Secrets are sent on its stdin, never in its arguments or environment.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from typing import BinaryIO, NamedTuple, Optional, Sequence

from scimconf.agent.environment import environment

_LOGIN_DEFS = "/etc/login.defs"

_SHOWN = 64 * 1024
"""Bytes of output that are kept, from the end."""


class Ended(NamedTuple):
    """How a program ended."""

    code: Optional[int]
    """None: the time limit was reached, and the whole process group was killed."""
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """Return the last line of its output."""
        lines = [line.strip() for line in f"{self.out}\n{self.err}".splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it wrote nothing"


_HOLDING = ("/bin/sh", "-c", '"$@" </dev/null; exit $?', "sh")
"""Start a program and wait for it. The shell keeps its own stdin; the program gets /dev/null."""


def run(
    argv: Sequence[str],
    folder: str,
    seconds: float,
    stdin: str = "",
    holding: Optional[int] = None,
) -> Ended:
    """Run a program until it ends or reaches the time limit. Do not wait for its daemons.

    `holding` is a descriptor that stays open until the program ends, even if this process dies
    before. A separate shell holds it. Daemons that the program starts do not inherit it.

    Output goes to files, not pipes, because a daemon that a restart starts keeps a pipe open. The
    files are in memory, because a rollback must be able to restart Zulip on a full disk.
    """
    import subprocess  # takes 3 ms, and a plan that starts no program does not need it

    umask = login_umask()
    with _in_memory() as out, _in_memory() as err:
        # The agent's own files are private. Files that Zulip makes while it restarts are not.
        ours = os.umask(umask)
        try:
            process = subprocess.Popen(
                argv if holding is None else [*_HOLDING, *argv],
                stdin=subprocess.PIPE if holding is None else holding,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=environment(),
                start_new_session=True,
            )
        except OSError as error:
            return Ended(127, "", f"{argv[0]} cannot be started: {error.strerror}")
        finally:
            os.umask(ours)
        code: Optional[int] = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(stdin.encode(), timeout=seconds)
            code = process.returncode
        if code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        return Ended(code, _text(out), _text(err))


def login_umask() -> int:
    """Return the umask of a login of this user: UMASK of login.defs(5), else 022.

    The umask of this process is not used: sudo or su keeps that of root or of an operator.
    """
    try:
        with open(_LOGIN_DEFS, encoding="utf-8", errors="replace") as file:
            found = re.findall(r"^\s*UMASK\s+([0-7]{1,4})\s*$", file.read(), re.MULTILINE)
    except OSError:
        found = []
    return int(found[-1], 8) & 0o777 if found else 0o022


def _in_memory() -> BinaryIO:
    return open(os.memfd_create("output"), "w+b")


def _text(file: BinaryIO) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _SHOWN))
    return file.read().decode(errors="replace")
