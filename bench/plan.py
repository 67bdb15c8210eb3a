"""How long a plan takes: `.venv/bin/python -m bench.plan [--hosts 100] [--forks 20] [--runs 5]`.

A hundred connections over real sshds to three lab servers on this very machine: what is measured
is both ends together, so it is an upper bound for the controller. Prints medians of the runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time

from tests.lab import Lab
from tests.lab.operator import VAULT, Operator


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    for name, default in (("hosts", 100), ("forks", 20), ("runs", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with Lab() as lab:
        operator = Operator(lab, lab.folder / "operator")
        servers = [
            lab.server(f"bench{n}.test", version=v) for n, v in enumerate(("8.4", "9.0", "12.1"))
        ]
        realms = {"scim_realms": {"": {}}}
        operator.write_inventory({server.name: realms for server in servers})
        if operator.run("apply", "--yes", "--create-tokens", *VAULT).returncode:
            raise SystemExit("the lab's servers could not be brought under scimconf")
        operator.write_inventory(
            {
                f"h{n}": {
                    **servers[n % 3].inventory_vars(),
                    **realms,
                    "scim_deployment": servers[n % 3].name,
                }
                for n in range(asked.hosts)
            }
        )
        # The tokens of the three are kept under their names, which are the deployments' here.
        plan = [sys.executable, "-m", "scimconf", "plan", "-q", "--forks", str(asked.forks)]
        rows = [_timed(plan, operator, 0) for _ in range(asked.runs)]
        empty = [_timed([*plan[:3], "--help"], operator, 0) for _ in range(asked.runs)]
        bare = [_timed([sys.executable, "-c", "pass"], operator, 0) for _ in range(asked.runs)]
    print(f"{platform.python_version()}, {os.cpu_count()} cores, medians of {asked.runs} runs")
    print(f"{'':44}{'wall s':>8}{'cpu s':>8}")
    label = f"plan, {asked.hosts} hosts, width {asked.forks}, nothing to do"
    for name, measured in ((label, rows), ("scimconf --help", empty), ("python -c pass", bare)):
        wall, cpu = (statistics.median(column) for column in zip(*measured, strict=True))
        print(f"{name:44}{wall:8.2f}{cpu:8.2f}")


def _timed(argv: list[str], operator: Operator, code: int) -> tuple[float, float]:
    """Give wall and processor seconds of the controller's own process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    done = subprocess.run(
        argv,
        cwd=operator.folder,
        env=operator.lab.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != code:
        raise SystemExit(f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
