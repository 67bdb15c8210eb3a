"""Match host patterns: `web*`, `~regex`, `a:b`, `a,b`, `:&`, `:!`, `group[0]`, `@file`.

The rules are those of ansible's inventory/manager.py, with one exception: a pattern that matches
nothing is an error, because a typo in `!db` would include a server by mistake.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.inventory import ranges
from scimconf.inventory.place import nearest
from scimconf.yamlfile import read_text

Groups = Mapping[str, Sequence[str]]
"""Group -> all of its hosts."""

_PART = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]")
_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def matching(
    patterns: Sequence[str], limit: Sequence[str], groups: Groups, hosts: Iterable[str]
) -> list[str]:
    """Return the hosts that match the patterns (default: all) and the limit.

    They are in the order of the patterns. Raises UsageError for a pattern that matches nothing.
    """
    known = dict.fromkeys(hosts)
    chosen = _evaluate(_split(patterns) or ["all"], groups, known)
    allowed = _evaluate(_split(limit) or ["all"], groups, known)
    return [host for host in chosen if host in allowed]


def _split(patterns: Iterable[str]) -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        if not pattern.strip(" ,:&!"):
            raise UsageError(
                f"the host pattern {pattern!r} is empty",
                "is a variable of your script empty? To match all hosts, use `all`",
            )
        if pattern.startswith("@"):
            found += _in_file(Path(pattern[1:]))
        else:
            found += _parts(pattern)
    return [pattern for pattern in found if pattern.lstrip("&!")]


def _in_file(path: Path) -> list[str]:
    """Return the patterns of a file, one per line. Raises UsageError if it has none."""
    lines = (line.strip() for line in read_text(path).splitlines())
    found = [part for line in lines if not line.startswith("#") for part in _parts(line)]
    if not any(part.lstrip("&!") for part in found):
        raise UsageError(f"the file {path} has no host pattern", "to match all hosts, use `all`")
    return found


def _parts(pattern: str) -> list[str]:
    if "," in pattern:
        return [part.strip() for part in pattern.split(",")]
    if _IPV6.fullmatch(pattern) or ranges.split_port(pattern)[1] is not None:
        return [pattern]
    return _PART.findall(pattern)


def _evaluate(
    patterns: Sequence[str], groups: Groups, hosts: Mapping[str, None]
) -> dict[str, None]:
    """Return the union of the plain patterns, intersected with each `&`, without each `!`."""
    ordered = sorted(patterns, key=lambda pattern: "&!".find(pattern[0]))
    if ordered[0][0] in "&!":
        ordered.insert(0, "all")
    chosen: dict[str, None] = {}
    for pattern in ordered:
        named = _one(pattern.lstrip("&!"), groups, hosts)
        if pattern[0] == "!":
            chosen = {host: None for host in chosen if host not in named}
        elif pattern[0] == "&":
            chosen = {host: None for host in chosen if host in named}
        else:
            chosen |= named
    return chosen


def _one(pattern: str, groups: Groups, hosts: Mapping[str, None]) -> dict[str, None]:
    if pattern in hosts:
        return {pattern: None}
    expression, subscript = pattern, None
    if not pattern.startswith("~") and (match := _SUBSCRIPT.fullmatch(pattern)):
        expression, subscript = match[1], match
    matches = _matcher(expression)
    in_groups = [name for name in groups if matches.match(name)]
    # For a subscript, a host that matches twice counts twice, as in Ansible.
    named = [host for name in in_groups for host in groups[name]]
    if not in_groups or expression.startswith("~") or set(expression) & set(".?*["):
        named += [host for host in hosts if matches.match(host)]
    if subscript:
        named = _subscripted(named, subscript)
    # An empty group is a match, but a subscript outside of a group is not.
    if not named and (subscript or not in_groups):
        raise UsageError(
            f"no host or group matches {pattern!r}", nearest(expression, [*groups, *hosts])
        )
    return dict.fromkeys(named)


def _matcher(expression: str) -> re.Pattern[str]:
    if not expression.startswith("~"):
        return re.compile(fnmatch.translate(expression))
    try:
        return re.compile(expression[1:])
    except re.error as error:
        raise UsageError(f"{expression!r} is not a regular expression: {error}") from None


def _subscripted(named: list[str], match: re.Match[str]) -> list[str]:
    """Return one host (`[0]`, `[-1]`) or an inclusive range (`[1:3]`, `[2:]`)."""
    if match[2] is not None:
        at = int(match[2])
        return named[at : at + 1] if at != -1 else named[-1:]
    last = int(match[4]) if match[4] else len(named) - 1
    return named[int(match[3]) : last + 1]
