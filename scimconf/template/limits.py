"""How much a template may ask for."""

from __future__ import annotations

MAX_LENGTH = 64 * 1024
"""Characters that one expansion may give."""


class LimitError(Exception):
    """A template asks for more characters, numbers or time than any inventory needs."""
