"""`make fuzz-guided`: the editor of settings.py under atheris, which looks for new ways through it.

python -m tests.fuzz.guided CORPUS [libFuzzer's own options, -max_total_time=SECONDS for one]

It needs atheris, which is no dependency of ours: an environment of its own has it (Makefile). Half
of what it makes are files, the other half choices for our generator, which are valid more often.
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
"""What could keep the interpreter busy for ever; such a file is edited, but not run."""
SECONDS = 5
"""For a file to run, of the processor's time."""


class Chosen(Random):
    """A source of chance that is led by bytes as long as there are any."""

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data))
        self._left = bytearray(reversed(data))

    def random(self) -> float:
        """Return a number from 0 to 1, by two bytes."""
        return self.getrandbits(16) / 65536 if len(self._left) > 1 else super().random()

    def getrandbits(self, k: int) -> int:
        """Return k random bits."""
        count = (k + 7) // 8
        if len(self._left) < count:
            return super().getrandbits(k)
        found = bytes(self._left.pop() for _ in range(count))
        return int.from_bytes(found, "big") >> (8 * count - k)


def one(data: bytes) -> None:
    """Edit one file: the bytes are one, or lead our generator; the first says which."""
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
    """End a file that runs too long; it counts as one that does not run."""
    raise TimeoutError


def seed(corpus: Path) -> None:
    """Write files of our own generator, and choices for it, to begin with."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number in range(SEEDS):
        random = Random(number)
        data = settings_files.settings_file(random).data
        (corpus / f"file-{number}").write_bytes(bytes([128 + number % 128]) + data)
        choices = bytes(random.randrange(256) for _ in range(200))
        (corpus / f"choices-{number}").write_bytes(b"\0" + choices)


def main() -> None:
    """Run until libFuzzer's limits; a finding ends it, with the bytes that show it in a file."""
    seed(Path(sys.argv[1]))
    signal.signal(signal.SIGVTALRM, endless)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
