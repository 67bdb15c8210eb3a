"""Run inventories that are programs (Ansible's inventory scripts): `--list`, `--host NAME`.

They run only with --allow-exec=inventory and without a terminal. Environment variables that the
other inventory files name as `env:` tokens are removed from their environment.
"""

from __future__ import annotations

import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf import consent
from scimconf.errors import InventoryError
from scimconf.foreign import one_line
from scimconf.model import Position, Problem
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
        process = self._start(words)
        try:
            output, stderr = self._read(process, words)
        finally:
            _end(process)
        if process.returncode:
            code = process.returncode
            how = f"exited with status {code}" if code > 0 else f"was ended by signal {-code}"
            raise self._failure(words, how, one_line(stderr))
        try:
            return output.decode()
        except UnicodeDecodeError:
            raise self._failure(words, "printed text that is not UTF-8") from None

    def _start(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if name not in self.hidden}
        try:
            return subprocess.Popen(
                [self.path.absolute(), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=kept,
                start_new_session=True,  # without a terminal, and as one process group to kill
            )
        except OSError as error:
            raise self._failure(words, f"cannot be started: {error.strerror}") from None

    def _read(self, process: subprocess.Popen[bytes], words: Sequence[str]) -> tuple[bytes, bytes]:
        """Read stdout and stderr to their ends; keep only the start of stderr."""
        out, err = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            for pipe, kept in ((process.stdout, out), (process.stderr, err)):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, kept)
            while selector.get_map():
                ready = selector.select(max(0.0, self.deadline - time.monotonic()))
                if not ready:
                    raise self._failure(words, f"took longer than {TIMEOUT:g} seconds")
                for key, _ in ready:
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.data is out or len(err) < _MAX_STDERR:
                        key.data.extend(chunk)
                if len(out) > MAX_BYTES:
                    raise self._failure(words, f"printed more than {MAX_BYTES // 1024 // 1024} MiB")
        try:
            process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._failure(words, f"took longer than {TIMEOUT:g} seconds") from None
        return bytes(out), bytes(err)

    def _failure(self, words: Iterable[str], how: str, stderr: str = "") -> InventoryError:
        message = f"{self.path} {' '.join(words)} {how}" + (f": {stderr}" if stderr else "")
        return InventoryError([Problem(message)])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes; kill the program and its children if it still runs."""
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
