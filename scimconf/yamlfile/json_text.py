"""Read JSON with positions, as the same plain data that YAML gives.

The YAML parser cannot do it: in YAML 1.1, `1e3` is text, and a surrogate pair or a raw U+007F in
quotes is an error. The json module gives no positions. Ansible, too, tries JSON first
(parsing/utils/yaml.py).
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

from scimconf.errors import InventoryError
from scimconf.model import Problem, Unsafe, VaultValue
from scimconf.yamlfile.document import Document, Span
from scimconf.yamlfile.limits import MAX_DEPTH, MAX_NODES

_DECODER = JSONDecoder()
_NOT_SPACE = re.compile(r"[^ \t\n\r]|\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile("|".join(_WORDS))


class NotJson(Exception):
    """The text is not JSON; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class JsonReader:
    """Build plain data from one text, within the same limits as YAML."""

    def __init__(self, file: str, text: str) -> None:
        self.spans: dict[int, dict[Hashable, Span]] = {}
        self._document = Document(file, text, None, {})
        self._text = text
        self._at = 1 if text.startswith("\ufeff") else 0
        self._nodes = 0
        self._problems: list[Problem] = []

    def read(self) -> object:
        """Return the data of the whole text.

        Raises NotJson, and InventoryError for JSON that is too large or has a duplicate key.
        """
        self._go_to(self._at)
        data = self._value(0)
        if self._at < len(self._text):
            self._not_json("unexpected text after the end of the JSON value")
        if self._problems:
            raise InventoryError(self._problems)
        return data

    def _value(self, depth: int) -> object:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fail(f"the file has more than {MAX_NODES} keys and values")
        first = self._text[self._at : self._at + 1]
        if first in ("{", "["):
            if depth >= MAX_DEPTH:
                self._fail(f"the file is nested more than {MAX_DEPTH} levels deep")
            return self._object(depth) if first == "{" else self._array(depth)
        if first == '"':
            return self._string()
        if match := _NUMBER.match(self._text, self._at):
            self._go_to(match.end())
            return float(match[0]) if match[1] or match[2] else int(match[0])
        match = _WORD.match(self._text, self._at)
        if not match:
            self._not_json("expected a value" if first else "unexpected end of the text")
        self._go_to(match.end())
        return _WORDS[match[0]]

    def _string(self) -> str:
        try:
            text, end = _DECODER.raw_decode(self._text, self._at)
        except JSONDecodeError as error:
            self._at = error.pos
            self._not_json("this text is not closed, or has a character that needs an escape")
        self._go_to(end)
        return str(text)

    def _array(self, depth: int) -> list[object]:
        items: list[object] = []
        spans: dict[Hashable, Span] = {}
        self._go_to(self._at + 1)
        while not self._at_end_of("]", first=not items):
            at = self._at
            items.append(self._value(depth + 1))
            spans[len(items) - 1] = Span(at, at, self._at)
        self.spans[id(items)] = spans
        return items

    def _object(self, depth: int) -> object:
        data: dict[object, object] = {}
        spans: dict[Hashable, Span] = {}
        start = self._at
        self._go_to(start + 1)
        while not self._at_end_of("}", first=not spans):
            at = self._at
            if not self._text.startswith('"', at):
                self._not_json("expected a key in double quotes")
            key = self._string()
            self._nodes += 1
            if not self._text.startswith(":", self._at):
                self._not_json("expected a colon")
            self._go_to(self._at + 1)
            if key in data:
                line = self._document.at(spans[key].key).line
                hint = f"the first one is in line {line}"
                where = self._document.at(at)
                self._problems.append(Problem(f"duplicate key {key!r}", where, hint=hint))
            value_at = self._at
            data[key] = self._value(depth + 1)
            spans[key] = Span(at, value_at, self._at)
        self.spans[id(data)] = spans
        return self._tagged(data, start)

    def _tagged(self, data: dict[object, object], at: int) -> object:
        """Convert the objects that `ansible-inventory --list` writes for `!vault` and `!unsafe`."""
        if len(data) == 1:
            ((key, text),) = data.items()
            if key == "__ansible_vault" and isinstance(text, str):
                return VaultValue(text, self._document.at(at))
            if key == "__ansible_unsafe" and isinstance(text, str):
                return Unsafe(text)
        return data

    def _at_end_of(self, bracket: str, *, first: bool) -> bool:
        """Read the closing bracket and return True, or read the comma before the next item."""
        if self._text.startswith(bracket, self._at):
            self._go_to(self._at + 1)
            return True
        if not first:
            if not self._text.startswith(",", self._at):
                self._not_json(f"expected a comma or {bracket}")
            self._go_to(self._at + 1)
        return False

    def _go_to(self, offset: int) -> None:
        """Move to the first character from `offset` on that is not a space."""
        match = _NOT_SPACE.search(self._text, offset)
        self._at = match.start() if match else len(self._text)

    def _not_json(self, message: str) -> NoReturn:
        raise NotJson(Problem(message, self._document.at(self._at))) from None

    def _fail(self, message: str) -> NoReturn:
        raise InventoryError([Problem(message, self._document.at(self._at))])
