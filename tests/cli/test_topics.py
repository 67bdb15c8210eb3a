"""`scimconf help` prints pages that the package contains, and no message names a file of docs/."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scimconf.cli.topics import PAGES, page
from scimconf.inventory.editor_schema import inventory_schema
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


def test_the_topics_are_listed(scimconf: Run) -> None:
    done = scimconf("help")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(re.findall(r"^  (\S+)  +\S", done.stdout, re.MULTILINE)) == set(PAGES)
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.parametrize("topic", PAGES)
def test_each_topic_is_a_page_with_links_to_topics(topic: str) -> None:
    text = page(topic)
    assert text.splitlines()[0].startswith("# ")
    for target in re.findall(r"scimconf help ([a-z-]+)", text):
        assert target in PAGES
    files = [file for file, _ in PAGES.values()]
    assert not any(f"]({Path(file).name})" in text for file in files)


def test_a_page_is_printed(scimconf: Run) -> None:
    done = scimconf("help", "exit-codes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| 64 |" in done.stdout
    assert "the JSON (scimconf help json)" in done.stdout


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("exit-code", "scimconf help exit-codes"),
        ("vault", "did you mean: scimconf help tokens; to list them: scimconf help"),
        ("../../etc/passwd", "-> to list them: scimconf help"),
    ],
)
def test_an_unknown_topic(topic: str, hint: str, scimconf: Run) -> None:
    done = scimconf("help", topic)
    assert (done.returncode, done.stdout) == (64, "")
    assert hint in done.stderr


def test_the_wheel_has_all_pages() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packaged = dict(re.findall(r'^"docs/(\S+)" = "scimconf/docs/(\S+)"$', project, re.MULTILINE))
    assert packaged == {file: file for file, _ in PAGES.values()}


def _texts() -> Iterator[tuple[str, str]]:
    """Yield the texts of the program, without docstrings, and those of the templates."""
    for path in (ROOT / "scimconf").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and id(node) not in documentation:
                yield f"{path}:{node.lineno}", node.value
    for path in (ROOT / "templates").rglob("*"):
        if path.is_file():
            yield str(path), path.read_text(encoding="utf-8")


def test_no_text_names_a_file_of_docs() -> None:
    pages = r"docs/[\w/-]+\.md|(?<![\w/])(?:inventory|ssh|tokens|docker|exit-codes)\.md"
    generated = ("inventory/reference.py", "ssh/reference.py", "cli/reference.py", "cli/topics.py")
    wrong = [
        where
        for where, text in _texts()
        if re.search(pages, text) and not where.partition(":")[0].endswith(generated)
    ]
    assert wrong == []
    assert not re.search(pages, str(inventory_schema()))


def test_each_topic_that_a_text_names_exists() -> None:
    named = [
        (where, topic)
        for where, text in _texts()
        for topic in re.findall(r"scimconf help ([a-z-]+)", text)
    ]
    assert named
    assert [each for each in named if each[1] not in PAGES] == []
