"""`--report FILE.html` of the verbs that contact servers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("verb", ["plan", "verify", "apply"])
def test_the_page_is_readable_only_by_its_owner(verb: str, scimconf: Run, tmp_path: Path) -> None:
    words = [verb, "chat1*", "--vault-password-file", "password"]
    words += ["--yes"] if verb == "apply" else []
    without = scimconf(*words)
    (tmp_path / "report.html").touch(0o644)
    done = scimconf(*words, "--report", "report.html")
    assert (done.returncode, done.stdout) == (without.returncode, without.stdout) != (0, "")
    page = (tmp_path / "report.html").read_text()
    assert f"<h1>scimconf {verb}</h1>" in page
    assert f"exit code {done.returncode}" in page
    assert '<span class="name">chat1.example.com</span>' in page
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o600


def test_the_time_is_in_utc(scimconf: Run, tmp_path: Path) -> None:
    scimconf("plan", "chat1*", "--report", "report.html")
    page = (tmp_path / "report.html").read_text()
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", page)


def test_a_page_that_cannot_be_written_is_a_failure(scimconf: Run) -> None:
    done = scimconf("plan", "chat1*", "--report", "nowhere/report.html")
    assert done.returncode == 1
    assert "chat1.example.com  unreachable" in done.stdout
    assert "error: cannot write nowhere/report.html: No such file or directory" in done.stderr
