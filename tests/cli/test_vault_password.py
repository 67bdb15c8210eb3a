"""The sources of the vault passwords, and their order."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from scimconf import vault
from scimconf.cli.options import VaultOptions
from scimconf.cli.variables import VAULT_PASSWORD, take_vault_password
from scimconf.cli.vault_password import VaultPassword
from scimconf.errors import UsageError
from scimconf.run.options import SourceOptions
from scimconf.run.start import token_file
from scimconf.secret import Secret
from scimconf.tokens.keyring import Keyring
from tests.cli.conftest import Run
from tests.factories import realm, server

NONE_GIVEN = VaultOptions(None, False)
SOURCE = SourceOptions((), (), None)
Typed = list[tuple[str, bool]]


def _known_ids() -> frozenset[str]:
    return token_file(SOURCE).vault_ids


def _given(options: VaultOptions) -> list[tuple[str, str]]:
    return [(label, each.reveal()) for label, each in VaultPassword(options)().items()]


@pytest.fixture
def client(tmp_path: Path) -> Path:
    path = tmp_path / "keys-client.sh"
    path.write_text('#!/bin/sh\n[ "$2" != none ] || exit 2\necho "of $*"\n')
    path.chmod(0o700)
    return path


def test_the_options_in_ansibles_order(
    scimconf: Run, typed: Typed, client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "elsewhere")
    ids = ("prod@./keys-client.sh", "dev@prompt")
    assert _given(VaultOptions(Path("password"), False, ids)) == [
        ("prod", "of --vault-id prod"),
        ("dev", "typed"),
        ("default", "correct horse"),
    ]
    assert typed == [("Vault password (dev)", False)]


@pytest.mark.parametrize("identity", ["password", "default@password", "@password", "prompt"])
def test_an_identity_without_a_label_is_the_default(
    identity: str, scimconf: Run, typed: Typed
) -> None:
    ((label, _),) = _given(VaultOptions(None, False, (identity,)))
    assert label == "default"


def test_a_password_is_asked_once(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "elsewhere")
    password = VaultPassword(VaultOptions(None, True))
    assert password() is password()
    assert password()["default"].reveal() == "typed"
    assert typed == [("Vault password", False)]


def test_the_variable_of_scimconf_precedes_that_of_ansible(
    scimconf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "~/password")
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", "prod@~/of prod, dev@other,")
    for name in ("of prod", "other"):
        (tmp_path / name).write_text(name)
    ansibles = [("prod", "of prod"), ("dev", "other"), ("default", "correct horse")]
    assert _given(NONE_GIVEN) == ansibles
    monkeypatch.setenv(VAULT_PASSWORD, " in the environment\n")
    take_vault_password()
    assert VAULT_PASSWORD not in os.environ
    assert _given(NONE_GIVEN) == [("default", "in the environment")]
    assert _given(VaultOptions(Path("other"), False)) == [("default", "other")]
    take_vault_password()
    assert _given(NONE_GIVEN) == ansibles, "of this run only"


def test_without_a_password_the_hint_lists_the_options(scimconf: Run) -> None:
    with pytest.raises(UsageError, match="a vault password is needed") as error:
        _given(NONE_GIVEN)
    for option in ("--vault-id", "--vault-password-file", "--ask-vault-pass"):
        assert option in error.value.hint


def test_the_same_vault_id_twice_is_one(scimconf: Run) -> None:
    assert len(_given(VaultOptions(Path("password"), False, ("default@password",)))) == 1


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ("prod@", "the vault id 'prod@' has no source"),
        ("", "has no source"),
        ("prod@nowhere", "cannot read the vault password file nowhere"),
        ("none@keys-client.sh", "does not know the vault id none"),
        ("default@prompt", "for the vault id 'default'"),
    ],
)
def test_invalid_vault_ids(
    identity: str, words: str, scimconf: Run, typed: Typed, client: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        _given(VaultOptions(Path("password"), False, (identity,)))


# --- a password that will encrypt tokens ----------------------------------------------------------


def test_a_new_password_is_typed_twice(scimconf: Run, typed: Typed, tmp_path: Path) -> None:
    def made(*ids: str, realm_id: str) -> None:
        passwords = VaultPassword(VaultOptions(None, not ids, ids), _known_ids)
        Keyring(token_file(SOURCE), passwords).make([server(realm(realm_id))])

    made(realm_id="a")
    made(realm_id="b")
    made("prod@prompt", realm_id="c")
    made("prod@prompt", realm_id="d")
    assert typed == [
        ("Vault password", True),
        ("Vault password", False),
        ("Vault password (prod)", True),
        ("Vault password (prod)", False),
    ]
    text = (tmp_path / "tokens.yaml").read_text()
    assert text.count(";1.1;AES256\n") == text.count(";1.2;AES256;prod\n") == 2


def test_new_values_are_encrypted_with_the_password_that_decrypted(
    scimconf: Run, tmp_path: Path
) -> None:
    (tmp_path / "mistyped").write_text("correct hrose")
    (tmp_path / "prod").write_text("of prod")

    def make(realm_id: str, *ids: str) -> None:
        passwords = VaultPassword(VaultOptions(None, False, ids), _known_ids)
        Keyring(token_file(SOURCE), passwords).make([server(realm(realm_id))])

    make("a", "default@password")
    make("b", "prod@prod", "default@password")
    before = (tmp_path / "tokens.yaml").read_bytes()
    with pytest.raises(UsageError, match=r"id is prod; tried: prod.*another password"):
        make("c", "prod@mistyped", "default@password")
    with pytest.raises(UsageError, match=r"wrong vault password: .* tried: dev\)"):
        make("c", "dev@mistyped")
    assert (tmp_path / "tokens.yaml").read_bytes() == before
    make("c", "default@password", "prod@prod")


# --- the environment ------------------------------------------------------------------------------


def test_children_do_not_inherit_the_password_variable(
    scimconf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = tmp_path / "inventory.sh"
    inventory.write_text(
        f"#!/bin/sh\nenv >> {tmp_path}/seen\n"
        """echo '{"all": {"hosts": ["c.test"], "vars": {"scim_idp": "okta", "scim_realms": """
        """{"acme": {}}}}, "_meta": {"hostvars": {}}}'\n"""
    )
    inventory.chmod(stat.S_IRWXU)
    arguments = ("-i", "inventory.sh", "--allow-exec", "--tokens", "kept.yaml")
    monkeypatch.setenv(VAULT_PASSWORD, "sesame")
    done = scimconf("render", "c.test", *arguments, "--create-tokens", "--show-tokens")
    assert done.returncode == 0, done
    for verb in ("list", "check"):
        monkeypatch.setenv(VAULT_PASSWORD, "sesame")
        assert scimconf("inventory", verb, *arguments[:3]).returncode == 0
    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "sesame" not in seen
    kept = SourceOptions((), (), tmp_path / "kept.yaml")
    (entry,) = token_file(kept).entries.values()
    assert entry.ciphertext
    assert vault.decrypt(entry.ciphertext, {"default": Secret("sesame")}).reveal() in done.stdout
