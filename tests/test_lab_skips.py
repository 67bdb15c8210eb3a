"""The last line and the exit status of a test run on a machine where a part is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
LACKING = """
import pytest
from tests import conftest
conftest._missing_parts = lambda: {missing!r}
"""
TESTS = """
import pytest
@pytest.mark.needs_sshd
def test_one(): raise AssertionError
@pytest.mark.needs_sudo
@pytest.mark.parametrize("_", [1, 2])
def test_two(_): raise AssertionError
def test_three(): pytest.skip("for another reason")
def test_four(): pass
"""


def run(folder: Path, missing: dict[str, str], workers: str, refuse: bool) -> tuple[int, str]:
    """Run four tests on a machine with missing parts. Return the exit status and the last line."""
    (folder / "lacking.py").write_text(LACKING.format(missing=missing))
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    inherited["SCIMCONF_NO_SKIPS"] = "1" if refuse else ""
    inherited["PYTHONPATH"] = f"{PROJECT}:{folder}"
    inherited["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tests.conftest",
            "-p",
            "lacking",
            "-p",
            "xdist",
            "-n",
            workers,
        ],
        cwd=folder,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip().splitlines()[-1]


ABSENT = {"needs_sshd": "needs sshd", "needs_sudo": "needs sudo"}


@pytest.mark.parametrize("workers", ["0", "1"])
def test_the_last_line_counts_skipped_tests_and_ci_fails(tmp_path: Path, workers: str) -> None:
    last = "absent parts: 3 tests skipped: needs sshd (1), needs sudo (2)"
    assert run(tmp_path, ABSENT, workers, refuse=True) == (1, last)


def test_outside_of_ci_skipped_tests_are_only_counted(tmp_path: Path) -> None:
    status, last = run(tmp_path, ABSENT, "0", refuse=False)
    assert (status, last.split(":")[0]) == (0, "absent parts")


def test_an_ordinary_user_may_lack_root(tmp_path: Path) -> None:
    missing = {"needs_sshd": "needs root", "needs_sudo": "needs root"}
    status, last = run(tmp_path, missing, "0", refuse=True)
    assert last == "absent parts: 3 tests skipped: needs root (3)"
    assert status == (1 if os.geteuid() == 0 else 0)
