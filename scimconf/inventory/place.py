"""Where something was said, and the problems found there."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches

from scimconf.errors import InventoryError
from scimconf.model import Position, Problem
from scimconf.yamlfile import Document, KeyPath


@dataclass(frozen=True, slots=True)
class Place:
    """A key or value in a document."""

    document: Document = field(repr=False)
    way: KeyPath

    def inside(self, *steps: Hashable) -> Place:
        """Give a place further in."""
        return Place(self.document, (*self.way, *steps))

    @property
    def position(self) -> Position:
        """Where that is in the text; its nearest parent's if it has no place of its own."""
        return self.document.position(self.way)

    @property
    def path(self) -> str:
        """The way to it in words: `all.hosts.chat1.scim_realms.acme.idp`."""
        return ".".join(_step(step) for step in self.way)

    def problem(self, message: str, hint: str = "") -> Problem:
        """Give a problem that is here."""
        return Problem(message, self.position, self.path, hint)


@dataclass(frozen=True, slots=True)
class Layer:
    """Variables that were said together in one place."""

    place: Place
    values: Mapping[str, object]


@dataclass(slots=True)
class Problems:
    """Gathers what is wrong, so that all of it is said at once; each thing once."""

    errors: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[Problem, None] = field(default_factory=dict)

    def error(self, problem: Problem) -> None:
        """Keep an error."""
        self.errors[problem] = None

    def warn(self, problem: Problem) -> None:
        """Keep a warning."""
        self.warnings[problem] = None

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep what an InventoryError says, and go on after the block."""
        try:
            yield
        except InventoryError as error:
            self.errors |= dict.fromkeys(error.problems)


def _step(step: Hashable) -> str:
    if isinstance(step, int) and not isinstance(step, bool):
        return str(step)
    return step if isinstance(step, str) and step else f'"{step}"'


def nearest(word: object, known: Iterable[str]) -> str:
    """Say which of the known names was probably meant, "" if none is near."""
    found = get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"did you mean {found[0]}?" if found else ""


def kind_of(value: object) -> str:
    """Name the kind of a value in words of YAML, without showing it."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text"}
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    for kind, name in names.items():
        if isinstance(value, kind):
            return name
    return "an encrypted value" if type(value).__name__ == "VaultValue" else "a date"
