"""Put untrusted text into Markdown as code, where it cannot be markup, a mention or a link."""

from __future__ import annotations

import re


def code_span(text: str) -> str:
    """Return the text as a code span, in which nothing is markup (CommonMark 6.1)."""
    fence = "`" * (_longest(text) + 1)
    pad = " " if len(fence) > 1 or text != text.strip() else ""
    return f"{fence}{pad}{' '.join(text.splitlines())}{pad}{fence}"


def code_block(text: str, language: str) -> str:
    """Return the text as a fenced code block (CommonMark 4.5) with a fence that is not in it."""
    fence = "`" * max(3, _longest(text) + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _longest(text: str) -> int:
    """Return the length of the longest row of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
