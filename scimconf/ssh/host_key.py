"""Check the identity of a server: compare its key or certificate with known_hosts."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterable
from dataclasses import dataclass

from scimconf.errors import Unreachable
from scimconf.sanitize import one_line
from scimconf.ssh import certificate, revocation
from scimconf.ssh.certificate import CertificateError
from scimconf.ssh.known_hosts import KnownKey, Verdict, fingerprint, judge, remember
from scimconf.ssh.options import Options
from scimconf.ssh.revocation import UnreadableListError
from scimconf.ssh.route import Route

_RSA = ("rsa-sha2-512", "rsa-sha2-256")  # RFC 8332: both are signatures by an ssh-rsa key


@dataclass(frozen=True, slots=True)
class ShownKey:
    """The key of a server that has proved that it holds the private key."""

    kind: str
    blob: bytes
    """The public key."""
    certificate: bytes | None = None
    """The certificate that contains the key, if the server sent one."""


def preferred(lines: Iterable[KnownKey], offered: Iterable[str]) -> tuple[str, ...]:
    """Order the host key algorithms so that the server sends a key that known_hosts contains.

    If known_hosts has an authority for the server, certificates of all types come first.
    """
    lines, offered = list(lines), list(offered)
    known = {line.kind for line in lines if not line.marker}
    wanted = {name for kind in known for name in (_RSA if kind == "ssh-rsa" else (kind,))}
    plain = sorted(offered, key=lambda name: name not in wanted)
    certified = [name + certificate.SUFFIX for name in offered]
    return (*(certified if _authorities(lines) else []), *plain)


def _authorities(lines: Iterable[KnownKey]) -> list[KnownKey]:
    return [line for line in lines if line.marker == "@cert-authority"]


def check(route: Route, options: Options, lines: list[KnownKey], shown: ShownKey) -> None:
    """Accept the key of the server, or raise Unreachable with the reason and the next step.

    With "accept-new", the key of an unknown server is added to known_hosts. A key that has changed
    or is revoked is never accepted.
    """
    _check_size(route, shown)
    _check_list(route, shown)
    try:
        if _is_certified(route, lines, shown):
            return
        invalid = None
    except CertificateError as error:
        invalid = one_line(str(error), 200)
    match judge(lines, shown.blob):
        case Verdict.KNOWN:
            return
        case Verdict.REVOKED:
            raise _revoked(route, lines, shown.kind, shown.blob)
        case Verdict.CHANGED:
            raise _changed(route, lines, shown)
        case Verdict.UNKNOWN if invalid is not None:
            raise Unreachable("connect", f"the certificate of {route.name} is invalid: {invalid}")
        case Verdict.UNKNOWN if options.host_key == "accept-new":
            _remember(route, shown)
        case Verdict.UNKNOWN:
            raise _unknown(route, lines, shown)


def _check_size(route: Route, shown: ShownKey) -> None:
    bits = certificate.rsa_bits(shown.blob)
    least = route.algorithms.least_rsa
    if bits is not None and bits < least:
        raise Unreachable(
            "connect",
            f"the host key of {route.name} is an RSA key of {bits} bits, and at least {least} are "
            "required; no secret was sent",
            "on the server, run `ssh-keygen -A` and add `HostKey /etc/ssh/ssh_host_ed25519_key` to "
            "its sshd_config; then replace the RSA key in known_hosts with that key",
        )


def _check_list(route: Route, shown: ShownKey) -> None:
    """Raise Unreachable if RevokedHostKeys of ssh_config contains the key, or cannot be read."""
    file = route.revoked_host_keys
    if file is None:
        return
    try:
        found = certificate.parse(shown.certificate) if shown.certificate else None
        authority = found.authority if found else None
        if not revocation.is_revoked(file, shown.blob, shown.certificate, authority):
            return
    except (CertificateError, UnreadableListError) as error:
        raise Unreachable(
            "connect",
            f"cannot check whether the key of {route.name} is revoked: {file} (RevokedHostKeys in "
            f"your ssh_config): {error}",
            "correct the file or RevokedHostKeys; ssh accepts no host key in this case either",
        ) from error
    raise Unreachable(
        "connect",
        f"the key of {route.name} ({shown.kind} {fingerprint(shown.blob)}) is revoked in {file} "
        "(RevokedHostKeys in your ssh_config)",
        "do not trust this server; ask its administrator for a new host key",
    )


def _is_certified(route: Route, lines: list[KnownKey], shown: ShownKey) -> bool:
    """Return True if a certificate of a known authority is valid for the server.

    As in OpenSSH, a certificate of an unknown authority counts as a plain key. Raises
    CertificateError for an invalid certificate, and Unreachable for a revoked authority.
    """
    if shown.certificate is None:
        return False
    found = certificate.parse(shown.certificate)
    revoked = {line.blob for line in lines if line.marker == "@revoked"}
    if found.authority in revoked:
        raise _revoked(route, lines, "certificate authority's", found.authority)
    known = {line.blob for line in _authorities(lines)}
    if found.authority not in known or found.key in revoked:
        return False
    if found.key != shown.blob:
        raise CertificateError("it is damaged")
    certificate.check_host(found, route.principal, time.time(), route.algorithms)
    return True


def _revoked(route: Route, lines: list[KnownKey], kind: str, blob: bytes) -> Unreachable:
    place = next(line.place for line in lines if line.marker == "@revoked" and line.blob == blob)
    return Unreachable(
        "connect",
        f"the key of {route.name} ({kind} {fingerprint(blob)}) is marked @revoked in {place}",
        "do not trust this server; ask its administrator for a new host key",
    )


def _unknown(route: Route, lines: list[KnownKey], shown: ShownKey) -> Unreachable:
    authority = next(iter(_authorities(lines)), None)
    file = next((each for each in route.known_hosts if each != os.devnull), None)
    if file is None:
        add = "add it to a file and name the file with --known-hosts: no known_hosts file is in use"
    elif route.jump or route.proxy_command:  # ssh-keyscan knows no jump hosts
        add = "run once with --accept-new-host-keys"
    else:
        add = f"run: {_scan(route, file)}; or run once with --accept-new-host-keys"
    return Unreachable(
        "connect",
        f"{route.name} is not in known_hosts; its {shown.kind} key is "
        + fingerprint(shown.blob)
        + (f", without a certificate of the authority in {authority.place}" if authority else ""),
        "compare the key with the output of `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` on the "
        f"server, then {add}",
    )


def _scan(route: Route, file: str) -> str:
    """Return the command that adds the keys of a server to a known_hosts file."""
    port = "" if route.port == 22 else f"-p {route.port} "
    scan = f"ssh-keyscan {port}{shlex.quote(route.host)}"
    usual = (route.host.lower(), f"[{route.host.lower()}]:{route.port}")
    if route.name not in usual:  # HostKeyAlias
        name = re.sub(r"([&|\\])", r"\\\1", route.name)
        scan += " | sed " + shlex.quote(f"s|^[^ ]*|{name}|")
    return f"{scan} >> {shlex.quote(file)}"


def _changed(route: Route, lines: list[KnownKey], shown: ShownKey) -> Unreachable:
    keys = [line for line in lines if not line.marker]
    old = next((line for line in keys if line.kind == shown.kind), keys[0])
    file = shlex.quote(old.place.rpartition(":")[0])
    return Unreachable(
        "connect",
        f"THE HOST KEY OF {route.name} HAS CHANGED: the server has {shown.kind} "
        f"{fingerprint(shown.blob)}, but {old.place} has {old.kind} {fingerprint(old.blob)}",
        "the server was reinstalled, or somebody intercepts the connection; no secret was sent. If "
        "it was reinstalled, compare the fingerprint on the server, then run: "
        f"ssh-keygen -R {shlex.quote(route.name)} -f {file}",
    )


def _remember(route: Route, shown: ShownKey) -> None:
    if not route.known_hosts:
        raise Unreachable(
            "connect", "there is no known_hosts file to add keys to", "name one with --known-hosts"
        )
    try:
        remember(route.known_hosts[0], route.name, shown.kind, shown.blob)
    except OSError as error:
        raise Unreachable(
            "connect",
            f"cannot add the key of {route.name} to {route.known_hosts[0]}: {error.strerror}",
        ) from error
