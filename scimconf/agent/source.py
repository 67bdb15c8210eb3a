"""Hold a Python file as bytes, text and syntax tree, and convert positions between them.

`ast` counts columns in UTF-8 bytes of the decoded line. With a byte order mark or a latin-1 coding
line, these are not offsets into the file. Lines end at CR LF, CR or LF only, not at a form feed or
U+2028 (Python reference, 2.1.2).
"""

from __future__ import annotations

import ast
import codecs
import re
import warnings
from typing import NamedTuple, Tuple

from scimconf.agent.errors import Refusal, redacted

LIMIT = 4 * 1024 * 1024
"""Bytes. Zulip's own settings.py has about 40,000."""

_END = re.compile(r"\r\n|\r|\n")
_BYTE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


@redacted
class Source(NamedTuple):
    """A parsed Python file. `text` has no byte order mark."""

    data: bytes
    text: str
    encoding: str
    tree: ast.Module
    starts: Tuple[int, ...]
    """The offset in `text` of every line's first character."""

    def offset(self, line: int, utf8_column: int) -> int:
        """Return the offset in `text` of a (lineno, col_offset) of `ast`."""
        start = self.starts[line - 1]
        end = self.starts[line] if line < len(self.starts) else len(self.text)
        return start + len(self.text[start:end].encode()[:utf8_column].decode())

    def span(self, node: ast.AST) -> Tuple[int, int]:
        """Return the start and end of a node in `text`."""
        where = vars(node)
        return (
            self.offset(where["lineno"], where["col_offset"]),
            self.offset(where["end_lineno"], where["end_col_offset"]),
        )

    def place(self, node: ast.AST) -> Tuple[int, int]:
        """Return the line and column of a node, in characters, from 1."""
        line = vars(node)["lineno"]
        return line, self.span(node)[0] - self.starts[line - 1] + 1

    def encode(self, text: str) -> bytes:
        """Return a changed text in this file's encoding.

        Raises Refusal if the encoding lacks a character.
        """
        mark = codecs.BOM_UTF8 if self.data.startswith(codecs.BOM_UTF8) else b""
        try:
            return mark + text.encode(self.encoding)
        except UnicodeError:
            raise Refusal(
                f"its encoding {self.encoding} lacks a needed character; save it as UTF-8", 1, 1
            ) from None

    def newline(self, offset: int) -> str:
        """Return the line break for new text at `offset`: that of the line before, or the first."""
        found = ""
        for match in _END.finditer(self.text):
            if found and match.end() > offset:
                break
            found = match.group()
        return found or "\n"


def read(data: bytes) -> Source:
    """Parse a Python file. Raises Refusal if Python itself would not read it."""
    if len(data) > LIMIT:
        raise Refusal(f"larger than {LIMIT} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as for an invalid escape in another setting
        text, encoding = _decode(data)
        tree = _parse(data)
    starts = (0, *(match.end() for match in _END.finditer(text)))
    source = Source(data, text, encoding, tree, starts)
    # If an encoding writes line breaks in another way (unicode_escape), the line numbers differ.
    if source.encode(text) != data or len(starts) != len(_BYTE_END.findall(data)) + 1:
        raise Refusal(f"its encoding {encoding} does not keep every byte; save it as UTF-8", 1, 1)
    return source


def _decode(data: bytes) -> Tuple[str, str]:
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    body = data[len(mark) :]
    try:
        # A coding line must be one of the first two lines, and a lone CR ends a line too. Other
        # text in these lines need not be UTF-8. Unlike Python, tokenize requires UTF-8, so other
        # bytes are replaced.
        lines = (_NOT_ASCII.sub(b"?", match.group()) for match in _BYTE_LINE.finditer(body))
        first = mark + next(lines, b"")
        encoding = _coding(first, next(lines, b""))
        return body.decode(encoding), encoding
    except SyntaxError as error:
        raise Refusal(f"not Python: {error.msg}", 1, 1) from None
    except UnicodeDecodeError as error:
        place = _byte_place(body, error.start) if error.object == body else (1, 1)
        raise Refusal(_UNDECODED, *place) from None
    except (UnicodeError, LookupError):
        raise Refusal(_UNDECODED, 1, 1) from None


def _coding(first: bytes, second: bytes) -> str:
    """Return the encoding that the first two lines of a file declare. Raises SyntaxError."""
    if b"coding" not in first + second:
        return "utf-8"
    import tokenize  # takes 1 ms, and Zulip's own settings.py has no coding line

    head = iter((first, second))
    encoding, _ = tokenize.detect_encoding(lambda: next(head, b""))
    return "utf-8" if encoding == "utf-8-sig" else encoding


_UNDECODED = "cannot be decoded as UTF-8 or with the encoding of its coding line"


def _byte_place(data: bytes, offset: int) -> Tuple[int, int]:
    """Return the line and column of a byte. The bytes before it may not be valid characters."""
    lines = [match.group() for match in _BYTE_LINE.finditer(data[: offset + 1])]
    return len(lines), len(lines[-1][:-1].decode(errors="replace")) + 1


def _parse(data: bytes) -> ast.Module:
    if b"\0" in data:
        raise Refusal("not Python: it has null bytes", *_byte_place(data, data.index(b"\0")))
    try:
        return ast.parse(data)
    except SyntaxError as error:
        # The message of an old parser can quote a name, but never the content of a string.
        place = max(error.lineno or 1, 1), max(error.offset or 1, 1)
        raise Refusal(f"not Python: {error.msg}", *place) from None
    except ValueError:
        raise Refusal(_UNDECODED, 1, 1) from None
    except (RecursionError, MemoryError):
        raise Refusal("cannot be parsed: nested too deeply") from None
