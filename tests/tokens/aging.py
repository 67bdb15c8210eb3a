"""Set an earlier date for the tokens of a token file, as if scimconf had made them then."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from scimconf.secret import Secret
from scimconf.tokens.fingerprint import fingerprint, place_of
from scimconf.tokens.store import Key, TokenFile


def age(path: Path, password: Path, created: str, keys: Collection[Key] = ()) -> None:
    """Change the date of these tokens; of all tokens if `keys` is empty."""
    file = TokenFile.load(path)
    passwords = {"default": Secret(password.read_text().strip())}
    aged = {}
    for key in keys or file.entries:
        token = file.token(*key, passwords)
        assert token
        hashed = fingerprint(token, place_of(*key, created), generated=True)
        aged[key] = replace(file.entries[key], fingerprint=hashed, created=created)
    file.save(aged)
