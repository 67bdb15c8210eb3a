"""The values of a run as JSON data, and back. Both sides have the same version of scimconf.

A value is checked against its type in both directions. A secret has no form here but its clear
text, so the data must be sealed before they leave the process.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from scimconf.fleet import look
from scimconf.fleet.job import Interrupted
from scimconf.fleet.look import Look
from scimconf.model import NOTHING, Outcome, VaultValue, shared
from scimconf.sanitize import sanitize
from scimconf.secret import Sealed, Secret

T = TypeVar("T")
Convert = Callable[[Any], Any]

_LONGEST_TEXT = 1 << 22
"""Characters of one text in an answer."""
_EMPTY: frozenset[Any] = frozenset()
"""One object for all servers: an empty set that is made from a generator has 200 bytes."""
_HARMLESS = re.compile(r"[\t\n\x20-\x7e]*")
_LOOKS: Mapping[str, Look] = {
    "plan": look.planned,
    "plan, read-only": look.planned_read_only,
    "plan and acknowledge": look.planned_and_acknowledged,
    "undo": look.looks_for("undo"),
    "recover": look.looks_for("recover"),
}


class WireError(ValueError):
    """A value does not have its type. The message names the type, never the value."""


def to_data(value: T, kind: type[T]) -> Any:
    """Return the value as JSON data. Raises WireError."""
    return _encoder(cast(Any, kind))(value)


def from_data(data: Any, kind: type[T]) -> T:
    """Return the value that `to_data` has made the data from. Raises WireError.

    The texts of an Outcome are sanitized again, because they are printed.
    """
    return cast(T, _decoder(cast(Any, kind), kind is Outcome)(data))


def _wrong(kind: object) -> WireError:
    return WireError(f"not a {getattr(kind, '__name__', kind)}")


# --- to data ------------------------------------------------------------------------------------


@cache
def _encoder(kind: Any) -> Convert:
    if kind in _SPECIAL:
        return _SPECIAL[kind][0]
    if kind in _PLAIN:
        return lambda value: _plain(value, kind)
    if kind is object:
        return _json
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda value: value.value if isinstance(value, kind) else _raise(kind)
    if is_dataclass(kind):
        return _encode_dataclass(cast(type, kind))
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return lambda value: value if value in parts else _raise(kind)
    if origin in (Union, types.UnionType):
        return _encode_union(parts)
    if origin is frozenset:
        each = _encoder(parts[0])
        return lambda value: sorted(map(each, value))
    if origin is tuple and parts[-1] is ...:
        each = _encoder(parts[0])
        return lambda value: [each(item) for item in value]
    if origin is tuple:
        by_place = [_encoder(part) for part in parts]
        return lambda value: [to(item) for to, item in zip(by_place, value, strict=True)]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, each = _encoder(parts[0]), _encoder(parts[1])
        return lambda value: {key(name): each(item) for name, item in value.items()}
    raise _wrong(kind)


def _encode_dataclass(kind: type) -> Convert:
    hints = get_type_hints(kind)
    members = [(each.name, _encoder(hints[each.name])) for each in fields(kind)]

    def encode(value: object) -> Any:
        if type(value) is not kind:
            raise _wrong(kind)
        return {name: to(getattr(value, name)) for name, to in members}

    return encode


def _encode_union(parts: tuple[Any, ...]) -> Convert:
    members = [(part, _instances(part), _encoder(part)) for part in parts if part is not type(None)]
    if len(members) == 1:
        only = members[0][2]
        return lambda value: None if value is None else only(value)

    def encode(value: object) -> Any:
        if value is None:
            return None
        for number, (_, instances, to) in enumerate(members):
            if isinstance(value, instances):
                return [number, to(value)]
        raise _wrong(Union)

    return encode


def _instances(part: Any) -> type:
    """Return the class of a member of a union."""
    origin = get_origin(part)
    if origin is Literal:
        return str
    return origin if isinstance(origin, type) else cast(type, part)


# --- from data ----------------------------------------------------------------------------------


@cache
def _decoder(kind: Any, shown: bool = False) -> Convert:
    """`shown`: the texts are printed."""
    if kind in _SPECIAL:
        return _SPECIAL[kind][1]
    if kind is str and shown:
        return _shown
    if kind in _PLAIN:
        return lambda data: _plain(data, kind)
    if kind is object:
        return _json
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda data: _enum(data, kind)
    if is_dataclass(kind):
        return _decode_dataclass(cast(type, kind), shown or kind is Outcome)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return lambda data: data if isinstance(data, str) and data in parts else _raise(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(parts, shown)
    if origin is frozenset:
        each = _decoder(parts[0], shown)
        return lambda data: frozenset(each(item) for item in _list(data)) or _EMPTY
    if origin is tuple and parts[-1] is ...:
        each = _decoder(parts[0], shown)
        return lambda data: tuple([each(item) for item in _list(data)])
    if origin is tuple:
        by_place = [_decoder(part, shown) for part in parts]
        return lambda data: _by_place(by_place, _list(data), kind)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, each = _decoder(parts[0], shown), _decoder(parts[1], shown)
        return lambda data: {key(name): each(item) for name, item in _dict(data).items()} or NOTHING
    raise _wrong(kind)


def _decode_dataclass(kind: type, shown: bool) -> Convert:
    hints = get_type_hints(kind)
    members = {each.name: _decoder(hints[each.name], shown) for each in fields(kind)}

    def decode(data: Any) -> Any:
        if _dict(data).keys() != members.keys():
            raise _wrong(kind)
        return kind(**{name: of(data[name]) for name, of in members.items()})

    return decode


def _decode_union(parts: tuple[Any, ...], shown: bool) -> Convert:
    members = [_decoder(part, shown) for part in parts if part is not type(None)]
    optional = type(None) in parts
    if len(members) == 1:
        only = members[0]
        return lambda data: None if data is None else only(data)

    def decode(data: Any) -> Any:
        if data is None and optional:
            return None
        number, value = _pair(data)
        if type(number) is not int or not 0 <= number < len(members):
            raise _wrong(Union)
        return members[number](value)

    return decode


def _by_place(members: list[Convert], data: list[Any], kind: object) -> tuple[Any, ...]:
    if len(members) != len(data):
        raise _wrong(kind)
    return tuple([of(item) for of, item in zip(members, data, strict=True)])


# --- the leaves ---------------------------------------------------------------------------------

_PLAIN: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (float, int),
    bytes: (),
    type(None): (type(None),),
}


def _plain(value: Any, kind: Any) -> Any:
    if type(value) not in _PLAIN[kind]:
        if kind is str and isinstance(value, str):
            return str(value)  # Unsafe, which is not expanded any more
        raise _wrong(kind)
    return value


def _json(value: Any) -> Any:
    """Return JSON data of any kind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_json(each) for each in value]
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: _json(each) for name, each in value.items()}
    raise WireError("not JSON data")


def _shown(data: Any) -> str:
    if type(data) is not str:
        raise _wrong(str)
    return shared(data if _HARMLESS.fullmatch(data) else sanitize(data, _LONGEST_TEXT))


def _enum(data: Any, kind: type[Enum]) -> Enum:
    try:
        return kind(data)
    except ValueError:
        raise _wrong(kind) from None


def _list(data: Any) -> list[Any]:
    return data if isinstance(data, list) else _raise(list)


def _dict(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else _raise(dict)


def _pair(data: Any) -> list[Any]:
    return data if isinstance(data, list) and len(data) == 2 else _raise(tuple)


def _raise(kind: object) -> Any:
    raise _wrong(kind)


def _name_of(found: Any) -> str:
    for name, each in _LOOKS.items():
        if each is found:
            return name
    raise WireError("not a look that workers know")


def _look(name: Any) -> Look:
    return _LOOKS[name] if isinstance(name, str) and name in _LOOKS else _raise(Look)


_SPECIAL: Mapping[Any, tuple[Convert, Convert]] = {
    Secret: (
        lambda value: value.reveal() if isinstance(value, Secret) else _raise(Secret),
        lambda data: Secret(_plain(data, str)),
    ),
    # A worker only masks it.
    Sealed: (
        lambda value: value.reveal() if isinstance(value, Sealed) else _raise(Sealed),
        lambda data: Sealed(_plain(data, str), b"", owned=False),
    ),
    # The controller decrypts what a worker needs. The rest is of no use there.
    VaultValue: (
        lambda value: "" if isinstance(value, VaultValue) else _raise(VaultValue),
        lambda data: VaultValue(_plain(data, str)),
    ),
    Look: (_name_of, _look),
    # Ctrl-C is the controller's.
    Interrupted: (lambda value: None, lambda data: lambda: False),
}
