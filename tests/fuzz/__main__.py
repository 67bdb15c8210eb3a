"""`make fuzz`: run the editors on N generated files and print the counts.

python -m tests.fuzz [--settings N] [--secrets N] [--seed SEED] [--jobs N]

Each file has its own seed, starting at SEED. A failure names its seed, and
`--settings 1 --seed N` (or `--secrets 1`) repeats only that file.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from random import Random
from typing import Tuple

from scimconf.agent import settings_edit, settings_file
from tests.fuzz import entries, invariants, secrets_files, settings_files

PORTION = 500
"""The number of files per unit of work."""
Failure = Tuple[int, str]
"""A seed and its error."""
FLOOR = 0.5
"""The minimum share of edited files. If most files are refused, the run proves little."""


def settings(seed: int) -> str:
    """Edit one settings file. Return the outcome."""
    random = Random(seed)
    file = settings_files.settings_file(random)
    return invariants.settings(random, file, entries.request(random))


def secrets(seed: int) -> str:
    """Edit one secrets file. Return the outcome."""
    return secrets_files.check(*secrets_files.secrets_file_and_request(Random(seed)))


def portion(
    check: Callable[[int], str], first: int, until: int
) -> tuple[dict[str, int], list[Failure]]:
    """Check the files of these seeds. Return the counts and the failures."""
    counts: Counter[str] = Counter()
    failures = []
    for seed in range(first, until):
        try:
            counts[check(seed)] += 1
        except Exception:
            counts["FAILED"] += 1
            failures.append((seed, traceback.format_exc(limit=-3)))
    return counts, failures


def remember() -> None:
    """Cache `read`, which is a pure function and takes most of the time."""
    settings_file.read = settings_edit.read = lru_cache(64)(settings_file.read)


def run(check: Callable[[int], str], what: str, first: int, files: int, jobs: int) -> bool:
    """Check the files and print the counts. Return True if all is well."""
    if not files:
        return True
    began = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[Failure] = []
    starts = range(first, first + files, PORTION)
    ends = (min(start + PORTION, first + files) for start in starts)
    with ProcessPoolExecutor(jobs, initializer=remember) as pool:
        for found, failed in pool.map(partial(portion, check), starts, ends):
            counts.update(found)
            failures += failed
    figures = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    seconds = time.monotonic() - began
    print(
        f"{what}: {files} files, seeds {first} to {first + files - 1}: {figures}; {seconds:.0f} s"
    )
    for seed, text in failures[:5]:
        print(f"\n{what}, seed {seed}:\n{text}")
    too_few = files >= PORTION and counts[invariants.EDITED] < FLOOR * files
    if too_few:
        print(f"{what}: less than {FLOOR:.0%} were edited, which proves little")
    return not failures and not too_few


def main() -> int:
    """Run the checks of the command line. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="fuzz the editors")
    parser.add_argument("--settings", type=int, default=0, help="how many settings files")
    parser.add_argument("--secrets", type=int, default=0, help="how many secrets files")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    asked = parser.parse_args()
    print(f"Python {platform.python_version()}, {asked.jobs} process(es)", flush=True)
    well = [
        run(settings, "settings.py", asked.seed, asked.settings, asked.jobs),
        run(secrets, "zulip-secrets.conf", asked.seed, asked.secrets, asked.jobs),
    ]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
