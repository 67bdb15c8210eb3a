"""Whether a server is the one we mean: its key against known_hosts."""

from __future__ import annotations

from collections.abc import Iterable

from scimconf.errors import Unreachable
from scimconf.ssh.known_hosts import KnownKey, Verdict, fingerprint, judge, remember
from scimconf.ssh.options import Options
from scimconf.ssh.route import Route

_RSA = ("rsa-sha2-512", "rsa-sha2-256")  # RFC 8332: both are signatures by an ssh-rsa key


def preferred(lines: Iterable[KnownKey], offered: Iterable[str]) -> tuple[str, ...]:
    """Order the host key algorithms so that the server shows a key that known_hosts has."""
    known = {line.kind for line in lines if not line.marker}
    wanted = {name for kind in known for name in (_RSA if kind == "ssh-rsa" else (kind,))}
    return tuple(sorted(offered, key=lambda name: name not in wanted))


def check(route: Route, options: Options, lines: list[KnownKey], kind: str, blob: bytes) -> None:
    """Accept the key that the server shows, or raise Unreachable with what to do.

    With "accept-new" the key of a server that is not known yet is remembered. One that has
    changed, or is revoked, is never accepted.
    """
    shown = fingerprint(blob)
    port = "" if route.port == 22 else f"-p {route.port} "
    match judge(lines, blob):
        case Verdict.KNOWN:
            return
        case Verdict.REVOKED:
            place = next(
                line.place for line in lines if line.marker == "@revoked" and line.blob == blob
            )
            raise Unreachable(
                "connect",
                f"the key of {route.name} ({kind} {shown}) is marked @revoked in {place}",
                "the server uses a key that must not be trusted: ask who runs it",
            )
        case Verdict.CHANGED:
            raise _changed(route, lines, kind, shown)
        case Verdict.UNKNOWN if options.host_key == "accept-new":
            _remember(route, kind, blob)
        case Verdict.UNKNOWN:
            authority = next((line for line in lines if line.marker == "@cert-authority"), None)
            raise Unreachable(
                "connect",
                f"{route.name} is not in known_hosts; it shows the {kind} key {shown}"
                + (
                    f" ({authority.place} names a host certificate authority, which scimconf "
                    "does not use yet)"
                    if authority
                    else ""
                ),
                "compare it with the server's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub "
                f"there), then: ssh-keyscan {port}{route.host} >> ~/.ssh/known_hosts; or run "
                "once with --accept-new-host-keys",
            )


def _changed(route: Route, lines: list[KnownKey], kind: str, shown: str) -> Unreachable:
    keys = [line for line in lines if not line.marker]
    old = next((line for line in keys if line.kind == kind), keys[0])
    return Unreachable(
        "connect",
        f"THE HOST KEY OF {route.name} HAS CHANGED: it shows {kind} {shown}, but {old.place} "
        f"has {old.kind} {fingerprint(old.blob)}",
        "it was installed anew, or somebody stands between: nothing was sent to it. If it was "
        f"installed anew, compare the fingerprints there and run: ssh-keygen -R '{route.name}'",
    )


def _remember(route: Route, kind: str, blob: bytes) -> None:
    if not route.known_hosts:
        raise Unreachable("connect", "there is no known_hosts file to remember new keys in")
    try:
        remember(route.known_hosts[0], route.name, kind, blob)
    except OSError as error:
        raise Unreachable(
            "connect",
            f"cannot write the new key of {route.name} to {route.known_hosts[0]}: {error.strerror}",
        ) from error
