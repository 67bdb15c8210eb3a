"""The conversation: one request a line, answered until stdin ends (docs/agent.md)."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import signal
import sys
from typing import Any, BinaryIO, Mapping

from scimconf.agent import child, files, observe
from scimconf.agent.errors import AgentError
from scimconf.agent.progress import as_agent_error

LONGEST = 16 * 1024 * 1024
"""Bytes of one request."""

_LOOKS = {"observe": observe.observe, "tokens": observe.tokens}
_CHANGES = ("acknowledge", "apply", "undo", "recover")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,15})?")
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


def main(zulip_user: str) -> int:
    """Answer requests from stdin on stdout until there are no more; gives the exit code."""
    os.umask(0o077)
    who = _who()
    try:
        _drop_root(zulip_user)
    except AgentError as trouble:
        _send(sys.stdout.buffer, _error("start", trouble))
        return 1
    # Whatever secret a login left in the environment, no child of ours gets it.
    kept = child.environment()
    os.environ.clear()
    os.environ.update(kept)
    _leave_alone()
    while True:
        line = b""
        with contextlib.suppress(OSError):  # a connection that was reset is at its end, too
            line = sys.stdin.buffer.readline(LONGEST + 1)
        if not line.endswith(b"\n"):
            return 0 if not line else 1
        _send(sys.stdout.buffer, _answer(line, who))


def _answer(line: bytes, who: str) -> Mapping[str, Any]:
    step = "request"
    try:
        asked = json.loads(line)
        step = str(asked["do"])
        if step in _LOOKS:
            return _LOOKS[step](asked)
        if step in _CHANGES:
            return _change(step, asked, who)
        raise AgentError("this agent does not know what it is asked to do")
    except Exception as error:
        return _error(step, as_agent_error(error))


def _change(step: str, asked: Mapping[str, Any], who: str) -> Mapping[str, Any]:
    # Imported only here: a plan is spared a third of the program, which is not even compiled.
    from scimconf.agent import transaction

    if step == "acknowledge":
        return transaction.acknowledge(asked)
    # What its steps need is loaded now, too: after the first write nothing may be left to load.
    import subprocess  # noqa: F401

    if asked.get("gate", True):  # null: no web server is asked
        import http.client  # noqa: F401
        import ssl  # noqa: F401
    changes = {
        "apply": transaction.apply,
        "undo": transaction.undo,
        "recover": transaction.recover,
    }
    return changes[step](asked, lambda message: _send(sys.stdout.buffer, message), who)


def _error(step: str, trouble: AgentError) -> Mapping[str, Any]:
    return {
        "final": True,
        "result": "error",
        "step": step,
        "message": trouble.message,
        "hint": trouble.hint,
    }


def _send(out: BinaryIO, message: Mapping[str, Any]) -> None:
    # A controller that went away is no reason to stop half way.
    rest = json.dumps(message).encode() + b"\n"
    with contextlib.suppress(OSError, ValueError):
        while rest:  # python -u: a raw write, which a signal can cut short
            rest = rest[out.write(rest) or 0 :]
        out.flush()


def _who() -> str:
    """Return who is at work here, for whoever finds the lock taken.

    Both variables are the login's words: what is not a name or an address is left out.
    """
    login = os.environ.get("SUDO_USER", "")
    login = login if _NAME.fullmatch(login) else files.user()
    address = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    address = address if _ADDRESS.fullmatch(address) else ""
    return f"{login} from {address}" if address else login


def _drop_root(name: str) -> None:
    """Become Zulip's user if we are root: with its groups, and no way back. Raises AgentError."""
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            raise AgentError(f"there is no user {name} here", "zulip_user says its name") from None
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    if 0 in os.getresuid():
        raise AgentError(f"the agent does not work as root, and {name} is root", "see zulip_user")


def _leave_alone() -> None:
    """Let no lost connection and no Ctrl-C end a transaction half way.

    Handlers that do nothing, not SIG_IGN: a program that we start would inherit that, and a
    Zulip that ignores SIGTERM could not be stopped any more.
    """
    with contextlib.suppress(PermissionError):
        os.setsid()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
