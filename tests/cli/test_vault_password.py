"""The sources of the vault passwords, and their order."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

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


def test_without_a_password_the_hint_names_the_setting_of_ansible_cfg(
    scimconf: Run, tmp_path: Path
) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nvault_password_file = .pass\n")
    with pytest.raises(UsageError, match="a vault password is needed") as error:
        _given(NONE_GIVEN)
    assert "(scimconf ignores vault_password_file of ansible.cfg)" in error.value.hint


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
    with pytest.raises(
        UsageError, match=r"id is prod; tried: prod.*this password does not decrypt the token file"
    ):
        make("c", "prod@mistyped", "default@password")
    with pytest.raises(UsageError, match=r"wrong vault password: .* tried: dev from mistyped\)"):
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


# --- the file that init makes ---------------------------------------------------------------------

OWN = ".vault-password"
CREATE = ("render", "chat1.example.com", "--create-tokens", "--show-tokens")
READING = [
    ("verify", "chat1*"),
    ("handoff", "chat1*", "--show-tokens"),
    ("render", "chat1.example.com", "--show-tokens"),
]


@pytest.fixture
def own(scimconf: Run, tmp_path: Path) -> Path:
    """Return the password file, after the first token was encrypted with its password."""
    path = tmp_path / OWN
    path.touch(0o600)
    path.write_text("sesame\n")
    assert scimconf(*CREATE, "--vault-password-file", OWN).returncode == 0
    return path


def test_a_verb_that_changes_something_uses_it_and_says_so(
    scimconf: Run, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = scimconf("rotate", "--stage", "chat1*")
    assert staged.returncode == 0, staged
    assert staged.stderr.startswith(f"using the vault password in {OWN}\n")
    again = ("rotate", "--stage", "--replace-staged", "chat1*")
    assert scimconf(*again, "-q").stderr.count("using the vault") == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    beside = scimconf(*again, "-i", "../inventory.yaml")
    assert "using the vault password in ../.vault-password\n" in beside.stderr


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_verb_that_reads_does_not_use_it_but_names_it(
    words: tuple[str, ...], scimconf: Run, own: Path
) -> None:
    done = scimconf(*words)
    assert (done.returncode, done.stdout) == (64, "")
    assert "a vault password is needed, because the tokens are encrypted\n" in done.stderr
    assert f"  -> use --vault-password-file {OWN}\n" in done.stderr
    own.chmod(0o644)  # as git checks out a file that a merge request brings
    assert "  -> use --vault-id ID@FILE or --vault-password-file FILE" in scimconf(*words).stderr


@pytest.mark.parametrize("words", [("plan",), ("apply", "--check")], ids=" ".join)
def test_plan_does_not_open_the_password_of_a_merge_request(
    words: tuple[str, ...], scimconf: Run, own: Path, tmp_path: Path
) -> None:
    """Otherwise it would send a password that the author of the merge request has chosen."""
    sealed = vault.encrypt(Secret("x"), Secret("sesame")).replace("\n", "\n    ")
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/chat1.example.com.yml").write_text(
        f"ansible_password: !vault |\n    {sealed}"
    )
    done = scimconf(*words, "chat1*")
    assert done.returncode == 64
    assert f"-> use --vault-password-file {OWN}" in done.stderr


def test_other_sources_win(scimconf: Run, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = scimconf("rotate", "--stage", "chat1*", "--vault-password-file", "password")
    assert (refused.returncode, "wrong vault password" in refused.stderr) == (64, True)
    for name in ("SCIMCONF_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "password")
            assert "wrong vault password" in scimconf("rotate", "--stage", "chat1*").stderr
    with monkeypatch.context() as patch:
        patch.setenv(VAULT_PASSWORD, "other")
        assert "wrong vault password" in scimconf("rotate", "--stage", "chat1*").stderr


def test_without_a_token_it_is_asked_about(
    scimconf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge request could bring the file, to read every token that is encrypted with it."""
    (tmp_path / OWN).touch(0o600)
    (tmp_path / OWN).write_text("sesame\n")
    refused = scimconf(*CREATE)
    assert (refused.returncode, refused.stdout) == (64, "")
    assert "no token in tokens.yaml is encrypted with it yet, and there is no terminal" in (
        refused.stderr
    )
    assert f"-> to use it: --vault-password-file {OWN}\n" in refused.stderr
    asked: list[str] = []
    answers = iter([False, True])

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        return next(answers)

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.confirm", confirm)
    assert scimconf(*CREATE).returncode == 64
    assert not (tmp_path / "tokens.yaml").exists()
    assert scimconf(*CREATE).returncode == 0
    assert asked == [f"No token is encrypted yet. Use the vault password in {OWN}?"] * 2


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        (0o600, "other\n", "wrong vault password: the one in .vault-password does not decrypt"),
        (0o644, "sesame\n", "is not used without an option: its mode is 0644, not 0600"),
        (0o700, "#!/bin/sh\ntouch ran\necho sesame\n", "its mode is 0700"),
        (0o600, "\n", "contains no password"),
    ],
)
def test_it_is_refused_with_the_reason(
    mode: int, text: str, expected: str, scimconf: Run, own: Path, tmp_path: Path
) -> None:
    before = (tmp_path / "tokens.yaml").read_bytes()
    own.write_text(text)
    own.chmod(mode)
    done = scimconf("rotate", "--stage", "chat1*")
    assert (done.returncode, done.stdout) == (64, "")
    assert expected in done.stderr
    assert (tmp_path / "tokens.yaml").read_bytes() == before
    assert not (tmp_path / "ran").exists()


def test_a_link_is_refused(scimconf: Run, own: Path, tmp_path: Path) -> None:
    own.rename(tmp_path / "elsewhere")
    own.symlink_to("elsewhere")
    done = scimconf("rotate", "--stage", "chat1*")
    assert (done.returncode, "it is a link" in done.stderr) == (64, True)


def test_a_typed_password_of_spaces_is_refused(
    scimconf: Run, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, **__: " \t")
    with pytest.raises(UsageError, match="has only spaces"):
        _given(VaultOptions(None, True))


@pytest.mark.parametrize("option", ["-J", "--ask-vault-password", "--ask-vault-pass"])
def test_the_names_that_ansible_has_for_the_question(option: str, scimconf: Run, own: Path) -> None:
    done = scimconf("rotate", "--stage", "chat1*", option)
    assert "the vault password is needed, and there is no terminal to ask for it" in done.stderr


def test_the_name_that_ansible_has_for_the_file(scimconf: Run, own: Path) -> None:
    assert scimconf("rotate", "--stage", "chat1*", "--vault-pass-file", OWN).returncode == 0


def test_rekey_and_move_use_it_too(scimconf: Run, own: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_text("another password\n")
    done = scimconf("token", "rekey", "--new-vault-password-file", "new")
    assert done.returncode == 0, done
    assert "using the vault password in" in done.stderr
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("chat1.example.com", "chat9.example.com"))
    wrong = scimconf("token", "move", "chat1.example.com", "chat9.example.com")
    assert wrong.returncode == 64
    assert "wrong vault password" in wrong.stderr
