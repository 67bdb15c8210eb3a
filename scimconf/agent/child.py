"""Starting another program: clean environment, its own process group, a time limit.

Nothing secret is in its argv or environment; what it has to know travels on its stdin.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
from typing import BinaryIO, Dict, NamedTuple, Optional, Sequence

USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_LOGIN_DEFS = "/etc/login.defs"

_SHOWN = 64 * 1024
"""Bytes of output that are looked at."""


class Ended(NamedTuple):
    """How a program ended."""

    code: Optional[int]
    """None: it was ended at the time limit, with its whole process group."""
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """Give the last line that it wrote, for people."""
        lines = [line.strip() for line in f"{self.out}\n{self.err}".splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it wrote nothing"


_HOLDING = ("/bin/sh", "-c", '"$@" </dev/null; exit $?', "sh")
"""Starts a program and waits for it, with a descriptor as stdin that the program does not get."""


def run(
    argv: Sequence[str],
    folder: str,
    seconds: float,
    stdin: str = "",
    holding: Optional[int] = None,
) -> Ended:
    """Run a program to its end, or to the time limit; its children that stay are not waited for.

    `holding`: a descriptor that stays open until the program ends, also where this process dies
    before: a shell of its own holds it. Daemons that the program leaves behind do not have it.

    Output goes through files, not pipes: a daemon that a restart leaves behind keeps them open.
    They are in memory: a way back has to restart on a full disk, too.
    """
    import subprocess  # 3 ms, which a plan that starts nothing is spared

    umask = login_umask()
    with _in_memory() as out, _in_memory() as err:
        # Our own files are private. What Zulip makes while it restarts is for others to read, too.
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
    """Return the umask that a login of this user has: UMASK of login.defs(5), else 022.

    The one that we were started with says nothing: it is that of root or of an operator, as sudo
    or su left it.
    """
    try:
        with open(_LOGIN_DEFS, encoding="utf-8", errors="replace") as file:
            found = re.findall(r"^\s*UMASK\s+([0-7]{1,4})\s*$", file.read(), re.MULTILINE)
    except OSError:
        found = []
    return int(found[-1], 8) & 0o777 if found else 0o022


def environment() -> Dict[str, str]:
    """Give the environment that `su zulip -c` would give, as far as Zulip needs it.

    Only the PATH of the login stays, and the usual folders after it: a login without a shell may
    lack those where supervisorctl is.
    """
    path = os.environ.get("PATH", USUAL_PATH)
    path = path if path.endswith(USUAL_PATH) else f"{path}:{USUAL_PATH}"
    found = {"PATH": path, "SHELL": "/bin/sh", "LANG": "C.UTF-8"}
    with contextlib.suppress(KeyError):  # a user that no longer has a name
        me = pwd.getpwuid(os.geteuid())
        found.update(HOME=me.pw_dir, USER=me.pw_name, LOGNAME=me.pw_name)
    return found


def _in_memory() -> BinaryIO:
    return open(os.memfd_create("output"), "w+b")


def _text(file: BinaryIO) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _SHOWN))
    return file.read().decode(errors="replace")
