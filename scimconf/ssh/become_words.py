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
_SAME_ANYWAY = {"sudo": "HSnk", "su": ""}
"""scimconf does the same without them: sudo never asks on a terminal, and never remembers."""
_NOT_NEEDED = {"sudo": "Eisp", "su": "lmpPs"}
"""They set the environment, the shell, the terminal or the prompt. The start command sets its
own, and `sudo -i` would change the command."""
_USUAL_SHELL = "-s /bin/sh"


class BecomeWordsError(ValueError):
    """A text that a shell could not split into words. str() says why."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that call sudo or su."""

    program: tuple[str, ...] = ()
    """Empty for the usual name."""
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
    for word in _options(method, [*more, *split(flags or "")]):
        letters = word[1:].partition(" ")[0] if word.startswith("-") else ""
        if letters and not letters.startswith("-") and letters in _SAME_ANYWAY[method]:
            continue
        if method == "su" and word == _USUAL_SHELL:
            continue
        is_needless = bool(letters) and letters in _NOT_NEEDED[method]
        (ignored if is_needless else foreign).append(word)
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


def _options(method: Method, words: list[str]) -> Iterator[str]:
    """Yield one option at a time: `-X`, `-X VALUE`, or a word that is not a known option."""
    left = iter(words)
    known = _SAME_ANYWAY[method] + _NOT_NEEDED[method]
    for word in left:
        name, equals, value = word.partition("=")
        if name in _LONG[method] and (equals or word in _LONG[method]):
            short = _LONG[method][name]
            takes = short[1] in _VALUED[method]
            value = value or (next(left, "") if takes else "")
            yield f"{short} {value}" if takes else short
        elif re.fullmatch(f"-[{known}]+", word[: 1 + _until_value(method, word)]):
            end = 1 + _until_value(method, word)
            for letter in word[1:end]:
                if letter in _VALUED[method]:
                    yield f"-{letter} {word[end:] or next(left, '')}"
                else:
                    yield f"-{letter}"
        else:
            yield word


def _until_value(method: Method, word: str) -> int:
    """Return how many letters of `-XYZvalue` are options."""
    found = re.search(f"[{_VALUED[method]}]", word[1:])
    return found.end() if found else len(word)
