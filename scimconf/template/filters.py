"""The filters and tests of Ansible and Jinja that inventory variables may use.

Named and behaving as in Ansible's filter reference and Jinja's, but with bounded effort; the list
is short on purpose, and what is not in it is refused by name.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from jinja2 import Environment, pass_environment
from jinja2.filters import FILTERS as JINJA
from jinja2.filters import make_attrgetter
from jinja2.tests import TESTS as JINJA_TESTS

from scimconf.template import gathering, regex
from scimconf.template.limits import MAX_LENGTH, LimitError

_TRUE = ("yes", "on", "1", "true")


def to_bool(value: object) -> bool:
    """Tell whether Ansible's `bool` filter takes it as true: True, 1, "yes", "on", "true"."""
    return value.lower() in _TRUE if isinstance(value, str) else value == 1


def ternary(value: object, yes: object, no: object, none: object = None) -> object:
    """Give `yes` where the value is true, else `no`; `none` for None where it is given."""
    if value is None and none is not None:
        return none
    return yes if value else no


def replace(text: object, old: str, new: str, count: int = -1) -> str:
    """Replace each `old` by `new`."""
    subject = str(text)
    if len(subject) + subject.count(str(old)) * len(str(new)) > MAX_LENGTH:
        raise LimitError("replace would make the text far too long")
    return subject.replace(str(old), str(new), count)


@pass_environment
def join(
    environment: Environment,
    items: Iterable[object],
    between: str = "",
    attribute: str | int | None = None,
) -> str:
    """Make one text of the items, or of one attribute of each."""
    if attribute is not None:
        items = map(make_attrgetter(environment, attribute), items)
    texts = [str(item) for item in items]
    if sum(map(len, texts)) + len(texts) * len(between) > MAX_LENGTH:
        raise LimitError("join would make the text far too long")
    return between.join(texts)


def split(text: str, separator: str | None = None, limit: int = -1) -> list[str]:
    """Split a text at each separator, by default at blanks."""
    return text.split(separator, limit)


def to_json(value: object) -> str:
    """Give the value as JSON."""
    return json.dumps(value, default=str)


def from_json(text: str) -> object:
    """Give the value that a JSON text stands for."""
    return json.loads(text)


def quote(text: object) -> str:
    """Quote for a POSIX shell."""
    return shlex.quote("" if text is None else str(text))


def to_base64(text: object) -> str:
    """Give Base64 of the text's UTF-8."""
    return b64encode(str(text).encode()).decode()


def from_base64(text: str) -> str:
    """Give the text whose UTF-8 this Base64 stands for."""
    return b64decode(text).decode()


def path_join(parts: str | list[str]) -> str:
    """Give the path that the parts make together."""
    return posixpath.join(*([parts] if isinstance(parts, str) else parts))


def mandatory(value: object) -> object:
    """Give the value: using what is not defined fails anyway."""
    str(value)
    return value


_FROM_JINJA = (
    "abs capitalize count d default dictsort first float int items last length list lower map max "
    "min reject rejectattr reverse round select selectattr sort string title trim unique upper"
)
FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: JINJA[name] for name in _FROM_JINJA.split()},
    "b64decode": from_base64,
    "b64encode": to_base64,
    "basename": posixpath.basename,
    "bool": to_bool,
    "combine": gathering.combine,
    "dict2items": gathering.dict2items,
    "difference": gathering.difference,
    "dirname": posixpath.dirname,
    "flatten": gathering.flatten,
    "from_json": from_json,
    "intersect": gathering.intersect,
    "items2dict": gathering.items2dict,
    "join": join,
    "mandatory": mandatory,
    "path_join": path_join,
    "quote": quote,
    "regex_escape": regex.regex_escape,
    "regex_findall": regex.regex_findall,
    "regex_replace": regex.regex_replace,
    "regex_search": regex.regex_search,
    "replace": replace,
    "split": split,
    "splitext": posixpath.splitext,
    "ternary": ternary,
    "to_json": to_json,
    "union": gathering.union,
    "zip": zip,
}
TESTS: Mapping[str, Callable[..., Any]] = {
    **{name: cast(Callable[..., Any], test) for name, test in JINJA_TESTS.items()},
    "all": all,
    "any": any,
    "contains": gathering.contains,
    "falsy": lambda value: not value,
    "match": regex.match,
    "regex": regex.search,
    "search": regex.search,
    "subset": gathering.subset,
    "superset": gathering.superset,
    "truthy": bool,
}
