"""The filters and tests of Ansible and Jinja that inventory variables can use.

They have the names and the behavior of Ansible's and Jinja's filter references, with limits. An
unknown filter or test is an error.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from jinja2 import Environment, pass_environment
from jinja2.filters import FILTERS as JINJA
from jinja2.filters import make_attrgetter
from jinja2.runtime import Undefined
from jinja2.tests import TESTS as JINJA_TESTS

from scimconf.template import gathering, regex
from scimconf.template.limits import MAX_LENGTH, LimitError

_TRUE = ("yes", "on", "1", "true")


def to_bool(value: object) -> bool:
    """Return True for True, 1, "yes", "on", "1" and "true", as Ansible's `bool` filter does."""
    return value.lower() in _TRUE if isinstance(value, str) else value == 1


def ternary(value: object, yes: object, no: object, none: object = None) -> object:
    """Return `yes` if the value is true, else `no`. For None, return `none` if it is given."""
    if value is None and none is not None:
        return none
    return yes if value else no


def replace(text: object, old: str, new: str, count: int = -1) -> str:
    """Replace `old` by `new`, at most `count` times."""
    subject = str(text)
    if len(subject) + subject.count(str(old)) * len(str(new)) > MAX_LENGTH:
        raise LimitError("the result of replace is too long")
    return subject.replace(str(old), str(new), count)


@pass_environment
def join(
    environment: Environment,
    items: Iterable[object],
    between: str = "",
    attribute: str | int | None = None,
) -> str:
    """Join the items, or one attribute of each, to one text."""
    if attribute is not None:
        items = map(make_attrgetter(environment, attribute), items)
    texts = [str(item) for item in items]
    if sum(map(len, texts)) + len(texts) * len(between) > MAX_LENGTH:
        raise LimitError("the result of join is too long")
    return between.join(texts)


def split(text: str, separator: str | None = None, limit: int = -1) -> list[str]:
    """Split a text at each separator, by default at spaces."""
    return text.split(separator, limit)


def mandatory(value: object) -> object:
    """Return the value. Using an undefined value raises an error."""
    if isinstance(value, Undefined):
        str(value)
    return value


_FROM_JINJA = (
    "abs capitalize count d default dictsort first float int items last length list lower map max "
    "min reject rejectattr reverse round select selectattr sort string title trim unique upper"
)
FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: JINJA[name] for name in _FROM_JINJA.split()},
    "basename": posixpath.basename,
    "bool": to_bool,
    "combine": gathering.combine,
    "dict2items": gathering.dict2items,
    "difference": gathering.difference,
    "dirname": posixpath.dirname,
    "intersect": gathering.intersect,
    "join": join,
    "mandatory": mandatory,
    "regex_replace": regex.regex_replace,
    "regex_search": regex.regex_search,
    "replace": replace,
    "split": split,
    "ternary": ternary,
    "union": gathering.union,
}
ANSIBLE_TESTS: Mapping[str, Callable[..., Any]] = {
    "contains": gathering.contains,
    "falsy": lambda value: not value,
    "match": regex.match,
    "regex": regex.search,
    "search": regex.search,
    "truthy": bool,
}
TESTS: Mapping[str, Callable[..., Any]] = {
    **{name: cast(Callable[..., Any], test) for name, test in JINJA_TESTS.items()},
    **ANSIBLE_TESTS,
}
