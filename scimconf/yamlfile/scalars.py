"""Convert a plain YAML 1.1 scalar to a value, exactly as Ansible (PyYAML) does.

The rules are those of PyYAML's resolver.py and constructor.py: `no` is false, `0022` is 18, `1:30`
is 90. ruamel.yaml's own YAML 1.1 rules differ: it reads `y` as true and `1e3` as a number, where
PyYAML reads text (a float needs a dot and a signed exponent).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

Scalar = str | int | float | bool | date | datetime | None

_WORDS: dict[str, bool | float | None] = {
    **{word: True for base in ("yes", "true", "on") for word in (base, base.title(), base.upper())},
    **{
        word: False
        for base in ("no", "false", "off")
        for word in (base, base.title(), base.upper())
    },
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{
        sign + word: float(sign + "inf")
        for sign in ("", "+", "-")
        for word in (".inf", ".Inf", ".INF")
    },
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER_FIRST = frozenset("0123456789+-.")
_MAX_NUMBER = 1000
"""Characters. PyYAML has no limit, and one number can keep it busy for hours."""

_INT = re.compile(
    r"[-+]?(?:(?P<bin>0b[0-1_]+)|(?P<oct>0[0-7_]+)|(?P<dec>0|[1-9][0-9_]*)"
    r"|(?P<hex>0x[0-9a-fA-F_]+)|(?P<sixty>[1-9][0-9_]*(?::[0-5]?[0-9])+))",
    re.ASCII,
)
_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|(?P<sixty>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?"
    r"(?:[ \t]*(?:(Z)|([-+])(\d\d?)(?::(\d\d))?))?",
    re.ASCII,
)
_BASES = {"bin": 2, "oct": 8, "dec": 10, "hex": 16}


def plain(text: str) -> Scalar:
    """Return the value of an unquoted, untagged scalar.

    Raises ValueError for text that looks like a number or a date but is not valid (`2024-13-01`).
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_FIRST or len(text) > _MAX_NUMBER:
        return text
    if match := _INT.fullmatch(text):
        return _integer(match)
    if match := _FLOAT.fullmatch(text):
        return _float(match)
    if match := _DATE.fullmatch(text):
        return date(*(int(part) for part in match.groups()))
    if match := _TIME.fullmatch(text):
        return _time(match)
    return text


def _sexagesimal(text: str) -> list[str]:
    return text.replace("_", "").lstrip("+-").split(":")


def _integer(match: re.Match[str]) -> int:
    sign = -1 if match[0].startswith("-") else 1
    if match["sixty"]:
        total = 0
        for part in _sexagesimal(match["sixty"]):
            total = total * 60 + int(part)
        return sign * total
    base = _BASES[str(match.lastgroup)]
    return sign * int(match[str(match.lastgroup)].replace("_", ""), base)


def _float(match: re.Match[str]) -> float:
    if not match["sixty"]:
        return float(match[0].replace("_", ""))
    total = 0.0
    for part in _sexagesimal(match[0]):
        total = total * 60 + float(part)
    return -total if match[0].startswith("-") else total


def _time(match: re.Match[str]) -> datetime:
    fraction = (match[7] or "")[:6].ljust(6, "0")
    zone = None
    if match[8]:
        zone = timezone.utc
    elif match[9]:
        offset = timedelta(hours=int(match[10]), minutes=int(match[11] or 0))
        zone = timezone(-offset if match[9] == "-" else offset)
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    return datetime(year, month, day, hour, minute, second, int(fraction), zone)
