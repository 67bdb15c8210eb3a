"""Ansible's filters and tests for lists and mappings, with limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scimconf.template.limits import LimitError

_MAX_ITEMS = 1000
"""Items of lists that are compared item by item."""
_MAX_DEPTH = 64


def combine(value: object, *others: object, recursive: bool = False) -> dict[object, object]:
    """Merge mappings. For equal keys the last value wins, or with `recursive` mappings merge."""
    found: dict[object, object] = {}
    for each in (value, *others):
        if not isinstance(each, Mapping):
            raise TypeError("combine is for mappings")
        found = _merged(found, each, recursive, 0)
    return found


def _merged(
    below: Mapping[object, object], above: Mapping[object, object], recursive: bool, depth: int
) -> dict[object, object]:
    if depth > _MAX_DEPTH:
        raise LimitError("the mappings are nested too deeply")
    found = {**below, **above}
    if recursive:
        for key in below.keys() & above.keys():
            old, new = below[key], above[key]
            if isinstance(old, Mapping) and isinstance(new, Mapping):
                found[key] = _merged(old, new, recursive, depth + 1)
    return found


def dict2items(
    value: Mapping[str, object], key_name: str = "key", value_name: str = "value"
) -> list[dict[str, object]]:
    """Return a list of mappings with `key` and `value`."""
    return [{key_name: key, value_name: item} for key, item in value.items()]


def union(one: Iterable[object], other: Iterable[object]) -> list[object]:
    """Return the items of both lists, each once."""
    return _once([*_limited(one), *_limited(other)])


def difference(one: Iterable[object], other: Iterable[object]) -> list[object]:
    """Return the items of the first list that are not in the second, each once."""
    without = _limited(other)
    return _once(item for item in _limited(one) if item not in without)


def intersect(one: Iterable[object], other: Iterable[object]) -> list[object]:
    """Return the items that are in both lists, each once."""
    both = _limited(other)
    return _once(item for item in _limited(one) if item in both)


def _limited(items: Iterable[object]) -> list[object]:
    found = list(items)
    if len(found) > _MAX_ITEMS:
        raise LimitError(f"a list has more than {_MAX_ITEMS} items")
    return found


def _once(items: Iterable[object]) -> list[object]:
    found: list[object] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def contains(items: Iterable[object], item: object) -> bool:
    """Return True if the item is in the list."""
    return item in items
