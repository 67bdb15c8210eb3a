"""The lines for servers that are far away: each round trip takes 100 ms."""

from __future__ import annotations

from bench.operator import Operator
from bench.proxy import far_away
from bench.results import Check, Report, at_least, figures, walls
from bench.tools import HOSTS, QUIET, Bench

ONE_WAY = 0.05
"""Seconds by which the proxy delays each byte, so the round trip is 100 ms."""
WIDTHS = (20, 100)
STEADY = 1.03
"""The limit of the line `latency` is judged only if the slowest run of ssh takes at most this times
as long as the fastest."""


def latency(bench: Bench) -> Report:
    """Plan one server behind a round trip of 100 ms. Compare with `ssh host true`."""
    near, (target,) = bench.one, bench.one.fleet
    with far_away(bench.targets.port, ONE_WAY) as port:
        bench.targets.trust(port)
        far = Operator(bench.targets, "one-far", near.fleet, port, near)
        found = bench.measure(
            {
                "ssh host true": far.ssh(target, "true").run,
                "scimconf plan": far.scimconf("plan", 0, *QUIET).run,
                "ssh host true, no delay": near.ssh(target, "true").run,
                "scimconf plan, no delay": near.scimconf("plan", 0, *QUIET).run,
            }
        )
    wall = walls(found)
    ratio = wall["scimconf plan"] / wall["ssh host true"]
    of_ssh = [run.wall for run in found["ssh host true"]]
    spread = max(of_ssh) / min(of_ssh)
    limit = "<= 1.1"
    if spread > STEADY:
        limit += f"; not judged: ssh's own runs differ by {100 * (spread - 1):.0f} %"
    return Report(
        [
            Check(
                "plan / `ssh host true`",
                f"{ratio:.2f}",
                limit,
                ratio <= 1.1 or spread > STEADY,
            )
        ],
        figures(found),
    )


def network(bench: Bench) -> Report:
    """Plan and change a hundred servers behind round trips of 100 ms, 20 and 100 at a time."""
    lines: list[str] = []
    wall: dict[tuple[str, str, int], float] = {}
    with far_away(bench.targets.port, ONE_WAY) as port:
        bench.targets.trust(port)
        near = bench.peers  # they have learned the blocks of both states
        far = Operator(bench.targets, "far", bench.targets.at(HOSTS), port, bench.operator)
        for width in WIDTHS:
            peers = near.wide(far, width)
            ansible, pyinfra = peers.ansible(mitogen=False), peers.pyinfra()
            forks = (*QUIET, "--forks", str(width))
            ansible.play(bench.state).run()  # warm up: its connections stay open
            try:
                plans = bench.measure(
                    {
                        "scimconf": far.scimconf("plan", bench.state, *forks).run,
                        "ansible": ansible.play(bench.state).run,
                        "pyinfra": pyinfra.play(bench.state).run,
                    }
                )
                changes = bench.measure(
                    {
                        "scimconf": bench.changing(
                            lambda state, forks=forks: far.apply(state, *forks)  # type: ignore[misc]
                        ),
                        "ansible": bench.changing(ansible.play),
                        "pyinfra": bench.changing(pyinfra.play),
                    }
                )
            finally:
                ansible.hang_up()
            for what, found in (("plan", plans), ("apply", changes)):
                lines += [f"{what}, {width} at a time", *figures(found)]
                wall |= {(name, what, width): each for name, each in walls(found).items()}

    def against(tool: str, what: str, width: int, limit: float) -> Check:
        ratio = wall[tool.lower(), what, width] / wall["scimconf", what, width]
        return at_least(f"{tool} / {what}, {width} at a time", ratio, limit)

    return Report(
        [
            against("pyinfra", "plan", 20, 1.15),
            against("pyinfra", "plan", 100, 0.75),
            against("pyinfra", "apply", 20, 0.95),
            against("Ansible", "plan", 20, 2.3),
            against("Ansible", "apply", 20, 2.7),
        ],
        lines,
    )
