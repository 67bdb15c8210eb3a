"""Read a token file strictly: report every mistake in it before any entry is used.

version: 2
scimconf_tokens:
  "chat1.example.com":
    "acme":
      fingerprint: "$pbkdf2-sha256$100$..."
      created: "2026-06-01T10:00:00Z"
      delivered: "2026-06-01T10:02:00Z"    # to the identity provider, if scimconf does that
      token: !vault |
        $ANSIBLE_VAULT;1.1;AES256
        ...
      previous:             # the token before, and until when it was in force; `next:` is similar
        fingerprint: ...
        created: ...
        retired: "2026-06-01T10:01:00Z"
        token: ...
    "gone":
      removed: "2026-07-01T09:00:00Z"
      fingerprint: ...      # of the token that was in force until then; kept for 7 days
      created: ...
      token: ...
...
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scimconf import vault
from scimconf.errors import InventoryError, UsageError
from scimconf.model import Fingerprint, Position, Problem, VaultValue
from scimconf.tokens.fingerprint import check, place_of
from scimconf.yamlfile import Document, KeyPath

TOP = "scimconf_tokens"
VERSION = "version"
FORMAT = 2
END = "..."
"""The last line: YAML's mark for the end of a document. A file that was cut short lacks it."""

Key = tuple[str, str]
"""Deployment and realm."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the token file contains about one realm's token."""

    fingerprint: str
    """passlib's text. It matches this token at its place only: see `bound`."""
    created: str
    """When the token was made or first seen, UTC: `2026-06-01T10:00:00Z`."""
    ciphertext: str | None = field(default=None, repr=False)
    """The token as an Ansible Vault value; None if it is kept elsewhere."""
    next: Entry | None = None
    """A staged token, not in force yet; its `previous` is a token that was staged before."""
    previous: Entry | None = None
    """The token that this one replaced. A server may still have it, or have it again."""
    retired: str = ""
    """Of a previous token: when it stopped being in force or staged."""
    delivered: str = ""
    """Of the token in force: when scimconf set it at the identity provider and tested it there."""
    delivering: str = ""
    """Of the token in force: since when a run has been delivering another one. The identity
    provider may be paused. " paused before" at the end: an administrator had paused it."""

    def tokens(self) -> Iterator[Entry]:
        """Return this token and all staged and previous ones."""
        yield self
        for other in (self.next, self.previous):
            if other:
                yield from other.tokens()


@dataclass(frozen=True, slots=True)
class Removed:
    """A realm that was removed from its servers."""

    removed: str
    """When, UTC."""
    entry: Entry | None = None
    """The token that was in force until then, with its staged and previous ones; None after it is
    deleted."""


Record = Entry | Removed


def bound(key: Key, entry: Entry) -> Fingerprint:
    """Return an entry's fingerprint with the place that it is bound to."""
    return Fingerprint(entry.fingerprint, place_of(*key, entry.created), entry.created)


def entries_of(document: Document, version: int = FORMAT) -> dict[Key, Record]:
    """Return all entries by deployment and realm.

    Raises InventoryError with every problem, such as another version, a file that was cut short, or
    a token that occurs twice.
    """
    if document.text.lstrip().startswith("$ANSIBLE_VAULT;"):
        raise InventoryError(
            [
                Problem(
                    "this token file is encrypted as a whole",
                    document.position(()),
                    "",
                    f"run: ansible-vault decrypt {shlex.quote(document.file)}; each token in it "
                    "stays encrypted as a vault value",
                )
            ]
        )
    reader = _Reader(document, version)
    found = reader.read()
    if reader.problems:
        raise InventoryError(reader.problems)
    return found


def is_whole(text: str) -> bool:
    """Return whether a token file's text ends with its last line, `END`."""
    return text.rstrip().rpartition("\n")[2] == END


def cut_short(file: str, text: str) -> Problem:
    """Return the problem of a token file without its last line."""
    last = text.rstrip().count("\n") + 1
    return Problem(
        "this token file was cut short, or text was added after its end: its last line is not "
        f"{END}",
        Position(file, last, 1),
        hint="restore it from version control or a backup; do not add what is missing by hand",
    )


class _Reader:
    """Reads a document and collects its problems."""

    def __init__(self, document: Document, version: int) -> None:
        self.document = document
        self.version = version
        self.problems: list[Problem] = []
        self.places: dict[bytes, KeyPath] = {}
        """The place of each token."""

    def read(self) -> dict[Key, Record]:
        top = self.mapping((), self.document.data)
        for name in top:
            if name not in (VERSION, TOP):
                self.report(
                    (name,), f"this is not a token file: expected {VERSION}: and {TOP}: at the top"
                )
        if not self.problems:
            self.check_version(top)
        if self.problems:
            return {}
        found: dict[Key, Record] = {}
        for deployment, realms in self.mapping((TOP,), top.get(TOP)).items():
            for realm, fields in self.mapping((TOP, deployment), realms).items():
                found[deployment, realm] = self.record((TOP, deployment, realm), fields)
        return found

    def check_version(self, top: dict[str, Any]) -> None:
        """Report a version that is not the expected one, and a file that was cut short."""
        version = top.get(VERSION, 1 if TOP in top else None)
        if version == self.version:
            if version != 1 and not is_whole(self.document.text):
                self.problems.append(cut_short(self.document.file, self.document.text))
        elif version == 1:
            self.report(
                (),
                "this token file has format 1, in which a token is not bound to its place",
                f"run once, if you trust the file: scimconf token migrate "
                f"{shlex.quote(self.document.file)}",
            )
        elif version is None:
            self.problems.append(cut_short(self.document.file, self.document.text))
        elif version == FORMAT:
            self.report((VERSION,), f"this token file already has format {FORMAT}")
        else:
            hint = "if a newer scimconf wrote it, update scimconf here"
            self.report((VERSION,), f"format {version!r} of a token file is unknown", hint)

    def record(self, way: KeyPath, value: object) -> Record:
        fields = self.mapping(way, value)
        more = ("next", "previous", "delivered", "delivering")
        if "removed" not in fields:
            return self.entry(way, fields, more)
        removed = self.text((*way, "removed"), fields["removed"])
        if len(fields) == 1:
            return Removed(removed)
        rest = {name: value for name, value in fields.items() if name != "removed"}
        return Removed(removed, self.entry(way, rest, more))

    def entry(self, way: KeyPath, fields: dict[str, Any], more: tuple[str, ...]) -> Entry:
        self.known(way, fields, ("fingerprint", "created", "token", *more))
        token = fields.get("token")
        if isinstance(token, VaultValue):
            self.once((*way, "token"), token.ciphertext)
        elif token is not None:
            hint = "others may have read it: replace it with a new token: rotate this realm"
            self.report((*way, "token"), "this token is not a !vault value", hint)
        retired = "retired" in fields
        entry = Entry(
            self.text((*way, "fingerprint"), fields.get("fingerprint")),
            self.text((*way, "created"), fields.get("created")),
            token.ciphertext if isinstance(token, VaultValue) else None,
            self.other((*way, "next"), fields, ("previous",)),
            self.other((*way, "previous"), fields, ("retired", "previous")),
            self.text((*way, "retired"), fields["retired"]) if retired else "",
            *(
                self.text((*way, name), fields[name]) if name in fields else ""
                for name in ("delivered", "delivering")
            ),
        )
        if entry.fingerprint:
            try:
                check(entry.fingerprint)
            except UsageError as error:
                self.report((*way, "fingerprint"), error.message)
        return entry

    def once(self, way: KeyPath, ciphertext: str) -> None:
        """Report a token that occurs a second time: it was copied."""
        identity = vault.identity(ciphertext)
        if identity is None:
            return  # decrypting it reports the damage
        first = self.places.setdefault(identity, way)
        if first != way:
            self.report(
                way,
                f"the same token is at {self.document.position(first)}: one entry is a copy",
                "restore the file from version control; each place needs its own token",
            )

    def other(self, way: KeyPath, fields: dict[str, Any], more: tuple[str, ...]) -> Entry | None:
        """Return the next or the previous token, if the file has the field."""
        name = str(way[-1])
        return self.entry(way, self.mapping(way, fields[name]), more) if name in fields else None

    def known(self, way: KeyPath, fields: dict[str, Any], names: tuple[str, ...]) -> None:
        for name in fields:
            if name not in names:
                hint = "if a newer scimconf wrote it, update scimconf here"
                self.report((*way, name), "a key that this scimconf does not know", hint)

    def mapping(self, way: KeyPath, value: object) -> dict[str, Any]:
        """Return a mapping with text keys; report anything else, and return an empty mapping."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.report(way, "a mapping was expected here")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.report((*way, key), f"the key {key!r} is not text", "quote it")
        return {key: inner for key, inner in value.items() if isinstance(key, str)}

    def text(self, way: KeyPath, value: object) -> str:
        if isinstance(value, str):
            return value
        what = "is missing" if value is None else "is not text: quote it"
        self.report(way, f"{way[-1]} {what}")
        return ""

    def report(self, way: KeyPath, message: str, hint: str = "") -> None:
        path = ".".join(str(step) or '""' for step in way)
        self.problems.append(Problem(message, self.document.position(way), path, hint))
