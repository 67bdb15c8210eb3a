"""Ansible's filters and tests for lists and mappings, each with bounded effort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from scimconf.template.limits import LimitError

_MAX_ITEMS = 1000
"""Of lists that are made of other lists, or compared item by item."""
_MAX_DEPTH = 64


def combine(value: object, *others: object, recursive: bool = False) -> dict[object, object]:
    """Give one mapping of several: of equal keys the last wins, or mappings are combined too."""
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
    """Give a list of `key` and `value`."""
    return [{key_name: key, value_name: item} for key, item in value.items()]


def items2dict(
    items: Iterable[Mapping[str, object]], key_name: str = "key", value_name: str = "value"
) -> dict[object, object]:
    """Give the mapping of such a list."""
    return {item[key_name]: item[value_name] for item in items}


def union(one: Iterable[object], other: Iterable[object]) -> list[object]:
    """Give what is in either, each once."""
    return _once([*_few(one), *_few(other)])


def difference(one: Iterable[object], other: Iterable[object]) -> list[object]:
    """Give what is in the first only, each once."""
    without = _few(other)
    return _once(item for item in _few(one) if item not in without)


def intersect(one: Iterable[object], other: Iterable[object]) -> list[object]:
    """Give what is in both, each once."""
    both = _few(other)
    return _once(item for item in _few(one) if item in both)


def _few(items: Iterable[object]) -> list[object]:
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


def flatten(items: Sequence[object], levels: int | None = None) -> list[object]:
    """Give the items of lists in lists, `levels` deep; nulls are left out."""
    flat = _flat(items, _MAX_DEPTH if levels is None else levels)
    return _few(islice(flat, _MAX_ITEMS + 1))


def _flat(items: Sequence[object], levels: int) -> Iterator[object]:
    for item in items:
        if item in (None, "None", "null"):
            continue
        if isinstance(item, (list, tuple)) and levels > 0:
            yield from _flat(item, levels - 1)
        else:
            yield item


def contains(items: Iterable[object], item: object) -> bool:
    """Tell whether an item is among these."""
    return item in items


def subset(items: Iterable[object], others: Iterable[object]) -> bool:
    """Tell whether all items are among the others."""
    whole = _few(others)
    return all(item in whole for item in _few(items))


def superset(items: Iterable[object], others: Iterable[object]) -> bool:
    """Tell whether all the others are among the items."""
    return subset(others, items)
