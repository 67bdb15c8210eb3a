"""The files in /etc of an isolated server: its users, and its sudo rules."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

OPS_PASSWORD = "correct horse"
_OPS_HASH = (
    "$6$rounds=1000$VPaPs73xytOTz9lF$lqgUrPK5tFva1jGtEBjgSeMhA9xT"
    "Oo6rMp/fwKtwgqREnd7GKSCQ.JlxG87zVN3z/2FiItZbBAdfcuGnE1iTX/"
)
# `*`: no password is valid. With `!`, sshd would treat the account as locked and refuse keys too.
_NO_PASSWORD = "*"
_PAM = "auth required pam_unix.so\naccount required pam_unix.so\nsession optional pam_unix.so\n"


@dataclass(frozen=True)
class Account:
    """A user of the lab server."""

    name: str
    number: int
    home: str


ZULIP = Account("zulip", 61001, "/home/zulip")
OPS = Account("ops", 61002, "/home/ops")
ACCOUNTS = {
    account.name: account
    for account in (
        Account("root", 0, "/root"),
        Account("sshd", 61000, "/run/sshd"),
        ZULIP,
        OPS,
        Account("nobody", 65534, "/"),
    )
}


def etc(hostname: str, sudo: str | None, sudoers: str, path: str) -> dict[str, tuple[str, int]]:
    """Return the files that replace those of the host: name -> (text, mode).

    `sudo` is "nopasswd", "password" or None: how `ops` becomes `zulip`. `sudoers` has extra lines.
    """
    shell = shutil.which("bash") or "/bin/sh"
    people = ACCOUNTS.values()
    passwords = {"ops": _OPS_HASH}
    return {
        "passwd": (
            "".join(f"{a.name}:x:{a.number}:{a.number}::{a.home}:{shell}\n" for a in people),
            0o644,
        ),
        "group": ("".join(f"{a.name}:x:{a.number}:\n" for a in people), 0o644),
        "shadow": (
            "".join(
                f"{a.name}:{passwords.get(a.name, _NO_PASSWORD)}:20000::::::\n" for a in people
            ),
            0o600,
        ),
        "gshadow": ("".join(f"{a.name}:*::\n" for a in people), 0o600),
        "nsswitch.conf": ("passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", 0o644),
        "hosts": (f"127.0.0.1 localhost {hostname}\n::1 localhost\n", 0o644),
        "hostname": (f"{hostname}\n", 0o644),
        "sudoers": (_sudoers(sudo, path) + sudoers, 0o440),
        "pam.d/sudo": (_PAM, 0o644),
        "pam.d/su": (f"auth sufficient pam_rootok.so\n{_PAM}", 0o644),
        "pam.d/runuser": (f"auth sufficient pam_rootok.so\n{_PAM}", 0o644),
        "pam.d/other": (_PAM, 0o644),
    }


def _sudoers(sudo: str | None, path: str) -> str:
    lines = [
        # The lab must not write to the host's syslog or to its /var/lib/sudo.
        "Defaults !syslog, lecture=never",
        f'Defaults secure_path="{path}"',
        "root ALL=(ALL:ALL) ALL",
    ]
    if sudo is not None:
        tag = {"nopasswd": "NOPASSWD: ", "password": ""}[sudo]
        lines.append(f"ops ALL=(zulip) {tag}ALL")
    return "\n".join(lines) + "\n"
