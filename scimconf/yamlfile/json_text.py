"""Turn JSON into the events of a YAML parser, so that both formats share the composer.

A YAML parser cannot read all JSON: in YAML 1.1, `1e3` is text, and a surrogate pair or a raw
U+007F in quotes is an error. The json module checks the syntax, but gives no positions. Ansible,
too, tries JSON first (parsing/utils/yaml.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from ruamel.yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from scimconf.model import Position, Problem, Unsafe, VaultValue
from scimconf.yamlfile.document import Document

_TOKEN = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*"|[^ \t\n\r{}\[\],:"]+')
_DECODER = json.JSONDecoder()
_MAX_DIGITS = 1000
_BAD_STRING = "this text is not closed, or has a character that needs an escape"
# What the json module says, and what we say.
_WORDING = (
    ("property name", "expected a key in double quotes"),
    ("trailing comma", "expected a value or a key after the comma"),
    ("':' delimiter", "expected a colon"),
    ("',' delimiter", "expected a comma or a closing bracket"),
    ("Expecting value", "expected a value"),
    ("Extra data", "unexpected text after the end of the JSON value"),
)


class NotJson(Exception):
    """The text is not JSON; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class JsonScalar(ScalarEvent):
    """A scalar whose value is already converted."""


@dataclass(slots=True)  # not frozen, which would take three times as long
class _Mark:
    index: int


def check(text: str, document: Document) -> None:
    """Raise NotJson unless the text is JSON."""
    bom = len(text) - len(text.removeprefix("\ufeff"))
    try:
        json.loads(text[bom:], parse_int=_integer, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        message = next((words for part, words in _WORDING if part in error.msg), _BAD_STRING)
        raise NotJson(Problem(message, document.at(error.pos + bom))) from None
    except ValueError as error:
        raise NotJson(Problem(str(error), document.at(0))) from None
    except RecursionError:
        return  # the composer stops at its own, smaller limit, and knows the position


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number has more than {_MAX_DIGITS} digits")
    return int(digits)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def events(text: str) -> Iterator[Event]:
    """Yield the events of a text that `check` has accepted."""
    for token in _TOKEN.finditer(text, 1 if text.startswith("\ufeff") else 0):
        start, end = _Mark(token.start()), _Mark(token.end())
        match token[0]:
            case "{":
                yield MappingStartEvent(None, None, True, start, end, flow_style=True)
            case "[":
                yield SequenceStartEvent(None, None, True, start, end, flow_style=True)
            case "}":
                yield MappingEndEvent(start, end)
            case "]":
                yield SequenceEndEvent(start, end)
            case scalar:
                value, _ = _DECODER.raw_decode(scalar)
                yield JsonScalar(None, None, (True, True), value, start, end, style='"')


def tagged(data: object, position: Position) -> object:
    """Convert the objects that `ansible-inventory --list` writes for `!vault` and `!unsafe`."""
    match data:
        case {"__ansible_vault": str(text), **rest} if not rest:
            return VaultValue(text, position)
        case {"__ansible_unsafe": str(text), **rest} if not rest:
            return Unsafe(text)
    return data
