"""Reads JSON with the place of everything, as plain data that is shaped like what YAML gives.

JSON is nearly YAML, but not YAML 1.1: `1e3` is a number here, `\\/` and surrogate pairs are
escapes, and a tab may indent. Ansible, too, takes each file for JSON first (parsing/utils/yaml.py).
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
_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile("|".join(_WORDS))


class NotJson(Exception):
    """A text that is not JSON; `problem` is where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class JsonReader:
    """Builds plain data out of one text; as large and as deep as YAML may be."""

    def __init__(self, file: str, text: str) -> None:
        self.spans: dict[int, dict[Hashable, Span]] = {}
        self._places = Document(file, text, None, {})
        self._text = text
        self._at = 1 if text.startswith("\ufeff") else 0
        self._nodes = 0
        self._problems: list[Problem] = []

    def read(self) -> object:
        """Read the whole text.

        Raises NotJson; InventoryError for JSON that is too large or has a key twice.
        """
        self._skip()
        data = self._value(0)
        if self._at < len(self._text):
            self._not_json("something follows the end of the JSON text")
        if self._problems:
            raise InventoryError(self._problems)
        return data

    def _value(self, depth: int) -> object:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(f"the file holds more than {MAX_NODES} keys and values")
        first = self._text[self._at : self._at + 1]
        if first in ("{", "["):
            if depth >= MAX_DEPTH:
                self._refuse(f"nested more than {MAX_DEPTH} levels deep")
            return self._object(depth) if first == "{" else self._array(depth)
        if first == '"':
            return self._string()
        if match := _NUMBER.match(self._text, self._at):
            self._go_on(match.end())
            return float(match[0]) if match[1] or match[2] else int(match[0])
        match = _WORD.match(self._text, self._at)
        if not match:
            self._not_json("a value is missing here" if first else "the text ends too early")
        self._go_on(match.end())
        return _WORDS[match[0]]

    def _string(self) -> str:
        try:
            text, end = _DECODER.raw_decode(self._text, self._at)
        except JSONDecodeError as error:
            self._at = error.pos
            self._not_json("this text is not closed, or has a character that needs an escape")
        self._go_on(end)
        return str(text)

    def _array(self, depth: int) -> list[object]:
        items: list[object] = []
        spans: dict[Hashable, Span] = {}
        self._go_on(self._at + 1)
        while not self._closed("]", first=not items):
            at = self._at
            items.append(self._value(depth + 1))
            spans[len(items) - 1] = Span(at, at, self._at)
        self.spans[id(items)] = spans
        return items

    def _object(self, depth: int) -> object:
        data: dict[object, object] = {}
        spans: dict[Hashable, Span] = {}
        start = self._at
        self._go_on(start + 1)
        while not self._closed("}", first=not spans):
            at = self._at
            if not self._text.startswith('"', at):
                self._not_json("a key in double quotes is missing here")
            key = self._string()
            self._nodes += 1
            if not self._text.startswith(":", self._at):
                self._not_json("a colon is missing here")
            self._go_on(self._at + 1)
            if key in data:
                line = self._places.at(spans[key].key).line
                where = self._places.at(at)
                message = f"the key {key!r} stands here twice"
                self._problems.append(Problem(message, where, hint=f"first in line {line}"))
            value_at = self._at
            data[key] = self._value(depth + 1)
            spans[key] = Span(at, value_at, self._at)
        self.spans[id(data)] = spans
        return self._tagged(data, start)

    def _tagged(self, data: dict[object, object], at: int) -> object:
        """Give what `ansible-inventory --list` writes in place of a `!vault` or `!unsafe` tag."""
        if len(data) == 1:
            ((key, text),) = data.items()
            if key == "__ansible_vault" and isinstance(text, str):
                return VaultValue(text, self._places.at(at))
            if key == "__ansible_unsafe" and isinstance(text, str):
                return Unsafe(text)
        return data

    def _closed(self, bracket: str, *, first: bool) -> bool:
        """Take the bracket that ends a collection, or else the comma before its next item."""
        if self._text.startswith(bracket, self._at):
            self._go_on(self._at + 1)
            return True
        if not first:
            if not self._text.startswith(",", self._at):
                self._not_json(f"a comma or {bracket} is missing here")
            self._go_on(self._at + 1)
        return False

    def _go_on(self, at: int) -> None:
        self._at = at
        self._skip()

    def _skip(self) -> None:
        match = _BLANK.match(self._text, self._at)
        assert match
        self._at = match.end()

    def _not_json(self, message: str) -> NoReturn:
        raise NotJson(Problem(message, self._places.at(self._at))) from None

    def _refuse(self, message: str) -> NoReturn:
        raise InventoryError([Problem(message, self._places.at(self._at))])
