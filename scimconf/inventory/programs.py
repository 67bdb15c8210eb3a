"""Run inventories that are programs (Ansible's inventory scripts): `--list`, `--host NAME`.

They run only with --allow-exec=inventory and without a terminal. Environment variables that the
other inventory files name as `env:` tokens are removed from their environment.
"""

from __future__ import annotations

import os
import re
import shlex
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
"""Seconds for all answers of one program together."""
_MAX_STDERR = 64 * 1024
_PROGRAM = (b"#!", b"\x7fELF", b"\xcf\xfa\xed\xfe")
"""The first bytes of scripts and of programs for Linux and macOS."""
_TOKEN_IN = re.compile(r"\benv['\"]?\s*:\s*['\"]?([A-Za-z_][A-Za-z0-9_]*)")


def is_program(path: Path) -> bool:
    """Return True if Ansible would run this inventory file.

    The executable bit alone is not enough: on some file systems every file has it.
    """
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_PROGRAM)
    except OSError:
        return False


def refusal(path: Path) -> InventoryError:
    """Return the error for a program that must not run."""
    message = f"this inventory is a program, which runs only with {consent.option('inventory')}"
    hint = f"or save its output: ansible-inventory -i {shlex.quote(str(path))} --list > hosts.json"
    return InventoryError([Problem(message, Position(str(path), 1, 1), hint=hint)])


def token_names(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of the environment variables after `env:` in these texts."""
    return frozenset(name for text in texts for name in _TOKEN_IN.findall(text))


@dataclass(frozen=True, slots=True)
class Program:
    """A program that prints an inventory."""

    path: Path
    hidden: frozenset[str]
    """Environment variables that the program must not see."""
    deadline: float
    """The end of its time, in seconds of time.monotonic()."""

    def answer(self, *words: str) -> str:
        """Return the output of the program for these arguments.

        Raises InventoryError if it cannot be started, fails, takes too long or prints too much.
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
            limit = f"printed more than {MAX_BYTES // 1024 // 1024} MiB"
            raise self._failure(words, limit) from None
        except child.TooSlowError:
            raise self._failure(words, f"took longer than {TIMEOUT:g} seconds") from None
        if ended.status:
            raise self._failure(words, ended.how, one_line(ended.err))
        try:
            return ended.out.decode()
        except UnicodeDecodeError:
            raise self._failure(words, "printed text that is not UTF-8") from None

    def _failure(self, words: Iterable[str], how: str, stderr: str = "") -> InventoryError:
        message = f"{self.path} {' '.join(words)} {how}" + (f": {stderr}" if stderr else "")
        return InventoryError([Problem(message)])
