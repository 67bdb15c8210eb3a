"""The lines of the table. Each one measures something and compares it with a limit."""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

from bench.agent import agent
from bench.measure import Failed, Measured, Program, alternating, median
from bench.network import latency, network
from bench.operator import Operator, environment
from bench.realms import realms
from bench.results import Check, Report, at_least, at_most, figures, walls
from bench.targets import FIRST_ADDRESS, Target
from bench.tools import FORKS, HOSTS, QUIET, Bench
from scimconf.tokens.entries import END

DURABLE = ("journal", "back up", "write settings", "commit")
"""The steps of a transaction that wait for fsync."""


def plan(bench: Bench) -> Report:
    """Plan a hundred servers, twenty at a time, with nothing to change."""
    wall = walls(bench.plans)
    ours = wall["scimconf"]
    return Report(
        [
            at_most("plan / floor", ours / wall["floor"], 1.15),
            at_least("Ansible warm / plan", wall["ansible"] / ours, 3.5),
            at_least("pyinfra / plan", wall["pyinfra"] / ours, 0.75),
        ],
        [*figures(bench.plans), *bench.notes],
    )


def apply(bench: Bench) -> Report:
    """Change a hundred servers, twenty at a time. The restart is `true`, and there is no gate."""
    wall = walls(bench.applies)
    ours, our_plan = wall["scimconf"], wall["scimconf plan"]
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
            at_least("Ansible / apply", wall["ansible"] / ours, 3.5),
        ],
        [
            *figures(bench.applies),
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

    def of(tool: str) -> float:
        whole, one = (
            median(bench.plans[name], lambda run: run.cpu) for name in (tool, f"{tool}, one server")
        )
        return 1000 * (whole - one) / (HOSTS - 1)

    ours, theirs = of("scimconf"), of("pyinfra")
    return Report(
        [
            Check(
                "controller's CPU per server, children included",
                f"{ours:.1f} ms",
                f"<= {theirs:.1f} ms, as pyinfra",
                ours <= theirs,
            )
        ]
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
    found = alternating(sides, max(bench.runs, 15), bench.targets.cpu)
    wall = walls(found)
    bare = wall["python -c pass"]
    return Report(
        [
            Check(
                f"{name} - bare python",
                f"{wall[name] - bare:.3f} s",
                "<= 0.100 s",
                wall[name] - bare <= 0.1,
            )
            for name in list(commands)[1:]
        ],
        figures(found),
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
            at_most("memory (MB)", done.memory * 1.048576, 200),
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
            at_most("seconds for 10,000", wall, 12),
            at_most("MB for 10,000", memory, 162),
            at_most("time, 10,000 / 1,000", wall / small_wall, 10.5),
            at_most("memory, 10,000 / 1,000", memory / small_memory, 10.5),
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


LINES: Mapping[str, Callable[[Bench], Report]] = {
    each.__name__: each
    for each in (*(start, agent, latency, plan, cpu, apply, network, thousand, simulated, realms),)
}
