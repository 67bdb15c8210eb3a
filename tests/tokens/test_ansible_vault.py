"""scimconf and the real `ansible-vault` decrypt each other's values in a token file."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from scimconf import vault
from scimconf.cli.options import VaultOptions
from scimconf.cli.vault_password import VaultPassword
from scimconf.errors import InventoryError, UsageError
from scimconf.password_file import read_vault_password
from scimconf.secret import Secret
from scimconf.tokens.generate import generate
from scimconf.tokens.store import TokenFile, new_entry
from tests.cli.terminal import Terminal
from tests.oracle.client import PYTHON, environment

pytestmark = pytest.mark.needs_ansible

PASSWORDS = {"default": Secret("correct horse"), "prod": Secret("battery staple")}
FILES = ("--vault-id", "default@default.txt", "--vault-id", "prod@prod.txt")
PAGE = Path(__file__).parents[2] / "docs/tokens.md"
Ansible = Callable[..., str]


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """A function that runs a program of Ansible beside the token file. It returns the stdout."""
    for name, password in PASSWORDS.items():
        (tmp_path / f"{name}.txt").write_text(f"{password.reveal()}\n")

    def run(program: str, *arguments: str, say: str = "", **variables: str) -> str:
        done = subprocess.run(
            [PYTHON, PYTHON.with_name(program), *arguments],
            cwd=tmp_path,
            env={**environment(tmp_path), "ANSIBLE_LOCALHOST_WARNING": "0", **variables},
            input=say,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done
        return done.stdout

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def _ciphertext(file: TokenFile, realm: str) -> str:
    entry = file.entry("chat1", realm)
    assert entry
    assert entry.ciphertext
    return entry.ciphertext


def test_ansible_decrypts_every_value_of_the_file(path: Path, ansible: Ansible) -> None:
    tokens = {vault_id: generate() for vault_id in PASSWORDS}
    TokenFile.load(path).save(
        {
            ("chat1", vault_id): new_entry(
                ("chat1", vault_id), token, PASSWORDS[vault_id], vault_id
            )
            for vault_id, token in tokens.items()
        }
    )
    assert path.read_text().count("$ANSIBLE_VAULT;1.2;AES256;prod\n") == 1
    path.with_name(".vault-password").write_text(PASSWORDS["default"].reveal())
    (told,) = re.findall(r"`(ansible localhost [^`]+)`", PAGE.read_text())
    shown = ansible(*shlex.split(told), *FILES[2:])
    realms = json.loads(shown[shown.index("{") :])["scimconf_tokens"]["chat1"]
    assert {name: each["token"] for name, each in realms.items()} == {
        vault_id: token.reveal() for vault_id, token in tokens.items()
    }


def test_a_single_value_is_viewed_edited_and_rekeyed(
    path: Path, tmp_path: Path, ansible: Ansible
) -> None:
    token, entry = generate(), ("chat1", "acme")
    file = TokenFile.load(path).save({entry: new_entry(entry, token, PASSWORDS["prod"], "prod")})
    value = tmp_path / "value"
    value.write_text(_ciphertext(file, "acme"))
    assert ansible("ansible-vault", "view", *FILES, "value").rstrip("\n") == token.reveal()

    def put_back() -> TokenFile:
        """Paste the value into the token file, as a person would."""
        lines = "".join(f"        {line}\n" for line in value.read_text().splitlines())
        text, count = re.subn(
            r"(token: !vault \|\n)(?: {8}.*\n)+", rf"\g<1>{lines}", path.read_text()
        )
        assert count == 1
        path.write_text(text)
        return TokenFile.load(path)

    new = ("--new-vault-id", "default@default.txt")
    ansible("ansible-vault", "rekey", "--vault-id", "prod@prod.txt", *new, "value")
    assert value.read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    default = {"default": PASSWORDS["default"]}
    assert put_back().token(*entry, default) == token

    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "%s" 6yJk3sXwq0VbTz9LmN4c >"$1"\n')
    editor.chmod(0o755)
    ansible("ansible-vault", "edit", *FILES[:2], "value", EDITOR=str(editor))
    with pytest.raises(UsageError, match="this token does not belong here"):
        put_back().token(*entry, default)


@pytest.mark.parametrize("vault_id", PASSWORDS)
def test_a_value_that_ansible_encrypted_is_decrypted(
    vault_id: str, path: Path, ansible: Ansible
) -> None:
    token = generate()
    value = ansible(
        *("ansible-vault", "encrypt_string", "--vault-id", f"{vault_id}@{vault_id}.txt"),
        *("--stdin-name", "token"),
        say=token.reveal(),
    )
    kept = new_entry(("chat1", "acme"), token)
    fields = f'fingerprint: "{kept.fingerprint}"\ncreated: "{kept.created}"\n{value}'
    indented = "".join(f"      {line}\n" for line in fields.splitlines())
    path.write_text(f"version: 2\nscimconf_tokens:\n  chat1:\n    acme:\n{indented}...\n")
    file = TokenFile.load(path)
    assert file.token("chat1", "acme", {"any": PASSWORDS[vault_id]}) == token
    assert vault.id_of(_ciphertext(file, "acme")) == vault_id


def test_the_hint_for_a_fully_encrypted_file_restores_it(path: Path, ansible: Ansible) -> None:
    TokenFile.load(path).save(
        {("chat1", "acme"): new_entry(("chat1", "acme"), generate(), PASSWORDS["default"])}
    )
    before = path.read_bytes()
    ansible("ansible-vault", "encrypt", *FILES[:2], "tokens.yaml")
    with pytest.raises(InventoryError, match="encrypted as a whole") as error:
        TokenFile.load(path)
    hint = re.search(r"ansible-vault (decrypt) \S+", str(error.value))
    assert hint
    ansible("ansible-vault", hint[1], *FILES[:2], os.path.basename(path))
    assert path.read_bytes() == before


def test_a_client_script_gets_the_arguments_that_ansible_gives(
    tmp_path: Path, ansible: Ansible
) -> None:
    client = tmp_path / "keys-client.py"
    client.write_text(
        "#!/usr/bin/env python3\nimport sys\n"
        f"open({str(tmp_path / 'seen')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "print('of', sys.argv[-1])\n"
    )
    client.chmod(0o755)
    (tmp_path / "value").write_text(vault.encrypt(Secret("x"), Secret("of prod"), "prod"))
    shown = ansible("ansible-vault", "view", "--vault-id", "prod@keys-client.py", "value")
    assert shown == "x\n"
    assert read_vault_password(client, "prod").reveal() == "of prod"
    theirs, ours = (tmp_path / "seen").read_text().splitlines()
    assert theirs == ours == "--vault-id prod"


SPACED = " pass phrase \\n"
"""What the file contains, and what the programs print, in the words of printf."""
SOURCES = {
    "a file": ("--vault-password-file", "spaced"),
    "a program": ("--vault-password-file", "./spaced.sh"),
    "a client program": ("--vault-id", "prod@./spaced-client"),
    "a client program without an id": ("--vault-id", "./spaced-client"),
    "a question": ("--ask-vault-pass",),
    "a question with an id": ("--vault-id", "prod@prompt"),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=list(SOURCES))
def test_each_side_opens_what_the_other_has_encrypted(
    source: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 87460 of ansible: a program keeps its spaces; a file and a question lose them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spaced").write_text(" pass phrase \n")
    for name in ("spaced.sh", "spaced-client"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nprintf '{SPACED}'\n")
        program.chmod(0o700)
    monkeypatch.setattr("click.prompt", lambda *_, **__: " pass phrase ")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    ids = tuple(value for name, value in pairwise(source) if name == "--vault-id")
    file = Path(source[1]) if source[0] == "--vault-password-file" else None
    passwords = VaultPassword(VaultOptions(file, source == ("--ask-vault-pass",), ids))()
    ((vault_id, password),) = passwords.items()
    (tmp_path / "ours").write_text(vault.encrypt(Secret("x-ours\n"), password, vault_id))
    assert "x-ours" in _on_a_terminal(tmp_path, "view", *source, "ours")
    (tmp_path / "theirs").write_text("x-theirs")
    _on_a_terminal(tmp_path, "encrypt", *source, "theirs")
    theirs = (tmp_path / "theirs").read_text()
    assert vault.decrypt(theirs, passwords).reveal() == "x-theirs"


def _on_a_terminal(folder: Path, *words: str) -> str:
    """Run ansible-vault, and type the password at every question. Return what it shows."""
    program = (str(PYTHON), str(PYTHON.with_name("ansible-vault")))
    env = {**environment(folder), "PAGER": "cat"}
    with Terminal(*words, cwd=folder, env=env, program=program) as terminal:
        for _ in range(("--ask-vault-pass" in words or "prod@prompt" in words) * _questions(words)):
            terminal.wait_for("password")
            terminal.answer(": ", " pass phrase ")
        assert terminal.end() == 0, terminal.text
        return terminal.text


def _questions(words: tuple[str, ...]) -> int:
    return 2 if words[0] == "encrypt" else 1
