"""What pydantic found, as problems with places and in words of the inventory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from scimconf.inventory.place import Place, kind_of, nearest
from scimconf.model import Problem

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a number",
    "float_type": "a number",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number from {ge}",
    "less_than_equal": "a number up to {le}",
    "is_instance_of": "text or a !vault value",
}


def problems(
    error: ValidationError,
    value: object,
    place_of: Callable[[tuple[Hashable, ...]], Place],
    known: Iterable[str] = (),
) -> Iterator[Problem]:
    """Give each thing that is wrong with `value`; `place_of` tells the place of a way into it.

    `known` are the keys that may stand at its top. No problem shows a value.
    """
    reported: set[tuple[Hashable, ...]] = set()
    for detail in error.errors(include_input=False, include_url=False):
        loc = detail["loc"]
        is_key = bool(loc) and loc[-1] == "[key]"
        way, found = _found(value, loc[:-1] if is_key else loc)
        if way in reported:  # the branches of a union say the same thing each
            continue
        reported.add(way)
        message, hint = _words(detail, found, known, way)
        if is_key:
            message, hint = f"a key must be text, YAML reads {kind_of(way[-1])} here", "quote it"
        yield place_of(way).problem(message, hint)


def _found(value: object, loc: tuple[int | str, ...]) -> tuple[tuple[Hashable, ...], object]:
    """Follow `loc` as far as it leads through data; names of union branches are not data."""
    way: list[Hashable] = []
    for step in loc:
        if isinstance(value, dict) and step in value:
            # pydantic says 0 for the key False; the place is known by the key itself.
            way.append(next(key for key in value if key == step))
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int):
            way.append(step)
            value = value[step]
        else:
            break
    return tuple(way), value


def _words(
    detail: Any, found: object, known: Iterable[str], way: tuple[Hashable, ...]
) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "rule":
        return context["message"], context["hint"]
    if kind == "extra_forbidden":
        return f"unknown key, known are {', '.join(known)}", nearest(way[-1], known)
    if kind == "literal_error":
        words = context["expected"].replace("'", "").split(" or ")
        allowed = [word for part in words for word in part.split(", ")]
        hint = nearest(found, allowed) if isinstance(found, str) else ""
        listed = " or ".join((", ".join(allowed[:-1]), allowed[-1])) if allowed[1:] else allowed[0]
        return f"expected {listed}", hint
    if kind not in _EXPECTED:
        return "this value cannot be used here", ""
    expected = _EXPECTED[kind].format(**context)
    hint = (
        "quote it" if expected == "text" and not isinstance(found, (dict, list, type(None))) else ""
    )
    if kind in ("greater_than", "greater_than_equal", "less_than_equal"):
        return f"expected {expected}", ""
    return f"expected {expected}, found {kind_of(found)}", hint
