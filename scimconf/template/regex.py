"""Ansible's filters and tests with regular expressions, with limits."""

from __future__ import annotations

import re

from scimconf.template.limits import LimitError

_MAX_REGEX = 200
_MAX_SUBJECT = 200
_MAX_CHOICES = 4
"""Repeats and alternatives of a regular expression. Each multiplies the attempts of re."""
_MAX_EFFORT = 10**10
"""The length of the text to the power of (choices + 1). This takes half a second at worst."""
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CHOICE = re.compile(r"(?<!\()(?:[*+?|]|\{[0-9,]+\})[?+]?")
_REPEATED_GROUP = re.compile(r"\)[*+{]")


def regex_replace(
    text: object,
    pattern: str = "",
    replacement: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
) -> str:
    """Replace each match of a regular expression; `\\1` is its first group (Python's re)."""
    expression = _compiled(pattern, text, replacement, ignorecase, multiline)
    try:
        return expression.sub(str(replacement), str(text), count=count)
    except (re.error, IndexError) as error:
        raise LimitError(f"the replacement is not valid: {error}") from None


def regex_search(
    text: object, pattern: str, *groups: str, ignorecase: bool = False, multiline: bool = False
) -> object:
    """Return the first match as text, or the named groups (`\\\\1`) as a list, or None."""
    found = _compiled(pattern, text, "", ignorecase, multiline).search(str(text))
    if found is None:
        return None
    if not groups:
        return found[0]
    names = (group.removeprefix("\\").removeprefix("g").strip("<>") for group in groups)
    try:
        return [found[int(name) if name.isdigit() else name] for name in names]
    except IndexError as error:
        raise LimitError(f"the regular expression is not valid: {error}") from None


def match(text: object, pattern: str, ignorecase: bool = False, multiline: bool = False) -> bool:
    """Return True if the text starts with a match."""
    return bool(_compiled(pattern, text, "", ignorecase, multiline).match(str(text)))


def search(text: object, pattern: str, ignorecase: bool = False, multiline: bool = False) -> bool:
    """Return True if the text contains a match."""
    return bool(_compiled(pattern, text, "", ignorecase, multiline).search(str(text)))


def _compiled(
    pattern: str, subject: object, replacement: str, ignorecase: bool, multiline: bool
) -> re.Pattern[str]:
    # Some expressions keep Python's re busy forever. The names of hosts need none of them.
    if len(str(subject)) > _MAX_SUBJECT or len(pattern) + len(replacement) > _MAX_REGEX:
        raise LimitError("the text or the regular expression is too long")
    plain = _ESCAPED.sub("x", pattern)  # an escaped character is one character
    choices = len(_CHOICE.findall(plain))
    if _REPEATED_GROUP.search(plain) or choices > _MAX_CHOICES:
        raise LimitError(
            f"the regular expression has a repeated (...), or more than {_MAX_CHOICES} of * + ? |"
        )
    if len(str(subject)) ** (choices + 1) > _MAX_EFFORT:
        raise LimitError(f"the text is too long for {choices} of * + ? |")
    flags = (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise LimitError(f"the regular expression is not valid: {error}") from None
