"""Expand the variables of one host as Ansible does: only when a variable is used.

A single `{{ expression }}` keeps its type. Any other template becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scimconf.errors import UsageError
from scimconf.model import Unsafe
from scimconf.template.sandbox import compiled

_NAME = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*-?\}\}")
_MARKS = ("{{", "{%", "{#")


def is_template(value: object) -> bool:
    """Return True for a text that Ansible would expand."""
    return (
        isinstance(value, str)
        and not isinstance(value, Unsafe)
        and any(mark in value for mark in _MARKS)
    )


def expand(
    value: object, variables: Mapping[str, object], facts: Mapping[str, object] | None = None
) -> object:
    """Return `value` with its templates expanded; see `Variables`."""
    return Variables(variables, facts or {}).expand(value)


class Variables:
    """The variables of one host. Each is expanded once, when it is first used.

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
        """Return the expanded value of a variable. Raises UsageError and KeyError."""
        if name in self._facts:
            return self._facts[name]
        if name in self._done:
            return self._done[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise UsageError(f"the variable depends on itself: {circle}")
        self._open.append(name)
        try:
            self._done[name] = self.expand(self._raw[name])
        finally:
            self._open.pop()
        return self._done[name]

    def expand(self, value: object) -> object:
        """Return `value` with every template in it expanded, except in keys of mappings.

        Raises UsageError for a template that fails. The message never quotes a value.
        """
        if isinstance(value, str):
            return self._text(value) if is_template(value) else value
        if isinstance(value, list):
            return [self.expand(item) for item in value]
        if isinstance(value, dict):
            return {key: self.expand(item) for key, item in value.items()}
        return value

    def _text(self, source: str) -> object:
        # YAML's `|` and `>` add a line break after a single expression.
        body = source.removesuffix("\n")
        if single := _NAME.fullmatch(body):
            found = self._look_up(single[1].split("."))
            if found is not None:
                return _with_line_breaks(found, source)
        return _with_line_breaks(compiled(body)(self), source)

    def _look_up(self, steps: list[str]) -> object:
        """Return a variable (or a key in it) by its name, with its own type.

        Only this way can an encrypted vault value pass through a template.
        """
        if steps[0] not in self:
            return None
        value = self[steps[0]]
        for step in steps[1:]:
            value = value.get(step) if isinstance(value, dict) else None
        return value


def _with_line_breaks(found: object, source: str) -> object:
    """Add the line breaks at the end of the template, as ansible's template() does."""
    if not isinstance(found, str):
        return found
    missing = _line_breaks(source) - _line_breaks(found)
    return found + "\n" * missing if missing > 0 else found


def _line_breaks(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))
