"""Sort the options that an inventory passes to ssh (Ansible's `ansible_ssh_common_args`).

There are four kinds of options:

- followed: they decide where a connection goes and who logs in; `ssh -G` reads them;
- without effect: they change nothing for one command without a terminal;
- programs: they make ssh start a program. They need permission, because the author of an inventory
  must not choose what runs on the machine that plans it;
- ignored: all others. The user gets a warning that names them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from scimconf.ssh import login_name

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
"""Values that ask for what scimconf does anyway. So does `no` for the options in _NEVER_DONE."""
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

# The letters of ssh(1): those with a value, and the options that they stand for.
_VALUED = frozenset("BbcDEeFIiJLlmOopQRSWwP")
_SHORT = {"b": "bindaddress", "i": "identityfile", "J": "proxyjump", "l": "user", "p": "port"}
_FAMILY = {"4": "inet", "6": "inet6"}
_LETTERS_WITHOUT_EFFECT = frozenset("aCEMnqSTvxy")

# ssh_config(5) may insert these values into shell commands (%h, %r, ...).
_PLAIN = re.compile(r"(?:[A-Za-z0-9_\[]|%[hnr])(?:[A-Za-z0-9_.@:,\[\]/+-]|%[hnr])*")
_BACKSLASH = re.compile(r"\\(?=[\w.+])")
_TO_SHELL = frozenset({"bindaddress", "hostkeyalias", "hostname", "port", "proxyjump", "user"})
_TUNNEL = ("%h:%p", "[%h]:%p")
_HOST = re.compile(r"(?![^,/]*[,/])" + _PLAIN.pattern)
"""One host: no chain of hosts, and no URL."""


class ArgumentsError(ValueError):
    """Options that ssh would not accept. str() names them."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The options of a command line, sorted."""

    options: tuple[str, ...] = ()
    """Options for ssh that start no program."""
    programs: tuple[str, ...] = ()
    """Options for ssh that start a program, or name a file that may do so."""
    ignored: tuple[str, ...] = ()
    """The names of the options that are not followed."""


def trust(name: str) -> bool:
    """Return True if the option decides which host keys are accepted."""
    return name.lower() in _TRUST


def parse(words: Sequence[str]) -> Arguments:
    """Sort the options. Raises ArgumentsError."""
    arguments, others = _sort(_named(words))
    if others:
        raise ArgumentsError(f"{others[0]!r} is not an option of ssh")
    return arguments


def _sort(pairs: Iterable[tuple[str, str]]) -> tuple[Arguments, list[str]]:
    options: list[str] = []
    programs: list[str] = []
    ignored: list[str] = []
    others: list[str] = []
    has_proxy = False
    for name, value in pairs:
        keyword = name.lower()
        if not name:
            others.append(value)
            continue
        _check(name, value)
        if keyword in ("proxyjump", "proxycommand"):
            if has_proxy:
                continue  # as in ssh, the first of the two counts
            has_proxy = True
        if keyword == "proxycommand" and value.lower() != "none":
            if jump := _as_jump_host(value):
                options += ["-o", f"ProxyJump={jump[0]}"]
                ignored += jump[1]
            else:
                programs += ["-o", f"ProxyCommand={value}"]
        elif name == "-F":
            programs += ["-F", value]
        elif keyword in _FOLLOWED or keyword == "proxycommand":
            options += ["-o", f"{name}={value}"]
        elif not _has_no_effect(keyword, value.lower()):
            ignored.append(name)
    return Arguments(tuple(options), tuple(programs), tuple(dict.fromkeys(ignored))), others


def _check(name: str, value: str) -> None:
    if not value.isprintable():
        raise ArgumentsError(f"{name} contains characters that cannot be printed")
    is_login = name.lower() == "user" and login_name.is_valid(value)
    # `-J CORP\alice@bastion`
    plain = _BACKSLASH.sub("", value) if name.lower() == "proxyjump" else value
    if name.lower() in _TO_SHELL and not is_login and not _PLAIN.fullmatch(plain):
        raise ArgumentsError(f"{name} is {value!r}, which ssh would refuse")
    if name.lower() == "hostkeyalias" and ("/" in value or ".." in value):
        raise ArgumentsError(f"{name} is {value!r}, which could change a path in ssh_config (%k)")
    if "${" in value:
        raise ArgumentsError(f"{name} reads a variable of your environment: {value!r}")


def _has_no_effect(keyword: str, value: str) -> bool:
    never_done = value in ("no", "none") and any(word in keyword for word in _NEVER_DONE)
    return keyword in _WITHOUT_EFFECT or value in _SAME_ANYWAY.get(keyword, ()) or never_done


def _named(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Return each option as a keyword of ssh_config or as `-X`; other words have the name `""`."""
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
            elif letter not in _LETTERS_WITHOUT_EFFECT:
                yield f"-{letter}", value


def _keyword(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", text)
    if not found:
        raise ArgumentsError(f"-o {text!r} is not Option=value")
    value = found[2]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return found[1], value


def _as_jump_host(command: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the ProxyJump that equals `ssh -W %h:%p HOST`, and the options that are not followed.

    Ansible's documentation names a jump host in this form. None for every other ProxyCommand, also
    for one with options that ProxyJump cannot express, such as a key for the jump host.
    """
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
    (host,) = others
    if len(tunnels) != 1 or tunnels[0] not in _TUNNEL or not _HOST.fullmatch(host):
        return None
    match arguments.options:
        case ():
            return host, arguments.ignored
        case ("-o", option) if option.lower().startswith("port=") and ":" not in host:
            return f"{host}:{option.partition('=')[2]}", arguments.ignored
    return None
