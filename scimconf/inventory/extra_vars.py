"""Read the variables of `-e`, which override all others.

The rules are those of ansible's utils/vars.py (load_extra_vars) and parsing/splitter.py (parse_kv).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from scimconf.errors import InventoryError
from scimconf.inventory.connection import SECRETS, SPELLINGS
from scimconf.inventory.encrypted import ClosedFileError, Vault
from scimconf.inventory.place import Layer, Place, Problems, kind_of
from scimconf.inventory.sources import document
from scimconf.model import Problem
from scimconf.secret import Secret
from scimconf.template import is_template
from scimconf.tokens.generate import looks_generated
from scimconf.tokens.references import SOURCES
from scimconf.yamlfile import Document, KeyPath, read_text

_ESCAPE = re.compile(
    r"""\\(?:U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|N\{[^}]+\}|[\\'"abfnrtv])"""
)
_BLOCKS = {"{{": "}}", "{%": "%}", "{#": "#}"}
_PASSWORDS = frozenset(name for field in SECRETS for name in SPELLINGS[field])
_SEEN = "on the command line, where every local user can read it"
_IN_FILE = "put it into a file that only you can read: -e @FILE"


def layers(given: Sequence[str], vault: Vault, problems: Problems) -> list[Layer]:
    """Return the variables of each -e, the strongest last.

    A mistake, or a token in clear text, is an error in `problems`; a password is a warning.
    """
    found = []
    for text in given:
        with problems.gathered():
            if layer := _layer(text, vault):
                found.append(layer)
                if not text.startswith("@"):
                    _check(layer, problems)
    return found


def _layer(text: str, vault: Vault) -> Layer | None:
    if not text:
        return None  # a script's variable may be empty; Ansible ignores it, too
    if text.startswith("@"):
        read = _file(text[1:], vault)
    elif text[0] in "/.":
        _fail("-e: a value that begins with / or . looks like a file name", "write -e @FILE")
    elif text[0] in "[{":
        read = document("-e", text, vault)
    else:
        read = Document("-e", text, _pairs(text), {})
    if not isinstance(read.data, dict):
        _fail(f"-e: expected variables, found {kind_of(read.data)}")
    return Layer(Place(read, ()), read.data)


def _file(name: str, vault: Vault) -> Document:
    path = Path(name).expanduser()
    try:
        return document(str(path), read_text(path), vault)
    except ClosedFileError as error:
        raise InventoryError([error.problem("its variables are not known")]) from None


def _fail(message: str, hint: str = "") -> NoReturn:
    raise InventoryError([Problem(message, hint=hint)]) from None


def _pairs(text: str) -> dict[str, str]:
    """Return the variables of `KEY=VALUE KEY="VALUE WITH SPACES"`. Every value is text."""
    found = {}
    for word in map(_unescaped, _words(text)):
        equals = re.search(r"(?<=[^\\])=", word)
        if equals is None:
            hint = "write KEY=VALUE, a JSON or YAML mapping, or @FILE; quote a value with spaces"
            _fail("-e: a word has no =", hint)
        key, value = word[: equals.start()], word[equals.end() :]
        found[key.strip()] = _unquoted(value.strip())
    return found


def _words(text: str) -> Iterator[str]:
    """Split a text at spaces outside of quotes and of templates. Quotes stay."""
    word, quote, closing, at = "", "", "", 0
    while at < len(text):
        here, pair = text[at], text[at : at + 2]
        if not quote and not closing and here.isspace():
            if word:
                yield word
            word, at = "", at + 1
            continue
        if closing:
            here = pair if pair == closing else here
            closing = "" if pair == closing else closing
        elif pair in _BLOCKS and not quote:
            here, closing = pair, _BLOCKS[pair]
        elif here in "\"'" and not word.endswith("\\") and quote in ("", here):
            quote = "" if quote else here
        word += here
        at += len(here)
    if quote or closing:
        _fail("-e: a quote or a template is not closed")
    if word:
        yield word


def _unescaped(word: str) -> str:
    try:
        return _ESCAPE.sub(lambda found: codecs.decode(found[0], "unicode-escape"), word)
    except UnicodeDecodeError:
        _fail("-e: a backslash escape is not valid", "double the backslash")


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted and value[-2] != "\\" else value


def _check(layer: Layer, problems: Problems) -> None:
    """Report secrets on the command line."""
    for keys, value in _leaves((), layer.values):
        if not isinstance(value, (str, int)) or isinstance(value, bool) or is_template(value):
            continue
        place = layer.place.inside(*keys)
        is_token = keys[0] == "scim_realms" and keys[2:] == ("token",)
        if looks_generated(Secret(str(value))) or (is_token and not _is_reference(str(value))):
            problems.error(place.problem(f"a token is {_SEEN}", _IN_FILE))
        elif keys[0] in _PASSWORDS:
            problems.warn(place.problem(f"a password is {_SEEN}", _IN_FILE))


def _is_reference(text: str) -> bool:
    return text.partition(":")[0] in SOURCES


def _leaves(keys: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    items: Iterable[tuple[Hashable, object]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield keys, value
    for key, item in items:
        yield from _leaves((*keys, key), item)
