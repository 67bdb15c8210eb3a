"""Encrypt a token file with another vault password."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.tokens.entries import Key, Removed
from scimconf.tokens.generate import generate
from scimconf.tokens.rekeying import Rekeyed, rekey
from scimconf.tokens.rotation import activated, staged, stamp
from scimconf.tokens.store import TokenFile, new_entry
from scimconf.tokens.unlock import tokens_of, unlock

OLD, NEW, OTHER = Secret("correct horse"), Secret("battery staple"), Secret("another team's")
ACME, WIKI, GONE = ("chat1", "acme"), ("chat1", "wiki"), ("chat2", "")
NOW = datetime.now(timezone.utc)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with six tokens: staged, previous and removed ones are among them."""

    def made(key: Key) -> object:
        return new_entry(key, generate(), OLD, generated=True)

    entry = staged(activated(staged(made(ACME), made(ACME), NOW), NOW), made(ACME), NOW)  # type: ignore[arg-type]
    path = tmp_path / "tokens.yaml"
    gone = Removed(stamp(NOW), staged(made(GONE), made(GONE), NOW))  # type: ignore[arg-type]
    TokenFile.load(path).save({ACME: entry, WIKI: made(WIKI), GONE: gone})  # type: ignore[dict-item]
    return path


def _tokens(path: Path, **passwords: Secret) -> list[Secret]:
    file = TokenFile.load(path)
    return [
        unlock(key, entry, passwords, file.document.position(way))
        for key, record in file.records.items()
        for way, entry in tokens_of(key, record)
    ]


def _without_vault_texts(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.strip().isalnum()]


def test_every_token_has_the_new_password_and_no_other_line_changes(path: Path) -> None:
    tokens = _tokens(path, default=OLD)
    text = path.read_text().replace("token: !vault |\n", "token: !vault |  # made by ops\n", 1)
    text = text.replace('  "chat1":\n', '  # the first server\n  "chat1":  # in Berlin\n')
    path.write_text(text)
    assert rekey(path, {"default": OLD}, NEW) == Rekeyed(6, {})
    assert _tokens(path, default=NEW) == tokens
    with pytest.raises(UsageError, match="no vault password decrypts"):
        _tokens(path, default=OLD)
    after = path.read_text()
    assert _without_vault_texts(after) == _without_vault_texts(text)
    assert not {line for line in after.splitlines() if line.strip().isalnum()} & {
        line for line in text.splitlines() if line.strip().isalnum()
    }, "no old vault text is left"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_vault_id_stands_in_every_header(path: Path) -> None:
    tokens = _tokens(path, default=OLD)
    rekey(path, {"default": OLD}, NEW, "2026-11")
    assert path.read_text().count("$ANSIBLE_VAULT;1.2;AES256;2026-11") == 6
    assert _tokens(path, **{"2026-11": NEW}) == tokens


def test_windows_line_ends_and_another_indentation_stay(path: Path) -> None:
    tokens = _tokens(path, default=OLD)
    text = path.read_text().replace("\n", "\r\n")
    path.write_bytes(text.encode())
    rekey(path, {"default": OLD}, NEW)
    assert path.read_bytes().count(b"\r\n") == text.count("\r\n")
    assert _tokens(path, default=NEW) == tokens


def test_a_quoted_vault_value_is_rekeyed(tmp_path: Path) -> None:
    """ansible-vault's own editors write values in other YAML styles, too."""
    path = tmp_path / "tokens.yaml"
    entry = new_entry(ACME, generate(), OLD, generated=True)
    TokenFile.load(path).save({ACME: entry})
    assert entry.ciphertext
    quoted = entry.ciphertext.replace("\n", "\\n")
    head, _, rest = path.read_text().partition("token: !vault |")
    path.write_text(f'{head}"token": !vault "{quoted}"\n...\n')
    assert "$ANSIBLE_VAULT" in rest
    rekey(path, {"default": OLD}, NEW)
    assert len(_tokens(path, default=NEW)) == 1


def test_tokens_of_another_vault_id_stay_and_are_counted(path: Path) -> None:
    docs = ("chat1", "docs")
    theirs = new_entry(docs, generate(), OTHER, "team-b", generated=True)
    TokenFile.load(path).save({docs: theirs})
    assert rekey(path, {"default": OLD}, NEW) == Rekeyed(6, {"team-b": 1})
    assert TokenFile.load(path).entries[docs] == theirs
    both = {"default": NEW, "team-b": OTHER}
    assert rekey(path, both, OLD, "all") == Rekeyed(7, {})
    assert len(_tokens(path, all=OLD)) == 7


def test_one_vault_id_never_has_two_passwords(path: Path) -> None:
    docs = ("chat1", "docs")
    TokenFile.load(path).save({docs: new_entry(docs, generate(), OTHER, "team-b")})
    before = path.read_bytes()
    with pytest.raises(UsageError, match="have the vault id 'team-b' and another password"):
        rekey(path, {"default": OLD}, NEW, "team-b")
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["wrong password", "moved entry", "damaged value"])
def test_nothing_is_written_if_one_token_cannot_be_opened(path: Path, damage: str) -> None:
    text = path.read_text()
    password = OLD
    if damage == "wrong password":
        password = Secret("correct hrose")
    elif damage == "moved entry":
        text = text.replace('"wiki"', '"docs"')
    else:
        last = next(line for line in text.splitlines() if line.strip().isalnum())
        text = text.replace(last, f"{last[:-4]}0000", 1)
    path.write_text(text)
    with pytest.raises(UsageError, match=r"tokens\.yaml:\d+:\d+: "):
        rekey(path, {"default": password}, NEW)
    assert path.read_text() == text


def test_a_password_of_another_id_that_opens_nothing_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match="no given vault password decrypts a token") as refused:
        rekey(path, {"prod": OTHER}, NEW)
    assert "vault id default" in refused.value.message
    assert path.read_bytes() == before


def test_a_file_without_tokens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no token"):
        rekey(tmp_path / "tokens.yaml", {"default": OLD}, NEW)


def test_a_value_that_does_not_open_again_is_never_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, encrypt = path.read_bytes(), vault.encrypt
    monkeypatch.setattr(vault, "encrypt", lambda _t, new, id_: encrypt(Secret("x"), new, id_))
    with pytest.raises(UsageError, match="was not the same"):
        rekey(path, {"default": OLD}, NEW)
    assert path.read_bytes() == before
