"""What a line of the benchmark returns: results with their limits, and the raw figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.measure import Measured, median


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


def walls(sides: Mapping[str, Sequence[Measured]]) -> dict[str, float]:
    """Return the median wall time of each side."""
    return {name: median(runs, lambda run: run.wall) for name, runs in sides.items()}


def figures(sides: Mapping[str, Sequence[Measured]]) -> list[str]:
    """Return one line for each side. "CPU" is that of the tool, "servers" that of all servers."""
    return [
        f"{name:24} {median(runs, lambda run: run.wall):7.2f} s wall "
        f"{median(runs, lambda run: run.cpu):7.2f} s CPU "
        f"{median(runs, lambda run: run.servers):7.2f} s servers   "
        f"({' '.join(f'{run.wall:.2f}' for run in runs)})"
        for name, runs in sides.items()
    ]


def at_most(what: str, reached: float, limit: float) -> Check:
    """Compare a figure with the most that it may be."""
    return Check(what, f"{reached:.2f}", f"<= {limit:g}", reached <= limit)


def at_least(what: str, reached: float, limit: float) -> Check:
    """Compare a figure with the least that it must be."""
    return Check(what, f"{reached:.2f}", f">= {limit:g}", reached >= limit)
