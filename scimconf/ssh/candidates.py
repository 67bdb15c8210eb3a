"""The keys that are tried at a server, in the order of ssh (sshconnect2.c, pubkey_prepare).

The order matters: a server closes the connection after a few wrong keys (sshd's MaxAuthTries, six
by default). The order is: the certificates in the ssh agent; named keys that are in the agent and
need no passphrase; the other keys of the agent; keys that are only in a file. A certificate in a
file is tried before its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import paramiko  # type: ignore[import-untyped]

from scimconf.ssh import certificate, keys
from scimconf.ssh.certificate import SUFFIX, CertificateError
from scimconf.ssh.keys import Certified, HeldKey
from scimconf.ssh.route import Route

Key: TypeAlias = "paramiko.PKey | Certified"
Candidate: TypeAlias = tuple[str, bytes, Key]
"""The name for messages, the public key or certificate to send, and the key that signs."""


def candidates(
    route: Route, held: Sequence[HeldKey], load: Callable[[str], paramiko.PKey | None]
) -> Iterator[Candidate]:
    """Return the keys to try, in order.

    `held`: the keys of the ssh agent. `load`: opens a key file, or returns None if it cannot be
    used. A file is opened only when its turn comes.
    """
    files = (route.identity_file,) if route.identity_file else route.identity_files
    of_file = {file: keys.public_blob(f"{file}.pub") or keys.public_blob(file) for file in files}
    certificates = _Certificates(
        [*route.certificate_files, *(f"{each}-cert.pub" for each in files)]
    )
    wanted = {*of_file.values(), *certificates.keys}
    only_wanted = bool(route.identity_file) or route.identities_only
    for key in held:
        if key.get_name().endswith(SUFFIX) and (not only_wanted or _inside(key.blob) in wanted):
            yield f"ssh agent's certificate {key.comment}", key.blob, key
    plain = {key.blob: key for key in held if not key.get_name().endswith(SUFFIX)}
    for file, blob in of_file.items():
        if blob is not None and blob in plain:
            yield from certificates.with_key(f"key {file}", plain[blob], blob)
    for blob, key in plain.items():
        named = blob in of_file.values()
        if not named and (not only_wanted or blob in wanted):
            name = f"ssh agent's key {key.comment or key.fingerprint}"
            yield from certificates.with_key(name, key, blob)
    for file, blob in of_file.items():
        if blob not in plain and (loaded := load(file)):
            yield from certificates.with_key(f"key {file}", loaded, loaded.asbytes())


class _Certificates:
    """The certificates in files. Files without a certificate are skipped."""

    def __init__(self, files: Sequence[str]) -> None:
        self._found: list[tuple[str, bytes, bytes]] = []
        for file in files:
            blob = keys.public_blob(file)
            if blob is not None and (inside := _inside(blob)):
                self._found.append((file, blob, inside))

    @property
    def keys(self) -> set[bytes]:
        """The certified public keys."""
        return {inside for _, _, inside in self._found}

    def with_key(self, name: str, key: paramiko.PKey, blob: bytes) -> Iterator[Candidate]:
        for file, certified, inside in self._found:
            if inside == blob:
                yield f"certificate {file}", certified, Certified(key, certified)
        yield name, blob, key


def _inside(blob: bytes) -> bytes | None:
    try:
        return certificate.parse(blob).key
    except CertificateError:
        return None
