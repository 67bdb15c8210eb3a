"""Ansible Vault: both ways, wrong passwords, damaged values, password files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.secret import Secret

PASSWORD = Secret("correct horse")

# Made by ansible-core's own VaultLib, password "correct horse".
FROM_ANSIBLE_11 = """\
$ANSIBLE_VAULT;1.1;AES256
62336565366461343663323337333266363839303137623136623533386530366238303539613231
3333326335636433643339626134373765646332366664320a353161616538353866356366656238
30366439363935313666646464653662613237313333643831616563306234663133336137353637
3264663733663338350a393033383263363139656239323437386337663637373632336462363963
3039
"""
FROM_ANSIBLE_12 = """\
$ANSIBLE_VAULT;1.2;AES256;prod
35663635326538636130613333316534316133386237353066343333373939333765623138646238
6162663631636263323266616133643137316532383965620a646363393039656133393134356664
63636137666437616336326630623665326334623736323932326537353633656664343536623066
3734616331313337660a353837643463313937366235643737383536366633303231383731363036
3139
"""


@pytest.mark.parametrize(
    "text", [FROM_ANSIBLE_11, FROM_ANSIBLE_12, FROM_ANSIBLE_11.replace("\n", "\r\n")]
)
def test_values_of_ansible_are_decrypted(text: str) -> None:
    assert vault.decrypt(text, {"default": PASSWORD}).reveal() == "tökén-1"


def test_the_header_has_the_format_and_the_vault_id() -> None:
    assert vault.encrypt(Secret("x"), PASSWORD).startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert vault.encrypt(Secret("x"), PASSWORD, "default").startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert vault.encrypt(Secret("x"), PASSWORD, "prod").startswith(
        "$ANSIBLE_VAULT;1.2;AES256;prod\n"
    )


def test_the_lines_are_shaped_like_ansibles() -> None:
    lines = vault.encrypt(Secret("x" * 100), PASSWORD).splitlines(keepends=True)
    assert all(len(line) == 81 for line in lines[1:-1])
    assert lines[-1].endswith("\n")


def test_encrypting_twice_gives_different_values() -> None:
    assert vault.encrypt(Secret("x"), PASSWORD) != vault.encrypt(Secret("x"), PASSWORD)


@given(st.text(max_size=60), st.text(min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_round_trip(text: str, password: str) -> None:
    passwords = {"a": Secret("other"), "b": Secret(password)}
    assert vault.decrypt(vault.encrypt(Secret(text), Secret(password)), passwords).reveal() == text


def test_the_password_of_the_id_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Secret] = []
    keys = vault._keys
    monkeypatch.setattr(
        vault, "_keys", lambda password, salt: (tried.append(password), keys(password, salt))[1]
    )
    passwords = {"dev": Secret("a"), "prod": PASSWORD}
    text = vault.encrypt(Secret("x"), PASSWORD, "prod")
    tried.clear()
    assert vault.decrypt(text, passwords).reveal() == "x"
    assert tried == [PASSWORD]


def refusal(text: str, **passwords: Secret) -> str:
    with pytest.raises(UsageError) as caught:
        vault.decrypt(text, passwords)
    return f"{caught.value} ({caught.value.hint})"


def test_wrong_password() -> None:
    text = vault.encrypt(Secret("x"), PASSWORD, "prod")
    expected = refusal(text, dev=Secret("wrong-1"), prod=Secret("wrong-2"))
    assert (
        "no vault password decrypts this value (its vault id is prod; tried: dev, prod)" in expected
    )
    assert "wrong-" not in expected
    assert "--vault-id prod@FILE" in refusal(text, dev=Secret("wrong-1"))
    assert "--vault-id prod@FILE" in refusal(text)
    assert "--ask-vault-pass" in refusal(vault.encrypt(Secret("x"), PASSWORD))


def test_a_changed_value_is_not_decrypted() -> None:
    lines = vault.encrypt(Secret("secret"), PASSWORD).splitlines()
    last = lines[-1][:-1] + ("1" if lines[-1][-1] != "1" else "2")
    expected = refusal("\n".join([*lines[:-1], last]), default=PASSWORD)
    assert "no vault password decrypts" in expected or "damaged" in expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "does not start with $ANSIBLE_VAULT"),
        ("hello", "does not start with $ANSIBLE_VAULT"),
        ("$ANSIBLE_VAULT", "unknown vault format ''"),
        ("$ANSIBLE_VAULT;1.0;AES", "unknown vault format '1.0;AES'"),
        ("$ANSIBLE_VAULT;1.1;AES", "unknown vault format"),
        ("$ANSIBLE_VAULT;1.1;AES256", "the vault value is damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\nzz", "the vault value is damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\n666", "the vault value is damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6161", "the vault value is damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\nüü", "the vault value is damaged"),
    ],
)
def test_malformed_vault_values(text: str, expected: str) -> None:
    assert expected in refusal(text, default=PASSWORD)


def test_empty_passwords_and_wrong_ids_are_refused() -> None:
    with pytest.raises(UsageError, match="the vault password is empty"):
        vault.encrypt(Secret("x"), Secret(""))
    for name in ("a;b", "a b", ""):
        with pytest.raises(UsageError, match="is not a valid vault id"):
            vault.encrypt(Secret("x"), PASSWORD, name)


# --- password files ----------------------------------------------------------------------------


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o700)
    return path


def test_a_password_file(tmp_path: Path) -> None:
    path = tmp_path / "pass"
    path.write_text("pa ss\n\n")
    assert vault.read_password_file(path).reveal() == "pa ss"


def test_a_program_prints_the_password(tmp_path: Path) -> None:
    path = script(tmp_path / "my pass", '#!/bin/sh\necho "pw $#"\n')
    assert vault.read_password_file(path).reveal() == "pw 0"


def test_a_client_gets_the_vault_id(tmp_path: Path) -> None:
    """Ansible calls its "third-party vault password client scripts" in the same way."""
    for name, expected in (("my-client.py", "--vault-id prod"), ("a-client", "--vault-id prod")):
        path = script(tmp_path / name, '#!/bin/sh\necho "got $*"\n')
        assert vault.read_password_file(path, "prod").reveal() == f"got {expected}"
        path.chmod(0o600)
        assert "echo" in vault.read_password_file(path, "prod").reveal(), "not a program"
    knows_none = script(tmp_path / "no-client", "#!/bin/sh\nexit 2\n")
    with pytest.raises(UsageError, match="no-client does not know the vault id prod"):
        vault.read_password_file(knows_none, "prod")


@pytest.mark.parametrize(
    ("text", "vault_id"),
    [
        (FROM_ANSIBLE_11, "default"),
        (FROM_ANSIBLE_12, "prod"),
        ("$ANSIBLE_VAULT;1.1;AES256;odd\n", "default"),
        ("", "default"),
        ("text", "default"),
    ],
)
def test_the_id_is_read_without_a_password(text: str, vault_id: str) -> None:
    assert vault.id_of(text) == vault_id


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (FROM_ANSIBLE_11, 0o600, "the vault password file {} is itself encrypted"),
        ("#!/bin/sh\nexit 3\n", 0o700, "the vault password program {} exited with status 3"),
        ("#!/nosuch/interpreter\n", 0o700, "cannot read the vault password file {}"),
        ("\n", 0o600, "the vault password file {} contains no password"),
        ("x" * 70000, 0o600, "the vault password file {} is larger than 64 KiB"),
    ],
)
def test_wrong_password_files(tmp_path: Path, content: str, mode: int, expected: str) -> None:
    path = tmp_path / "pass"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(UsageError) as caught:
        vault.read_password_file(path)
    assert expected.format(path) in str(caught.value)


def test_unreadable_password_files(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xfc\n")
    for path in (tmp_path / "no", tmp_path, tmp_path / "latin"):
        with pytest.raises(UsageError, match="vault password file"):
            vault.read_password_file(path)
