"""Places outside the token file where a token can be kept: `env:NAME`, `file:PATH`, `command:`.

To add a kind of place, write a `Source` and add it to `SOURCES`. The inventory's syntax and schema,
the question before `apply`, saved plans and reports all follow that table.

`plan` reads no token. What a command writes to stderr is not shown: some programs print the secret
there when they fail.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from scimconf import child
from scimconf.errors import UsageError
from scimconf.model import Reference, Server
from scimconf.secret import Secret
from scimconf.tokens.strength import weakness

_log = logging.getLogger(__name__)

LARGEST = 64 * 1024
"""Bytes that a reference may return; more is not a token."""


class InvalidReference(ValueError):
    """A reference in the inventory that cannot be used. The message contains no secret."""


class Source(ABC):
    """One kind of place. `kind` is the word before the colon."""

    kind: ClassVar[str]
    syntax: ClassVar[str]
    """For the reference page: "`env:NAME`"."""
    example: ClassVar[str]
    """For error messages: "env:NAME"."""
    runs_program: ClassVar[bool] = False
    """Whether reading it starts a program of the inventory's author."""
    uses_folder: ClassVar[bool] = True
    """Whether a relative path in it depends on the folder of the inventory."""
    takes_list: ClassVar[bool] = False
    """Whether the inventory may also have a list of words: `{command: [op, read, ...]}`."""

    def parse(self, text: str) -> tuple[str, ...]:
        """Parse the text after the colon. Raises InvalidReference."""
        return (text,)

    def check(self, words: Sequence[str]) -> None:
        """Raise InvalidReference for words that cannot be used."""
        if not words or not words[0] or any("\0" in each for each in words):
            raise InvalidReference(f"expected a value after {self.kind}:")

    def reference(self, value: object, folder: str) -> Reference:
        """Return the reference that the inventory writes as text or a list after the kind.

        Raises InvalidReference.
        """
        if isinstance(value, str):
            words = self.parse(value)
        elif not self.takes_list:
            raise InvalidReference(f"expected text after {self.kind}")
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            words = tuple(value)
        else:
            raise InvalidReference(f"expected text or a list of words after {self.kind}")
        self.check(words)
        return Reference(self.kind, words, folder)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value after the kind."""
        if self.takes_list:
            return {"type": ["string", "array"], "items": {"type": "string"}}
        return {"type": "string"}

    def withhold(self, reference: Reference) -> None:  # noqa: B027 - most places need none
        """Take the token out of the reach of child processes, without reading it."""

    @abstractmethod
    def describe(self, reference: Reference) -> str:
        """Return what `read` does, for the person who consents to it; not sanitized."""

    @abstractmethod
    def read(self, reference: Reference, timeout: float, cap: int) -> bytes:
        """Return what the place holds, at most `cap` bytes and one more.

        `timeout` in seconds. Raises UsageError that names the reference.
        """


class Environment(Source):
    """An environment variable. Once taken, child processes do not inherit it."""

    kind = "env"
    syntax = "`env:NAME`"
    example = "env:NAME"
    uses_folder = False

    _NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

    def __init__(self) -> None:
        self._taken: dict[str, Secret] = {}
        self._taking = Lock()

    def check(self, words: Sequence[str]) -> None:
        """Raise InvalidReference unless this is the name of a variable."""
        super().check(words)
        if not self._NAME.fullmatch(words[0]):
            raise InvalidReference("expected the name of an environment variable after env:")

    def withhold(self, reference: Reference) -> None:
        """Move the variable out of os.environ."""
        name = reference.words[0]
        with self._taking:
            if name in os.environ:
                self._taken[name] = Secret(os.environ.pop(name))

    def describe(self, reference: Reference) -> str:
        """Return "read the environment variable NAME"."""
        return f"read the environment variable {reference.words[0]}"

    def read(self, reference: Reference, timeout: float, cap: int) -> bytes:
        """Return the variable's value."""
        self.withhold(reference)
        name = reference.words[0]
        with self._taking:
            found = self._taken.get(name)
        if found is None:
            raise UsageError(
                f"{reference}: the environment variable {name} is not set",
                f"set it where scimconf runs: export {name}=...",
            )
        return os.fsencode(found.reveal())


class File(Source):
    """A regular file of this machine."""

    kind = "file"
    syntax = "`file:PATH` (relative to the inventory file)"
    example = "file:PATH"

    def describe(self, reference: Reference) -> str:
        """Return "read the file PATH"."""
        return f"read the file {reference.words[0]}"

    def read(self, reference: Reference, timeout: float, cap: int) -> bytes:
        """Return the file's content; warn if other users can read it."""
        path = Path(reference.folder, os.path.expanduser(reference.words[0]))
        try:
            # O_NONBLOCK: to open a FIFO without a writer would block for ever.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise UsageError(f"{reference}: {path} is not a regular file")
                data = file.read(cap + 1)
        except OSError as error:
            raise UsageError(f"{reference}: cannot read {path}: {error.strerror}") from None
        except ValueError:
            raise UsageError(f"{reference}: not a path") from None
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            _log.warning(
                "%s: other users can read %s (mode %04o): chmod 600 it", reference, path, mode
            )
        return data


class Command(Source):
    """The output of a program, which is never started by a shell."""

    kind = "command"
    syntax = (
        "`command: WORDS` (split as a shell would, or a list under `command`; never run by a shell)"
    )
    example = "command:WORDS"
    runs_program = True
    takes_list = True

    def parse(self, text: str) -> tuple[str, ...]:
        """Split the command into words, as a shell does."""
        try:
            return tuple(shlex.split(text))
        except ValueError:
            raise InvalidReference("a quote in this command is not closed") from None

    def describe(self, reference: Reference) -> str:
        """Return "run, in FOLDER: WORDS"."""
        return f"run, in {os.path.abspath(reference.folder)}: {shlex.join(reference.words)}"

    def read(self, reference: Reference, timeout: float, cap: int) -> bytes:
        """Run the command and return its output."""
        try:
            ended = child.run(reference.words, seconds=timeout, most=cap, folder=reference.folder)
        except child.NotStartedError as error:
            raise UsageError(
                f"{reference}: cannot start {reference.words[0]}: {error.reason}"
            ) from None
        except child.TooMuchError:
            raise _too_large(reference, cap) from None
        except child.TooSlowError:
            raise UsageError(
                f"{reference}: no token within {timeout:g} seconds",
                "the command has no terminal and no input here; make sure that it asks no question",
            ) from None
        if ended.status:
            raise UsageError(
                f"{reference}: the command {ended.how}",
                "run it by hand to see its messages; scimconf does not show them, because they may "
                "contain secrets",
            )
        return ended.out


def _too_large(reference: Reference, cap: int) -> UsageError:
    return UsageError(f"{reference}: the result has more than {cap} bytes, so it is not a token")


SOURCES: Mapping[str, Source] = {
    source.kind: source for source in (Environment(), File(), Command())
}
"""By the word before the colon."""


def withhold(servers: Iterable[Server]) -> None:
    """Take the tokens of these servers out of the environment, so that no child inherits them."""
    for server in servers:
        for realm in server.realms:
            if isinstance(realm.token, Reference):
                SOURCES[realm.token.kind].withhold(realm.token)


def withhold_names(names: Iterable[str]) -> None:
    """Take these environment variables out of the environment, as `withhold` does."""
    for name in names:
        SOURCES[Environment.kind].withhold(Reference(Environment.kind, (name,), "."))


def resolve(reference: Reference, timeout: float = 30.0, cap: int = LARGEST) -> Secret:
    """Return the token that a reference leads to, without one trailing line break.

    `timeout` in seconds, for a command. Raises UsageError, which names the reference, if there is
    no token or it cannot be used.
    """
    data = SOURCES[reference.kind].read(reference, timeout, cap)
    if len(data) > cap:
        raise _too_large(reference, cap)
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        # `from None`: the exception contains the bytes.
        raise UsageError(f"{reference}: the result is not ASCII text") from None
    token = text.removesuffix("\n").removesuffix("\r")
    if reason := weakness(token):
        raise UsageError(f"{reference}: the result cannot be used as a token: {reason}")
    return Secret(token)
