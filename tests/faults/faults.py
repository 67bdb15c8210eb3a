"""The faults, which happen while the agent is stopped before or after a step, and their end."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.faults.machine import BY_HAND, Machine, mount
from tests.faults.process import Agent, Stop, until

ROOT = os.geteuid() == 0
Strike = Callable[[Machine, Agent], None]


def _nothing(machine: Machine, agent: Agent) -> None:
    pass


def _be_well(machine: Machine, agent: Agent) -> None:
    machine.behave()


@dataclass(frozen=True)
class Fault:
    """One fault."""

    name: str
    strike: Strike
    pass_by: Strike = _nothing
    """End the fault, so that the server can be changed again. The agent has ended by then."""
    at: tuple[str, ...] = ()
    """The steps where it can happen; empty: all of them, including those of the rollback."""
    moments: tuple[str, ...] = ("before",)
    words: str = ""
    """A pattern that the report must match, unless the run commits."""
    heard: bool = True
    """Return whether a controller is left to read the report."""
    dies: bool = False
    """Return whether the fault kills the agent."""
    stops_writing: bool = False
    """Return whether the fault prevents a rollback, so that a run may end between old and new."""
    stops_site: bool = False
    """Return whether Zulip may be down during the fault."""
    link: str = "pipe"
    orphan: bool = False
    """Return whether the restart goes on after the agent's death, until the fault ends."""
    disk: str = ""
    restart_timeout: float = 20.0
    needs_root: bool = False


# --- processes and links ----------------------------------------------------------------------


def _kill(machine: Machine, agent: Agent) -> None:
    agent.kill()


def _kill_controller(machine: Machine, agent: Agent) -> None:
    agent.kill_controller()


def _kill_both(machine: Machine, agent: Agent) -> None:
    agent.kill_controller()
    agent.kill()


def _reset(machine: Machine, agent: Agent) -> None:
    agent.reset_link()


def _forget_the_link(machine: Machine, agent: Agent) -> None:
    """Stop reading, and keep the connection open until the transaction has ended."""
    agent.resume()
    until(lambda: machine.journal() in ("committed", "rolled back"), "the transaction ends")
    assert agent.process.poll() is None
    agent.reset_link()


def _second_controller(machine: Machine, agent: Agent) -> None:
    second = Agent(machine, [machine.request()])
    try:
        second.ended()
        (final,) = second.finals()
        assert final["result"] in ("busy", "committed")
        if final["result"] == "busy":
            assert f"(process {agent.process.pid}), since " in final["message"]
    finally:
        second.close()


def _take_over(machine: Machine, agent: Agent) -> None:
    """Recover while the restart goes on without its agent: `recover` waits, then restarts again."""
    machine.behave()
    request = {"do": "recover", "paths": machine.zulip.paths()}
    second = Agent(machine, [request])
    try:
        until(lambda: second.has_said("the restart of an interrupted run"), "it waits")
        assert machine.processes(), "nobody ends the restart"
        machine.flag("go")
        second.ended()
        (final,) = second.finals()
    finally:
        second.close()
    assert final["result"] == "recovered", final
    assert machine.state() == machine.in_force() == "old"
    assert not (machine.zulip.root / "two-restarts").exists()


# --- the disk ---------------------------------------------------------------------------------


def _fill(machine: Machine, agent: Agent) -> None:
    if not ROOT:
        # Too little for a journal, but enough for Zulip's programs, which inherit the limit.
        resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE, (2000, 2000))
        return
    with contextlib.suppress(OSError), open(machine.folder / "filler", "wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass


def _make_room(machine: Machine, agent: Agent) -> None:
    (machine.folder / "filler").unlink(missing_ok=True)


def _make_read_only(machine: Machine, agent: Agent) -> None:
    folder = machine.zulip.settings.parent
    if not ROOT:
        folder.chmod(0o500)
        return
    mount(machine.ending, "--bind", str(folder), str(folder))
    _remount(machine, "ro")


def _make_writable(machine: Machine, agent: Agent) -> None:
    if ROOT:
        _remount(machine, "rw")
    else:
        machine.zulip.settings.parent.chmod(0o755)


def _remount(machine: Machine, how: str) -> None:
    words = ["mount", "-o", f"remount,bind,{how}", str(machine.zulip.settings.parent)]
    subprocess.run(words, check=True, capture_output=True)


def _bind(machine: Machine, agent: Agent) -> None:
    for path in (machine.zulip.settings, machine.zulip.secrets):
        mount(machine.ending, "--bind", str(path), str(path))


def _flag(name: str, text: str) -> Strike:
    return lambda machine, agent: machine.flag(name, text)


def _unflag(machine: Machine, agent: Agent) -> None:
    for name in ("fsync-fails", "clock-is-ahead"):
        (machine.zulip.root / name).unlink(missing_ok=True)


def _take_permission(machine: Machine, agent: Agent) -> None:
    machine.zulip.settings.chmod(0)


def _give_permission(machine: Machine, agent: Agent) -> None:
    machine.zulip.settings.chmod(0o644)


# --- people, programs, the site ---------------------------------------------------------------


def _edit(machine: Machine, agent: Agent) -> None:
    with machine.zulip.settings.open("ab") as file:
        file.write(BY_HAND)


def _follow_the_hint(machine: Machine, agent: Agent) -> None:
    """If the rollback failed because of the edit: follow the hint, then add the line again."""
    final = agent.finals()[-1]
    assert machine.zulip.settings.read_bytes().endswith(BY_HAND)
    if final["result"] != "roll-back failed":
        return
    backups = machine.zulip.state / "backups"
    assert str(backups) in final["hint"]
    assert f"remove {machine.zulip.state / 'journal.json'}" in final["hint"]
    for path in (machine.zulip.settings, machine.zulip.secrets):
        last = max(each for each in backups.iterdir() if each.name.endswith(path.name))
        path.write_bytes(last.read_bytes())
    _edit(machine, agent)
    (machine.zulip.state / "journal.json").unlink()


def _behave(**how: Any) -> Strike:
    return lambda machine, agent: machine.behave(**how)


def _break_settings(machine: Machine, agent: Agent) -> None:
    _chain(machine).write_text("from .configured_settings import *\nraise RuntimeError\n")


def _mend_settings(machine: Machine, agent: Agent) -> None:
    _chain(machine).write_text("from .configured_settings import *\n")


def _chain(machine: Machine) -> Any:
    return machine.zulip.deployment / "zproject/settings.py"


_YEAR = 365 * 24 * 3600
_BOTH: tuple[str, ...] = ("before", "after")
_GATES = {
    "gate gets 401": {"status": 401},
    "gate gets 500": {"status": 500},
    "gate gets garbage": {"spoils": "garbage"},
    "gate gets nothing": {"spoils": "nothing"},
    "gate gets a trickle": {"spoils": "trickle"},
}
_RESTARTS = {
    "restart fails, site down (5.6)": {"restart_exit": 1, "stops_first": True},
    "restart fails, site up (9.0)": {"restart_exit": 1},
    "restart hangs": {"restart_hangs": True},
}


def _two(name: str, how: Mapping[str, Any], at: str, words: str) -> tuple[Fault, Fault]:
    """Return a fault of the new configuration only, and one that happens in the rollback too."""
    once = Fault(name, _behave(**how, only_with="beta"), _be_well, at=(at,), words=words)
    if "restart_hangs" in how:
        once = replace(once, restart_timeout=4.0)
    always = replace(
        once,
        name=f"{name}, then too",
        strike=_behave(**how),
        at=(at, f"back: {at}"),
        stops_site=True,
    )
    return once, always


FAULTS: tuple[Fault, ...] = (
    Fault("kill -9 agent", _kill, dies=True, moments=_BOTH),
    Fault("kill -9 controller", _kill_controller, heard=False, moments=_BOTH),
    Fault("kill -9 both", _kill_both, dies=True, heard=False),
    Fault("link cut, RST", _reset, link="tcp", heard=False),
    Fault("link cut, silence", _forget_the_link, link="tcp", heard=False),
    Fault("second controller", _second_controller, words="changed since the plan"),
    Fault(
        "disk full", _fill, _make_room, words="No space left|too large", stops_writing=True,
        disk="size=4m" if ROOT else "", stops_site=True,
    ),
    Fault(
        "read-only folder", _make_read_only, _make_writable, stops_writing=True,
        words="Read-only file system|not writable|Permission denied",
    ),
    Fault("EBUSY (bind mount)", _bind, needs_root=True),
    Fault(
        "fsync fails", _flag("fsync-fails", "always"), _unflag, stops_writing=True,
        words="Input/output error",
    ),
    Fault(
        "fsync fails once", _flag("fsync-fails", "once"), _unflag, stops_writing=True,
        words="Input/output error",
    ),
    Fault(
        "permission taken away", _take_permission, _give_permission, stops_writing=True,
        words="may not read|exited with|PermissionError|belongs to|the current settings",
        stops_site=True,
    ),
    Fault(
        "settings.py edited by hand", _edit, _follow_the_hint, stops_writing=True,
        words="changed since|something else changed",
    ),
    Fault("clock a year ahead", _flag("clock-is-ahead", str(_YEAR)), _unflag),
    Fault("clock a year back", _flag("clock-is-ahead", str(-_YEAR)), _unflag),
    Fault("site down before", _behave(down=True), _be_well, at=("lock",), stops_site=True),
    Fault(
        "check fails", _break_settings, _mend_settings, at=("check candidate",),
        words="cannot be loaded with the new settings.py: RuntimeError",
    ),
    Fault(
        "registration fails", _behave(add_fails="before"), _be_well, at=("register client",),
        words="register client: manage.py add_scim_client exited with status 1",
    ),
    Fault(
        "registration fails after its commit", _behave(add_fails="after"), _be_well,
        at=("register client",),
    ),
    Fault(
        "agent killed while it registers", _behave(kills_agent="register"), _be_well, dies=True,
        at=("register client",),
    ),
    Fault(
        "agent killed while it restarts", _behave(kills_agent="restart"), _be_well, dies=True,
        at=("restart", "back: restart"),
    ),
    Fault(
        "agent killed, restart goes on", _behave(kills_agent="restart, which waits"), _take_over,
        dies=True, orphan=True, at=("restart", "back: restart"),
    ),
    *(
        fault for name, how in _RESTARTS.items()
        for fault in _two(name, how, "restart", "restart: restart-server ")
    ),
    *(
        fault for name, how in _GATES.items()
        for fault in _two(name, how, "gate", "gate: realm ")
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One fault at one moment."""

    fault: Fault
    stop: Stop

    def __str__(self) -> str:
        """Return the test's name."""
        return f"{self.fault.name}-{self.stop[1]} {self.stop[0]}"
