"""Asks the ssh program for a host's settings only where they cannot be known from other hosts.

`ssh -G` costs some 9 ms of CPU, nearly as much as all the rest of a server, and most hosts of a
fleet fall under the same lines of ssh_config. Which lines these are is told by the `Host` patterns
alone, as long as there is no `Match` that looks at more. So where two hosts under the same lines
have been answered alike, but for their own names, the third is not asked for.
"""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scimconf.ssh.ssh_config import Question, Settings

_READ = re.compile(r"^debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)
_LINE = re.compile(r"\s*(host|match|include)(?:\s+|\s*=\s*)(.*)", re.IGNORECASE)
_QUOTED = re.compile(r'\s*(?:host|match|include)?"', re.IGNORECASE)
_NOT_AS_IN_A_SHELL = re.compile(r"\S#|[\\']|[^\S \t\r]|[\x00-\x08\x0e-\x1f]")
"""What some versions of ssh split into words in another way than a shell does."""
_OF_EVERY_HOST = frozenset({"all", "canonical", "final"})
_OWN_NAME = ("host", "hostname")

Run = Callable[[Sequence[str], str], tuple[Settings, str]]
"""Runs `ssh` with these words, for a host; gives its settings, and what it said on stderr."""


class Patterns:
    """The patterns of one Host line (ssh_config(5), PATTERNS)."""

    def __init__(self, words: Iterable[str]) -> None:
        words = list(words)
        self._wanted = _Names(word for word in words if not word.startswith("!"))
        self._unwanted = _Names(word[1:] for word in words if word.startswith("!"))

    def fit(self, host: str) -> bool:
        """Say whether the line is about a host."""
        return self._wanted.have(host) and not self._unwanted.have(host)


class _Names:
    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = list(patterns)
        self._plain = {each for each in patterns if not set(each) & set("*?")}
        self._globs = [_glob(each) for each in patterns if set(each) & set("*?")]

    def have(self, host: str) -> bool:
        return host in self._plain or any(glob.fullmatch(host) for glob in self._globs)


def _glob(pattern: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    return re.compile("".join(parts), re.DOTALL)


def files_read(stderr: str) -> list[str]:
    """Give the files that ssh says (-v) it has read, those of each Include among them."""
    return list(dict.fromkeys(_READ.findall(stderr)))


def host_lines(texts: Iterable[str]) -> list[Patterns] | None:
    """Give the Host lines; None where anything but these looks at a connection.

    Also None where ssh may read a line in another way than it is read here.
    """
    found = []
    for line in (line for text in texts for line in text.split("\n")):
        if _QUOTED.match(line):
            return None
        section = _LINE.match(line)
        if section is None:
            continue
        if _NOT_AS_IN_A_SHELL.search(line):
            return None
        try:
            words = shlex.split(section[2], comments=True)
        except ValueError:
            return None
        match section[1].lower():
            case "host":
                found.append(Patterns(words))
            case "match" if not {word.lower() for word in words} <= _OF_EVERY_HOST:
                return None
            case "include" if any("%" in word or "$" in word for word in words):
                return None
    return found


def infer(one: tuple[str, Settings], two: tuple[str, Settings], host: str) -> Settings | None:
    """Give a host's settings from those of two others; None where these differ by more than name.

    A name stands for itself where each of the two has its own. Nothing else can be alike in both
    and depend on the host.
    """
    if one[1].one("canonicalizehostname") not in (None, "no", "false"):
        return None  # what the name servers say of each
    values = dict(two[1].values)
    for name, settings in one, two:
        for keyword in _OWN_NAME:
            if settings.values.get(keyword) == [name]:
                values[keyword] = [host]
    expected = {
        name: {**values, **{k: [name] for k in _OWN_NAME if values.get(k) == [host]}}
        for name, _ in (one, two)
    }
    if all(expected[name] == settings.values for name, settings in (one, two)):
        return Settings(values)
    return None


@dataclass(slots=True)
class _Known:
    """What is known of one way of calling ssh."""

    stamps: dict[str, tuple[int, int] | None]
    lines: list[Patterns] | None
    witnesses: dict[tuple[bool, ...], dict[str, Settings]] = field(default_factory=dict)

    def under(self, host: str) -> tuple[bool, ...]:
        """Say which lines are about a host."""
        return tuple(each.fit(host) for each in self.lines or ())


class Inference:
    """The memory of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: dict[tuple[str, Question], _Known] = {}
        self._locks: dict[object, threading.Lock] = {}
        self._guard = threading.Lock()

    def ask(self, ssh: str, question: Question) -> Settings:
        """Give the settings of a host, as the program `ssh` has them."""
        way = (ssh, replace(question, host=""))
        with self._lock(way):
            known = self._known.get(way)
            if known is None or known.stamps != _stamps(known.stamps):
                settings, stderr = self._run([ssh, "-v", "-G", *question.argv], question.host)
                self._known[way] = _remembered(question.host, settings, stderr)
                return settings
        if known.lines is None:
            return self._run([ssh, "-G", *question.argv], question.host)[0]
        under = known.under(question.host)
        with self._lock((way, under)):
            witnesses = known.witnesses.setdefault(under, {})
            if len(witnesses) > 1:
                one, two = witnesses.items()
                if inferred := infer(one, two, question.host):
                    return inferred
            settings, _ = self._run([ssh, "-G", *question.argv], question.host)
            if len(witnesses) < 2:
                witnesses[question.host] = settings
            return settings

    def _lock(self, what: object) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(what, threading.Lock())


def _remembered(host: str, settings: Settings, stderr: str) -> _Known:
    files = files_read(stderr)
    # Another ssh than OpenSSH's may not tell its files.
    known = _Known(_stamps(files), _lines_of(files) if "OpenSSH_" in stderr else None)
    known.witnesses[known.under(host)] = {host: settings}
    return known


def _stamps(files: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """Give something of each file that changes with it."""
    return {file: _stamp(file) for file in files}


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _lines_of(files: Iterable[str]) -> list[Patterns] | None:
    try:
        return host_lines(Path(file).read_text(encoding="utf-8") for file in files)
    except (OSError, ValueError):
        return None
