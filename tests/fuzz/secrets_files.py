"""Random zulip-secrets.conf files, and the invariants of their edits.

The file is read with Zulip's own parser before and after the edit.
"""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from scimconf.agent import secrets_edit
from scimconf.agent.errors import Refusal
from tests.fuzz.invariants import EDITED, REFUSED, UNCHANGED
from tests.fuzz.settings_files import mutated

NAMES = ("scim_bearer_token", "scim_bearer_token_acme", "scim_bearer_token_a-1", "avatar_salt")
OTHERS = ("email_password", "shared_secret", "zulip_org_id", "schlüssel", "a b", "x.y")
VALUES = (
    "5b8d", "", "a%b", "%(avatar_salt)s", "a = b", "a: b", "x # y", "x ; y", "[z]", "\"'\\", "é€",
    "{{ x }}", "=", ":", "a\tb", "\x0b\x1c\x85", "\u2028", "\u202e\U0001f600", "${x}",
)  # fmt: skip
SEPARATORS = (" = ", "=", ":", " : ", "  =\t", " =", "= ")
SECTIONS = (
    ("secrets",), ("secrets",), ("secrets", "machine"), ("DEFAULT", "secrets"),
    ("other", "secrets", "Secrets"),
)  # fmt: skip
NEW_VALUES = (
    "t0ken", "%(x)s", "%", "a = b", "=", ":", ";x", "#", "[y]", "[secrets]", "\\", "\"'", "{{x}}",
    "k3V9" * 20, "x ; y", "get_secret('x')",
)  # fmt: skip
UNFIT_VALUES = ("", " x", "x ", "x\ny", "x\ry", "x\0", "é", "\u202e", "\U0001f600", "a\tb")


@dataclass(frozen=True)
class Request:
    """A requested edit."""

    new: Mapping[str, str]
    remove: tuple[str, ...]
    fit: bool
    """Whether every value may be written."""


@dataclass(frozen=True)
class File:
    """A zulip-secrets.conf. `plain`: Zulip can read it, so an edit may not be refused."""

    data: bytes
    plain: bool


def secrets_file_and_request(random: Random) -> tuple[File, Request]:
    """Return a file and a requested edit."""
    names = random.sample(NAMES, random.choice((1, 1, 2, 3)))
    cut = random.randrange(len(names) + 1)
    fit = random.random() > 0.05
    values = NEW_VALUES if fit else (*NEW_VALUES, *UNFIT_VALUES)
    new = {name: random.choice(values) for name in names[:cut]}
    fit = not any(value in UNFIT_VALUES for value in new.values())
    return _file(random), Request(new, tuple(names[cut:]), fit)


def _file(random: Random) -> File:
    lines: list[str] = []
    for section in random.choice(SECTIONS):
        lines += _section(random, section)
    newline = random.choice(("\n", "\n", "\n", "\r\n", "\r"))
    text = newline.join(lines) + random.choice((newline, newline, "", newline * 2, newline + "  "))
    data = text.encode()
    mutation = random.random() < 0.08
    data = mutated(random, data) if mutation else data
    return File(data, plain=not mutation and readable(data) is not None)


def _section(random: Random, name: str) -> list[str]:
    indent = random.choice(("", "", "", "  ", "\t"))
    lines = [
        random.choice(("", "", "", "  ")) + f"[{name}]" + random.choice(("", "", "", " ", " # x"))
    ]
    options = random.sample((*NAMES, *OTHERS), random.randrange(5))
    if random.random() < 0.04:
        options += options[:1]
    for option in options:
        option = option.upper() if random.random() < 0.1 else option
        lines += _around(random)
        lines.append(indent + option + random.choice(SEPARATORS) + random.choice(VALUES))
        while random.random() < 0.15:
            lines += random.choice(([], [""], ["# within"], [indent + "    ; within"]))
            lines.append(indent + random.choice((" ", "    ", "\t")) + random.choice(
                ("more", "x = y", "[z]", "scim_bearer_token = no", "%")))  # fmt: skip
        indent = random.choice((indent, indent, indent, "", " "))
    return [*lines, *_around(random)]


def _around(random: Random) -> list[str]:
    if random.random() < 0.7:
        return []
    return [random.choice(("", "  ", "# é", "; x = y", "#[secrets]", "  # indented", "\x0c"))]


def readable(data: bytes) -> dict[str, dict[str, str]] | None:
    """Return every section as Zulip reads it, or None if Zulip would fail."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(data.decode(), newline=None))
    except (configparser.Error, UnicodeError):
        return None
    return {name: dict(parser.items(name)) for name in parser.sections()}


def check(file: File, request: Request) -> str:
    """Edit the file and check all invariants. Return the outcome."""
    before = readable(file.data)
    try:
        after_data = secrets_edit.edit(file.data, request.new, request.remove)
    except Refusal as refusal:
        assert before is None or not request.fit or not _possible(file.data, before, request), (
            f"refused without need: {refusal.at('zulip-secrets.conf')}"
        )
        assert before is not None or refusal.line >= 1, f"no place: {refusal.message}"
        return REFUSED
    assert before is not None
    assert request.fit
    wanted = {**before["secrets"], **request.new}
    for name in request.remove:
        wanted.pop(name, None)
    assert readable(after_data) == {**before, "secrets": wanted}, "not as wanted"
    asked = {*request.new, *request.remove}
    assert _kept(file.data, asked) == _kept(after_data, asked), "another line is not the same"
    again = secrets_edit.edit(after_data, request.new, request.remove)
    assert again == after_data, "the second time changes something"
    if not asked & {*before["secrets"]}:
        back = secrets_edit.edit(after_data, {}, tuple(request.new))
        assert back == file.data, "taken away again, something stays"
    return EDITED if after_data != file.data else UNCHANGED


def _possible(data: bytes, before: Mapping[str, Mapping[str, str]], request: Request) -> bool:
    """Return whether [secrets] exists and [DEFAULT] has none of the names to remove."""
    if "secrets" not in before:
        return False
    defaults = configparser.RawConfigParser()
    defaults.read_file(io.StringIO(data.decode(), newline=None))
    return not {*request.remove} & {*defaults.defaults()}


def _kept(data: bytes, asked: set[str]) -> list[bytes]:
    """Return the lines of all other names, found without scimconf's code."""
    kept = []
    name, depth, section = "", 0, ""
    for line in re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", data):
        text = line.decode()
        bare = text.strip()
        if bare and not bare.startswith(("#", ";")):
            indent = len(text.rstrip("\r\n")) - len(text.rstrip("\r\n").lstrip())
            if not (name and indent > depth):
                depth = indent
                header = configparser.RawConfigParser.SECTCRE.match(bare)
                if header:
                    section, name = header.group(1), ""
                else:
                    name = re.split(r"\s*[=:]", bare, maxsplit=1)[0].lower()
            if section == "secrets" and name in asked:
                continue
        kept.append(line.rstrip(b"\r\n"))
    while kept and not kept[-1].strip():
        kept.pop()  # the editor may add a line break at the end
    return kept
