"""zulip-secrets.conf, edited line by line in `[secrets]`; every other byte stays.

Zulip reads it with RawConfigParser (zproject/config.py), to whom a name given twice is an error
that stops Zulip. So the result is read back with the same parser before anybody gets it.
"""

from __future__ import annotations

import configparser
import io
import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping

from scimconf.agent.trouble import Refusal

SECTION = "secrets"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_HEADER = re.compile(r"\[(.+)\]")
_OPTION = re.compile(r"(.*?)\s*[=:]")


@dataclass(frozen=True)
class _Line:
    text: str
    """With its line end."""
    name: str
    """The secret that it gives, or that it continues; "" for any other line."""


def read(data: bytes) -> Dict[str, str]:
    """Give the secrets by name. Raises Refusal where Zulip's own reader would stop."""
    return _parse(data).get(SECTION, {})


def edit(data: bytes, new: Mapping[str, str], remove: Iterable[str] = ()) -> bytes:
    """Give the file with secrets set (`name = value`, in place or after the last) and removed.

    Raises Refusal where the file is not as Zulip reads it, or a value would not come back.
    """
    before = _parse(data)
    if SECTION not in before:
        raise Refusal(f"it has no section [{SECTION}]")
    for name, value in new.items():
        if not _NAME.fullmatch(name) or not value or not (value.isascii() and value.isprintable()):
            raise Refusal("a secret to be written has an unfit name or value")
    lines = _lines(_decode(data))
    for name, value in new.items():
        lines = _with(lines, name, value)
    for name in remove:
        lines = _without(lines, name)
    after = "".join(line.text for line in lines).encode()
    wanted = {**before[SECTION], **new}
    for name in remove:
        wanted.pop(name, None)
    if _parse(after) != {**before, SECTION: wanted}:
        raise Refusal("the edit cannot be proved to change what was meant and nothing else")
    return after


def _with(lines: List[_Line], name: str, value: str) -> List[_Line]:
    places = [index for index, line in enumerate(lines) if line.name == name]
    if places:
        first, last = places[0], places[-1]
        made = _Line(f"{name} = {value}{_newline(lines[last].text)}", name)
        return [*lines[:first], made, *lines[last + 1 :]]
    at = _end(lines)
    newline = _newline(lines[at - 1].text)
    if newline:
        return [*lines[:at], _Line(f"{name} = {value}{newline}", name), *lines[at:]]
    # The file does not end with a line end, and will not.
    newline = _newline(lines[0].text) or "\n"
    last_line = _Line(lines[at - 1].text + newline, lines[at - 1].name)
    return [*lines[: at - 1], last_line, _Line(f"{name} = {value}", name), *lines[at:]]


def _end(lines: List[_Line]) -> int:
    """Give the index behind the last secret, or behind the header where there is none."""
    named = [index for index, line in enumerate(lines) if line.name]
    if named:
        return named[-1] + 1
    return next(i for i, line in enumerate(lines) if line.text.strip() == f"[{SECTION}]") + 1


def _without(lines: List[_Line], name: str) -> List[_Line]:
    kept = [line for line in lines if line.name != name]
    if kept and len(kept) < len(lines) and not _newline(lines[-1].text) and lines[-1].name == name:
        kept[-1] = _Line(kept[-1].text.rstrip("\r\n"), kept[-1].name)
    return kept


def _lines(text: str) -> List[_Line]:
    """Give every line with the secret it belongs to, told as RawConfigParser tells it.

    A line indented deeper than its option continues the value, whatever is in it.
    """
    found = []
    section = name = ""
    depth = 0
    for line in io.StringIO(text, newline=""):
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            found.append(_Line(line, ""))
            continue
        indent = len(line) - len(line.lstrip())
        if not (name and indent > depth):
            depth = indent
            header, option = _HEADER.match(bare), _OPTION.match(bare)
            if header:
                section, name = header.group(1), ""
            elif option:
                name = option.group(1).lower()
        found.append(_Line(line, name if section == SECTION else ""))
    return found


def _newline(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refusal("it is not UTF-8", line, 1) from None


def _parse(data: bytes) -> Dict[str, Dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(_decode(data), newline=None))
    except configparser.DuplicateOptionError as error:
        raise Refusal("a name is given twice, which stops Zulip", error.lineno or 0, 1) from None
    except configparser.DuplicateSectionError as error:
        raise Refusal("a section is given twice, which stops Zulip", error.lineno or 0, 1) from None
    except configparser.MissingSectionHeaderError as error:
        raise Refusal("a line stands before the first section", error.lineno, 1) from None
    except configparser.ParsingError as error:
        line = error.errors[0][0] if error.errors else 0
        raise Refusal("a line is neither `name = value` nor a section", line, 1) from None
    return {name: dict(parser.items(name)) for name in parser.sections()}
