"""Make text from a server or a file safe to print on a terminal, in a log or in a report."""

from __future__ import annotations

import re
import unicodedata

# Cc: control characters; Cf: invisible format characters, bidirectional marks among them;
# Cs: half a surrogate pair, which no terminal's encoding can write.
_EXECUTED = frozenset({"Cc", "Cf", "Cs"})
# Also private and unassigned characters, and Unicode's line separators.
_INVISIBLE = _EXECUTED | {"Co", "Cn", "Zl", "Zp"}
_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)", re.DOTALL
)


def one_line(text: bytes | str, limit: int = 300) -> str:
    """Return the text on one line, without terminal escapes, at most `limit` characters.

    Control characters and bidirectional marks become spaces. Lines are joined by " / ".
    """
    if isinstance(text, bytes):
        text = text[: 16 * limit].decode("utf-8", "replace")
    text = _ESCAPE_SEQUENCE.sub("", text[: 16 * limit])
    lines = (
        " ".join("".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in line).split())
        for line in re.split(r"[\r\n]+", text)
    )
    joined = " / ".join(line for line in lines if line)
    return joined if len(joined) <= limit else joined[: limit - 3] + "..."


def sanitize(text: str, limit: int = 2000) -> str:
    """Return the text without anything that a terminal executes, cut off after `limit` characters.

    Control characters (escape sequences begin with one) and bidirectional marks become escapes such
    as `\\x1b`. Line feeds and tabs stay.
    """
    cut = text if len(text) <= limit else f"{text[:limit]} [...]"
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in _EXECUTED
        else _escaped(character)
        for character in cut
    )


def visible(text: str, limit: int = 2000) -> str:
    """Return the text on one line with nothing left out: line breaks and tabs become escapes, too.

    For values that a person approves: different values look different, up to `limit` characters.
    """
    return escape_line_breaks(sanitize(text, limit)).replace("\t", "\\t")


def escape_line_breaks(text: str) -> str:
    """Return the text with escapes for the line breaks that `sanitize` keeps."""
    return _BREAK.sub(lambda found: _escaped(found[0]), text)


_BREAK = re.compile("[\n\u2028\u2029]")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


# GitHub Actions finds commands `::name` at the start of a line, and `##[name]` anywhere.
_COMMAND = re.compile(r"^(\s*):(?=:)|(?<=#)#(?=\[)", re.MULTILINE)


def escape_ci_commands(text: str) -> str:
    """Return the text with escapes in everything that a CI job would execute from its log."""
    return _COMMAND.sub(lambda found: "\\x23" if found[1] is None else f"{found[1]}\\x3a", text)
