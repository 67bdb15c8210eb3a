"""Whether a server is the one we mean: its key, or its certificate, against known_hosts."""

from __future__ import annotations

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
    """What a server shows: it has proved to hold the private key."""

    kind: str
    blob: bytes
    """The public key."""
    certificate: bytes | None = None
    """The certificate that it came in."""


def preferred(lines: Iterable[KnownKey], offered: Iterable[str]) -> tuple[str, ...]:
    """Order the host key algorithms so that the server shows a key that known_hosts has.

    Where known_hosts has an authority for the server, certificates come first, of any kind.
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
    """Accept the key that the server shows, or raise Unreachable with what to do.

    With "accept-new" the key of a server that is not known yet is remembered. One that has
    changed, or is revoked, is never accepted.
    """
    _check_size(route, shown)
    _check_list(route, shown)
    reason = _certified(route, lines, shown)
    if reason == "":
        return
    match judge(lines, shown.blob):
        case Verdict.KNOWN:
            return
        case Verdict.REVOKED:
            raise _revoked(route, lines, shown.kind, shown.blob)
        case Verdict.CHANGED:
            raise _changed(route, lines, shown)
        case Verdict.UNKNOWN if reason:
            raise Unreachable("connect", f"the certificate of {route.name} is not good: {reason}")
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
            f"the host key of {route.name} is an RSA key of {bits} bits, and {least} are the least "
            "that is accepted; nothing was sent to it",
            "give its sshd a better one: run `ssh-keygen -A` there, have `HostKey "
            "/etc/ssh/ssh_host_ed25519_key` in its sshd_config, and put that key into known_hosts "
            "in place of the RSA key",
        )


def _check_list(route: Route, shown: ShownKey) -> None:
    """Raise Unreachable for a key that ssh_config's RevokedHostKeys names."""
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
            f"whether the key of {route.name} is revoked is not known: {file}, the RevokedHostKeys "
            f"of your ssh_config: {error}",
            "ssh accepts no host key then, either: correct the file, or RevokedHostKeys",
        ) from error
    raise Unreachable(
        "connect",
        f"the key of {route.name} ({shown.kind} {fingerprint(shown.blob)}) is revoked in {file}, "
        "the RevokedHostKeys of your ssh_config",
        "the server uses a key that must not be trusted: ask who runs it",
    )


def _certified(route: Route, lines: list[KnownKey], shown: ShownKey) -> str | None:
    """Say whether a certificate vouches for the key: `""`. Else why not; None: there is none.

    As for OpenSSH, a certificate of an authority that is not known is a plain key.
    """
    if shown.certificate is None:
        return None
    try:
        found = certificate.parse(shown.certificate)
        revoked = {line.blob for line in lines if line.marker == "@revoked"}
        if found.authority in revoked:
            raise _revoked(route, lines, "certificate authority's", found.authority)
        known = {line.blob for line in _authorities(lines)}
        if found.authority not in known or found.key in revoked:
            return None
        if found.key != shown.blob:
            raise CertificateError("it is damaged")
        certificate.check_host(found, route.principal, time.time(), route.algorithms)
    except CertificateError as error:
        return one_line(str(error), 200)
    return ""


def _revoked(route: Route, lines: list[KnownKey], kind: str, blob: bytes) -> Unreachable:
    place = next(line.place for line in lines if line.marker == "@revoked" and line.blob == blob)
    return Unreachable(
        "connect",
        f"the key of {route.name} ({kind} {fingerprint(blob)}) is marked @revoked in {place}",
        "the server uses a key that must not be trusted: ask who runs it",
    )


def _unknown(route: Route, lines: list[KnownKey], shown: ShownKey) -> Unreachable:
    authority = next(iter(_authorities(lines)), None)
    port = "" if route.port == 22 else f"-p {route.port} "
    file = shlex.quote(route.known_hosts[0]) if route.known_hosts else "~/.ssh/known_hosts"
    return Unreachable(
        "connect",
        f"{route.name} is not in known_hosts; it shows the {shown.kind} key "
        + fingerprint(shown.blob)
        + (f", and no certificate of the authority in {authority.place}" if authority else ""),
        "compare it with the server's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub "
        f"there), then: ssh-keyscan {port}{route.host} >> {file}; or run "
        "once with --accept-new-host-keys",
    )


def _changed(route: Route, lines: list[KnownKey], shown: ShownKey) -> Unreachable:
    keys = [line for line in lines if not line.marker]
    old = next((line for line in keys if line.kind == shown.kind), keys[0])
    file = shlex.quote(old.place.rpartition(":")[0])
    return Unreachable(
        "connect",
        f"THE HOST KEY OF {route.name} HAS CHANGED: it shows {shown.kind} "
        f"{fingerprint(shown.blob)}, but {old.place} has {old.kind} {fingerprint(old.blob)}",
        "it was installed anew, or somebody stands between: nothing was sent to it. If it was "
        "installed anew, compare the fingerprints there and run: "
        f"ssh-keygen -f {file} -R '{route.name}'",
    )


def _remember(route: Route, shown: ShownKey) -> None:
    if not route.known_hosts:
        raise Unreachable("connect", "there is no known_hosts file to remember new keys in")
    try:
        remember(route.known_hosts[0], route.name, shown.kind, shown.blob)
    except OSError as error:
        raise Unreachable(
            "connect",
            f"cannot write the new key of {route.name} to {route.known_hosts[0]}: {error.strerror}",
        ) from error
