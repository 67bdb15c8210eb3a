"""The user's ssh_config, read by the ssh program itself (`ssh -G`).

So Include, Match and all other options mean what they mean to ssh. Without an ssh program, no
ssh_config is read.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shlex
import socket
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Lock

from scimconf import child
from scimconf.errors import HostError
from scimconf.sanitize import one_line
from scimconf.ssh import every_host, keywords, login_name

_TIMEOUT = 30.0
"""Seconds. A `Match exec` in ssh_config may be slow."""
_MOST_OUTPUT = 1 << 20
_HASH_KEYWORD = "controlpath"
_MOST_STDERR = 1 << 18
_DEFAULTS: Mapping[str, Sequence[str]] = {
    "identityfile": ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"],
    "userknownhostsfile": ["~/.ssh/known_hosts"],
    "globalknownhostsfile": ["/etc/ssh/ssh_known_hosts"],
}
_CHATTER = re.compile(r"debug\d: |OpenSSH_|Pseudo-terminal ")
_SAFE = re.compile(r"[\w:\[][\w.:%\[\]@+-]*")
"""The hosts that may replace %h in the shell command of a `Match exec` or a ProxyCommand."""


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

    @property
    def file(self) -> str | None:
        """The file that replaces the user's ssh_config (-F)."""
        return next(iter(file_option(self.words)[1:]), None)

    @property
    def config(self) -> str:
        """Where the settings are, for messages."""
        return self.file or "your ssh_config"

    @property
    def command(self) -> str:
        """The command that prints the settings, quoted for a shell."""
        return shlex.join(["ssh", "-G", *file_option(self.words), self.host])


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one connection: keywords in lower case, each with its values."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """About options that change the connection in ssh, but not in scimconf."""
    own_keys: bool = False
    """Whether ssh_config sets IdentityFile. Otherwise `ssh -G` prints the default files."""

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


def file_option(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the option -F of a command line, which ssh also uses for jump hosts."""
    where = words.index("-F") if "-F" in words else len(words)
    return words[where : where + 2]


def check(question: Question) -> None:
    """Raise HostError for a host or user that a shell could take for a command.

    A `Match exec` or a ProxyCommand may contain them as %h and %r.
    """
    if not _SAFE.fullmatch(question.host):
        raise HostError("connect", f"{question.host!r} is not a valid name of a host or user")
    if question.user is not None and not login_name.is_valid(question.user):
        raise HostError("connect", f"{question.user!r} is not a valid name of a host or user")


def ask(ssh: str, question: Question) -> Settings:
    """Return the settings that the program `ssh` prints. Raises HostError.

    Each question is asked once per run: many servers may share a jump host, and a change uses the
    settings that the plan has shown. If ssh_config says the same of every host (`every_host`), ssh
    is asked for one of them only.
    """
    if not question.words and every_host.is_plain(question.host):
        key = ssh, question.port, question.user
        with _asking.setdefault(key, Lock()):
            if key not in _first:
                _first[key] = question, Settings(), False  # if ssh fails, the others do not wait
                _first[key] = question, *_answer(ssh, question)
            first, settings, holds = _first[key]
        # ssh refuses a host that it would jump through on the way to the same host.
        jump = settings.one("proxyjump") or ""
        if holds and settings.one("hostname") == first.host and question.host not in jump.lower():
            own = {
                name: [question.host] for name in ("host", "hostname") if name in settings.values
            }
            return replace(settings, values={**settings.values, **own})
    with _asking.setdefault((ssh, question), Lock()):
        return _answer(ssh, question)[0]


def defaults(ssh: str) -> Settings:
    """Return the settings of this ssh without any ssh_config. Raises HostError."""
    return ask(ssh, Question("localhost", words=("-F", "none")))


_asking: dict[Hashable, Lock] = {}
_first: dict[tuple[str, int | None, str | None], tuple[Question, Settings, bool]] = {}
"""The first question of each kind, its answer, and whether that holds for every host."""


@cache
def _answer(ssh: str, question: Question) -> tuple[Settings, bool]:
    """Return the settings, and whether they hold for every host."""
    host = question.host
    try:
        ended = child.run(
            [ssh, "-v", "-G", *question.argv],  # -v names the files that ssh reads
            seconds=_TIMEOUT,
            most=_MOST_OUTPUT,
            most_stderr=_MOST_STDERR,
        )
    except child.ChildError as error:
        raise HostError(
            "connect",
            f"`{question.command}` {error}",
            f"check whether a `Match exec` in {question.config} waits for something",
        ) from error
    if ended.status != 0:
        lines = ended.err.decode("utf-8", "replace").splitlines()
        complaint = "\n".join(line for line in lines if not _CHATTER.match(line))
        raise HostError(
            "connect",
            f"ssh cannot read its configuration for {host}: {one_line(complaint)}",
            f"to see the problem, run: {question.command}",
        )
    said = ended.err.decode("utf-8", "replace")
    holds = len(ended.err) < _MOST_STDERR and every_host.holds(said)
    return Settings(parse(ended.out.decode("utf-8", "replace"))), holds


def parse(text: str) -> dict[str, list[str]]:
    """Read the output of `ssh -G`: a keyword in lower case, a space, its value; some repeat.

    Options that change nothing in scimconf are left out.
    """
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        if keyword and (keywords.matters(keyword.lower()) or keyword == _HASH_KEYWORD):
            settings.setdefault(keyword.lower(), []).append(value.strip())
    return settings


def hash_question(question: Question) -> Question:
    """Return a question whose answer contains %C as this version of ssh computes it (`hash_in`).

    `ssh -G` expands ControlPath, which scimconf does not use otherwise.
    """
    return replace(question, words=("-o", "ControlPath=%C", *question.words))


def hash_in(settings: Settings) -> str | None:
    """Return the value of %C from the answer to a `hash_question`."""
    found = settings.one(_HASH_KEYWORD)
    return found if found and re.fullmatch("[0-9a-f]{40}", found) else None


def file_names(value: str) -> list[str]:
    """Split a list of files as ssh does. `ssh -G` has removed the quotes around names with spaces.

    A word that starts with neither `/` nor `~` continues a name with a space, unless it is the
    name of a file itself.
    """
    names: list[str] = []
    for word in value.split(" "):
        continues = names and names[-1][:1] in ("/", "~") and word[:1] not in ("/", "~")
        if continues and not (word and os.path.isfile(word)) and word != "none":
            names[-1] += f" {word}"
        elif word:
            names.append(word)
    return [name.rstrip(" ") for name in names if name != "none"]


def check_followed(settings: Settings, usual: Settings, question: Question) -> None:
    """Raise HostError if an option that scimconf does not support differs from its default.

    If it were ignored, scimconf could accept a host key that ssh would refuse.
    """
    for name, refusal in keywords.not_followed(settings.values, usual.values):
        raise HostError(
            "connect",
            f"{question.config} sets {name} for {question.host}, which scimconf does not support: "
            f"{refusal.why}",
            f"{refusal.way_out}; to see the settings, run: {question.command}",
        )


def warnings(settings: Settings, usual: Settings, question: Question) -> Iterator[str]:
    """Yield a warning for each option that ssh follows and scimconf does not."""
    for name, refusal in keywords.warned(settings.values, usual.values):
        yield (
            f"{question.config} sets {name} for {question.host}, which is not followed: "
            f"{refusal.why}; {refusal.way_out}"
        )


_IN_FILES = "%CdhijkLlnpru"
"""The tokens of IdentityFile and CertificateFile. Those of IdentityAgent, UserKnownHostsFile and
RevokedHostKeys are expanded by `ssh -G` itself."""
_IN_COMMANDS = "%hknpr"
"""The tokens of ProxyCommand and ProxyJump."""


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
    """HostKeyAlias, or the host as it was asked for."""
    jump: str = ""
    """The host that the connection goes through."""
    find_hash: Callable[[], str | None] = lambda: None
    """Asks ssh for %C: its parts depend on the version of ssh."""

    def _value(self, letter: str) -> str:
        """Return the value of a letter, as in ssh.c (DEFAULT_CLIENT_PERCENT_EXPAND_ARGS)."""
        here = socket.gethostname()
        match letter:
            case "C":
                parts = (here, self.host, str(self.port), self.user, self.jump)
                own = hashlib.sha1("".join(parts).encode(), usedforsecurity=False).hexdigest()
                return self.find_hash() or own
            case "d":
                return pwd.getpwuid(os.getuid()).pw_dir
            case "u":
                return pwd.getpwuid(os.getuid()).pw_name
        values = {
            "%": "%",
            "h": self.host,
            "i": str(os.getuid()),
            "j": self.jump,
            "k": self.alias,
            "L": here.partition(".")[0],
            "l": here,
            "n": self.asked,
            "p": str(self.port),
            "r": self.user,
        }
        return values[letter]

    def _expand(self, text: str, letters: str) -> str:
        def value(found: re.Match[str]) -> str:
            letter = found[1]
            if not letter or letter not in letters:
                raise HostError(
                    "connect",
                    f"{text!r} contains %{letter}, which ssh does not expand there",
                    "write %% for a percent sign; ssh_config(5) lists the tokens of each option",
                )
            return self._value(letter)

        return re.sub(r"%(.?)", value, text, flags=re.DOTALL)

    def expand(self, text: str) -> str:
        """Expand a ProxyJump. Raises HostError for a letter that it does not have."""
        return self._expand(text, _IN_COMMANDS)

    def path(self, text: str) -> str:
        """Expand a file name of the inventory: `~` and %-letters.

        Raises HostError for a letter that IdentityFile does not have.
        """
        return self._expand(os.path.expanduser(text), _IN_FILES)

    def own_path(self, text: str) -> str:
        """Expand a file name of ssh_config: also `${NAME}` of the environment.

        Not for file names of an inventory: a message could show a secret of our environment.
        Raises HostError for a letter that IdentityFile does not have, and a variable without value.
        """

        def value(found: re.Match[str]) -> str:
            if found[1] not in os.environ:
                raise HostError(
                    "connect",
                    f"{text!r} in your ssh_config names the environment variable {found[1]}, which "
                    "is not set",
                    f"set {found[1]}, or change the line; ssh fails in this case too",
                )
            return os.environ[found[1]].replace("%", "%%")

        return self.path(re.sub(r"\$\{(\w+)\}", value, text))

    def command(self, text: str) -> str:
        """Expand a command for the shell. Raises HostError for a value that is unsafe there."""
        hosts = all(map(_SAFE.fullmatch, (self.host, self.asked, self.alias)))
        if not hosts or not login_name.is_valid(self.user):
            values = (self.host, self.asked, self.alias)
            bad = next((each for each in values if not _SAFE.fullmatch(each)), self.user)
            raise HostError("connect", f"{bad!r} cannot be used in a ProxyCommand")
        return self._expand(text, _IN_COMMANDS)
