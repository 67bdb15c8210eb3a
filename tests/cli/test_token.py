from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ((), r"[A-Za-z0-9]{43}"),
        (("--entropy", "128"), r"[A-Za-z0-9]{22}"),
        (("--length", "60"), r"[A-Za-z0-9]{60}"),
        (("--charset", "hex"), r"[0-9a-f]{64}"),
        (("--charset", "ascii_50"), r"[A-Za-z0-9]{46}"),
        (("--phrase",), r"[a-z]+(-[a-z]+){9,}"),
        (("--phrase", "--entropy", "200"), r"[a-z]+(-[a-z]+){15,}"),
    ],
    ids=" ".join,
)
def test_tokens_and_nothing_else(arguments: tuple[str, ...], pattern: str, scimconf: Run) -> None:
    done = scimconf("token", "--count", "3", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    tokens = done.stdout.splitlines()
    assert len(set(tokens)) == 3
    for token in tokens:
        assert re.fullmatch(pattern, token), token


@pytest.mark.parametrize("arguments", [("--length", "19"), ("--entropy", "118")], ids=" ".join)
def test_weak_ones_are_refused(arguments: tuple[str, ...], scimconf: Run) -> None:
    done = scimconf("token", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert "119" in done.stderr
    assert "\n  -> " in done.stderr


def test_a_variable_stands_for_an_option(scimconf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIMCONF_COUNT", "2")
    assert scimconf("token").stdout.count("\n") == 2
    assert scimconf("token", "--count", "1").stdout.count("\n") == 1
