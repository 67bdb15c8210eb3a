"""Find where a settings.py imports and uses Zulip's `get_secret`."""

from __future__ import annotations

import ast
from typing import Dict, List, Optional

from scimconf.agent.names import imports_all, mentions

NAME = "get_secret"

_MODULES = (("config", 1), ("zproject.config", 0))
"""Relative as in Zulip's own settings.py (`from .config import get_secret`), and absolute."""


def imports(tree: ast.AST) -> Dict[int, ast.ImportFrom]:
    """Return every import of Zulip's get_secret, by the id of its nodes."""
    return {
        id(node): statement
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom) and (statement.module, statement.level) in _MODULES
        for alias in statement.names
        if alias.name == NAME and alias.asname in (None, NAME)
        for node in (statement, alias)
    }


def rebinding(tree: ast.Module) -> Optional[ast.AST]:
    """Return a node that binds `get_secret` to something other than Zulip's; None: none does."""
    own = imports(tree)
    bound = (mention.node for mention in mentions(tree, NAME) if mention.binds)
    return next((node for node in bound if id(node) not in own), None)


def sure(tree: ast.Module, until: Optional[ast.stmt]) -> List[ast.stmt]:
    """Return the imports that certainly bind the name before a statement (None: before the end).

    They are at top level, and no `import *` after them could bind the name again.
    """
    known = imports(tree)
    found: List[ast.stmt] = []
    for statement in tree.body[: tree.body.index(until) if until else None]:
        if any(imports_all(node) for node in ast.walk(statement)):
            found = []
        elif id(statement) in known:
            found.append(statement)
    return found


def is_zulips(tree: ast.Module, statement: ast.stmt) -> bool:
    """Return whether `get_secret`, if it is defined, is Zulip's own in a statement."""
    if not imports(tree) or rebinding(tree):
        return False
    starred = any(imports_all(node) for node in ast.walk(tree))
    return not starred or bool(sure(tree, statement))


def is_read(entry: str) -> bool:
    """Return whether an entry, `"realm": value`, uses get_secret. A token may contain the name."""
    tree = ast.parse(f"{{{entry}\n}}")
    return any(isinstance(node, ast.Name) and node.id == NAME for node in ast.walk(tree))


def needs(tree: ast.Module, own: ast.stmt) -> bool:
    """Return whether the file uses get_secret where no import but `own` has bound it.

    Functions and classes are assumed to run after the imports of the file.
    """
    known = imports(tree)
    imported = in_functions = False
    for statement in tree.body:
        if statement is own or not mentions(statement, NAME):
            continue
        if any(id(node) in known for node in ast.walk(statement)):
            imported = True
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            in_functions = True
        elif not imported:
            return True
    return in_functions and not imported
