"""docs/ssh.md names a test for each of its lines: every one exists."""

from __future__ import annotations

import re

from scimconf.ssh import arguments
from tests.lab.lab import PROJECT
from tests.test_claims import list_tests

TEXT = (PROJECT / "docs/ssh.md").read_text()
NAMED = set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)+)`", TEXT))


def test_every_test_that_is_named_exists() -> None:
    files = {PROJECT / name.partition("::")[0] for name in NAMED}
    assert len(NAMED) > 60
    assert NAMED - {test for path in files if path.exists() for test in list_tests(path)} == set()


def test_every_line_of_what_is_supported_has_one() -> None:
    supported = TEXT.partition("## What is not")[0]
    rows = [line for line in supported.splitlines() if line.startswith("| ")]
    assert [row for row in rows if "tests/" not in row and "shown by" not in row] == []


def test_the_options_that_are_followed_are_all_named() -> None:
    followed = TEXT.partition("- **followed**")[2].partition("- **passed over**")[0]
    words = {word.lower() for word in re.findall(r"\w+", followed)}
    assert set(arguments._FOLLOWED) - words == set()
