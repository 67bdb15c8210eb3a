"""Compare Python expressions, and let only one thread parse Python."""

from __future__ import annotations

import ast
import threading

parsing = threading.Lock()
"""Hold it while Python source becomes a tree (`ast.parse`): CPython 3.11 counts the depth of all
threads that parse together, and raises SystemError."""


def tree(source: str) -> str:
    """Return the expression in a form that is equal for equal expressions. Raises SyntaxError."""
    with parsing:
        return ast.dump(ast.parse(source, mode="eval"))
