"""Run the agent in its own process, which stops at given points, and run its controller."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from scimconf import agent
from scimconf.ssh.program import framed
from tests.agent import program
from tests.faults.machine import USER, Machine, python

Stop = tuple[str, str]
"""A step, and "before" or "after"."""

_HOOKS = (Path(__file__).parent / "hooks.py").read_text()
_CONTROLLER = 'cat "$0"; exec cat >"$1"'
"""A controller that sends the request, closes its end and reads the answers."""
_numbers = itertools.count()


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        time.sleep(0.003)


class Agent:
    """One agent with its requests, and its controller: another process, or a TCP connection."""

    def __init__(
        self,
        machine: Machine,
        requests: Sequence[dict[str, Any]],
        stops: Sequence[Stop] = (),
        link: str = "pipe",
    ) -> None:
        number = next(_numbers)
        self._answers = machine.folder / f"answers-{number}"
        self._errors = machine.folder / f"errors-{number}"
        lines = [json.dumps(each).encode() + b"\n" for each in requests]
        sent = _program(machine, stops) + b"".join(lines)
        with contextlib.ExitStack() as ours:
            self._errors.touch()
            errors = ours.enter_context(self._errors.open("ab"))
            argv = program.argv(USER, python())
            common: dict[str, Any] = {"stderr": errors, "cwd": "/"}
            self.controller: subprocess.Popen[bytes] | None = None
            self.link: socket.socket | None = None
            if link == "tcp":
                self.link, theirs = _connection()
                ours.enter_context(theirs)
                self.process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, **common)
                self.link.sendall(sent)
                return
            request = machine.folder / f"request-{number}"
            request.write_bytes(sent)
            agent_in, to_agent = os.pipe()
            from_agent, agent_out = os.pipe()
            self.process = subprocess.Popen(argv, stdin=agent_in, stdout=agent_out, **common)
            self.controller = subprocess.Popen(
                ["/bin/sh", "-c", _CONTROLLER, str(request), str(self._answers)],
                stdin=from_agent,
                stdout=to_agent,
            )
            for each in (agent_in, agent_out, from_agent, to_agent):
                os.close(each)

    # --- while it runs ------------------------------------------------------------------------

    def stopped(self) -> bool:
        """Wait until the agent stops itself (True) or ends (False)."""
        how = []

        def changed() -> bool:
            options = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG
            found = os.waitid(os.P_PID, self.process.pid, options)
            how.extend([found.si_code] if found else [])
            return bool(how)

        until(changed, "the agent stops or ends")
        return how[0] == os.CLD_STOPPED

    def resume(self) -> None:
        """Continue a stopped agent."""
        with contextlib.suppress(ChildProcessError):  # it may have been killed
            # Read the report of the stop first. Otherwise the next wait would find it again.
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOHANG)
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the agent, as the kernel does when memory runs out."""
        self.process.kill()

    def kill_controller(self) -> None:
        """Kill the controller, so that no process holds the pipes any more."""
        assert self.controller
        self.controller.kill()
        self.controller.wait()

    def reset_link(self) -> None:
        """End the connection with an RST."""
        assert self.link
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.link.close()

    # --- the end ------------------------------------------------------------------------------

    def ended(self) -> None:
        """Wait until the agent has ended."""
        self.process.wait(60)
        if self.controller:
            self.controller.wait(60)
        assert self._errors.read_bytes() == b""

    def close(self) -> None:
        """End all processes, in every state."""
        if self.link:
            self.link.close()
        for each in (self.process, self.controller):
            if each and each.poll() is None:
                each.kill()
                each.wait()

    def has_said(self, text: str) -> bool:
        """Return whether the agent has sent this text."""
        return self._answers.exists() and text.encode() in self._answers.read_bytes()

    def finals(self) -> list[dict[str, Any]]:
        """Return the final messages that the controller has received."""
        if not self._answers.exists():
            return []
        lines = self._answers.read_bytes().splitlines()[1:]
        return [found for line in lines for found in [json.loads(line)] if found.get("final")]


def _program(machine: Machine, stops: Sequence[Stop]) -> bytes:
    config = {"root": str(machine.zulip.root), "stops": [list(stop) for stop in stops]}
    folder = resources.files(agent)
    pairs = [(name, folder.joinpath(f"{name}.py").read_text()) for name in agent.MODULES]
    pairs.append(("hooks", f"CONFIG = {config!r}\n{_HOOKS}"))
    # A module is loaded when it is first imported. This import loads the hooks with main.
    pairs = [
        (name, source + ("\nfrom scimconf.agent import hooks\n" if name == "main" else ""))
        for name, source in pairs
    ]
    return framed(pairs)


def _connection() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far
