"""`make fuzz-guided`: run the editor of settings.py under atheris, which searches new code paths.

python -m tests.fuzz.guided CORPUS [options of libFuzzer, for example -max_total_time=SECONDS]

The Makefile installs atheris into its own environment. Half of its inputs are files. The other half
are choices for our generator, which produce valid files more often.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from pathlib import Path
from random import Random
from typing import Any

import atheris

with atheris.instrument_imports(include=["scimconf.agent"]):
    from scimconf.agent import masking, settings_edit  # noqa: F401 (instrumented by this)

from tests.fuzz import entries, invariants, settings_files
from tests.fuzz.settings_files import File

SEEDS = 1000
ENDLESS = re.compile(rb"while|\*\*|<<|\d{5}|\*\s*\d{3}")
"""Code that could run for a very long time. Such a file is edited, but not run."""
SECONDS = 5
"""The CPU time limit for running a file."""


class Chosen(Random):
    """A random source that uses the given bytes first, and then pseudo-random numbers."""

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data))
        self._left = bytearray(reversed(data))

    def random(self) -> float:
        """Return a number from 0 to 1, from two bytes."""
        return self.getrandbits(16) / 65536 if len(self._left) > 1 else super().random()

    def getrandbits(self, k: int) -> int:
        """Return k random bits."""
        count = (k + 7) // 8
        if len(self._left) < count:
            return super().getrandbits(k)
        found = bytes(self._left.pop() for _ in range(count))
        return int.from_bytes(found, "big") >> (8 * count - k)


def one(data: bytes) -> None:
    """Edit one file. The first byte says whether the rest is a file or random choices."""
    random = Chosen(data[1:]) if data[:1] < b"\x80" else Random(data[0])
    by_us = isinstance(random, Chosen)
    file = settings_files.settings_file(random) if by_us else File(data[1:])
    request = entries.request(random)
    if ENDLESS.search(file.data) and not by_us:
        with contextlib.suppress(invariants.Refusal):
            settings_edit.edit(file.data, {"acme": None})
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        invariants.settings(random, file, request)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def endless(*_: Any) -> None:
    """Stop a file that runs too long. It counts as a file that does not run."""
    raise TimeoutError


def seed(corpus: Path) -> None:
    """Write the first corpus: generated files, and choices for the generator."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number in range(SEEDS):
        random = Random(number)
        data = settings_files.settings_file(random).data
        (corpus / f"file-{number}").write_bytes(bytes([128 + number % 128]) + data)
        choices = bytes(random.randrange(256) for _ in range(200))
        (corpus / f"choices-{number}").write_bytes(b"\0" + choices)


def main() -> None:
    """Run until a limit of libFuzzer. A failure ends the run and writes its input into a file."""
    seed(Path(sys.argv[1]))
    signal.signal(signal.SIGVTALRM, endless)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
