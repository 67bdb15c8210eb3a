"""Migrate a token file of format 1, in which a token was not yet bound to its place."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]

from scimconf import vault
from scimconf.errors import InventoryError, UsageError
from scimconf.secret import Secret
from scimconf.tokens.entries import Entry, Removed
from scimconf.tokens.generate import generate
from scimconf.tokens.migration import migrate
from scimconf.tokens.rotation import stamp
from scimconf.tokens.store import TokenFile

PASSWORDS = {"default": Secret("correct horse"), "prod": Secret("battery staple")}


def _token(token: Secret, depth: int, vault_id: str = "default", fingerprint: str = "") -> str:
    indent = " " * depth
    hashed = fingerprint or pbkdf2_sha256.using(rounds=10).hash(token.reveal())
    lines = vault.encrypt(token, PASSWORDS[vault_id], vault_id).splitlines()
    return (
        f'{indent}fingerprint: "{hashed}"\n{indent}created: "2026-06-01T10:00:00Z"\n'
        f"{indent}token: !vault |\n" + "".join(f"{indent}  {line}\n" for line in lines)
    )


def _file(path: Path, acme: str, more: str = "") -> None:
    path.write_text(
        "# of the audit\nscimconf_tokens:\n"
        f'  "chat1":\n    # the first\n    "acme":\n{acme}{more}'
        '    "gone":\n      removed: "2026-07-01T10:00:00Z"\n'
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def test_every_token_is_bound_to_its_place(path: Path) -> None:
    new, old, other = generate(), generate(), generate()
    retired = stamp(datetime.now(timezone.utc))
    before = f'      previous:\n        retired: "{retired}"\n{_token(old, 8)}'
    _file(path, _token(new, 6) + before, f'    "beta":\n{_token(other, 6, "prod")}')
    with pytest.raises(InventoryError, match="scimconf token migrate"):
        TokenFile.load(path)
    assert migrate(path, PASSWORDS) == []

    file = TokenFile.load(path)
    assert file.token("chat1", "acme", PASSWORDS) == new
    assert file.token("chat1", "beta", PASSWORDS) == other
    acme = file.entry("chat1", "acme")
    assert acme
    assert acme.previous
    assert acme.previous.retired == retired
    assert file.records["chat1", "gone"] == Removed("2026-07-01T10:00:00Z")
    text = path.read_text()
    assert text.startswith("# of the audit\nversion: 2\nscimconf_tokens:\n")
    assert "    # the first\n" in text
    assert "$29000$" in text, "nothing says that scimconf made it: many rounds"
    with pytest.raises(InventoryError, match="format 2"):
        migrate(path, PASSWORDS)


def test_a_token_that_is_kept_elsewhere_must_be_recorded_again(path: Path) -> None:
    hashed = pbkdf2_sha256.using(rounds=10).hash("elsewhere")
    only = f'      fingerprint: "{hashed}"\n      created: "2026-06-01T10:00:00Z"\n'
    old, retired = generate(), stamp(datetime.now(timezone.utc))
    before = f'      previous:\n        retired: "{retired}"\n{_token(old, 8)}'
    _file(path, only, f'    "beta":\n{only}{before}')
    assert migrate(path, PASSWORDS) == [("chat1", "acme")]
    records = TokenFile.load(path).records
    assert set(records) == {("chat1", "beta"), ("chat1", "gone")}
    beta = records["chat1", "beta"]
    assert isinstance(beta, Removed)
    assert isinstance(beta.entry, Entry), "a server may have it still"


def test_nothing_is_written_if_a_token_cannot_be_decrypted_or_does_not_match(path: Path) -> None:
    wrong = pbkdf2_sha256.using(rounds=10).hash("another")
    for acme, passwords, said in (
        (_token(generate(), 6), {"default": Secret("wrong")}, "wrong vault password"),
        (_token(generate(), 6, fingerprint=wrong), PASSWORDS, "does not match its fingerprint"),
    ):
        _file(path, acme)
        before = path.read_bytes()
        with pytest.raises(UsageError, match=rf"tokens\.yaml:5:5: .*{said}"):
            migrate(path, passwords)
        assert path.read_bytes() == before
