"""Sort what an inventory says about calling sudo or su (`ansible_become_exe`, `_flags`).

The program may get a password, so an unread inventory may name only known programs, and no option
that lets them do something else. Everything else needs permission.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Method = Literal["sudo", "su"]

PROGRAMS: dict[Method, tuple[str, ...]] = {
    "sudo": ("sudo", "sudo.ws", "sudo-rs"),
    "su": ("su", "su-rs"),
}
"""The names of sudo, su and sudo-rs in Debian and Ubuntu. The server checks who owns a path."""
_FOLDERS = re.compile(r"/(?:[A-Za-z0-9_+][A-Za-z0-9_.+-]*/)*")

_LONG = {
    "sudo": {
        "--set-home": "-H",
        "--stdin": "-S",
        "--non-interactive": "-n",
        "--reset-timestamp": "-k",
        "--preserve-env": "-E",
        "--login": "-i",
        "--shell": "-s",
        "--prompt": "-p",
    },
    "su": {
        "-": "-l",
        "--login": "-l",
        "--preserve-environment": "-m",
        "--pty": "-P",
        "--shell": "-s",
    },
}
_VALUED = {"sudo": "p", "su": "s"}
"""The letters of options that have a value."""
_SAME_ANYWAY: dict[Method, frozenset[str]] = {"sudo": frozenset("HSnk"), "su": frozenset()}
"""Options without effect: scimconf's sudo never asks on a terminal and never caches a password."""
_NOT_NEEDED: dict[Method, frozenset[str]] = {"sudo": frozenset("Eisp"), "su": frozenset("lmpPs")}
"""Options that set the environment, the shell, the terminal or the prompt. The start command sets
its own, and `sudo -i` would change the command."""
_USUAL_SHELL = ("su", "-s /bin/sh")


class BecomeWordsError(ValueError):
    """A text that a shell could not split into words. str() says why."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that call sudo or su."""

    program: tuple[str, ...] = ()
    """The program, and the words after an unknown one; empty for the usual name."""
    flags: tuple[str, ...] = ()
    """Options that need permission."""
    ignored: tuple[str, ...] = ()
    """Options that are left out, because scimconf decides this itself."""
    is_known: bool = True
    """Whether the program is a sudo or su that is known."""

    @property
    def foreign(self) -> str | None:
        """The words that need permission; None if there are none."""
        words = (*(() if self.is_known else self.program), *self.flags)
        return shlex.join(words) if words else None


def parse(method: Method, exe: str | None, flags: str | None) -> Words:
    """Sort the words, split as Ansible's shell splits them. Raises BecomeWordsError."""
    program, *more = split(exe or "") or [method]
    is_known = _is_known(method, program)
    if not is_known:  # its options can mean anything
        return Words((program, *more), tuple(split(flags or "")), is_known=False)
    foreign: list[str] = []
    ignored: list[str] = []
    for letter, word in _options(method, [*more, *split(flags or "")]):
        if letter in _SAME_ANYWAY[method] or (method, word) == _USUAL_SHELL:
            continue
        (ignored if letter in _NOT_NEEDED[method] else foreign).append(word)
    named = () if program == method else (program,)
    return Words(named, tuple(foreign), tuple(dict.fromkeys(ignored)))


def _is_known(method: Method, program: str) -> bool:
    folders, _, name = program.rpartition("/")
    is_usual_place = "/" not in program or _FOLDERS.fullmatch(f"{folders}/") is not None
    return name in PROGRAMS[method] and is_usual_place


def split(text: str) -> list[str]:
    """Split a text as a shell does. Raises BecomeWordsError."""
    if not text.isprintable():
        raise BecomeWordsError("it contains characters that cannot be printed")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BecomeWordsError("a quote is not closed") from error


def _options(method: Method, words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the letter and the text (`-X` or `-X VALUE`) of each option.

    A word that is more than known options has no letter.
    """
    valued = _VALUED[method]
    known = "".join(_SAME_ANYWAY[method] | _NOT_NEEDED[method])
    cluster = re.compile(f"-([{known}]*?)(?:([{valued}])(.*))?", re.DOTALL)
    left = iter(words)
    for word in left:
        name, _, given = word.partition("=")
        if name in _LONG[method]:
            word, given = _LONG[method][name], given if _LONG[method][name][1] in valued else ""
        else:
            given = ""
        found = cluster.fullmatch(word)
        if found is None or len(word) == 1:
            yield "", word
            continue
        for letter in found[1]:
            yield letter, f"-{letter}"
        if found[2]:
            yield found[2], f"-{found[2]} {found[3] or given or next(left, '')}"
