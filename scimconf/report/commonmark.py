"""Text of others in Markdown, as code: nothing in it is markup, a mention or a link there."""

from __future__ import annotations

import re


def code_span(text: str) -> str:
    """Give a code span, which takes nothing in it for markup (CommonMark 6.1)."""
    fence = "`" * (_longest(text) + 1)
    pad = " " if len(fence) > 1 or text != text.strip() else ""
    return f"{fence}{pad}{' '.join(text.splitlines())}{pad}{fence}"


def code_block(text: str, language: str) -> str:
    """Give a fenced code block (CommonMark 4.5), which ends with its fence."""
    fence = "`" * max(3, _longest(text) + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _longest(text: str) -> int:
    """Give the length of the longest row of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
