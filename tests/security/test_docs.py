"""docs/security.md names a test for each of its lines: every one exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.lab.lab import PROJECT
from tests.security.test_canaries import MAY_HOLD

TEXT = (PROJECT / "docs/security.md").read_text()
NAMED = set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)+)`", TEXT))


def _tests(path: Path) -> set[str]:
    """Give the names of the tests of a file, as pytest has them."""
    file = path.relative_to(PROJECT).as_posix()
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(f"{file}::{node.name}")
        elif isinstance(node, ast.ClassDef):
            inside = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{file}::{node.name}::{each.name}" for each in inside}
    return found


def test_every_test_that_is_named_exists() -> None:
    files = {PROJECT / name.partition("::")[0] for name in NAMED}
    assert len(NAMED) > 30
    assert NAMED - {test for path in files if path.exists() for test in _tests(path)} == set()


def test_the_figures_are_those_of_the_tests() -> None:
    assert f"{len(MAY_HOLD)} patterns of functions" in TEXT
