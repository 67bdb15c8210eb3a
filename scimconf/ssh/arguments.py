"""What an inventory puts on ssh's command line (Ansible's `ansible_ssh_common_args`): how much of
it means the same here.

Each option is one of four kinds. Those that say where a connection goes and who logs in are
followed: the ssh program itself reads them (`ssh -G`). Those that change nothing for one command
without a terminal are passed over. Those that make ssh start a program need leave, since whoever
writes an inventory must not choose what runs on the machine that plans it. The rest is not
followed, and named.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_FOLLOWED = frozenset(
    {
        "addressfamily",
        "bindaddress",
        "certificatefile",
        "connecttimeout",
        "hostkeyalias",
        "hostname",
        "identitiesonly",
        "identityagent",
        "identityfile",
        "kbdinteractiveauthentication",
        "passwordauthentication",
        "port",
        "preferredauthentications",
        "proxyjump",
        "pubkeyauthentication",
        "serveralivecountmax",
        "serveraliveinterval",
        "user",
    }
)
_WITHOUT_EFFECT = frozenset(
    {
        "batchmode",
        "compression",
        "controlmaster",
        "controlpath",
        "controlpersist",
        "escapechar",
        "hashknownhosts",
        "loglevel",
        "tcpkeepalive",
        "visualhostkey",
    }
)
_SAME_ANYWAY = {
    "checkhostip": ("no",),
    "requesttty": ("no", "auto"),
    "stricthostkeychecking": ("yes", "ask"),
}
"""Values that say what happens here in any case; so does `no` of what is never done here."""
_NEVER_DONE = ("forward", "gssapi", "hostbased", "kerberos", "permitlocalcommand")
_TRUST = frozenset(
    {
        "casignaturealgorithms",
        "checkhostip",
        "globalknownhostsfile",
        "hostkeyalgorithms",
        "knownhostscommand",
        "nohostauthenticationforlocalhost",
        "requiredrsasize",
        "revokedhostkeys",
        "stricthostkeychecking",
        "updatehostkeys",
        "userknownhostsfile",
        "verifyhostkeydns",
    }
)

# ssh's letters (ssh(1)): those with a value, and what they are short for.
_VALUED = frozenset("BbcDEeFIiJLlmOopQRSWwP")
_SHORT = {"b": "bindaddress", "i": "identityfile", "J": "proxyjump", "l": "user", "p": "port"}
_FAMILY = {"4": "inet", "6": "inet6"}
_NO_MATTER = frozenset("aCEMnqSTvxy")

# ssh_config(5) puts these into commands for a shell (%h, %r, ...).
_PLAIN = re.compile(r"(?:[A-Za-z0-9_\[]|%[hnr])(?:[A-Za-z0-9_.@:,\[\]/+-]|%[hnr])*")
_TO_SHELL = frozenset({"bindaddress", "hostkeyalias", "hostname", "port", "proxyjump", "user"})
_TUNNEL = ("%h:%p", "[%h]:%p")


class ArgumentsError(ValueError):
    """Words that ssh would not take; str() says which."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The words of a command line, sorted."""

    options: tuple[str, ...] = ()
    """For ssh; they start nothing."""
    programs: tuple[str, ...] = ()
    """For ssh; they start programs, or name a file that may."""
    jump: Jump | None = None
    """A ProxyCommand that is no more than a jump host."""
    ignored: tuple[str, ...] = ()
    """The names of what is not followed."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The jump host of `ssh -W %h:%p HOST`."""

    host: str
    """`[user@]host`, or `ssh://...`; %r, %h and %n in it are those of the server behind."""
    arguments: Arguments


def trust(name: str) -> bool:
    """Say whether the option decides which host keys are believed."""
    return name.lower() in _TRUST


def parse(words: Sequence[str]) -> Arguments:
    """Sort the words. Raises ArgumentsError."""
    arguments, others = _sort(_named(words))
    if others:
        raise ArgumentsError(f"{others[0]!r} is no option of ssh")
    return arguments


def _sort(pairs: Iterable[tuple[str, str]]) -> tuple[Arguments, list[str]]:
    options: list[str] = []
    programs: list[str] = []
    ignored: list[str] = []
    others: list[str] = []
    jump = None
    for name, value in pairs:
        keyword = name.lower()
        if not name:
            others.append(value)
            continue
        _check(name, value)
        if keyword == "proxycommand" and value.lower() != "none":
            if jump is None and not programs:  # ssh takes the first, too
                jump = _jump(value)
                programs += [] if jump else ["-o", f"ProxyCommand={value}"]
        elif name == "-F":
            programs += ["-F", value]
        elif keyword in _FOLLOWED or keyword == "proxycommand":
            options += ["-o", f"{name}={value}"]
        elif not _no_matter(keyword, value.lower()):
            ignored.append(name)
    ignored += jump.arguments.ignored if jump else ()
    return Arguments(tuple(options), tuple(programs), jump, tuple(dict.fromkeys(ignored))), others


def _check(name: str, value: str) -> None:
    if not value.isprintable():
        raise ArgumentsError(f"{name} has characters that cannot be printed")
    if name.lower() in _TO_SHELL and not _PLAIN.fullmatch(value):
        raise ArgumentsError(f"{name} is {value!r}, which ssh would refuse")
    if name.lower() == "hostkeyalias" and ("/" in value or ".." in value):
        raise ArgumentsError(f"{name} is {value!r}, which could be a part of a file's name (%k)")
    if "${" in value:
        raise ArgumentsError(f"{name} asks for a variable of your environment: {value!r}")


def _no_matter(keyword: str, value: str) -> bool:
    never_done = value in ("no", "none") and any(word in keyword for word in _NEVER_DONE)
    return keyword in _WITHOUT_EFFECT or value in _SAME_ANYWAY.get(keyword, ()) or never_done


def _named(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give each option as the keyword of ssh_config that it is, or as `-X`; `""` is no option."""
    left = iter(words)
    for word in left:
        if not word.startswith("-") or word == "-":
            yield "", word
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            value = ""
            if letter in _VALUED:
                value, letters = letters or next(left, ""), ""
                if not value:
                    raise ArgumentsError(f"-{letter} has no value")
            if letter == "o":
                yield _keyword(value)
            elif letter in _FAMILY:
                yield "AddressFamily", _FAMILY[letter]
            elif letter in _SHORT:
                yield _SHORT[letter], value
            elif letter not in _NO_MATTER:
                yield f"-{letter}", value


def _keyword(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", text)
    if not found:
        raise ArgumentsError(f"-o {text!r} is no Option=value")
    value = found[2]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return found[1], value


def _jump(command: str) -> Jump | None:
    """Give the jump host of a ProxyCommand; None if it is more than one."""
    if any(character in command for character in "$`;&|<>()\\\n"):
        return None
    try:
        program, *words = shlex.split(command.removeprefix("exec "))
        pairs = list(_named(words))
        arguments, others = _sort(pair for pair in pairs if pair[0] != "-W")
    except ValueError:
        return None
    tunnels = [value for name, value in pairs if name == "-W"]
    if program not in ("ssh", "/usr/bin/ssh") or arguments.programs or len(others) != 1:
        return None
    if len(tunnels) != 1 or tunnels[0] not in _TUNNEL or not _PLAIN.fullmatch(others[0]):
        return None
    return Jump(others[0], arguments)
