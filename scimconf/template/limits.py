"""The limits of a template."""

from __future__ import annotations

MAX_LENGTH = 64 * 1024
"""Characters of one result."""


class LimitError(Exception):
    """The template exceeds a limit of characters, numbers or time."""
