"""Compare Python expressions."""

from __future__ import annotations

import ast
import threading

_one_at_a_time = threading.Lock()
"""CPython 3.11 counts the depth of all threads that parse together, and raises SystemError."""


def tree(source: str) -> str:
    """Return the expression in a form that is equal for equal expressions. Raises SyntaxError."""
    with _one_at_a_time:
        return ast.dump(ast.parse(source, mode="eval"))
