"""Builds plain data out of ruamel.yaml's events: values, merges, tags, limits, places.

All of it is decided while the text is read, so that nothing is built before it is known to be
small enough.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
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
from scimconf.yamlfile import scalars, wording
from scimconf.yamlfile.document import Document, Span
from scimconf.yamlfile.limits import MAX_DEPTH, MAX_NODES

_CORE = "tag:yaml.org,2002:"
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    _CORE + "int": int,
    _CORE + "float": (int, float),
    _CORE + "bool": bool,
    _CORE + "null": type(None),
}


class Composer:
    """Builds plain data out of the events of one text: libyaml's, or with `pure` ruamel.yaml's."""

    def __init__(self, file: str, text: str, *, pure: bool = False) -> None:
        self.pure = pure or text.startswith("\ufeff")  # libyaml's places leave the mark out
        self.spans: dict[int, dict[Hashable, Span]] = {}
        self.places = Document(file, text, None, {})
        self.nodes = 0
        self.end = 0
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[object, int] | None] = {}

    def compose(self) -> object:
        """Read the whole text. Raises InventoryError with every problem found.

        Unless it is `pure`, raises YAMLError for what is not YAML.
        """
        try:
            data = self.document()
        except YAMLError as error:
            if not self.pure:
                raise
            self.problems.append(wording.problem(error, self.places))
        if self.problems:
            raise InventoryError(self.problems) from None
        return data

    def document(self) -> object:
        yaml = YAML(typ="safe", pure=self.pure)
        yaml.version = (1, 1)
        events: Iterator[Any] = yaml.parse(self.places.text)
        data: object = None
        begun = False
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if begun:
                    self.fail("the file holds more than one YAML document", event.start_mark.index)
                begun = True
            elif isinstance(event, NodeEvent):
                data = self.node(event, events, 0, unsafe=False)
        return data

    def report(self, message: str, offset: int, hint: str = "") -> None:
        """Keep a problem with which the rest can still be read."""
        self.problems.append(Problem(message, self.places.at(offset), hint=hint))

    def fail(self, message: str, offset: int, hint: str = "") -> NoReturn:
        self.report(message, offset, hint)
        raise InventoryError(self.problems)

    def node(self, event: Any, events: Iterator[Any], depth: int, *, unsafe: bool) -> object:
        self.nodes += 1
        at = event.start_mark.index
        if self.nodes > MAX_NODES:
            self.fail(f"the file holds more than {MAX_NODES} keys and values", at)
        if type(event) is AliasEvent:
            return self.alias(event)
        before = self.nodes
        if event.anchor:
            self.anchors[event.anchor] = None
        if type(event) is ScalarEvent:
            if event.end_mark.index > at:
                self.end = event.end_mark.index
            value = self.scalar(event, unsafe)
        else:
            value = self.collection(event, events, depth, unsafe=unsafe)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - before + 1)
        return value

    def alias(self, event: Any) -> object:
        at = event.start_mark.index
        self.end = event.end_mark.index
        if event.anchor not in self.anchors:
            self.fail(f"there is no anchor &{event.anchor} above", at)
        known = self.anchors[event.anchor]
        if known is None:
            self.fail(f"the alias *{event.anchor} stands inside of what it names", at)
        value, size = known
        self.nodes += size
        if self.nodes > MAX_NODES:
            self.fail(f"aliases make the file larger than {MAX_NODES} keys and values", at)
        return value

    def scalar(self, event: Any, unsafe: bool) -> object:
        text: str = event.value
        tag: str | None = event.tag
        at = event.start_mark.index
        if tag is None or tag == "!":
            # libyaml takes `! "12"` for a plain 12.
            if not event.style or tag == "!":
                value = self.plain(text, at)
                return Unsafe(value) if unsafe and isinstance(value, str) else value
            return Unsafe(text) if unsafe else text
        if tag in ("!vault", "!vault-encrypted"):
            return VaultValue(text, self.places.at(at))
        if tag == "!unsafe":
            return Unsafe(text)
        if tag == _CORE + "str":
            return text
        kind = _KINDS.get(tag)
        if kind is None:
            self.bad_tag(tag, at)
            return text
        value = self.plain(text, at)
        if not isinstance(value, kind):
            self.report(f"this is no value for the tag {tag.replace(_CORE, '!!')}", at)
        return value

    def plain(self, text: str, at: int) -> object:
        try:
            return scalars.plain(text)
        except ValueError:
            self.report("this has the form of a number or a date and is none", at, "quote it")
            return text

    def bad_tag(self, tag: str, at: int) -> None:
        name = tag.replace(_CORE, "!!")
        self.report(f"the tag {name} is not known", at, "known are !vault and !unsafe")

    def collection(self, event: Any, events: Iterator[Any], depth: int, *, unsafe: bool) -> object:
        at = event.start_mark.index
        if depth >= MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} levels deep", at)
        mapping = type(event) is MappingStartEvent
        if event.tag == "!unsafe":
            unsafe = True
        elif event.tag not in (None, "!", _CORE + ("map" if mapping else "seq")):
            self.bad_tag(event.tag, at)
        if mapping:
            return self.mapping(events, depth + 1, unsafe)
        return self.sequence(events, depth + 1, unsafe)

    def sequence(self, events: Iterator[Any], depth: int, unsafe: bool) -> list[object]:
        items: list[object] = []
        spans: dict[Hashable, Span] = {}
        for event in events:
            if type(event) is SequenceEndEvent:
                self.closed(event)
                break
            at = event.start_mark.index
            items.append(self.node(event, events, depth, unsafe=unsafe))
            spans[len(items) - 1] = Span(at, at, self.end)
        self.spans[id(items)] = spans
        return items

    def mapping(self, events: Iterator[Any], depth: int, unsafe: bool) -> dict[object, object]:
        own: dict[object, object] = {}
        merged: dict[object, object] = {}
        spans: dict[Hashable, Span] = {}
        for event in events:
            if type(event) is MappingEndEvent:
                self.closed(event)
                break
            at = event.start_mark.index
            merges = type(event) is ScalarEvent and event.value == "<<" and not event.style
            key = self.node(event, events, depth, unsafe=False)
            if not isinstance(key, Hashable):
                self.bad_key(at)
            value_event = next(events)
            # A value that is left out "stands" at the next token, which may be pages below.
            value_at = value_event.start_mark.index
            if type(value_event) is ScalarEvent and value_event.end_mark.index == value_at:
                value_at = self.end
            value = self.node(value_event, events, depth, unsafe=unsafe)
            if merges:
                self.merge(value, merged, value_at)
                continue
            if key in own:
                first = self.places.at(spans[key].key).line
                self.report(f"the key {key!r} stands here twice", at, f"first in line {first}")
            own[key] = value
            spans[key] = Span(at, value_at, self.end)
        data = {**merged, **own} if merged else own
        self.spans[id(data)] = spans
        return data

    def bad_key(self, at: int) -> NoReturn:
        template = self.places.text.startswith("{", at - 1)
        hint = "quote a value that begins with {{" if template else ""
        self.fail("a key must be text, not a list or a mapping", at, hint)

    def merge(self, value: object, into: dict[object, object], at: int) -> None:
        """Take in what `<<` names; of a list the first wins (PyYAML's flatten_mapping)."""
        for item in reversed(value) if isinstance(value, list) else (value,):
            if not isinstance(item, dict):
                self.fail("<< takes a mapping or a list of mappings", at)
            into.update(item)

    def closed(self, event: Any) -> None:
        # A block collection "ends" where the next token begins, which may be pages below.
        if event.end_mark.index > event.start_mark.index:
            self.end = event.end_mark.index
