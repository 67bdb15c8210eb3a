"""What a token file says, read strictly: a mistake in it is found before anything is made of it.

scimconf_tokens:
  "chat1.example.com":
    "acme":
      fingerprint: "$pbkdf2-sha256$29000$..."
      created: "2026-06-01T10:00:00Z"
      token: !vault |
        $ANSIBLE_VAULT;1.1;AES256
        ...
      previous:             # the one before, and until when it was in force; `next:` is alike
        fingerprint: ...
        created: ...
        retired: "2026-06-01T10:01:00Z"
        token: ...
    "gone":
      removed: "2026-07-01T09:00:00Z"
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scimconf.errors import InventoryError, UsageError
from scimconf.model import Problem, VaultValue
from scimconf.tokens.fingerprint import check
from scimconf.yamlfile import Document, Way

TOP = "scimconf_tokens"

Key = tuple[str, str]
"""Deployment and realm."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the token file knows of one realm's token."""

    fingerprint: str
    created: str
    """When it was made or first seen, UTC: `2026-06-01T10:00:00Z`."""
    ciphertext: str | None = field(default=None, repr=False)
    """The token as an Ansible Vault value; None where it is kept elsewhere."""
    next: Entry | None = None
    """A token that is made but not in force yet; it has no other beside it."""
    previous: Entry | None = None
    """The token that was in force before, for a way back; it has no other beside it."""
    retired: str = ""
    """Of a previous one: until when it was in force."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A realm that is gone, and its token with it."""

    removed: str
    """When, UTC."""


Record = Entry | Tombstone


def entries_of(document: Document) -> dict[Key, Record]:
    """Give all that it says, by deployment and realm.

    Raises InventoryError with everything that is wrong.
    """
    if document.text.lstrip().startswith("$ANSIBLE_VAULT;"):
        raise InventoryError(
            [
                Problem(
                    "this token file is encrypted as a whole",
                    document.position(()),
                    "",
                    f"ansible-vault decrypt {document.file}: each token in it is a vault value of "
                    "its own, and a plan reads the rest without a password",
                )
            ]
        )
    reader = _Reader(document)
    found = reader.read()
    if reader.problems:
        raise InventoryError(reader.problems)
    return found


class _Reader:
    """Goes through a document and keeps what is wrong with it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def read(self) -> dict[Key, Record]:
        top = self.mapping((), self.document.data)
        for name in top:
            if name != TOP:
                self.report((name,), f"this is not a token file: expected {TOP}: alone at the top")
        found: dict[Key, Record] = {}
        for deployment, realms in self.mapping((TOP,), top.get(TOP)).items():
            for realm, fields in self.mapping((TOP, deployment), realms).items():
                found[deployment, realm] = self.record((TOP, deployment, realm), fields)
        return found

    def record(self, way: Way, value: object) -> Record:
        fields = self.mapping(way, value)
        if "removed" not in fields:
            return self.entry(way, fields, ("next", "previous"))
        self.known(way, fields, ("removed",))
        return Tombstone(self.text((*way, "removed"), fields["removed"]))

    def entry(self, way: Way, fields: dict[str, Any], more: tuple[str, ...]) -> Entry:
        self.known(way, fields, ("fingerprint", "created", "token", *more))
        token = fields.get("token")
        if token is not None and not isinstance(token, VaultValue):
            hint = "it may have been seen: make a new one"
            self.report((*way, "token"), "this token is not a !vault value", hint)
        retired = "retired" in fields
        entry = Entry(
            self.text((*way, "fingerprint"), fields.get("fingerprint")),
            self.text((*way, "created"), fields.get("created")),
            token.ciphertext if isinstance(token, VaultValue) else None,
            self.other((*way, "next"), fields, ()),
            self.other((*way, "previous"), fields, ("retired",)),
            self.text((*way, "retired"), fields["retired"]) if retired else "",
        )
        if entry.fingerprint:
            try:
                check(entry.fingerprint)
            except UsageError as error:
                self.report((*way, "fingerprint"), error.message)
        return entry

    def other(self, way: Way, fields: dict[str, Any], more: tuple[str, ...]) -> Entry | None:
        """Give the next or the previous token, where the field is there."""
        name = str(way[-1])
        return self.entry(way, self.mapping(way, fields[name]), more) if name in fields else None

    def known(self, way: Way, fields: dict[str, Any], names: tuple[str, ...]) -> None:
        for name in fields:
            if name not in names:
                hint = "was it written by a newer scimconf?"
                self.report((*way, name), "a key that this scimconf does not know", hint)

    def mapping(self, way: Way, value: object) -> dict[str, Any]:
        """Give a mapping with text for keys; an empty one, and a problem, for anything else."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.report(way, "a mapping was expected here")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.report((*way, key), f"the key {key!r} is not text", "quote it")
        return {key: inner for key, inner in value.items() if isinstance(key, str)}

    def text(self, way: Way, value: object) -> str:
        if isinstance(value, str):
            return value
        what = "is missing" if value is None else "is not text: quote it"
        self.report(way, f"{way[-1]} {what}")
        return ""

    def report(self, way: Way, message: str, hint: str = "") -> None:
        path = ".".join(str(step) or '""' for step in way)
        self.problems.append(Problem(message, self.document.position(way), path, hint))
