"""Seal a message to the workers of a zone, and open it there.

X25519 with a key pair for each message, HKDF-SHA256 and ChaCha20Poly1305. `openssl genpkey` makes
the key pair of a zone (docs/scale.md). Each message brings a key for its answers, which only the
two sides know.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from scimconf import files
from scimconf.errors import UsageError

_PURPOSE = b"scimconf: a job for the workers of a zone, 1"
_PUBLIC = 32
"""Bytes of a public key."""
_NONCE = 12


class NotOpenedError(Exception):
    """The message is for another zone key or for another job, or it was changed."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Seals and opens the answers to one message."""

    _key: bytes = field(repr=False)

    def seal(self, data: bytes, bound: bytes) -> bytes:
        """Seal an answer. `bound`: what the other side must name to open it."""
        nonce = os.urandom(_NONCE)
        return nonce + ChaCha20Poly1305(self._key).encrypt(nonce, data, bound)

    def open(self, box: bytes, bound: bytes) -> bytes:
        """Open an answer. Raises NotOpenedError."""
        try:
            return ChaCha20Poly1305(self._key).decrypt(box[:_NONCE], box[_NONCE:], bound)
        except (InvalidTag, ValueError):
            raise NotOpenedError from None


def seal(data: bytes, zone: X25519PublicKey, bound: bytes) -> tuple[bytes, Channel]:
    """Seal a message to the workers of a zone; return it with the channel for its answers."""
    own = X25519PrivateKey.generate()
    public = _raw(own.public_key())
    key, channel = _keys(own.exchange(zone), public, _raw(zone))
    # The key is used once, so a fixed nonce is right.
    return public + ChaCha20Poly1305(key).encrypt(bytes(_NONCE), data, bound), channel


def open_box(box: bytes, zone: X25519PrivateKey, bound: bytes) -> tuple[bytes, Channel]:
    """Open a message; return it with the channel for its answers. Raises NotOpenedError."""
    public = box[:_PUBLIC]
    try:
        shared = zone.exchange(X25519PublicKey.from_public_bytes(public))
        key, channel = _keys(shared, public, _raw(zone.public_key()))
        data = ChaCha20Poly1305(key).decrypt(bytes(_NONCE), box[_PUBLIC:], bound)
    except (InvalidTag, ValueError):
        raise NotOpenedError from None
    return data, channel


def _keys(shared: bytes, message: bytes, zone: bytes) -> tuple[bytes, Channel]:
    derived = HKDF(hashes.SHA256(), 64, salt=message + zone, info=_PURPOSE).derive(shared)
    return derived[:32], Channel(derived[32:])


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


# --- files --------------------------------------------------------------------------------------


def public_key(folder: Path, zone: str) -> X25519PublicKey:
    """Read the public key of a zone from the file ZONE.pub. Raises UsageError."""
    file = folder / f"{zone}.pub"
    hint = f"copy the public key of zone {zone} to this file: scimconf help scale"
    try:
        key = serialization.load_pem_public_key(files.read(str(file), files.MAX_KEY_BYTES))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint) from None
    except ValueError:
        raise UsageError(f"{file} is not a public key in PEM format", hint) from None
    if not isinstance(key, X25519PublicKey):
        raise UsageError(f"{file} is not an X25519 key", hint)
    return key


def private_key(file: str) -> X25519PrivateKey:
    """Read the private key of a zone. Raises UsageError if it is missing or others can read it."""
    try:
        if stat.S_IMODE(os.stat(file).st_mode) & 0o077:
            raise UsageError(f"other users can read {file}", f"protect it: chmod 600 {file}")
        key = serialization.load_pem_private_key(files.read(file, files.MAX_KEY_BYTES), None)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise UsageError(f"{file} is not a private key in PEM format without a password") from None
    if not isinstance(key, X25519PrivateKey):
        raise UsageError(f"{file} is not an X25519 key")
    return key
