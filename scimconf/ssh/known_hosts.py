"""The known_hosts files of OpenSSH (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read with tolerance.

A line that is not understood concerns nobody; it does not make the others useless.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from scimconf.files import MAX_LIST_BYTES, RefusedFileError, read
from scimconf.ssh import certificate

_append = threading.Lock()
_reading = threading.Lock()


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A line that speaks of the server we look for."""

    marker: str
    """`@revoked`, `@cert-authority` or nothing."""
    kind: str
    """`ssh-ed25519`, `ssh-rsa`, ..."""
    blob: bytes
    place: str
    """`file:line`"""


class _Line(NamedTuple):
    number: int
    marker: str
    names: str
    kind: str
    key: str


class Verdict(Enum):
    """What known_hosts says of the key that a server shows."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


_RSA_SIGNATURES = ("rsa-sha2-256", "rsa-sha2-512")


def search(files: Iterable[str], name: str) -> list[KnownKey]:
    """Return the lines about `name` in all files that are there.

    Raises RefusedFileError for one that is not to be read: what it revokes would be missed.
    """
    found: list[KnownKey] = []
    for file in files:
        if file == os.devnull:  # how ssh_config says that there is none
            continue
        try:
            text = read(file, MAX_LIST_BYTES).decode("utf-8", "replace")
        except RefusedFileError as error:
            raise RefusedFileError(error.errno, error.strerror, file) from error
        except OSError:
            continue
        found += search_text(text, name, file)
    return found


def search_text(text: str, name: str, file: str) -> Iterator[KnownKey]:
    """Return the lines about `name` in the text of one file.

    As for OpenSSH, a line whose key cannot be read says nothing: it is not another key.
    """
    with _reading:  # the first servers ask all at once
        plain, others = _lines(text)
    fitting = [line for line in others if _names(line.names, name)]
    for line in sorted([*plain.get(name, ()), *fitting]):
        try:
            blob = base64.b64decode(line.key, validate=True)
        except ValueError:
            continue
        # To OpenSSH the names of its signatures are names of an RSA key, too (sshkey.c).
        kind = "ssh-rsa" if line.kind in _RSA_SIGNATURES else line.kind
        if not certificate.is_key(kind, blob):
            continue
        yield KnownKey(line.marker, kind, blob, f"{file}:{line.number}")


@lru_cache(maxsize=8)  # a fleet's file has a line for every server, and each server asks
def _lines(text: str) -> tuple[dict[str, list[_Line]], list[_Line]]:
    """Give the lines that say one plain name, by name, and those that have to be compared."""
    plain: dict[str, list[_Line]] = {}
    others: list[_Line] = []
    for number, text_line in enumerate(text.split("\n"), 1):
        fields = text_line.split()
        if not fields or fields[0].startswith("#"):
            continue
        marker = fields.pop(0) if fields[0].startswith("@") else ""
        if len(fields) < 3:
            continue
        line = _Line(number, marker, *fields[:3])
        if any(character in line.names for character in "*?!,|"):
            others.append(line)
        else:
            plain.setdefault(line.names.lower(), []).append(line)
    return plain, others


def _names(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        return _hashes(patterns, name)
    words = [word.lower() for word in patterns.split(",") if word]
    if any(word.startswith("!") and _fits(word[1:], name) for word in words):
        return False
    return any(_fits(word, name) for word in words)


def _fits(pattern: str, name: str) -> bool:
    # The brackets of [host]:port are no character class here, as they would be for fnmatch.
    return re.fullmatch(translate(pattern.replace("[", "[[]")), name) is not None


def _hashes(field: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in field.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def judge(lines: Iterable[KnownKey], blob: bytes) -> Verdict:
    """Decide what the lines about a server say of the key that it shows."""
    lines = list(lines)
    if any(line.marker == "@revoked" and line.blob == blob for line in lines):
        return Verdict.REVOKED
    keys = [line.blob for line in lines if not line.marker]
    if blob in keys:
        return Verdict.KNOWN
    return Verdict.CHANGED if keys else Verdict.UNKNOWN


def fingerprint(blob: bytes) -> str:
    """Give the fingerprint as ssh-keygen -l prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def remember(file: str, name: str, kind: str, blob: bytes) -> None:
    """Append a key to a known_hosts file, which is made (0600) if need be. Raises OSError."""
    path = Path(file)
    line = f"{name} {kind} {base64.b64encode(blob).decode()}\n"
    with _append:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - 1, 0))
            unfinished = stream.read(1) not in (b"", b"\n")
            stream.write(("\n" if unfinished else "").encode() + line.encode())
