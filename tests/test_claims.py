"""docs/claims.md: each test that it names exists, and each statement about exit codes is in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.security.test_canaries import MAY_HOLD

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/claims.md").read_text()
ROW = re.compile(r"^\| (?P<claim>.+?) \| (?P<tests>`tests/.+`) \|$", re.M)
USER_PAGES = (
    *("README.md", "docs/tutorial.md", "docs/rollouts.md", "docs/docker.md", "docs/exit-codes.md"),
    *("docs/security.md", "docs/ci/README.md", "docs/how-to/completion.md", "docs/reliability.md"),
)


def test_each_row_nameslist_tests() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!words|claim|page)", line)]
    assert [line for line in rows if not ROW.match(line)] == []


def test_each_test_exists() -> None:
    named = {test for row in ROW.finditer(PAGE) for test in re.findall(r"`([^`]+)`", row["tests"])}
    assert len(named) > 150
    files = {ROOT / test.partition("::")[0] for test in named}
    exist = {test for file in files if file.exists() for test in list_tests(file)}
    assert named - exist == set()


def test_each_statement_about_exit_codes_has_one_row() -> None:
    section = PAGE.partition("## [Exit codes](exit-codes.md)")[2].partition("\n## ")[0]
    rows = [row["claim"] for row in ROW.finditer(section)]
    statements = list(_statements())
    assert len(statements) > 30
    matches = {row: [each for each in statements if row in each] for row in rows}
    assert {row: each for row, each in matches.items() if len(each) != 1} == {}
    proved = [each for (each,) in matches.values()]
    assert [each for each in statements if proved.count(each) != 1] == []


def test_pages_for_users_name_no_test() -> None:
    assert [page for page in USER_PAGES if re.search(r"test_\w+", (ROOT / page).read_text())] == []


def test_the_figures_about_the_search_for_secrets_are_right() -> None:
    assert f"{len(MAY_HOLD)} patterns of functions" in (ROOT / "docs/security.md").read_text()


def list_tests(path: Path) -> Iterator[str]:
    """Yield the tests of a file, named as pytest names them."""
    file = path.relative_to(ROOT).as_posix()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            yield f"{file}::{node.name}"
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef):
                    yield f"{file}::{node.name}::{each.name}"


def _statements() -> Iterator[str]:
    """Yield the rows of the table and the list items of docs/exit-codes.md, each on one line."""
    text = (ROOT / "docs/exit-codes.md").read_text().replace("\n  ", " ")
    for line in text.splitlines():
        if re.match(r"\| \d", line) or line.startswith("- "):
            yield line
