from __future__ import annotations

import re
from pathlib import Path

import pytest
from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]

from scimconf.secret import Secret
from scimconf.tokens.store import TokenFile
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
def test_only_the_token_is_printed(arguments: tuple[str, ...], pattern: str, scimconf: Run) -> None:
    done = scimconf("token", "--count", "3", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    tokens = done.stdout.splitlines()
    assert len(set(tokens)) == 3
    for token in tokens:
        assert re.fullmatch(pattern, token), token


@pytest.mark.parametrize("arguments", [("--length", "19"), ("--entropy", "118")], ids=" ".join)
def test_weak_tokens_are_refused(arguments: tuple[str, ...], scimconf: Run) -> None:
    done = scimconf("token", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert "119" in done.stderr
    assert "\n  -> " in done.stderr


def test_a_variable_sets_an_option(scimconf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIMCONF_COUNT", "2")
    assert scimconf("token").stdout.count("\n") == 2
    assert scimconf("token", "--count", "1").stdout.count("\n") == 1


def test_a_token_file_of_format_1_is_converted_once(scimconf: Run, tmp_path: Path) -> None:
    password = ("--vault-password-file", "password")
    assert scimconf("token", "migrate", "tokens.yaml", *password).returncode == 64
    assert not list(tmp_path.glob(".tokens.yaml*"))
    assert (
        scimconf("render", "chat1*", "--create-tokens", "--show-tokens", *password).returncode == 0
    )
    file = TokenFile.load(tmp_path / "tokens.yaml")
    token = file.token("chat1.example.com", "acme", {"default": Secret("correct horse")})
    assert token
    unbound = pbkdf2_sha256.using(rounds=10).hash(token.reveal())
    entry = file.entries["chat1.example.com", "acme"]
    text = (tmp_path / "tokens.yaml").read_text().replace(entry.fingerprint, unbound)
    old = text.replace("version: 2\n", "").replace("\n...\n", "\n")
    (tmp_path / "tokens.yaml").write_text(old)

    refused = scimconf("plan")
    assert refused.returncode == 64
    assert "scimconf token migrate" in refused.stderr
    assert scimconf("token", "migrate", "tokens.yaml").returncode == 64, "without the password"
    assert (tmp_path / "tokens.yaml").read_text() == old
    done = scimconf("token", "migrate", "tokens.yaml", *password)
    assert (done.returncode, done.stdout) == (0, "tokens.yaml now has format 2\n")
    after = TokenFile.load(tmp_path / "tokens.yaml")
    assert after.token("chat1.example.com", "acme", {"default": Secret("correct horse")}) == token
    again = scimconf("token", "migrate", "tokens.yaml", *password)
    assert again.returncode == 64
    assert "already has format 2" in again.stderr
