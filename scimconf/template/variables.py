"""Expands the variables of one host as Ansible does, each where it is used, and only there.

A lone `{{ expression }}` keeps its type, all else becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scimconf.errors import UsageError
from scimconf.model import Unsafe

if TYPE_CHECKING:
    from scimconf.template.sandbox import Template

_NAME = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*-?\}\}")
_MARKS = ("{{", "{%", "{#")


def is_template(value: object) -> bool:
    """Whether this is a text that Ansible would expand."""
    return (
        isinstance(value, str)
        and not isinstance(value, Unsafe)
        and any(mark in value for mark in _MARKS)
    )


def expand(
    value: object, variables: Mapping[str, object], facts: Mapping[str, object] | None = None
) -> object:
    """Give `value` with its templates expanded; see `Variables`."""
    return Variables(variables, facts or {}).expand(value)


class Variables:
    """The variables of one host, each expanded once, when it is first used.

    `facts` (inventory_hostname, groups, ...) are not expanded and cannot be overridden.
    """

    def __init__(self, raw: Mapping[str, object], facts: Mapping[str, object]) -> None:
        self._raw = raw
        self._facts = facts
        self._done: dict[str, object] = {}
        self._open: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._facts or name in self._raw

    def __getitem__(self, name: str) -> object:
        """Give a variable's value, expanded. Raises UsageError; KeyError where there is none."""
        if name in self._facts:
            return self._facts[name]
        if name in self._done:
            return self._done[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise UsageError(f"the variable refers to itself: {circle}")
        self._open.append(name)
        try:
            self._done[name] = self.expand(self._raw[name])
        finally:
            self._open.pop()
        return self._done[name]

    def expand(self, value: object) -> object:
        """Give `value` with every template in it expanded; keys of mappings stay as they are.

        Raises UsageError for a template that cannot be expanded; it never quotes a value.
        """
        if isinstance(value, str):
            return self._text(value) if is_template(value) else value
        if isinstance(value, list):
            return [self.expand(item) for item in value]
        if isinstance(value, dict):
            return {key: self.expand(item) for key, item in value.items()}
        return value

    def _text(self, source: str) -> object:
        # YAML's `|` and `>` leave a line end behind a lone expression.
        body = source.removesuffix("\n")
        if lone := _NAME.fullmatch(body):
            found = self._look_up(lone[1].split("."))
            if found is not None:
                return _with_line_ends(found, source)
        return _with_line_ends(_compiled(body)(self), source)

    def _look_up(self, steps: list[str]) -> object:
        """Give a variable (or a key in one) by its name alone, with whatever type it has.

        This is the only way in which a closed vault value passes through a template.
        """
        if steps[0] not in self:
            return None
        value = self[steps[0]]
        for step in steps[1:]:
            value = value.get(step) if isinstance(value, dict) else None
        return value


def _with_line_ends(found: object, source: str) -> object:
    """Give a text as many line ends as its template has, as ansible's template() does."""
    if not isinstance(found, str):
        return found
    missing = _line_ends(source) - _line_ends(found)
    return found + "\n" * missing if missing > 0 else found


def _line_ends(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))


def _compiled(source: str) -> Template:
    # An inventory without expressions never loads jinja2.
    from scimconf.template.sandbox import compiled

    return compiled(source)
