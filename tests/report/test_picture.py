from __future__ import annotations

import re
from pathlib import Path

from tests.report.fleet import fleet
from tests.report.picture import PICTURE, take


def _words(svg: str) -> str:
    return re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", svg, flags=re.S))


def test_the_picture_in_the_readme_is_up_to_date(tmp_path: Path) -> None:
    """`python -m tests.report.picture` updates it."""
    file = tmp_path / "terminal.svg"
    take(file)
    now, shown = file.read_text(), PICTURE.read_text()
    assert "url(" not in now.replace("url(#", "")
    assert _words(now).split() == _words(shown).split()
    for outcome in fleet(12):
        assert outcome.server in shown
