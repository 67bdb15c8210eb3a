"""RevokedHostKeys of ssh_config: a file of public keys, or a key revocation list (KRL).

The rules are those of OpenSSH (authfile.c, sshkey_check_revoked): if the file cannot be read, or
has a line that is not a key, no host key is accepted.
"""

from __future__ import annotations

import base64
import binascii
import shutil
import tempfile
from collections.abc import Iterator

from scimconf import child, files
from scimconf.ssh import certificate
from scimconf.ssh.certificate import CertificateError

_KRL = b"SSHKRL\n\0"
_TIMEOUT = 30.0
"""Seconds for ssh-keygen."""
_MOST_OUTPUT = 1 << 16


class UnreadableListError(Exception):
    """A file of revoked keys that cannot be read. str() is the reason."""


def is_revoked(file: str, key: bytes, certified: bytes | None, authority: bytes | None) -> bool:
    """Return True if the file contains a host's key, or the authority of its certificate.

    Raises UnreadableListError.
    """
    try:
        data = files.read(file, files.MAX_LIST_BYTES)
    except OSError as error:
        raise UnreadableListError(error.strerror or str(error)) from error
    if data.startswith(_KRL):
        return _in_krl(file, certified or key)
    return not {key, authority}.isdisjoint(_keys(data))


def _keys(data: bytes) -> Iterator[bytes]:
    for number, line in enumerate(data.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith(b"#"):
            continue
        try:
            blob = base64.b64decode(fields[1], validate=True)
            kind = certificate.kind(blob)
            if kind != fields[0].decode("ascii"):
                raise CertificateError
        except (IndexError, ValueError, binascii.Error) as error:
            raise UnreadableListError(f"line {number} is not a public key") from error
        # OpenSSH compares the key inside a certificate.
        is_certificate = kind.endswith(certificate.SUFFIX)
        yield certificate.parse(blob).key if is_certificate else blob


def _in_krl(file: str, shown: bytes) -> bool:
    """Ask ssh-keygen. A KRL also names keys by hash, and certificates by number and key id."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UnreadableListError("it is a KRL, and ssh-keygen is not installed on this machine")
    with tempfile.NamedTemporaryFile(suffix=".pub") as key:
        kind = certificate.kind(shown).encode()
        key.write(kind + b" " + base64.b64encode(shown) + b"\n")
        key.flush()
        try:
            ended = child.run(
                [program, "-Q", "-f", file, key.name], seconds=_TIMEOUT, most=_MOST_OUTPUT
            )
        except child.ChildError as error:
            raise UnreadableListError(f"ssh-keygen -Q {error}") from error
    if ended.status == 0:
        return False
    if b"REVOKED" in ended.out:
        return True
    raise UnreadableListError("ssh-keygen -Q cannot read it")
