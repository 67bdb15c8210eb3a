"""The program that is sent to a server: all modules, in order, valid for the oldest Python."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scimconf import agent

FOLDER = Path(agent.__file__).parent
OLDEST = (3, 8)


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inside = node.module == "scimconf.agent"
            found += (
                [f"{node.module}.{a.name}" for a in node.names] if inside else [f"{node.module}"]
            )
    return found


def test_every_module_is_sent_after_the_modules_that_it_imports() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "bootstrap"}
    assert set(agent.MODULES) == files
    known: set[str] = set()
    for name in agent.MODULES:
        for imported in _imports(FOLDER / f"{name}.py"):
            if imported.startswith("scimconf"):
                assert imported.split(".")[2] in known, f"{name} imports {imported} too early"
            else:
                assert imported.split(".")[0] in sys.stdlib_module_names
        known.add(name)


@pytest.mark.parametrize("name", agent.MODULES)
def test_the_grammar_is_that_of_the_oldest_python(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(), feature_version=OLDEST)
    first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert first.module == "__future__"


def _python38() -> str | None:
    found = shutil.which("python3.8")
    # pyenv puts a stub of that name on PATH, even without such a Python.
    works = found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
    return found if works == 0 else None


@pytest.mark.skipif(_python38() is None, reason="there is no python3.8 here")
def test_the_oldest_python_imports_it() -> None:
    """An import of a newer name of the standard library fails when a module is loaded."""
    root = str(FOLDER.parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); import scimconf.agent.main"
    python = _python38()
    assert python is not None
    done = subprocess.run([python, "-B", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
