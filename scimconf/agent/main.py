"""Answer requests, one per line, until stdin ends (docs/agent.md)."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import signal
import sys
from typing import Any, BinaryIO, Mapping

from scimconf.agent import files, observe
from scimconf.agent.environment import environment
from scimconf.agent.errors import AgentError, as_agent_error

LONGEST = 16 * 1024 * 1024
"""The longest request, in bytes."""

_LOOKS = {"observe": observe.observe, "tokens": observe.tokens}
_CHANGES = ("acknowledge", "note", "apply", "undo", "recover")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,15})?")
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


def main(zulip_user: str) -> int:
    """Answer requests from stdin on stdout until stdin ends. Return the exit code."""
    os.umask(0o077)
    who = _who()
    try:
        _drop_root(zulip_user)
    except AgentError as error:
        _send(sys.stdout.buffer, _error("start", error))
        return 1
    # The login's environment may hold secrets. Child processes must not get them.
    kept = environment()
    os.environ.clear()
    os.environ.update(kept)
    _ignore_interruptions()
    while True:
        line = b""
        with contextlib.suppress(OSError):  # a connection reset counts as the end of stdin
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
        if step == "status":
            from scimconf.agent import status  # no other request needs it

            return status.status(asked)
        if step in _CHANGES:
            return _change(step, asked, who)
        raise AgentError("the request is unknown", "this is a bug in scimconf: please report it")
    except Exception as error:
        return _error(step, as_agent_error(error))


def _change(step: str, asked: Mapping[str, Any], who: str) -> Mapping[str, Any]:
    # Imported here, so that a plan does not compile a third of the program.
    from scimconf.agent import transaction

    if step == "acknowledge":
        return transaction.acknowledge(asked)
    if step == "note":
        return transaction.note(asked, lambda message: _send(sys.stdout.buffer, message), who)
    # Load everything that the steps need now: after the first write, no import may fail. A request
    # without a gate needs it too, because it may have to roll back an interrupted run with one.
    import encodings.idna  # noqa: F401  # connecting needs it, even to an address
    import http.client  # noqa: F401
    import ssl  # noqa: F401
    import subprocess  # noqa: F401

    changes = {
        "apply": transaction.apply,
        "undo": transaction.undo,
        "recover": transaction.recover,
    }
    return changes[step](asked, lambda message: _send(sys.stdout.buffer, message), who)


def _error(step: str, error: AgentError) -> Mapping[str, Any]:
    return {
        "final": True,
        "result": "error",
        "step": step,
        "message": error.message,
        "hint": error.hint,
    }


def _send(out: BinaryIO, message: Mapping[str, Any]) -> None:
    # If the controller is gone, the transaction goes on.
    rest = json.dumps(message).encode() + b"\n"
    with contextlib.suppress(OSError, ValueError):
        while rest:  # with python -u, a signal can interrupt a write
            rest = rest[out.write(rest) or 0 :]
        out.flush()


def _who() -> str:
    """Return who runs this agent, for messages about the lock.

    The login controls both variables, so anything but a name and an address is left out.
    """
    login = os.environ.get("SUDO_USER", "")
    login = login if _NAME.fullmatch(login) else files.user()
    address = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    address = address if _ADDRESS.fullmatch(address) else ""
    return f"{login} from {address}" if address else login


def _drop_root(name: str) -> None:
    """If this process is root, become Zulip's user for good, with its groups. Raises AgentError."""
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            hint = "set zulip_user to the user that owns Zulip (usually zulip)"
            raise AgentError(f"the server has no user {name}", hint) from None
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    if 0 in os.getresuid():
        raise AgentError(
            f"{name} has uid 0, and the agent never runs as root",
            "set zulip_user to the user that owns Zulip (usually zulip)",
        )


def _ignore_interruptions() -> None:
    """Ensure that neither a lost connection nor Ctrl-C ends a transaction half way.

    The handlers do nothing. SIG_IGN is not used, because child processes would inherit it, and
    then SIGTERM could not stop Zulip.
    """
    with contextlib.suppress(PermissionError):
        os.setsid()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
