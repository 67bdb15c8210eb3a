"""The pages: their links lead somewhere, the index has them all, and what is made is up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scimconf.inventory.editor_schema import inventory_schema
from tests.lab import Lab, tutorial
from tests.lab.tour import settled

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "bench", "tests", "scimconf", "templates")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for each in FOLDERS for page in (ROOT / each).rglob("*.md"))]
)
INDEX = ROOT / "docs" / "README.md"


def _prose(page: Path) -> str:
    """Give a page without what stands in it as code."""
    text = re.sub(r"^( *)```.*?^ *```$", "", page.read_text(), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda code: re.sub(r"[\[\]()<>]", "", code[0]), text)


def _links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)\s]+)\)", _prose(page))
    yield from re.findall(r"(?:src|href|srcset)=\"([^\"]+)\"", _prose(page))


def _anchors(page: Path) -> set[str]:
    """Give what GitHub makes of the headings: lower case, no punctuation, blanks to hyphens."""
    found: dict[str, int] = {}
    anchors = set(re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text()))
    for heading in re.findall(
        r"^#+ (.+?) *$", re.sub(r"```.*?```", "", page.read_text(), flags=re.S), re.M
    ):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        anchors.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return anchors


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in _links(page):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no {target}"
        assert target.is_relative_to(ROOT), f"{link} leaves the repository"
        if anchor:
            assert anchor in _anchors(target), f"{link}: no such heading"


def test_links_are_found() -> None:
    links = {link for page in PAGES for link in _links(page)}
    assert {"docs/inventory.md", "inventory.md#connection", "../bench/README.md"} <= links


def test_the_index_has_every_page() -> None:
    listed = {(INDEX.parent / link).resolve() for link in _links(INDEX)}
    assert set((ROOT / "docs").rglob("*.md")) - listed == {INDEX}


def test_the_schema_for_editors_is_up_to_date_and_where_the_example_says() -> None:
    """`make docs` writes it."""
    example = ROOT / "inventory.example.yaml"
    line = example.read_text().splitlines()[0]
    named = line.removeprefix("# yaml-language-server: $schema=")
    assert named != line
    assert json.loads((example.parent / named).read_text()) == inventory_schema()


@pytest.mark.needs_sshd
def test_the_tutorial_is_what_happens() -> None:
    """`python -m tests.lab.tutorial` brings the page up to date."""
    page = tutorial.PAGE.read_text()
    with Lab() as lab:
        assert settled(tutorial.follow(lab, lab.folder / "tutorial", page)) == settled(page)
