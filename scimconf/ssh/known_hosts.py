"""The known_hosts files of OpenSSH (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

As in OpenSSH, a line that cannot be read is skipped; the other lines count.
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
    """A line of known_hosts about one server."""

    marker: str
    """`@revoked`, `@cert-authority` or an empty text."""
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
    """What known_hosts says about the key of a server."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


_RSA_SIGNATURES = ("rsa-sha2-256", "rsa-sha2-512")


def search(files: Iterable[str], name: str) -> list[KnownKey]:
    """Return the lines about `name` in all files that exist.

    Raises RefusedFileError for a file that must not be read, since a key that it revokes would be
    missed.
    """
    found: list[KnownKey] = []
    for file in files:
        if file == os.devnull:  # in ssh_config this means "no file"
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

    As in OpenSSH, a line whose key cannot be read is skipped: it does not count as another key.
    """
    with _reading:  # the first servers ask at the same time; parse once
        plain, others = _lines(text)
    fitting = [line for line in others if _match(line.names, name)]
    for line in sorted([*plain.get(name, ()), *fitting]):
        try:
            blob = base64.b64decode(line.key, validate=True)
        except ValueError:
            continue
        # OpenSSH also accepts the names of RSA signatures for the type of an RSA key (sshkey.c).
        kind = "ssh-rsa" if line.kind in _RSA_SIGNATURES else line.kind
        if not certificate.is_key(kind, blob):
            continue
        yield KnownKey(line.marker, kind, blob, f"{file}:{line.number}")


@lru_cache(maxsize=8)  # the file of a fleet has a line per server, and each server reads it
def _lines(text: str) -> tuple[dict[str, list[_Line]], list[_Line]]:
    """Return the lines with one plain name, by name, and the lines with patterns or more names."""
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


def _match(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        return _match_hash(patterns, name)
    words = [word.lower() for word in patterns.split(",") if word]
    if any(word.startswith("!") and _fits_pattern(word[1:], name) for word in words):
        return False
    return any(_fits_pattern(word, name) for word in words)


def _fits_pattern(pattern: str, name: str) -> bool:
    # The brackets of [host]:port are plain characters. In fnmatch they would be a character class.
    return re.fullmatch(translate(pattern.replace("[", "[[]")), name) is not None


def _match_hash(field: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in field.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def judge(lines: Iterable[KnownKey], blob: bytes) -> Verdict:
    """Compare the key of a server with the lines about it."""
    lines = list(lines)
    if any(line.marker == "@revoked" and line.blob == blob for line in lines):
        return Verdict.REVOKED
    keys = [line.blob for line in lines if not line.marker]
    if blob in keys:
        return Verdict.KNOWN
    return Verdict.CHANGED if keys else Verdict.UNKNOWN


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint as ssh-keygen -l prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def remember(file: str, name: str, kind: str, blob: bytes) -> None:
    """Append a key to a known_hosts file; create the file with mode 0600. Raises OSError."""
    path = Path(file)
    line = f"{name} {kind} {base64.b64encode(blob).decode()}\n"
    with _append:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - 1, 0))
            unfinished = stream.read(1) not in (b"", b"\n")
            stream.write(("\n" if unfinished else "").encode() + line.encode())
