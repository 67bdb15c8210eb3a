"""Ansible Vault: both ways, wrong passwords, damaged values, password files."""

from __future__ import annotations

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
        "wrong vault password: none of the given ones decrypts this value (its vault id is prod; "
        "tried: dev, prod)" in expected
    )
    assert "wrong-" not in expected
    assert "--vault-id prod@FILE" in refusal(text, dev=Secret("wrong-1"))
    assert "--vault-id prod@FILE" in refusal(text)
    assert "--ask-vault-pass" in refusal(vault.encrypt(Secret("x"), PASSWORD))


def test_a_changed_value_is_not_decrypted() -> None:
    lines = vault.encrypt(Secret("secret"), PASSWORD).splitlines()
    last = lines[-1][:-1] + ("1" if lines[-1][-1] != "1" else "2")
    expected = refusal("\n".join([*lines[:-1], last]), default=PASSWORD)
    assert "wrong vault password" in expected or "damaged" in expected


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


# --- values of one line ------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["correct horse", "correct horse\n", "correct horse\r\n"])
def test_the_line_break_that_echo_leaves_is_not_part_of_a_password(text: str) -> None:
    """Issue 34795 of ansible: `echo PASSWORD | ansible-vault encrypt_string`."""
    sealed = vault.encrypt(Secret(text), PASSWORD)
    assert vault.open_line(sealed, {"default": PASSWORD}).reveal() == "correct horse"


@pytest.mark.parametrize("text", ["a\nb", "a\n\n", "\na", "a\r\r", "\n\n"])
def test_other_line_breaks_are_named_with_their_place(text: str) -> None:
    sealed = vault.encrypt(Secret(text), PASSWORD)
    with pytest.raises(
        UsageError, match=r"^vars\.yml:3:1: this value has more than one line"
    ) as no:
        vault.open_line(sealed, {"default": PASSWORD}, "vars.yml:3:1")
    assert "ansible-vault encrypt_string" in no.value.hint


def test_a_wrong_password_is_named_with_the_place() -> None:
    sealed = vault.encrypt(Secret("x"), PASSWORD)
    with pytest.raises(UsageError, match=r"^vars\.yml:3:1: wrong vault password: "):
        vault.open_line(sealed, {"default": Secret("other")}, "vars.yml:3:1")


def test_a_password_of_any_bytes_works() -> None:
    password = Secret(b"\xff\xfe \xfc".decode(errors="surrogateescape"))
    sealed = vault.encrypt(Secret("x"), password)
    assert vault.decrypt(sealed, {"default": password}).reveal() == "x"
