"""The line for one server with many realms: a server of the tests' lab, with a web server."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.measure import Measured, Program
from bench.results import Check, Report, at_most
from bench.tools import Bench
from tests.lab.lab import Lab
from tests.lab.operator import VAULT, Operator
from tests.lab.server import Server

SIZES = (250, 500, 1000)
MANY = 500
GROWTH = 1.25
"""How much longer twice as many realms may take than twice the time."""


def realms(bench: Bench) -> Report:
    """Plan and change a server with 500 realms, and with half and twice as many.

    Nothing changes in the plan. Each realm changes in the apply, with a restart, the gate and the
    public check.
    """
    plans: dict[int, float] = {}
    applies: dict[int, float] = {}
    lines = []
    for size in SIZES:
        plan, apply = _measure(size)
        plans[size], applies[size] = plan.wall, apply.wall
        lines.append(
            f"{size:>5} realms: plan {plan.wall:.2f} s wall, {plan.cpu:.2f} s CPU; "
            f"apply {apply.wall:.2f} s wall, {apply.cpu:.2f} s CPU"
        )
    return Report(
        [
            at_most("seconds for a plan", plans[MANY], 2),
            at_most("seconds for an apply", applies[MANY], 12),
            _linear("plan", plans),
            _linear("apply", applies),
        ],
        lines,
    )


def _linear(what: str, walls: dict[int, float]) -> Check:
    ratio = walls[2 * MANY] / walls[MANY]
    return at_most(f"{what}, {2 * MANY} realms / {MANY}", ratio, 2 * GROWTH)


def _measure(size: int) -> tuple[Measured, Measured]:
    names = ["", *(f"r{number}" for number in range(size - 1))]
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        server = lab.server("realms.test", realms=names)
        operator = Operator(lab, Path(folder))
        _write(operator, server, names, False)
        _program(lab, operator, "apply", "--yes", "--create-tokens", *VAULT).run()
        plan = _program(lab, operator, "plan").run()
        _write(operator, server, names, True)
        apply = _program(lab, operator, "apply", "--yes", "--allow-many", *VAULT).run()
    return plan, apply


def _write(operator: Operator, server: Server, names: list[str], flag: bool) -> None:
    wanted = {name: {"name_formatted_included": flag} for name in names}
    operator.write_inventory({server.name: {"scim_realms": wanted}})


def _program(lab: Lab, operator: Operator, *words: str) -> Program:
    return Program([sys.executable, "-m", "scimconf", *words], operator.folder, lab.environment())
