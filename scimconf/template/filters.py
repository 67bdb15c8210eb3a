"""The filters of Ansible and Jinja that inventory variables may use, each with bounded effort.

Named and behaving as in Ansible's filter reference and Jinja's; the list is short on purpose, and
what is not in it is refused by name.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2.filters import FILTERS as JINJA

MAX_LENGTH = 64 * 1024
"""Characters that one expansion may give."""

_TRUE = ("yes", "on", "1", "true", "y", "t", "1.0")

_MAX_REGEX = 200
_MAX_SUBJECT = 200
_MAX_CHOICES = 4
"""Repeats and alternatives of a regular expression: each multiplies what re may have to try."""
_CHOICE = re.compile(r"(?<![\\(])(?:[*+?|]|\{[0-9,]+\})[?+]?")
_REPEATED_GROUP = re.compile(r"\)[*+{]")


class LimitError(Exception):
    """A template asks for more characters, numbers or time than any inventory needs."""


def to_bool(value: object) -> bool:
    """Tell whether Ansible's `bool` filter takes it as true: True, 1, "yes", "on", "true", ..."""
    return value is True or str(value).lower() in _TRUE


def ternary(value: object, yes: object, no: object, none: object = None) -> object:
    """Give `yes` where the value is true, else `no`; `none` for None where it is given."""
    if value is None and none is not None:
        return none
    return yes if value else no


def replace(text: object, old: str, new: str, count: int = -1) -> str:
    """Replace each `old` by `new`."""
    subject = str(text)
    if len(subject) + subject.count(str(old)) * len(str(new)) > MAX_LENGTH:
        raise LimitError("replace would make the text far too long")
    return subject.replace(str(old), str(new), count)


def join(items: Iterable[object], between: str = "") -> str:
    """Make one text of the items."""
    texts = [str(item) for item in items]
    if sum(map(len, texts)) + len(texts) * len(between) > MAX_LENGTH:
        raise LimitError("join would make the text far too long")
    return between.join(texts)


def regex_replace(text: object, pattern: str = "", replacement: str = "") -> str:
    """Replace each match of a regular expression, `\\1` being its first group (Python's re)."""
    return _regex(pattern, text, replacement).sub(str(replacement), str(text))


def regex_search(text: object, pattern: str, *groups: str) -> object:
    """Give the first match as text, or the named groups (`\\\\1`) as a list; "" for none."""
    found = _regex(pattern, text).search(str(text))
    if found is None:
        return ""
    if not groups:
        return found[0]
    names = (group.removeprefix("\\").removeprefix("g").strip("<>") for group in groups)
    return [found[int(name) if name.isdigit() else name] for name in names]


def _regex(pattern: str, subject: object, replacement: str = "") -> re.Pattern[str]:
    # Python's re can be kept busy for ever, and nobody needs that for a host's name.
    if len(str(subject)) > _MAX_SUBJECT or len(pattern) + len(replacement) > _MAX_REGEX:
        raise LimitError("the text or the regular expression is too long")
    if _REPEATED_GROUP.search(pattern) or len(_CHOICE.findall(pattern)) > _MAX_CHOICES:
        raise LimitError(
            f"the regular expression has a repeated (...), or more than {_MAX_CHOICES} of * + ? |"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise LimitError(f"the regular expression is not valid: {error}") from None


def split(text: str, separator: str | None = None, limit: int = -1) -> list[str]:
    """Split a text at each separator, by default at blanks."""
    return text.split(separator, limit)


def to_json(value: object) -> str:
    """Give the value as JSON."""
    return json.dumps(value, default=str)


def quote(text: object) -> str:
    """Quote for a POSIX shell."""
    return shlex.quote(str(text))


def mapping_items(value: Mapping[str, object]) -> list[dict[str, object]]:
    """Give Ansible's dict2items: a list of `key` and `value`."""
    return [{"key": key, "value": item} for key, item in value.items()]


_FROM_JINJA = (
    "abs capitalize count d default dictsort first float int items last length list lower map max "
    "min reject rejectattr reverse round select selectattr sort string title trim unique upper"
)
FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: JINJA[name] for name in _FROM_JINJA.split()},
    "bool": to_bool,
    "dict2items": mapping_items,
    "join": join,
    "quote": quote,
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "replace": replace,
    "split": split,
    "ternary": ternary,
    "to_json": to_json,
}
