"""Inventories that are programs (Ansible's "dynamic inventory scripts"): `--list`, `--host NAME`.

They run only with --allow-exec=inventory, without a terminal, and with none of the tokens in their
environment that the inventory's other files refer to by `env:`.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scimconf import child, consent
from scimconf.errors import InventoryError
from scimconf.model import Position, Problem
from scimconf.sanitize import one_line
from scimconf.yamlfile import MAX_BYTES

TIMEOUT = 120.0
"""Seconds that all answers of one program may take together."""
_MAX_STDERR = 64 * 1024
_PROGRAM = (b"#!", b"\x7fELF", b"\xcf\xfa\xed\xfe")
"""What scripts, and programs of Linux and macOS, begin with."""
_TOKEN_IN = re.compile(r"\benv['\"]?\s*:\s*['\"]?([A-Za-z_][A-Za-z0-9_]*)")


def is_program(path: Path) -> bool:
    """Tell whether an inventory file is one that Ansible would run.

    An executable file alone is not enough: on some file systems every file is one.
    """
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_PROGRAM)
    except OSError:
        return False


def refusal(path: Path) -> InventoryError:
    """Give what is said of a program that must not run."""
    message = f"this inventory is a program, and it runs only with {consent.option('inventory')}"
    hint = f"or write its answer to a file: ansible-inventory -i {path} --list > hosts.json"
    return InventoryError([Problem(message, Position(str(path), 1, 1), hint=hint)])


def token_names(texts: Iterable[str]) -> frozenset[str]:
    """Give the environment variables that `env:` in these texts names."""
    return frozenset(name for text in texts for name in _TOKEN_IN.findall(text))


@dataclass(frozen=True, slots=True)
class Program:
    """An inventory that is asked, not read."""

    path: Path
    hidden: frozenset[str]
    """What it must not find in its environment."""
    deadline: float
    """When it must have answered everything, in time.monotonic()'s seconds."""

    def answer(self, *words: str) -> str:
        """Give what it prints when called with these words.

        Raises InventoryError where it cannot be started, fails, takes too long or says too much.
        """
        kept = {name: value for name, value in os.environ.items() if name not in self.hidden}
        try:
            ended = child.run(
                [self.path.absolute(), *words],
                seconds=max(0.0, self.deadline - time.monotonic()),
                most=MAX_BYTES,
                most_stderr=_MAX_STDERR,
                environment=kept,
            )
        except child.NotStartedError as error:
            raise self._failure(words, str(error)) from None
        except child.TooMuchError:
            limit = f"gave more than {MAX_BYTES // 1024 // 1024} MiB"
            raise self._failure(words, limit) from None
        except child.TooSlowError:
            raise self._failure(words, f"took longer than {TIMEOUT:g} seconds") from None
        if ended.status:
            raise self._failure(words, ended.how, one_line(ended.err))
        try:
            return ended.out.decode()
        except UnicodeDecodeError:
            raise self._failure(words, "gave what is not UTF-8 text") from None

    def _failure(self, words: Iterable[str], how: str, stderr: str = "") -> InventoryError:
        message = f"{self.path} {' '.join(words)} {how}" + (f": {stderr}" if stderr else "")
        return InventoryError([Problem(message)])
