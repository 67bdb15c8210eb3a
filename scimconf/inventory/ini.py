"""Read INI inventories with positions.

The rules are those of ansible's plugins/inventory/ini.py. Ansible stops at the first mistake; here
every mistake is reported. Positions are in the shape of a YAML inventory: `web.hosts.chat1.x` and
`web.vars.x`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

from scimconf.errors import InventoryError
from scimconf.inventory import ranges
from scimconf.inventory.hosts import Group, Tree
from scimconf.inventory.literals import NotPlain, literal
from scimconf.inventory.place import Place, Problems, nearest
from scimconf.model import Problem
from scimconf.yamlfile import MAX_NODES, Document
from scimconf.yamlfile.document import pack

Kind = Literal["hosts", "children", "vars"]

_KINDS: tuple[Kind, ...] = ("hosts", "children", "vars")
_SECTION = re.compile(r"\[(?P<group>[^:\]\s]+)(?::(?P<kind>\w+))?\]\s*(?:#.*)?")
_PLAIN = re.compile(r"(?!.*:(?:\s|$))[^\s{?&*!%\"'|>@`#\[-].*")
"""A line that YAML reads as plain text: not a key, and without a character of special meaning."""
_CHILD = re.compile(r"(?P<group>[^:\]\s]+)\s*(?:#.*)?")
_COMMENT = ("#", ";")
_SPACE = " \t\r\n"
"""The characters that separate the words of a host line (shlex)."""
_WORD = re.compile(rf"[^{_SPACE}]+")
_MOST_COMPARED = 20
"""How many undeclared groups are compared with the declared ones."""
_MOST_KNOWN = 5000
"""With more declared groups than this, no names are compared."""
_SPECIAL = re.compile(r"[\"'\\#]")


@dataclass(frozen=True, slots=True)
class Statement:
    """A line: the start of a section (`name` is None), a host, a child group or a variable."""

    group: str
    kind: Kind
    name: str | None = None
    values: dict[str, object] | None = None
    """The variables of a host, or the one variable of a line in `[group:vars]`."""


@dataclass(frozen=True)
class IniDocument(Document):
    """An INI inventory. `data` has the shape of a YAML inventory; `statements` have the order."""

    statements: tuple[Statement, ...] = ()
    warnings: tuple[Problem, ...] = ()


def looks_like_ini(text: str) -> bool:
    """Return True if one of the first 200 lines starts a section."""
    return any(_SECTION.fullmatch(line.strip()) for line in text.splitlines()[:200])


def cannot_be_yaml(text: str) -> bool:
    """Return True if the first line shows that the text is not a YAML mapping.

    It is a list in brackets, or plain text without a colon. To try YAML would be slow: it is one
    text of many lines for the parser.
    """
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return bool(_SECTION.fullmatch(first) or _PLAIN.fullmatch(first))


def parse(text: str, file: str) -> IniDocument:
    """Parse an INI inventory. Raises InventoryError with every mistake."""
    parser = _Parser(Document(file, text, None, {}))
    parser.read()
    if parser.problems:
        raise InventoryError(parser.problems)
    return IniDocument(
        file,
        text,
        parser.data,
        parser.spans,
        statements=tuple(parser.statements),
        warnings=tuple(parser.warnings),
    )


class _Mistake(Exception):
    """A line that Ansible refuses: the message, the place in the text, the hint."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.offset, self.hint = message, offset, hint


class _Parser:
    """Reads the lines in order. `at` parameters are offsets in the text."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._group = "ungrouped"
        self._kind: Kind | None = "hosts"
        self._nodes = 0
        self.data: dict[str, object] = {}
        self.spans: dict[int, dict[Hashable, int]] = {id(self.data): {}}
        self.statements: list[Statement] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def read(self) -> None:
        text = self._document.text
        if text.startswith("\ufeff"):
            hint = "save the file as UTF-8 without a byte order mark"
            self._report(_Mistake("Ansible reads no INI file with a byte order mark", 0, hint))
            return
        at = 0
        for line in text.splitlines(keepends=True):
            words = line.strip()
            if words and not words.startswith(_COMMENT):
                try:
                    self._line(words, at + len(line) - len(line.lstrip()))
                except _Mistake as mistake:
                    self._report(mistake)
                if self._nodes > MAX_NODES:
                    message = f"the file has more than {MAX_NODES} names and values"
                    self._report(_Mistake(message, at))
                    return
            at += len(line)

    def _report(self, mistake: _Mistake) -> None:
        at = self._document.at(mistake.offset)
        self.problems.append(Problem(mistake.message, at, hint=mistake.hint))

    def _line(self, line: str, at: int) -> None:
        if section := _SECTION.fullmatch(line):
            self._section(section["group"], section["kind"] or "hosts", at)
        elif line.startswith("[") and line.endswith("]"):
            hint = "write [group], [group:children] or [group:vars], without spaces"
            raise _Mistake("this section is not valid", at, hint)
        elif self._kind == "hosts":
            self._host(line, at)
        elif self._kind == "vars":
            self._variable(line, at)
        elif self._kind == "children":
            self._child(line, at)

    def _section(self, group: str, kind: str, at: int) -> None:
        self._group = group
        self._kind = next((known for known in _KINDS if known == kind), None)
        if self._kind is None:  # the lines of this section cannot be checked
            hint = nearest(kind, _KINDS) or f"expected one of: {', '.join(_KINDS)}"
            raise _Mistake(f"unknown kind of section, {kind!a}", at, hint)
        if re.search("[\"']", group):
            raise _Mistake("a group name cannot contain a quote", at)
        self._add(Statement(group, self._kind), at)

    def _host(self, line: str, at: int) -> None:
        name, *others = _words(line, at)
        if name.text.endswith(":") and not ranges.split_port(name.text)[1]:
            hint = "is this a YAML file? Then its name must end in .yaml or .yml"
            raise _Mistake("a host name must not end in a colon", at, hint)
        if name.text == "---":
            hint = "give it a name that ends in .yaml"
            raise _Mistake("this looks like a YAML file", at, hint)
        values: dict[str, object] = {}
        places: dict[Hashable, int] = {}
        for word in others:
            key, equals, value = word.text.partition("=")
            if not equals or not key:
                hint = "write key=value without spaces around =; quote a value with spaces"
                if word.text.startswith(";"):
                    hint = "a comment after a host starts with #"
                raise _Mistake("expected key=value after the host", word.at, hint)
            value_at = at + line.index("=", word.at - at) + 1
            if key.strip() != key:
                hint = "replace the special space (such as a no-break space) with a plain one"
                self._warn("the name of this variable starts or ends with a space", word.at, hint)
            values[key] = self._value(value, value_at)
            places[key] = pack(word.at, value_at, value_at)
        self._warn_of_cut_word(line, at, (name, *others)[-1])
        own = self._add(Statement(self._group, "hosts", name.text, values), at)
        self.spans[id(own)] |= places

    def _variable(self, line: str, at: int) -> None:
        name, equals, value = line.partition("=")
        key = name.strip()
        if not equals or not key:
            hint = "write key=value" if ":" in line else "a section with variables has only these"
            raise _Mistake("expected key=value", at, hint)
        value_at = at + len(name) + 1 + len(value) - len(value.lstrip())
        found = self._value(value.strip(), value_at)
        if isinstance(found, str) and (comment := re.search(r"\s[#;]", value)):
            message = "this # is part of the value: a section with variables has no comments there"
            where = at + len(name) + 1 + comment.end() - 1
            self._warn(
                message.replace("#", comment[0][-1]), where, "move the comment to a line of its own"
            )
        own = self._add(Statement(self._group, "vars", key, {key: found}), at)
        self.spans[id(own)][key] = pack(at, value_at, value_at)

    def _warn_of_cut_word(self, line: str, at: int, last: _Word) -> None:
        """Warn about `password=one#two`: for Ansible, the rest of the line is a comment."""
        whole = line[last.at - at :].split(maxsplit=1)[0]
        if "#" in whole and last.text == whole.partition("#")[0]:
            where = last.at + len(last.text)
            self._warn("the rest of this line is a comment", where, "quote the value if it has a #")

    def _warn(self, message: str, at: int, hint: str) -> None:
        self.warnings.append(Problem(message, self._document.at(at), hint=hint))

    def _child(self, line: str, at: int) -> None:
        match = _CHILD.fullmatch(line)
        if match is None:
            hint = f"variables belong in [{self._group}:vars]" if "=" in line else ""
            raise _Mistake("expected the name of a group", at, hint)
        self._add(Statement(self._group, "children", match["group"]), at)

    def _value(self, text: str, at: int) -> object:
        try:
            value, nodes = literal(text)
        except NotPlain as error:
            raise _Mistake(str(error), at, error.hint) from None
        self._nodes += nodes
        return value

    def _add(self, statement: Statement, at: int) -> dict[str, object]:
        """Add a statement, and its names to the data with the places where they first are.

        Return the mapping with its variables.
        """
        self.statements.append(statement)
        self._nodes += 1
        here = pack(at, at, at)
        section = self._inside(self._inside(self.data, statement.group, here), statement.kind, here)
        if statement.name is not None and statement.kind != "vars":
            section = self._inside(section, statement.name, here)
        section.update(statement.values or {})
        return section

    def _inside(self, data: dict[str, object], key: str, here: int) -> dict[str, object]:
        """Return the mapping at a key of the data; create it if needed."""
        found = data.get(key)
        if not isinstance(found, dict):
            found = data[key] = {}
            self.spans[id(found)] = {}
            self.spans[id(data)][key] = here
        return found


_JSON: Mapping[str, object] = {
    "a mapping": {"acme": {"idp": "okta"}},
    "a list": ["A", "B"],
    "true or false": True,
    "a number": 60,
}
"""An example of each kind of value, for -e."""


def hint(place: Place, message: str, otherwise: str) -> str:
    """Return the hint for a wrong value: how to write it in an INI inventory or in -e."""
    if place.document.file == "-e" and message.endswith("found text"):
        for kind, example in _JSON.items():
            if message.startswith(f"expected {kind}"):
                mapping = json.dumps({str(place.keys[0]): example})
                return f"KEY=VALUE is always text; write JSON: -e {shlex.quote(mapping)}"
    if not isinstance(place.document, IniDocument):
        return otherwise
    of_host = place.keys[1:2] == ("hosts",)
    if message == "expected true or false, found text":
        return "in an INI file, write True or False"
    if message.startswith("expected a mapping") and message.endswith("found text"):
        mapping = "{'acme': {'idp': 'okta'}}"
        example = f'"{mapping}"' if of_host else mapping
        return f"in an INI file, write a Python literal, such as {example}; or use group_vars/"
    if otherwise == "quote it" and of_host:
        return """in a line with a host, quote it twice: '"..."'"""
    return otherwise


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    at: int


def _words(line: str, at: int) -> Iterator[_Word]:
    """Yield the words of a line as a shell has them, without a comment. Raises _Mistake."""
    if not _SPECIAL.search(line):  # shlex is slow
        yield from (_Word(word[0], at + word.start()) for word in _WORD.finditer(line))
        return
    stream = StringIO(line)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split = True
    while True:
        word_at = _WORD.search(line, stream.tell())
        start = at + (word_at.start() if word_at else len(line))
        try:
            word = lexer.get_token()
        except ValueError:
            message = "a quote is not closed, or nothing follows a backslash"
            hint = "close the quote, or write the backslash twice"
            raise _Mistake(message, start, hint) from None
        if word is None:
            return
        yield _Word(word, start)


class Ini:
    """Adds an INI inventory to a tree."""

    def __init__(self, tree: Tree, problems: Problems, file: Path) -> None:
        self._tree = tree
        self._problems = problems
        self._file = file
        self._declared = set(tree.groups)
        self._waiting: dict[str, list[tuple[Group, Place]]] = {}
        """The parents of groups that no section has declared so far."""
        self._without_hosts: dict[str, Place] = {}
        """The sections with variables of such groups."""

    def add(self, document: IniDocument) -> None:
        """Add the statements in order, and report the groups that no section declares."""
        for warning in document.warnings:
            self._problems.warn(warning)
        for each in document.statements:
            place = Place(document, (each.group,))
            if each.name is None:
                self._section(each, place)
                continue
            place = place.inside(each.kind, each.name)
            group = self._tree.group(each.group)
            if each.kind == "hosts":
                self._tree.named(group, each.name, each.values, place, self._file)
            elif each.kind == "vars":
                self._tree.vars(group, each.values or {}, Place(document, (each.group, "vars")))
            elif each.name in self._tree.groups:
                self._tree.child(group, self._tree.group(each.name), place)
            else:
                self._waiting.setdefault(each.name, []).append((group, place))
        known = sorted(self._declared)
        undeclared = [(name, place) for name, place in self._without_hosts.items()]
        undeclared += [(name, at) for name, all_ in self._waiting.items() for _, at in all_]
        for number, (name, place) in enumerate(undeclared):
            # To compare names is slow: a file with thousands of mistakes would take minutes.
            is_compared = number < _MOST_COMPARED and len(known) <= _MOST_KNOWN
            self._undeclared(name, place, known if is_compared else [])

    def _section(self, statement: Statement, place: Place) -> None:
        name = statement.group
        group = self._tree.group(name)
        if statement.kind != "vars":
            self._declared.add(name)
            self._without_hosts.pop(name, None)
            for parent, at in self._waiting.pop(name, ()):
                self._tree.child(parent, group, at)
        elif name not in self._declared:
            self._without_hosts.setdefault(name, place)

    def _undeclared(self, name: str, place: Place, known: list[str]) -> None:
        hint = nearest(name, known) or f"add a section [{name}]"
        self._problems.error(place.problem(f"no section declares the group {name}", hint))
