"""Build plain data from ruamel.yaml's events: values, merges, tags, limits and positions.

Why not the node tree of `YAML.compose()`: the C parser builds it by recursion, and a file with
200,000 opening brackets ends the process with SIGSEGV (tested). With events, every limit is checked
before anything is built.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NoReturn

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from scimconf.errors import InventoryError
from scimconf.model import Problem, Unsafe, VaultValue
from scimconf.yamlfile import scalars
from scimconf.yamlfile.document import Document, Span, pack
from scimconf.yamlfile.json_text import JsonScalar, tagged
from scimconf.yamlfile.limits import MAX_DEPTH, MAX_NODES

_CORE = "tag:yaml.org,2002:"
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    _CORE + "int": int,
    _CORE + "float": (int, float),
    _CORE + "bool": bool,
    _CORE + "null": type(None),
}


class Composer:
    """Build plain data from the events of one text, which is YAML or JSON."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.spans: dict[int, dict[Hashable, int]] = {}
        self.problems: list[Problem] = []
        self.brackets: list[int] = []
        """The offsets of the open brackets, the innermost last."""
        self._nodes = 0
        self._end = 0
        self._anchors: dict[str, tuple[object, int] | None] = {}

    def compose(self, events: Iterator[Any]) -> object:
        """Return the data of the text.

        Raises InventoryError with every problem found, and the YAMLError of the parser.
        """
        data: object = None
        started = False
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if started:
                    self._fail("the file has more than one YAML document", event.start_mark.index)
                started = True
            elif isinstance(event, NodeEvent):
                data = self._node(event, events, 0, unsafe=False)
        if self.problems:
            raise InventoryError(self.problems)
        return data

    def _report(self, message: str, offset: int, hint: str = "") -> None:
        """Add a problem and continue: the rest of the file can still be read."""
        self.problems.append(Problem(message, self.document.at(offset), hint=hint))

    def _fail(self, message: str, offset: int, hint: str = "") -> NoReturn:
        self._report(message, offset, hint)
        raise InventoryError(self.problems)

    def _node(self, event: Any, events: Iterator[Any], depth: int, *, unsafe: bool) -> object:
        self._nodes += 1
        at = event.start_mark.index
        if self._nodes > MAX_NODES:
            self._fail(f"the file has more than {MAX_NODES} keys and values", at)
        if type(event) is AliasEvent:
            return self._alias(event, at)
        before = self._nodes
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            if event.end_mark.index > at:
                self._end = event.end_mark.index
            value = self._scalar(event, at, unsafe)
        else:
            value = self._collection(event, events, depth, unsafe)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _alias(self, event: Any, at: int) -> object:
        self._end = event.end_mark.index
        if event.anchor not in self._anchors:
            self._fail(f"the alias *{event.anchor} has no anchor &{event.anchor} above it", at)
        known = self._anchors[event.anchor]
        if known is None:
            self._fail(f"the alias *{event.anchor} is inside its own anchor", at)
        value, size = known
        self._nodes += size
        if self._nodes > MAX_NODES:
            self._fail(f"with its aliases the file has more than {MAX_NODES} keys and values", at)
        return value

    def _scalar(self, event: Any, at: int, unsafe: bool) -> object:
        if type(event) is JsonScalar:
            return event.value
        text: str = event.value
        tag: str | None = event.tag
        if tag is None or tag == "!":
            # libyaml reads `! "12"` as a plain 12.
            if not event.style or tag == "!":
                value = self._plain(text, at)
                return Unsafe(value) if unsafe and isinstance(value, str) else value
            return Unsafe(text) if unsafe else text
        if tag in ("!vault", "!vault-encrypted"):
            return VaultValue(text, self.document.at(at))
        if tag == "!unsafe":
            return Unsafe(text)
        if tag == _CORE + "str":
            return text
        expected = _TYPES.get(tag)
        if expected is None:
            self._unknown_tag(tag, at)
            return text
        value = self._plain(text, at)
        if not isinstance(value, expected):
            self._report(f"this value does not match the tag {tag.replace(_CORE, '!!')}", at)
        return value

    def _plain(self, text: str, at: int) -> object:
        try:
            return scalars.plain(text)
        except ValueError:
            self._report("this looks like a number or a date but is not valid", at, "quote it")
            return text

    def _unknown_tag(self, tag: str, at: int) -> None:
        self._report(
            f"unknown tag {tag.replace(_CORE, '!!')}", at, "supported tags: !vault, !unsafe"
        )

    def _collection(self, event: Any, events: Iterator[Any], depth: int, unsafe: bool) -> object:
        at = event.start_mark.index
        if depth >= MAX_DEPTH:
            self._fail(f"the file is nested more than {MAX_DEPTH} levels deep", at)
        is_mapping = type(event) is MappingStartEvent
        if event.tag == "!unsafe":
            unsafe = True
        elif event.tag not in (None, "!", _CORE + ("map" if is_mapping else "seq")):
            self._unknown_tag(event.tag, at)
        if event.flow_style:
            self.brackets.append(at)
        read = self._mapping if is_mapping else self._sequence
        data = read(events, depth + 1, unsafe)
        if event.flow_style:
            self.brackets.pop()
        return tagged(data, self.document.at(at)) if self.document.is_json else data

    def _sequence(self, events: Iterator[Any], depth: int, unsafe: bool) -> list[object]:
        items: list[object] = []
        spans: dict[Hashable, int] = {}
        for event in events:
            if type(event) is SequenceEndEvent:
                self._close(event)
                break
            at = event.start_mark.index
            items.append(self._node(event, events, depth, unsafe=unsafe))
            spans[len(items) - 1] = pack(at, at, self._end)
        self.spans[id(items)] = spans
        return items

    def _mapping(self, events: Iterator[Any], depth: int, unsafe: bool) -> dict[object, object]:
        own: dict[object, object] = {}
        merged: dict[object, object] = {}
        spans: dict[Hashable, int] = {}
        for event in events:
            if type(event) is MappingEndEvent:
                self._close(event)
                break
            at = event.start_mark.index
            is_merge = isinstance(event, ScalarEvent) and event.value == "<<" and not event.style
            key = self._node(event, events, depth, unsafe=False)
            if not isinstance(key, Hashable):
                self._bad_key(at)
            if type(key) is str:
                key = sys.intern(key)  # thousands of hosts have the same keys
            value_event = next(events)
            value_at = value_event.start_mark.index
            # libyaml puts an empty value at the next token, which may be pages below.
            if isinstance(value_event, ScalarEvent) and value_event.end_mark.index == value_at:
                value_at = self._end
            value = self._node(value_event, events, depth, unsafe=unsafe)
            if is_merge:
                self._merge(value, merged, value_at)
                continue
            if key in own:
                first = self.document.at(Span.of(spans[key]).key).line
                self._report(f"duplicate key {key!r}", at, f"the first one is in line {first}")
            own[key] = value
            spans[key] = pack(at, value_at, self._end)
        data = {**merged, **own} if merged else own
        self.spans[id(data)] = spans
        return data

    def _bad_key(self, at: int) -> NoReturn:
        is_template = self.document.text.startswith("{", at - 1)
        hint = "quote a value that starts with {{" if is_template else ""
        self._fail("a key must be text, not a list or a mapping", at, hint)

    def _merge(self, value: object, into: dict[object, object], at: int) -> None:
        """Merge what `<<` names; in a list the first mapping wins (PyYAML's flatten_mapping)."""
        for item in reversed(value) if isinstance(value, list) else (value,):
            if not isinstance(item, dict):
                self._fail("<< needs a mapping or a list of mappings", at)
            into.update(item)

    def _close(self, event: Any) -> None:
        # libyaml ends a block collection at the next token, which may be pages below.
        if event.end_mark.index > event.start_mark.index:
            self._end = event.end_mark.index
