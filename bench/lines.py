"""The lines of the table. Each one measures something and compares it with a limit."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.measure import Failed, Measured, Program, alternating, median
from bench.operator import WANTED, Operator, environment
from bench.peers import Peers
from bench.targets import FIRST_ADDRESS, Target, Targets
from scimconf.tokens.entries import END

HOSTS, FORKS = 100, 20
ONE_WAY = 0.05
"""Seconds by which the proxy delays each byte, so the round trip is 100 ms."""
DURABLE = ("journal", "back up", "write settings", "commit")
"""The steps of a transaction that wait for fsync."""
QUIET = ("-q",)


@dataclass(frozen=True)
class Check:
    """One result and its limit."""

    what: str
    reached: str
    wanted: str
    ok: bool


@dataclass(frozen=True)
class Report:
    """The results of a line, and the raw figures."""

    checks: Sequence[Check]
    figures: Sequence[str] = field(default_factory=list)


class Bench:
    """The targets and the measurements. Each part is created at its first use."""

    def __init__(self, targets: Targets, environments: Path, runs: int) -> None:
        self.targets = targets
        self.runs = runs
        self._environments = environments
        self.state = 0
        """The state of all servers: an index of WANTED."""
        self.notes: list[str] = []
        """Notes about tools that could not run."""

    @cached_property
    def operator(self) -> Operator:
        """Return the operator of the hundred servers, which are in state 0."""
        made = Operator(self.targets, "hundred", self.targets.at(HOSTS))
        made.apply(0, "--create-tokens", *QUIET).run()
        return made

    @cached_property
    def one(self) -> Operator:
        """Return the operator of one other server."""
        made = Operator(self.targets, "one", self.targets.at(HOSTS + 1)[HOSTS:])
        made.apply(0, "--create-tokens", *QUIET).run()
        return made

    @cached_property
    def peers(self) -> Peers:
        """Return the other tools, which know both states."""
        made = Peers(self.operator, self._environments, FORKS)
        made.mark()
        for state in range(len(WANTED)):
            self.operator.apply(state, *QUIET).run()
            made.learn()
        self.state = len(WANTED) - 1
        return made

    @cached_property
    def plans(self) -> Mapping[str, list[Measured]]:
        """Measure all tools when there is nothing to change."""
        peers, operator, state = self.peers, self.operator, self.state
        ansible, mitogen = peers.ansible(mitogen=False), peers.ansible(mitogen=True)
        ansible.play(state).run()  # warm up: its connections stay open
        sides = {
            "floor": operator.floor(state, FORKS),
            "scimconf": operator.scimconf("plan", state, *QUIET),
            "scimconf, one server": self.one.scimconf("plan", 0, *QUIET),
            "ansible": ansible.play(state),
            "mitogen": mitogen.play(state),
            "pyinfra": peers.pyinfra().play(state),
        }
        try:  # mitogen needs certain versions of Ansible; no limit depends on it
            sides["mitogen"].run()
        except Failed as failed:
            del sides["mitogen"]
            self.notes.append(f"mitogen does not run here: {failed}")
        try:
            return alternating({name: side.run for name, side in sides.items()}, self.runs)
        finally:
            ansible.hang_up()

    @cached_property
    def applies(self) -> Mapping[str, list[Measured]]:
        """Measure all tools when every server must change. Check each change."""
        peers, operator = self.peers, self.operator
        ansible = peers.ansible(mitogen=False)
        ansible.play(self.state).run()

        def changing(side: Callable[[int], Program]) -> Callable[[], Measured]:
            def change() -> Measured:
                self.state = 1 - self.state
                done = side(self.state).run()
                if not peers.stand_at(self.state):
                    raise Failed(f"not every server was changed: {done.out[-1500:]}")
                return done

            return change

        sides = {
            "scimconf plan": lambda: operator.scimconf("plan", self.state, *QUIET).run(),
            "scimconf": changing(
                lambda state: operator.apply(state, *QUIET, "--format", "json"),
            ),
            "ansible": changing(ansible.play),
            "pyinfra": changing(peers.pyinfra().play),
        }
        try:
            return alternating(sides, self.runs)
        finally:
            ansible.hang_up()


def plan(bench: Bench) -> Report:
    """Plan a hundred servers, twenty at a time, with nothing to change."""
    walls = _walls(bench.plans)
    ours = walls["scimconf"]
    return Report(
        [
            _at_most("plan / floor", ours / walls["floor"], 1.15),
            _at_least("Ansible warm / plan", walls["ansible"] / ours, 2.5),
            _at_least("pyinfra / plan", walls["pyinfra"] / ours, 2.0),
        ],
        [*_figures(bench.plans), *bench.notes],
    )


def apply(bench: Bench) -> Report:
    """Change a hundred servers, twenty at a time. The restart is `true`, and there is no gate."""
    walls = _walls(bench.applies)
    ours, our_plan = walls["scimconf"], walls["scimconf plan"]
    check, durable = _apart(bench.applies["scimconf"])
    limit = 1.3 * our_plan + check + durable
    return Report(
        [
            Check(
                "apply",
                f"{ours:.2f} s",
                f"<= {limit:.2f} s = 1.3 x plan ({our_plan:.2f}) + candidate check ({check:.2f}) "
                f"+ steps that fsync ({durable:.2f})",
                ours <= limit,
            ),
            _at_least("Ansible / apply", walls["ansible"] / ours, 4.0),
        ],
        [
            *_figures(bench.applies),
            f"of scimconf's wall time, by its own steps divided by the {FORKS} at a time: "
            f"candidate check {check:.2f} s, {', '.join(DURABLE)} {durable:.2f} s",
        ],
    )


def _apart(runs: Sequence[Measured]) -> tuple[float, float]:
    """Return the wall time of the candidate check and of the durable steps.

    Twenty servers work at the same time, each through its steps one after the other.
    """

    def of(run: Measured, names: Sequence[str]) -> float:
        report = json.loads(run.out[run.out.index("{") :])
        steps = [step for server in report["servers"] for step in server["steps"]]
        taken: float = sum(step["seconds"] for step in steps if step["name"] in names)
        return taken / FORKS

    return (
        statistics.median(of(run, ("check candidate",)) for run in runs),
        statistics.median(of(run, DURABLE) for run in runs),
    )


def cpu(bench: Bench) -> Report:
    """The controller's CPU time for one server: a plan of 100 servers minus a plan of one."""
    whole, empty = (
        median(bench.plans[name], lambda run: run.cpu)
        for name in ("scimconf", "scimconf, one server")
    )
    each = 1000 * (whole - empty) / (HOSTS - 1)
    return Report(
        [Check("controller's CPU per server", f"{each:.1f} ms", "<= 12 ms", each <= 12)],
        [f"CPU of a plan: {HOSTS} servers {whole:.2f} s, one server {empty:.2f} s"],
    )


def latency(bench: Bench) -> Report:
    """Plan one server behind a round trip of 100 ms. Compare with `ssh host true`."""
    operator, port = bench.one, bench.targets.port
    (target,) = operator.fleet
    argv = [sys.executable, "-m", "bench.proxy", target.address, str(port), str(ONE_WAY)]
    proxy = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert proxy.stdout is not None
    try:
        far = int(proxy.stdout.readline())
        bench.targets.trust([(target.address, far), *bench.targets.addresses])
        # Replace the second inventory: the same state, through the port of the proxy.
        near_by = operator.inventory(0).read_text()
        operator.inventory(1).write_text(
            near_by.replace(f"ansible_port: {port}\n", f"ansible_port: {far}\n")
        )
        sides = {
            "ssh host true": operator.ssh(target, far, "true").run,
            "scimconf plan": operator.scimconf("plan", 1, *QUIET).run,
            "ssh host true, no delay": operator.ssh(target, port, "true").run,
            "scimconf plan, no delay": operator.scimconf("plan", 0, *QUIET).run,
        }
        found = alternating(sides, bench.runs)
    finally:
        proxy.communicate()
    walls = _walls(found)
    more = walls["scimconf plan"] - walls["ssh host true"]
    return Report(
        [Check("plan - `ssh host true`", f"{more:.2f} s", "<= 0.35 s", more <= 0.35)],
        _figures(found),
    )


def start(bench: Bench) -> Report:
    """Measure the start of commands that need no server."""
    folder, around = bench.targets.controller, environment(bench.targets)
    commands = {
        "python -c pass": ["-c", "pass"],
        "scimconf --help": ["-m", "scimconf", "--help"],
        "scimconf token": ["-m", "scimconf", "token"],
    }
    sides = {
        name: Program([sys.executable, *words], folder, around).run
        for name, words in commands.items()
    }
    found = alternating(sides, max(bench.runs, 15))
    walls = _walls(found)
    bare = walls["python -c pass"]
    return Report(
        [
            Check(
                f"{name} - bare python",
                f"{walls[name] - bare:.3f} s",
                "<= 0.150 s",
                walls[name] - bare <= 0.15,
            )
            for name in list(commands)[1:]
        ],
        _figures(found),
    )


def thousand(bench: Bench) -> Report:
    """Plan over a thousand real connections, a hundred at a time."""
    fleet = Operator(bench.targets, "thousand", _targets(bench, 1000))
    fleet.tokens.write_bytes(bench.operator.tokens.read_bytes())
    bench.operator.apply(0, *QUIET).run()
    bench.state = 0
    arguments = [*fleet.scimconf("plan", 0, *QUIET, "--forks", "100", "--format", "json").argv][3:]
    done = Program(
        [sys.executable, "-m", "bench.resources", "real", *arguments],
        fleet.folder,
        fleet.environment,
    ).run()
    said = json.loads(done.out.strip().splitlines()[-1])
    answered = len(re.findall(r'"status": "ok"', done.out)) - 1  # the run before has one
    return Report(
        [
            Check("answered", f"{answered} of 1000", "all", answered == 1000 and not said["code"]),
            _at_most("memory (MB)", done.memory * 1.048576, 200),
            Check(
                "descriptors at the end",
                str(said["after"]),
                f"{said['before']}, as at the start",
                said["after"] == said["before"],
            ),
        ],
        [f"1,000 connections, 100 at a time: {done.wall:.1f} s wall, {done.cpu:.1f} s CPU"],
    )


def simulated(bench: Bench) -> Report:
    """Load and plan 1,000 to 10,000 servers with a simulated connection that answers at once."""
    sizes = (1000, 2500, 5000, 10_000)
    rows: dict[int, tuple[float, float, float]] = {}
    for size in sizes:
        fleet = Operator(bench.targets, f"simulated{size}", _targets(bench, size, own=True))
        _copy_tokens(bench.operator.tokens.read_text(), fleet)
        arguments = [*fleet.scimconf("plan", 0, *QUIET).argv][3:]
        done = Program(
            [sys.executable, "-m", "bench.resources", "simulated", *arguments],
            fleet.folder,
            fleet.environment,
        ).run()
        said = json.loads(done.out.strip().splitlines()[-1])
        if said["code"] != 0:
            raise Failed(f"the simulated plan: exit {said['code']}: {done.out[-1500:]}")
        rows[size] = (done.wall, said["load"], done.memory * 1.048576)
    (wall, _, memory), (small_wall, _, small_memory) = rows[sizes[-1]], rows[sizes[0]]
    return Report(
        [
            _at_most("seconds for 10,000", wall, 20),
            _at_most("MB for 10,000", memory, 400),
            _at_most("time, 10,000 / 1,000", wall / small_wall, 10.5),
            _at_most("memory, 10,000 / 1,000", memory / small_memory, 10.5),
        ],
        [
            f"{size:>6} servers: {wall:6.2f} s, of that loading the inventory {load:6.2f} s; "
            f"{memory:4.0f} MB"
            for size, (wall, load, memory) in rows.items()
        ],
    )


def _targets(bench: Bench, size: int, *, own: bool = False) -> Sequence[Target]:
    """Return `size` targets that share the hundred Zulips, and their tokens unless `own`."""
    zulips = [target.zulip for target in bench.targets.at(HOSTS)]
    found = []
    for n in range(size):
        zulip = zulips[n % HOSTS]
        name = f"h{n}"
        address = str(FIRST_ADDRESS + n)
        found.append(Target(name, address, zulip, name if own else zulip.root.name))
    return found


def _salt(number: int) -> str:
    """Return the first characters of a vault value's body: eight digits of its salt, as hex."""
    return f"{number:08}".encode().hex()


def _copy_tokens(text: str, fleet: Operator) -> None:
    """Write a token file with the first server's entry for every server, each with another salt.

    A token file with two equal tokens is refused. `plan` decrypts none of them, and encrypting
    10,000 tokens would take minutes.
    """
    head, entry = text.split('  "zulip0":\n')
    entry = entry.split('  "zulip')[0]
    before, start, after = re.split(r"(AES256\n +)", entry, maxsplit=1)
    entries = (
        f'  "{target.deployment}":\n{before}{start}{_salt(n)}{after[16:]}'
        for n, target in enumerate(fleet.fleet)
    )
    fleet.tokens.write_text(head + "".join(entries) + f"{END}\n")


# --- helpers --------------------------------------------------------------------------------


def _walls(sides: Mapping[str, Sequence[Measured]]) -> dict[str, float]:
    return {name: median(runs, lambda run: run.wall) for name, runs in sides.items()}


def _figures(sides: Mapping[str, Sequence[Measured]]) -> list[str]:
    return [
        f"{name:24} {median(runs, lambda run: run.wall):7.2f} s wall "
        f"{median(runs, lambda run: run.cpu):7.2f} s CPU   "
        f"({' '.join(f'{run.wall:.2f}' for run in runs)})"
        for name, runs in sides.items()
    ]


def _at_most(what: str, reached: float, limit: float) -> Check:
    return Check(what, f"{reached:.2f}", f"<= {limit:g}", reached <= limit)


def _at_least(what: str, reached: float, limit: float) -> Check:
    return Check(what, f"{reached:.2f}", f">= {limit:g}", reached >= limit)


LINES: Mapping[str, Callable[[Bench], Report]] = {
    each.__name__: each for each in (start, latency, plan, cpu, apply, thousand, simulated)
}
