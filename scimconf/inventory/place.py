"""Places in inventory files, and the problems found there."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches

from scimconf.errors import InventoryError
from scimconf.model import Position, Problem
from scimconf.yamlfile import Document, KeyPath

DECRYPTED = " (the line is that of the decrypted text)"
"""The end of each message about a file that is encrypted as a whole."""


NOT_VALID = "this line of the encrypted file is not valid"
"""The message about decrypted text, if the real one could quote it."""
_VIEW = "to see it: ansible-vault view FILE"
_NAMES = ("scim_", "zulip_", "ansible_")


@dataclass(frozen=True, slots=True)
class Place:
    """A key or value in a document."""

    document: Document = field(repr=False)
    keys: KeyPath

    def inside(self, *steps: Hashable) -> Place:
        """Return a place below this one."""
        return Place(self.document, (*self.keys, *steps))

    @property
    def position(self) -> Position:
        """The position in the text, or that of the nearest parent (see `Document.position`)."""
        return self.document.position(self.keys)

    @property
    def path(self) -> str:
        """The keys as text: `all.hosts.chat1.scim_realms.acme.idp`."""
        return ".".join(_step(step) for step in self.keys)

    def problem(
        self, message: str, hint: str = "", id_: str = "", *, quotes: bool = True
    ) -> Problem:
        """Return a problem at this place. `id_`: of a warning that `scim_silence` can name.

        `quotes`: whether the message or hint can contain words of the document. Nothing of a
        decrypted document is quoted, except the names of variables that scimconf uses.
        """
        if self.document.key is None:
            return Problem(message, self.position, self.path, hint, id_)
        path = self.path if str(self.keys[:1] and self.keys[0]).startswith(_NAMES) else ""
        said, more = (NOT_VALID, _VIEW) if quotes else (message, hint)
        return Problem(said + DECRYPTED, self.position, path, more, id_)


@dataclass(frozen=True, slots=True)
class Layer:
    """Variables that are set together at one place."""

    place: Place
    values: Mapping[str, object]
    closed: Problem | None = None
    """Why the encrypted file with these variables was not read; None if it was read."""
    wrong: bool = False
    """Whether the file was not read because the given password does not decrypt it."""


@dataclass(slots=True)
class Problems:
    """Collects errors and warnings, each once, so that all are reported together."""

    errors: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[Problem, None] = field(default_factory=dict)

    def error(self, problem: Problem) -> None:
        """Add an error."""
        self.errors[problem] = None

    def warn(self, problem: Problem) -> None:
        """Add a warning."""
        self.warnings[problem] = None

    def add(self, more: Problems, silence: Collection[str] = ()) -> tuple[str, ...]:
        """Add the problems of one server, and return the ids of its silenced warnings."""
        self.errors |= more.errors
        self.warnings |= {each: None for each in more.warnings if each.id not in silence}
        return tuple(each.id for each in more.warnings if each.id in silence)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Add the problems of an InventoryError in the `with` block, and continue after it."""
        try:
            yield
        except InventoryError as error:
            self.errors |= dict.fromkeys(error.problems)


def _step(step: Hashable) -> str:
    if isinstance(step, int) and not isinstance(step, bool):
        return str(step)
    return step if isinstance(step, str) and step else f'"{step}"'


def nearest(word: object, known: Iterable[str]) -> str:
    """Return a hint with the most similar known name, or no hint."""
    found = get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"did you mean {found[0]}?" if found else ""


def kind_of(value: object) -> str:
    """Return the type of a value in YAML's terms, without showing the value."""
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
