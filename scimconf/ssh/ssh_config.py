"""The user's ssh_config, read by the ssh program itself (`ssh -G`).

It knows Include, Match and all the rest; where there is no ssh program, there is no ssh_config
either.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from scimconf.errors import HostError
from scimconf.sanitize import one_line
from scimconf.ssh import keywords

_TIMEOUT = 30.0
"""Seconds; a `Match exec` in ssh_config can take a while."""
_DEFAULTS: Mapping[str, Sequence[str]] = {
    "identityfile": ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"],
    "userknownhostsfile": ["~/.ssh/known_hosts"],
    "globalknownhostsfile": ["/etc/ssh/ssh_known_hosts"],
}
_CHATTER = re.compile(r"debug\d: |OpenSSH_|Pseudo-terminal ")
_SAFE = re.compile(r"[\w:\[][\w.:%\[\]@+-]*")
"""What may reach the shell of a `Match exec` or a ProxyCommand as %h or %r."""


@dataclass(frozen=True, slots=True)
class Question:
    """What ssh would be called with."""

    host: str
    port: int | None = None
    user: str | None = None
    words: tuple[str, ...] = ()
    """More options."""

    @property
    def argv(self) -> list[str]:
        """The words behind `ssh -G`."""
        argv = ["-p", str(self.port)] if self.port is not None else []
        argv += ["-l", self.user] if self.user is not None else []
        return [*argv, *self.words, "--", self.host]


@dataclass(frozen=True, slots=True)
class Settings:
    """What ssh_config says of one connection: keywords in lower case, each with its values."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def all(self, keyword: str) -> Sequence[str]:
        """Give the values of a keyword that may stand several times."""
        return self.values.get(keyword, _DEFAULTS.get(keyword, ()))

    def one(self, keyword: str) -> str | None:
        """Give the one value of a keyword; None for no value, and for `none`."""
        value = next(iter(self.all(keyword)), "")
        return None if value.lower() in ("", "none") else value

    def seconds(self, keyword: str) -> float:
        """Give a number of seconds; 0 for none."""
        return float(self.one(keyword) or 0)


def check(question: Question) -> None:
    """Refuse what a shell would obey (a `Match exec` or ProxyCommand may hold it)."""
    for word in (question.host, question.user or "_"):
        if not _SAFE.fullmatch(word):
            raise HostError("connect", f"{word!r} is no name of a host or user that ssh would take")


def run(argv: Sequence[str], host: str) -> tuple[Settings, str]:
    """Run `ssh -G`; give its answer, and what it said on stderr. Raises HostError."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(
            "connect",
            f"`ssh -G {host}` was not done after {_TIMEOUT:g} s",
            "does a `Match exec` in your ssh_config wait for something?",
        ) from error
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0:
        complaint = "\n".join(line for line in said.splitlines() if not _CHATTER.match(line))
        raise HostError(
            "connect",
            f"ssh cannot read its configuration for {host}: {one_line(complaint)}",
            f"try: ssh -G {host}",
        )
    return Settings(parse(done.stdout.decode("utf-8", "replace"))), said


def parse(text: str) -> dict[str, list[str]]:
    """Read the output of `ssh -G`: a keyword in lower case, a space, its value; some repeat.

    What changes nothing here is left out.
    """
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        if keyword and keywords.matters(keyword.lower()):
            settings.setdefault(keyword.lower(), []).append(value.strip())
    return settings


@cache
def defaults(ssh: str) -> Settings:
    """Return what this ssh does for a host that no ssh_config speaks of. Raises HostError."""
    return run([ssh, "-F", "none", "-G", "--", "localhost"], "localhost")[0]


def check_followed(settings: Settings, usual: Settings, host: str) -> None:
    """Raise HostError for an option that is not at its default and that scimconf does not follow.

    Ignored, it could let a host key be believed that ssh would refuse.
    """
    for name, refusal in keywords.not_followed(settings.values, usual.values):
        raise HostError(
            "connect",
            f"your ssh_config sets {name} for {host}, which scimconf does not follow: "
            f"{refusal.why}",
            f"{refusal.way_out}; to see what applies: ssh -G {host}",
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the %-letters of ssh_config(5), TOKENS, stand for in one connection."""

    host: str
    """As it is connected to."""
    asked: str
    """As it was given."""
    port: int
    user: str
    alias: str
    """HostKeyAlias, else the host."""

    def expand(self, text: str) -> str:
        """Put in the values of %-letters; an unknown one stays as it is."""
        if "%" not in text:
            return text
        here = socket.gethostname()
        letters = {
            "%": "%",
            "d": str(Path.home()),
            "h": self.host,
            "i": str(os.getuid()),
            "k": self.alias,
            "L": here.partition(".")[0],
            "l": here,
            "n": self.asked,
            "p": str(self.port),
            "r": self.user,
            "u": getpass.getuser(),
        }
        return re.sub(r"%([%dhikLlnpru])", lambda found: letters[found[1]], text)

    def path(self, text: str) -> str:
        """Expand a file's name of the inventory: `~` and %-letters."""
        return os.path.expanduser(self.expand(text))

    def own_path(self, text: str) -> str:
        """Expand a file's name of ssh_config: also `${NAME}` of the environment.

        Not for an inventory: its author could have a secret of ours shown in a message.
        """
        return self.path(re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], ""), text))

    def command(self, text: str) -> str:
        """Expand a command for the shell. Raises HostError for what a shell would obey."""
        for value in (self.host, self.asked, self.user, self.alias):
            if not _SAFE.fullmatch(value):
                raise HostError("connect", f"{value!r} cannot be put into a ProxyCommand")
        return self.expand(text)
