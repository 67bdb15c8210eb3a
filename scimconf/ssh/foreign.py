"""Text that comes from a server, made harmless before a person sees it."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)", re.DOTALL
)
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def harmless(text: bytes | str, limit: int = 300) -> str:
    """Give a server's text on one line, without terminal escapes, at most `limit` characters.

    Control characters, bidirectional marks and what is not UTF-8 become blanks; the first lines
    are joined by " / ".
    """
    if isinstance(text, bytes):
        text = text[: 16 * limit].decode("utf-8", "replace")
    text = _ESCAPE_SEQUENCE.sub("", text[: 16 * limit])
    lines = (
        " ".join("".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in line).split())
        for line in re.split(r"[\r\n]+", text)
    )
    joined = " / ".join(line for line in lines if line)
    return joined if len(joined) <= limit else joined[: limit - 3] + "..."
