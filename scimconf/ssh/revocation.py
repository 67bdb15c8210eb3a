"""ssh_config's RevokedHostKeys: a file of public keys, or a key revocation list (KRL).

The rules are OpenSSH's (authfile.c, sshkey_check_revoked): a file that cannot be read, or that has
a line which is no key, lets no server be known.
"""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

from scimconf import files
from scimconf.ssh import certificate
from scimconf.ssh.certificate import CertificateError

_KRL = b"SSHKRL\n\0"
_TIMEOUT = 30.0


class UnreadableListError(Exception):
    """A file that cannot tell which keys are revoked; str() says why."""


def is_revoked(file: str, key: bytes, certified: bytes | None, authority: bytes | None) -> bool:
    """Return whether the file names a host's key, or the authority of its certificate.

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
            raise UnreadableListError(f"its line {number} is no public key") from error
        # Of a certificate, OpenSSH compares the key that is in it.
        is_certificate = kind.endswith(certificate.SUFFIX)
        yield certificate.parse(blob).key if is_certificate else blob


def _in_krl(file: str, shown: bytes) -> bool:
    """Ask ssh-keygen: a KRL knows keys by hash, and certificates by number and name too."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UnreadableListError("it is a KRL, and there is no ssh-keygen here to read it")
    with tempfile.NamedTemporaryFile(suffix=".pub") as key:
        kind = certificate.kind(shown).encode()
        key.write(kind + b" " + base64.b64encode(shown) + b"\n")
        key.flush()
        try:
            done = subprocess.run(
                [program, "-Q", "-f", file, key.name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnreadableListError("ssh-keygen -Q did not read it") from error
    if done.returncode == 0:
        return False
    if b"REVOKED" in done.stdout:
        return True
    raise UnreadableListError("ssh-keygen -Q cannot read it")
