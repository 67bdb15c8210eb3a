"""Expand host ranges (`web[01:50:2].example.com`, `db-[a:f]`) and split off ports.

The rules are those of ansible's plugins/inventory/__init__.py (expand_hostname_range) and
parsing/utils/addresses.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import ascii_letters

MAX_HOSTS = 100_000
MAX_CHARACTERS = 8 << 20
"""Of all names of one range."""

_PORT = re.compile(r"(?P<host>(?:[^:\[\]]|\[[^\]]*\])+):(?P<port>[0-9]{1,5})")
_IPV6_PORT = re.compile(r"\[(?P<host>[0-9A-Fa-f:.]+(?:%\w+)?)\]:(?P<port>[0-9]{1,5})")
_RANGE = re.compile(r"\[([^\[\]]*)\]")


def split_port(name: str) -> tuple[str, int | None]:
    """Return the host (with its ranges) and the port of `host:2222` or `[2001:db8::1]:22`."""
    match = _IPV6_PORT.fullmatch(name) or _PORT.fullmatch(name)
    return (match["host"], int(match["port"])) if match else (name, None)


def expand(name: str) -> list[str]:
    """Return the hosts of a name with ranges.

    Raises ValueError, with a message for the user, if a range is malformed or too large.
    """
    if "[" not in name:
        return [name]
    ranges = [list(_numbers(match[1])) for match in _RANGE.finditer(name)]
    between = _RANGE.sub("\0", name).split("\0")
    if any("[" in part or "]" in part for part in between):
        raise ValueError("a bracket of the host range is not closed")
    hosts = [between[0]]
    for items, rest in zip(ranges, between[1:], strict=True):
        if len(hosts) * len(items) > MAX_HOSTS:
            raise ValueError(f"the host range has more than {MAX_HOSTS} hosts")
        if len(hosts) * len(items) * (len(hosts[0]) + len(items[0]) + len(rest)) > MAX_CHARACTERS:
            raise ValueError(f"the names of the host range have more than {MAX_CHARACTERS} bytes")
        hosts = [head + item + rest for head in hosts for item in items]
    return hosts


def _numbers(text: str) -> Iterator[str]:
    bounds = text.split(":")
    if len(bounds) not in (2, 3) or not bounds[1]:
        raise ValueError(f"[{text}] is not a host range: use [first:last] or [first:last:step]")
    first, last, step = bounds[0] or "0", bounds[1], bounds[2] if len(bounds) == 3 else "1"
    if not re.fullmatch("[1-9][0-9]{0,5}", step):
        raise ValueError(f"[{text}]: the step must be a number of at least 1")
    if len(first) == len(last) == 1 and first in ascii_letters and last in ascii_letters:
        return iter(_letters(text, first, last)[:: int(step)])
    if not re.fullmatch("[0-9]{1,9} [0-9]{1,9}", f"{first} {last}", re.ASCII):
        raise ValueError(f"[{text}]: both ends must be numbers, or both must be single letters")
    width = len(first) if first.startswith("0") and len(first) > 1 else 0
    if width and width != len(last):
        raise ValueError(f"[{text}]: {first} and {last} must have the same number of digits")
    numbers = range(int(first), int(last) + 1, int(step))
    if len(numbers) > MAX_HOSTS:
        raise ValueError(f"the host range has more than {MAX_HOSTS} hosts")
    if not numbers:
        raise ValueError(f"[{text}]: the first number must not be greater than the last")
    return (str(number).zfill(width) for number in numbers)


def _letters(text: str, first: str, last: str) -> Sequence[str]:
    letters = ascii_letters[ascii_letters.index(first) : ascii_letters.index(last) + 1]
    if not letters:
        raise ValueError(f"[{text}]: the first letter must not come after the last")
    return letters
