"""A secret text that cannot be printed by accident, and a log formatter that redacts secrets.

Only `reveal()` returns the text of a Secret; a test lists the packages that may call it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import NoReturn
from weakref import WeakSet

MASK = "<secret>"

_LONG_ENOUGH = 6
"""Characters. A shorter text may be part of ordinary words, so it is not redacted."""

_NO_WORD = 12
"""Letters and digits. Fewer may be words of a sentence without its spaces."""
_OTHER = re.compile(r"[^A-Za-z0-9]+")
_ESCAPE = re.compile(r"(?:%|\\x|\\u00|&#x)([0-9A-Fa-f]{2});?")

_HEADER = re.compile(r"(?i)\b(bearer +)[^\s'\"<]+")


class Secret:
    """A text that str, repr, format, pickle and JSON do not show.

    Comparison takes constant time. The hash is that of the object's identity, so that the order of
    a set or dict reveals nothing about the text.
    """

    __slots__ = ("__text", "__weakref__")

    def __init__(self, text: str) -> None:
        self.__text = text
        with _lock:
            _alive.add(self)

    def reveal(self) -> str:
        """Return the clear text. Call this only where the text has to be passed on."""
        return self.__text

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __len__(self) -> int:
        return len(self.__text)

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (text.encode(errors="surrogatepass") for text in (self.__text, other.__text))
        return hmac.compare_digest(mine, theirs)

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied to disk")


class Sealed(Secret):
    """A value that was decrypted with the vault password, and its type.

    It comes from a `!vault` value or an encrypted file, or is a text that contains such a value.
    """

    __slots__ = ("__bound", "__data", "__key", "composed", "owned")

    def __init__(
        self,
        data: object,
        key: bytes,
        *,
        owned: bool,
        composed: bool = False,
        bound: str | None = None,
    ) -> None:
        """Seal `data`. `key` is secret, too: computing it needs the vault password.

        `owned`: whoever wrote this value at its place has the vault password. Anybody can refer to
        an encrypted value of somebody else, so a reference is not owned. `composed`: it is the
        result of a template. `bound`: what the digest covers, if it is not the data.
        """
        super().__init__(str(data))
        self.__data = data
        self.__key = key
        self.__bound = repr(data) if bound is None else bound
        self.owned = owned
        self.composed = composed

    def reveal_data(self) -> object:
        """Return the value with its type. Call this only where it is used."""
        return self.__data

    def referenced(self) -> Sealed:
        """Return the same value for a place that only refers to it."""
        return Sealed(
            self.__data, self.__key, owned=False, composed=self.composed, bound=self.__bound
        )

    def joined(self, others: Iterable[Sealed], data: object, *, owned: bool, bound: str) -> Sealed:
        """Return a value that was made from this one and others.

        `bound`: what its digest covers. For a template of a stranger it is not the result, because
        equal digests of two templates would reveal something about the values in them.
        """
        keys = b"".join(each.__key for each in (self, *others))
        key = hashlib.sha256(keys).digest()
        return Sealed(data, key, owned=owned, composed=True, bound=bound)

    @property
    def mark(self) -> str:
        """A secret text that identifies this value inside the text that digests cover."""
        text = self.__bound.encode(errors="surrogatepass")
        return hmac.new(self.__key, text, "sha256").hexdigest()

    @property
    def digest(self) -> str:
        """A text that changes with the value, and from which nobody without the key can guess it.

        It also changes if the value is encrypted again.
        """
        return self.mark[:16]


_alive: WeakSet[Secret] = WeakSet()
_lock = Lock()


def redact(text: str) -> str:
    """Return a text with every existing Secret and every bearer token replaced by the mask."""
    if not text:
        return text
    with _lock:
        texts = {secret.reveal() for secret in _alive}
    for secret in sorted(texts, key=len, reverse=True):
        if len(secret) >= _LONG_ENOUGH:
            text = text.replace(secret, MASK)
    return _HEADER.sub(rf"\g<1>{MASK}", text)


def hides_secret(text: str) -> bool:
    """Return whether a text contains an existing Secret in another form.

    The forms: divided by spaces, line breaks or signs; escapes of JSON, URLs and HTML; hex; base64.
    """
    decoded = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    said = (_letters(text), _letters(decoded), _letters(text).lower())
    with _lock:
        texts = {secret.reveal() for secret in _alive}
    return any(form in each for secret in texts for form in _forms(secret) for each in said)


def _forms(secret: str) -> Iterator[str]:
    """Yield the letters and digits of each form of a secret that is long enough."""
    if len(_letters(secret)) < _NO_WORD:
        return
    data = secret.encode(errors="surrogatepass")
    yield _letters(secret)
    yield data.hex()
    for shift in range(3):  # base64 depends on the position in a group of three bytes
        encoded = base64.b64encode(bytes(shift) + data).decode()
        yield _letters(encoded[4 if shift else 0 : -4])


def _letters(text: str) -> str:
    return _OTHER.sub("", text)


class RedactingFormatter(logging.Formatter):
    """Formats a log record with its traceback, and redacts the whole text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text without secrets."""
        return redact(super().format(record))
