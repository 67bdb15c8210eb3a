"""Edit zulip-secrets.conf. Only lines of `[secrets]` change; every other byte stays.

A name that is given twice stops Zulip. So each result is parsed again as Zulip does before it is
returned.
"""

from __future__ import annotations

import io
import re
from configparser import RawConfigParser
from typing import Iterable, List, Mapping, NamedTuple

from scimconf.agent.errors import Refusal, redacted
from scimconf.agent.secrets_file import SECTION, decode, parse

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@redacted
class _Line(NamedTuple):
    text: str
    """The line with its line break."""
    section: str
    """The section that the line opens; "" for any other line."""
    name: str
    """The secret that the line sets or continues; "" for any other line."""
    indent: str
    """The indentation of its option or section. A deeper line continues the option."""


def edit(data: bytes, new: Mapping[str, str], remove: Iterable[str] = ()) -> bytes:
    """Return the file with secrets set (in place, or after the last one) and removed.

    Raises Refusal if Zulip's own parser would fail, or would not read the new values.
    """
    before = parse(data)
    if SECTION not in before:
        raise Refusal(f"it has no section [{SECTION}]")
    for name, value in new.items():
        if not _NAME.fullmatch(name) or not value or not (value.isascii() and value.isprintable()):
            raise Refusal("a secret to write has an invalid name or value")
    text = decode(data)
    lines = _lines(text)
    for name, value in new.items():
        if before[SECTION].get(name) != value:
            lines = _with(lines, name, value)
    for name in remove:
        lines = [line for line in lines if line.name != name]
    after = _joined(lines, text).encode()
    wanted = {**before[SECTION], **new}
    for name in remove:
        wanted.pop(name, None)
    if parse(after) != {**before, SECTION: wanted}:
        message = "scimconf cannot edit this place safely; edit it by hand"
        raise Refusal(message, _header(lines) + 1, 1)
    return after


def _with(lines: List[_Line], name: str, value: str) -> List[_Line]:
    places = [index for index, line in enumerate(lines) if line.name == name]
    at = places[0] if places else _end(lines)
    indent = lines[at].indent if places else _indent(lines, at)
    newline = _newline(lines[at if places else at - 1].text)
    made = _Line(f"{indent}{name} = {value}{newline}", "", name, indent)
    # Comments and empty lines within a value of several lines stay.
    return [*lines[:at], made, *(line for line in lines[at:] if line.name != name)]


def _end(lines: List[_Line]) -> int:
    """Return the index after the last secret, or after the header if there is no secret."""
    named = [index for index, line in enumerate(lines) if line.name]
    return (named[-1] if named else _header(lines)) + 1


def _header(lines: List[_Line]) -> int:
    return next(index for index, line in enumerate(lines) if line.section == SECTION)


def _indent(lines: List[_Line], at: int) -> str:
    """Return the indentation of a new line. With less, the next section would continue the line."""
    following = (line.indent for line in lines[at:] if line.section)
    above = lines[at - 1]
    return next(following, above.indent) if above.section else above.indent


def _joined(lines: List[_Line], before: str) -> str:
    """Return the text of the lines. It ends with a line break only if `before` does."""
    newline = _newline(lines[0].text) or "\n"
    text = ""
    for line in lines:
        if text.endswith("\r") and line.text.startswith("\n"):
            text += "\n"  # otherwise CR and LF would form one line break, and an empty line is lost
        text += line.text if _newline(line.text) else line.text + newline
    return text if _newline(before) else text[: -len(_newline(text))]


def _lines(text: str) -> List[_Line]:
    """Return each line with the secret that it belongs to, by the rules of RawConfigParser.

    A line that is indented deeper than its option continues the value, with any content.
    """
    found = []
    section = name = indent = ""
    for line in io.StringIO(text, newline=""):
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            found.append(_Line(line, "", "", ""))
            continue
        spaces = line[: len(line) - len(line.lstrip())]
        opened = ""
        if not (name and len(spaces) > len(indent)):
            indent = spaces
            header = RawConfigParser.SECTCRE.match(bare)
            option = RawConfigParser.OPTCRE.match(bare)
            if header:
                section = opened = header.group("header")
                name = ""
            elif option:
                name = option.group("option").lower()
        found.append(_Line(line, opened, name if section == SECTION else "", indent))
    return found


def _newline(line: str) -> str:
    return "\r\n" if line.endswith("\r\n") else line[-1:] if line.endswith(("\r", "\n")) else ""
