"""The user's ssh_config, read by the ssh program itself (`ssh -G`).

So Include, Match and all other options mean what they mean to ssh. Without an ssh program, no
ssh_config is read.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock

from scimconf import child
from scimconf.errors import HostError
from scimconf.sanitize import one_line
from scimconf.ssh import keywords

_TIMEOUT = 30.0
"""Seconds. A `Match exec` in ssh_config may be slow."""
_MOST_OUTPUT = 1 << 20
_MOST_STDERR = 1 << 16
_DEFAULTS: Mapping[str, Sequence[str]] = {
    "identityfile": ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"],
    "userknownhostsfile": ["~/.ssh/known_hosts"],
    "globalknownhostsfile": ["/etc/ssh/ssh_known_hosts"],
}
_CHATTER = re.compile(r"debug\d: |OpenSSH_|Pseudo-terminal ")
_SAFE = re.compile(r"[\w:\[][\w.:%\[\]@+-]*")
"""The names that may replace %h or %r in the shell command of a `Match exec` or a ProxyCommand."""


@dataclass(frozen=True, slots=True)
class Question:
    """The arguments of one call of ssh."""

    host: str
    port: int | None = None
    user: str | None = None
    words: tuple[str, ...] = ()
    """Further options."""

    @property
    def argv(self) -> list[str]:
        """The words after `ssh -G`."""
        argv = ["-p", str(self.port)] if self.port is not None else []
        argv += ["-l", self.user] if self.user is not None else []
        return [*argv, *self.words, "--", self.host]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one connection: keywords in lower case, each with its values."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def all(self, keyword: str) -> Sequence[str]:
        """Return the values of a keyword that may occur several times."""
        return self.values.get(keyword, _DEFAULTS.get(keyword, ()))

    def one(self, keyword: str) -> str | None:
        """Return the value of a keyword; None if it has none, and for `none`."""
        value = next(iter(self.all(keyword)), "")
        return None if value.lower() in ("", "none") else value

    def seconds(self, keyword: str) -> float:
        """Return a number of seconds; 0 if the keyword has no value."""
        return float(self.one(keyword) or 0)


def check(question: Question) -> None:
    """Raise HostError for a host or user that a shell could take for a command.

    A `Match exec` or a ProxyCommand may contain them as %h and %r.
    """
    for word in (question.host, question.user or "_"):
        if not _SAFE.fullmatch(word):
            raise HostError("connect", f"{word!r} is not a valid name of a host or user")


def ask(ssh: str, question: Question) -> Settings:
    """Return the settings that the program `ssh` prints. Raises HostError.

    Each question is asked once per run: many servers may share a jump host, and a change uses the
    settings that the plan has shown.
    """
    with _asking.setdefault((ssh, question), Lock()):
        return _answer(ssh, question)


def defaults(ssh: str) -> Settings:
    """Return the settings of this ssh without any ssh_config. Raises HostError."""
    return ask(ssh, Question("localhost", words=("-F", "none")))


_asking: dict[tuple[str, Question], Lock] = {}


@cache
def _answer(ssh: str, question: Question) -> Settings:
    host = question.host
    try:
        ended = child.run(
            [ssh, "-G", *question.argv],
            seconds=_TIMEOUT,
            most=_MOST_OUTPUT,
            most_stderr=_MOST_STDERR,
        )
    except child.ChildError as error:
        raise HostError(
            "connect",
            f"`ssh -G {host}` {error}",
            "check whether a `Match exec` in your ssh_config waits for something",
        ) from error
    if ended.status != 0:
        lines = ended.err.decode("utf-8", "replace").splitlines()
        complaint = "\n".join(line for line in lines if not _CHATTER.match(line))
        raise HostError(
            "connect",
            f"ssh cannot read its configuration for {host}: {one_line(complaint)}",
            f"to see the problem, run: ssh -G {host}",
        )
    return Settings(parse(ended.out.decode("utf-8", "replace")))


def parse(text: str) -> dict[str, list[str]]:
    """Read the output of `ssh -G`: a keyword in lower case, a space, its value; some repeat.

    Options that change nothing in scimconf are left out.
    """
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        if keyword and keywords.matters(keyword.lower()):
            settings.setdefault(keyword.lower(), []).append(value.strip())
    return settings


def check_followed(settings: Settings, usual: Settings, host: str) -> None:
    """Raise HostError if an option that scimconf does not support differs from its default.

    If it were ignored, scimconf could accept a host key that ssh would refuse.
    """
    for name, refusal in keywords.not_followed(settings.values, usual.values):
        raise HostError(
            "connect",
            f"your ssh_config sets {name} for {host}, which scimconf does not support: "
            f"{refusal.why}",
            f"{refusal.way_out}; to see the settings, run: ssh -G {host}",
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The values of the %-letters of ssh_config(5), TOKENS, for one connection."""

    host: str
    """The host to connect to."""
    asked: str
    """The host as the inventory or a ProxyJump names it."""
    port: int
    user: str
    alias: str
    """HostKeyAlias, or the host."""

    def expand(self, text: str) -> str:
        """Replace %-letters by their values; keep unknown letters."""
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
        """Expand a file name of the inventory: `~` and %-letters."""
        return os.path.expanduser(self.expand(text))

    def own_path(self, text: str) -> str:
        """Expand a file name of ssh_config: also `${NAME}` of the environment.

        Not for file names of an inventory: a message could show a secret of our environment.
        """
        return self.path(re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], ""), text))

    def command(self, text: str) -> str:
        """Expand a command for the shell. Raises HostError for a value that is unsafe there."""
        for value in (self.host, self.asked, self.user, self.alias):
            if not _SAFE.fullmatch(value):
                raise HostError("connect", f"{value!r} cannot be used in a ProxyCommand")
        return self.expand(text)
