"""Translate pydantic's errors into problems with positions, in terms of the inventory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from scimconf.inventory import ini
from scimconf.inventory.place import Place, kind_of, nearest
from scimconf.model import Problem

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a number",
    "float_type": "a number",
    "dict_type": "a mapping",
    "list_type": "a list",
    "model_type": "a mapping",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "is_instance_of": "text or a !vault value",
}


def problems(
    error: ValidationError,
    value: object,
    place_of: Callable[[tuple[Hashable, ...]], Place],
    known: Iterable[str] = (),
    hidden: Collection[str] = (),
    inside: Mapping[tuple[Hashable, ...], Iterable[str]] = MappingProxyType({}),
) -> Iterator[Problem]:
    """Yield a problem for each error in `value`; `place_of` returns the place for a path of keys.

    `known` are the allowed keys at its top level, `inside` those of mappings in it. No problem
    quotes a value, and none says anything about the value of a key in `hidden`.
    """
    reported: set[tuple[Hashable, ...]] = set()
    for detail in error.errors(include_input=False, include_url=False):
        loc = detail["loc"]
        is_key = bool(loc) and loc[-1] == "[key]"
        path, found = _found(value, loc[:-1] if is_key else loc)
        if detail["type"] == "missing":  # its loc ends with the key that is missing
            path = (*path, loc[-1])
        if path in reported:  # each branch of a union reports the same value
            continue
        reported.add(path)
        message, hint = _words(detail, found, inside.get(path[:-1], known), path)
        if is_key:
            message, hint = (
                f"a key must be text, but YAML reads {kind_of(path[-1])} here",
                "quote it",
            )
        if path[:1] and path[0] in hidden:
            message, hint = "this encrypted value is not valid here", ""
        place = place_of(path[:-1] if detail["type"] == "missing" else path)
        yield place.problem(message, ini.hint(place, message, hint), quotes=False)


def _found(value: object, loc: tuple[int | str, ...]) -> tuple[tuple[Hashable, ...], object]:
    """Follow `loc` while it matches the data. Its end can be the names of union branches."""
    path: list[Hashable] = []
    for step in loc:
        if isinstance(value, dict) and step in value:
            # pydantic has 0 for the key False; positions need the key itself.
            path.append(next(key for key in value if key == step))
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int):
            path.append(step)
            value = value[step]
        else:
            break
    return tuple(path), value


def _words(
    detail: Any, found: object, known: Iterable[str], path: tuple[Hashable, ...]
) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "rule":
        return context["message"], context["hint"]
    if kind == "missing":
        return f"{path[-1]} is missing", ""
    if kind == "extra_forbidden":
        return f"unknown key, expected one of: {', '.join(known)}", nearest(path[-1], known)
    if kind == "literal_error":
        words = context["expected"].replace("'", "").split(" or ")
        allowed = [word for part in words for word in part.split(", ")]
        hint = nearest(found, allowed) if isinstance(found, str) else ""
        listed = " or ".join((", ".join(allowed[:-1]), allowed[-1])) if allowed[1:] else allowed[0]
        return f"expected {listed}", hint
    if kind not in _EXPECTED:
        return "this value is not valid here", ""
    expected = _EXPECTED[kind].format(**context)
    hint = (
        "quote it"
        if expected.startswith("text") and not isinstance(found, (dict, list, type(None)))
        else ""
    )
    if expected == "a list" and isinstance(found, str):
        hint = f"write a list, for example {path[-1]}: [A, B]" if path else ""
    if kind in ("greater_than", "greater_than_equal", "less_than_equal"):
        return f"expected {expected}", ""
    return f"expected {expected}, found {kind_of(found)}", hint
