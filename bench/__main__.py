"""`python -m bench [LINE...]`: measure and print the table. Exit with 1 if a limit is missed."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bench import table
from bench.lines import LINES
from bench.measure import Failed
from bench.results import Check, Report
from bench.targets import Targets
from bench.tools import HOSTS, Bench

PROJECT = Path(__file__).resolve().parents[1]
ENVIRONMENT = PROJECT / ".cache/bench/venv"
PAGE = PROJECT / "docs/performance.md"


def main() -> int:
    """Measure the named lines, or all."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"one of: {', '.join(LINES)}")
    parser.add_argument("--runs", type=int, default=5, help="Run each tool N times (default: 5)")
    parser.add_argument(
        "--write", action="store_true", help="Write the results into docs/performance.md"
    )
    asked = parser.parse_args()
    if unknown := set(asked.lines) - set(LINES):
        parser.error(f"no such line: {', '.join(sorted(unknown))}")
    reports: dict[str, Report] = {}
    with Targets(HOSTS + 1) as targets:
        bench = Bench(targets, ENVIRONMENT, asked.runs)
        for name in asked.lines or LINES:
            begun = time.monotonic()
            try:
                reports[name] = LINES[name](bench)
            except Failed as failed:
                reports[name] = Report([Check("measured", "no", "yes", ok=False)], [str(failed)])
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    print(table.table(reports), table.figures(reports), sep="\n\n")
    if asked.write:
        table.write(PAGE, reports, "make bench", _versions())
    return int(not all(check.ok for report in reports.values() for check in report.checks))


def _versions() -> str:
    listed = subprocess.check_output(
        [ENVIRONMENT / "bin/python", "-m", "pip", "list", "--format", "freeze"], text=True
    )
    named = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr
    peers = (f"{name} {named[name]}" for name in ("ansible-core", "mitogen", "pyinfra"))
    return ", ".join([*peers, ssh.split(",")[0]])


if __name__ == "__main__":
    sys.exit(main())
