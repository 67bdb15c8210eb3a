"""Measure the wall time, CPU time and memory of a program, and calculate medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Measured:
    """The cost of one run. It includes child processes, but not processes that outlive the run."""

    wall: float
    cpu: float
    memory: float
    """MiB of its largest process."""
    out: str
    servers: float = 0.0
    """The CPU time of the servers."""


class Failed(Exception):
    """A tool did not do what is measured."""


@dataclass(frozen=True)
class Program:
    """A command to measure."""

    argv: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    codes: Collection[int] = (0,)
    stdin: IO[bytes] | int = subprocess.DEVNULL
    user: int | None = None

    def run(self) -> Measured:
        """Run the program. Raise Failed with the end of its output if it fails."""
        with tempfile.TemporaryFile() as output:
            begun = time.monotonic()
            process = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                env=self.environment,
                stdin=self.stdin,
                user=self.user,
                stdout=output,
                stderr=output,
            )
            _, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            out = output.read().decode(errors="replace")
        if process.returncode not in self.codes:
            raise Failed(f"exit {process.returncode} of {self.argv[0]}: {out[-1500:]}")
        return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out)


def median(runs: Sequence[Measured], what: Callable[[Measured], float]) -> float:
    """Return the median of one figure."""
    return statistics.median(map(what, runs))


def alternating(
    sides: Mapping[str, Callable[[], Measured]], runs: int, servers: Callable[[], float]
) -> dict[str, list[Measured]]:
    """Run all tools in turn, `runs` times. Every second round has the reverse order.

    `servers` returns the CPU time that the servers have used so far.
    """
    found: dict[str, list[Measured]] = {name: [] for name in sides}
    for number in range(runs):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            before = servers()
            done = sides[name]()
            found[name].append(replace(done, servers=servers() - before))
    return found
