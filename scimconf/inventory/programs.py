"""Inventories that are programs (Ansible's "dynamic inventory scripts"): `--list`, `--host NAME`.

They run only with --allow-exec=inventory, without a terminal, and with none of the tokens in their
environment that the inventory's other files refer to by `env:`.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scimconf import consent
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
        process = self._start(words)
        try:
            said, stderr = self._read(process)
        finally:
            _end(process)
        if process.returncode:
            code = process.returncode
            how = f"exited {code}" if code > 0 else f"was ended by signal {-code}"
            raise self._failure(words, how, one_line(stderr))
        try:
            return said.decode()
        except UnicodeDecodeError:
            raise self._failure(words, "gave what is not UTF-8 text") from None

    def _start(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if name not in self.hidden}
        try:
            return subprocess.Popen(
                [self.path.absolute(), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=kept,
                start_new_session=True,  # no terminal, and one group to end
            )
        except OSError as error:
            raise self._failure(words, f"cannot be started: {error.strerror}") from None

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        """Read both outputs to their ends; of stderr only the beginning is kept."""
        assert process.stdout
        assert process.stderr
        said: dict[object, bytes] = {process.stdout: b"", process.stderr: b""}
        words = tuple(str(word) for word in list(process.args)[1:])  # type: ignore[arg-type]
        with selectors.DefaultSelector() as selector:
            for pipe in (process.stdout, process.stderr):
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, self.deadline - time.monotonic()))
                if not ready:
                    raise self._failure(words, f"took longer than {TIMEOUT:g} seconds")
                for key, _ in ready:
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is process.stdout or len(said[key.fileobj]) < _MAX_STDERR:
                        said[key.fileobj] += chunk
                if len(said[process.stdout]) > MAX_BYTES:
                    raise self._failure(words, f"gave more than {MAX_BYTES // 1024 // 1024} MiB")
        try:
            process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._failure(words, f"took longer than {TIMEOUT:g} seconds") from None
        return said[process.stdout], said[process.stderr]

    def _failure(self, words: Iterable[str], how: str, stderr: str = "") -> InventoryError:
        message = f"{self.path} {' '.join(words)} {how}" + (f": {stderr}" if stderr else "")
        return InventoryError([Problem(message)])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that has not ended by itself, and its children with it."""
    for pipe in (process.stdout, process.stderr):
        assert pipe
        pipe.close()
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
