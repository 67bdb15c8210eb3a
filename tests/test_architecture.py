"""The structure in docs/architecture.md: imports go one way, and each package has its place."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "scimconf"

# From the lowest layer up. A room is a module or folder of scimconf. It imports only lower layers.
LAYERS = (
    ("startup", "secret", "sanitize", "consent", "server_warning", "activity"),
    ("model",),
    ("errors",),
    ("files", "child", "timed_socket"),
    ("git_index",),
    ("password_file",),
    ("yamlfile", "template", "vault"),
    ("agent",),
    ("zulip",),
    ("tokens", "ssh"),
    ("idp",),
    ("inventory", "report"),
    ("render",),
    ("plan",),
    ("fleet",),
    ("workers",),
    ("run",),
    ("cli",),
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}

ROOM_OF = {
    "ruamel": {"yamlfile"},
    "jinja2": {"template"},
    "markupsafe": {"template"},
    # ssh reads the private keys that paramiko cannot; workers seals jobs.
    "cryptography": {"vault", "ssh", "workers"},
    "pydantic": {"inventory"},
    "pydantic_core": {"inventory"},
    "passlib": {"tokens"},
    "paramiko": {"ssh"},
    "msal": {"idp"},
    "rich": {"report", "cli"},  # cli/terminal.py makes the Console for report
    "click": {"cli"},
    "dask": {"workers"},
    "distributed": {"workers"},
}

LAZY = {
    "cli/__init__.py": "the verb table: a verb's module is imported when the verb is called",
    "cli/token.py": "`scimconf token` prints a token at once; migrate reads YAML",
    "cli/completion.py": "the options of every verb name it, and `token` needs no inventory",
    "idp/entra_login.py": "only a delivery to Entra needs msal, which takes its time to import",
    "run/connect.py": "Dask takes a second to import, and few have it",
    "inventory/__init__.py": "shell completion reads names, and pydantic takes its time to import",
}
"""Modules that may import inside a function, each with the reason. agent/ may: a plan must not load
what only a change needs."""


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _name(path: Path) -> str:
    parts = ("scimconf", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the direction"
            yield node.lineno, node.module or ""
            if (node.module or "").startswith("scimconf"):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if _room(path) != "__main__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_only_to_lower_layers_and_packages_stay_in_their_module(path: Path) -> None:
    room = _room(path)
    for line, name in _imports(path):
        top, _, rest = name.partition(".")
        where = f"{path.relative_to(PACKAGE.parent)}:{line}"
        if top == "scimconf":
            target = rest.split(".")[0]
            if target in RANK and room != "__init__" and target != room:
                assert RANK[target] < RANK[room], f"{where}: {room} must not import {target}"
        elif top not in sys.stdlib_module_names:
            assert room in ROOM_OF[top], f"{where}: {top} belongs into {ROOM_OF[top]}"


def test_there_are_no_circular_imports() -> None:
    """This includes imports inside a room and inside functions."""
    names = {_name(path): path for path in MODULES}
    graph = {}
    for name, path in names.items():
        wanted = {each for _, each in _imports(path) if each in names}
        # `from package import module` also names the package, but needs only the module.
        packages = {each for each in wanted if any(x.startswith(f"{each}.") for x in wanted)}
        graph[name] = wanted - packages - {name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_imports_are_at_the_top() -> None:
    found = []
    for path in MODULES:
        file = str(path.relative_to(PACKAGE))
        if _room(path) == "agent" or file in LAZY:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = [x for x in ast.walk(node) if isinstance(x, ast.Import | ast.ImportFrom)]
                found += [f"{file}:{each.lineno}" for each in inside]
    assert found == []


def test_every_module_has_a_layer() -> None:
    rooms = {_room(path) for path in MODULES} - {"__init__"}
    assert rooms == set(RANK)


def test_the_agent_imports_only_itself_and_the_standard_library() -> None:
    for path in sorted((PACKAGE / "agent").glob("*.py")):
        for line, name in _imports(path):
            own = name == "scimconf.agent" or name.startswith("scimconf.agent.")
            assert own or name.split(".")[0] in sys.stdlib_module_names, f"{path.name}:{line}"
