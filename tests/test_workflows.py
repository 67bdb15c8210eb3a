"""The workflows of .github: supported Python versions, exact action versions, safe scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


PINNED = re.compile(r" [\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
"""A commit, which nobody can move, and its version in words."""


def _read(file: Path) -> Any:
    """Read a file as YAML 1.2, as GitHub does: `on` is a word, not a boolean."""
    return YAML(typ="safe", pure=True).load(file)


def _steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in _read(file)["jobs"].values():
        yield from job["steps"]


def test_ci_runs_every_python_that_the_package_supports() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    supported = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', pyproject)
    ci = _read(ROOT / ".github/workflows/ci.yml")
    assert ci["jobs"]["test"]["strategy"]["matrix"]["python"] == supported


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_action_has_an_exact_version(file: Path) -> None:
    used = re.findall(r"^.*\buses:(.*)$", file.read_text(), re.M)
    assert len(used) == sum("uses" in step for step in _steps(file)) > 0
    assert [each for each in used if not PINNED.fullmatch(each)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_scripts_read_values_from_variables(file: Path) -> None:
    """GitHub pastes an expression into the script, where the shell would run it."""
    assert [step["run"] for step in _steps(file) if "${{" in step.get("run", "")] == []


def test_only_the_job_that_publishes_can_get_a_token_for_pypi() -> None:
    release = _read(ROOT / ".github/workflows/release.yml")
    assert release["permissions"] == {"contents": "read"}
    assert "permissions" not in release["jobs"]["build"]
    assert release["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert release["jobs"]["publish"]["environment"]["name"] == "pypi"
    assert not any("run" in step for step in release["jobs"]["publish"]["steps"])
