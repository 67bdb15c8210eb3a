"""Find where a Python file uses a name, from its syntax tree."""

from __future__ import annotations

import ast
from itertools import chain
from typing import List, NamedTuple, Optional

_DYNAMIC = frozenset(
    {"globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "modules"}
    | {"__dict__", "__globals__", "f_globals", "f_locals"}
)
"""Names of things that can bind a name without spelling it (`modules`: sys.modules)."""


class Mention(NamedTuple):
    """One place where a name is spelled."""

    node: ast.AST
    binds: bool
    """Whether the name gets or loses a value here."""


def mentions(tree: ast.AST, name: str) -> List[Mention]:
    """Return every place that spells `name`.

    This includes import, global, del, def, keyword arguments, attributes and patterns, and a string
    that equals the name. A string that is a statement of its own is a comment, and does not count.
    """
    found = []
    nodes = list(ast.walk(tree))
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        binds = _binds(node, name)
        if binds is None and id(node) not in prose and string_literal(node) == name:
            binds = True
        if binds is not None:
            found.append(Mention(_placed(tree, node), binds))
    return found


def _binds(node: ast.AST, name: str) -> Optional[bool]:
    """Return whether a node binds (True) or reads (False) the name; None: it does not spell it."""
    if isinstance(node, ast.Name):
        return None if node.id != name else not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Attribute):
        return None if node.attr != name else not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.alias):
        return True if name == (node.asname or node.name.split(".")[0]) else None
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return True if name in node.names else None
    # Definitions, handlers, arguments, keyword arguments, and the patterns of Python 3.10.
    spelled = (vars(node).get(field) for field in ("name", "arg", "rest"))
    return True if name in spelled else None


def string_literal(node: Optional[ast.AST]) -> Optional[str]:
    """Return the value of a string literal; None for any other node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def _placed(tree: ast.AST, node: ast.AST) -> ast.AST:
    """Return the node, or its parent if the node has no place (alias before Python 3.10)."""
    if hasattr(node, "lineno"):
        return node
    return next(parent for parent in ast.walk(tree) if node in ast.iter_child_nodes(parent))


def binding(tree: ast.Module, name: str) -> Optional[ast.expr]:
    """Return the value of the only top-level assignment to `name`.

    Return None if there is none, if there are several, or if anything else binds the name.
    """
    bound = [mention.node for mention in mentions(tree, name) if mention.binds]
    values = [value for statement in tree.body for value in [assigned(statement, name)] if value]
    return values[0] if len(bound) == len(values) == 1 else None


def assigned(statement: ast.stmt, name: str) -> Optional[ast.expr]:
    """Return the value of `name = value` or `name: annotation = value`; None for anything else."""
    target: Optional[ast.expr] = None
    value: Optional[ast.expr] = None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.simple:
        target, value = statement.target, statement.value
    return value if isinstance(target, ast.Name) and target.id == name else None


def dynamic(tree: ast.Module, after: Optional[ast.stmt]) -> Optional[ast.AST]:
    """Return a node that may bind any name after the statement `after`: exec, `import *`...

    A handle such as `g = globals()` counts even above `after`, because code below may use it. If no
    statement follows `after`, nothing counts. Without `after`, everything counts.
    """
    following = tree.body[tree.body.index(after) + 1 :] if after else tree.body
    if not following:
        return None
    later = [node for statement in following for node in ast.walk(statement)]
    stars = (node for node in later if imports_all(node))
    handles = (node for node in ast.walk(tree) if _is_dynamic(node))
    return next(chain(stars, handles), None)


def imports_all(node: ast.AST) -> bool:
    """Return whether a node is `from ... import *`."""
    return isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)


def _is_dynamic(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return any(alias.name in _DYNAMIC for alias in node.names)
    return bool({getattr(node, "id", None), getattr(node, "attr", None)} & _DYNAMIC)
