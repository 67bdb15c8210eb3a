"""Convert the values of an INI inventory: Python literals, or text.

The rules are those of ansible's plugins/inventory/ini.py (_parse_value): `22` is a number, `True` a
boolean, `[1, 'a']` a list; what is no literal, such as `true` or `yes`, is text.
"""

from __future__ import annotations

import ast
import re
import warnings

_MAX_CHARACTERS = 16 * 1024
"""Python's parser can end the process if an expression is nested some ten thousand levels deep."""
_MAX_NUMBER = 10**1000
_TEXT = re.compile(r"(?!(?:True|False|None)$)[A-Za-z_][\w.-]*|[0-9]+(?:\.[0-9]+){2,}", re.ASCII)
"""Most values. None of these is a literal, so Python's parser need not be asked, which is slow."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_QUOTE = "quote it, or move the variable into group_vars/"


class NotPlain(ValueError):
    """A value that Ansible refuses, or that cannot be a variable."""

    def __init__(self, message: str, hint: str = _QUOTE) -> None:
        super().__init__(message)
        self.hint = hint


def literal(text: str) -> tuple[object, int]:
    """Return the value of a text, and how many values it consists of.

    Raises NotPlain for a value at which Ansible would refuse the file, and for one that is too
    large. Its message does not quote the value.
    """
    if _TEXT.fullmatch(text):
        return text, 1
    if _NUMBER.fullmatch(text):
        return int(text), 1
    if len(text) > _MAX_CHARACTERS:
        hint = "move the variable into group_vars/ or host_vars/"
        raise NotPlain(f"this value has more than {_MAX_CHARACTERS} characters", hint)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text, 1
    except TypeError:
        # The keys of `{[1]: 2}` are not hashable, nor are those of the template `{{ 'x' }}`.
        raise NotPlain("this looks like a Python literal, but Ansible cannot read it") from None
    except (MemoryError, RecursionError):
        raise NotPlain("this value is nested too deep") from None
    return _plain(found)


def _plain(value: object) -> tuple[object, int]:
    """Return a literal as a variable has it: bytes are text, tuples and sets are lists."""
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_plain(item) for item in value]
        return [item for item, _ in items], 1 + sum(nodes for _, nodes in items)
    if isinstance(value, dict):
        pairs = {_key(key): _plain(item) for key, item in value.items()}
        values = {key: item for key, (item, _) in pairs.items()}
        return values, 1 + sum(1 + nodes for _, nodes in pairs.values())
    return _scalar(value), 1


def _scalar(value: object) -> object:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise NotPlain("these bytes are not UTF-8 text") from None
    if value is ...:
        return "..."
    if isinstance(value, complex):
        return str(value)
    if isinstance(value, int) and abs(value) >= _MAX_NUMBER:
        raise NotPlain("this number has more than 1000 digits")
    if isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value):
        raise NotPlain("this text has half of a surrogate pair")
    return value


def _key(key: object) -> object:
    if isinstance(key, (str, int, float)) or key is None:
        return _scalar(key)
    raise NotPlain("a key must be text")
