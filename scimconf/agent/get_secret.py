"""Zulip's `get_secret` in a settings.py: what brings the name there, and what uses it."""

from __future__ import annotations

import ast
from typing import Dict, List, Optional

from scimconf.agent.names import imports_all, mentions

NAME = "get_secret"

_MODULES = (("config", 1), ("zproject.config", 0))
"""`from .config import get_secret`, as in Zulip's own settings.py, and its absolute form."""


def imports(tree: ast.AST) -> Dict[int, ast.ImportFrom]:
    """Give every import of Zulip's own get_secret, by the id of its nodes."""
    return {
        id(node): statement
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom) and (statement.module, statement.level) in _MODULES
        for alias in statement.names
        if alias.name == NAME and alias.asname in (None, NAME)
        for node in (statement, alias)
    }


def foreign(tree: ast.Module) -> Optional[ast.AST]:
    """Give a place that makes `get_secret` something else than Zulip's own; None: none does."""
    own = imports(tree)
    bound = (mention.node for mention in mentions(tree, NAME) if mention.binds)
    return next((node for node in bound if id(node) not in own), None)


def sure(tree: ast.Module, until: Optional[ast.stmt]) -> List[ast.stmt]:
    """Give the imports that are sure to have brought it before a statement (None: before the end):
    top-level ones, with no `import *` behind them that may bring another.
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
    """Say whether `get_secret` is Zulip's own in a statement, if it is anything there."""
    if not imports(tree) or foreign(tree):
        return False
    starred = any(imports_all(node) for node in ast.walk(tree))
    return not starred or bool(sure(tree, statement))


def is_read(entry: str) -> bool:
    """Say whether an entry, `"realm": value`, reads it: a token may hold its name too."""
    tree = ast.parse(f"{{{entry}\n}}")
    return any(isinstance(node, ast.Name) and node.id == NAME for node in ast.walk(tree))


def needs(tree: ast.Module, own: ast.stmt) -> bool:
    """Say whether the file uses get_secret where no import but `own` has brought it.

    A function is not called before the file's own import, wherever that is.
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
