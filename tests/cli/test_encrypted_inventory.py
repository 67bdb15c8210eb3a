"""Whole commands with encrypted inventories, with one host in trouble, and with -e."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf import vault
from scimconf.secret import Secret
from tests.cli.conftest import Run
from tests.lab import Server
from tests.lab.operator import VAULT, Operator

GIVEN = ("--vault-password-file", "password")
PASSWORD = Secret("correct horse")
ADDRESS = "Chat-Hidden-Address.invalid"


@pytest.fixture
def encrypted(scimconf: Run, tmp_path: Path) -> Path:
    """An inventory whose address, user and password are in an encrypted file."""
    text = f"ansible_host: {ADDRESS}\nansible_user: hidden-user\nvault_sudo: hidden-password\n"
    folder = tmp_path / "group_vars/all"
    folder.mkdir(parents=True)
    (folder / "vault.yml").write_text(vault.encrypt(Secret(text), PASSWORD))
    (folder / "vars.yml").write_text("ansible_become_password: '{{ vault_sudo }}'\n")
    (tmp_path / "inventory.yaml").write_text(
        "all: {hosts: {chat1.example.com: {scim_realms: {acme: }}, db1: }}"
    )
    return tmp_path


READING = [
    ("inventory", "check"),
    ("inventory", "list"),
    ("inventory", "graph"),
    ("render", "chat1.example.com"),
    ("handoff",),
    ("plan",),
    ("verify",),
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_every_verb_opens_the_file_and_shows_nothing_of_it(
    words: tuple[str, ...], scimconf: Run, encrypted: Path
) -> None:
    more = (
        ("-vvv", "--format", "json", "--report", "r.md") if words[0] in ("plan", "verify") else ()
    )
    (encrypted / "tokens.yaml").unlink(missing_ok=True)
    done = scimconf(*words, *GIVEN, *more)
    said = done.stdout + done.stderr
    report = encrypted / "r.md"
    said += report.read_text() if report.exists() else ""
    assert done.returncode in (0, 3), said
    assert "encrypted" not in done.stderr
    for secret in (ADDRESS, "hidden-user", "hidden-password"):
        assert secret.lower() not in said.lower()
    if words == ("plan",):
        assert "cannot resolve the name <secret>" in said


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_without_the_password_every_verb_names_the_file(
    words: tuple[str, ...], scimconf: Run, encrypted: Path
) -> None:
    quiet = ("-q",) if words[0] in ("plan", "verify") else ()
    done = scimconf(*words, *quiet)
    assert "group_vars/all/vault.yml:1:1: warning: this file is encrypted as a whole" in done.stderr
    assert done.stderr.count("this file is encrypted as a whole") == 1
    connects = words in (("plan",), ("verify",))
    assert done.returncode == (64 if connects else 0), done
    assert ("error: ansible_become_password: " in done.stderr) is connects
    if words == ("inventory", "check"):
        what = (
            "vars.yml:1:1: warning: ansible_become_password: not checked: the template fails: "
            "'vault_sudo' is undefined; group_vars/all/vault.yml, which may set it, is encrypted"
        )
        assert what in done.stderr


@pytest.mark.parametrize("words", [("inventory", "list"), ("token", "list"), ("plan",)])
def test_a_single_encrypted_address_stops_only_a_verb_that_connects(
    words: tuple[str, ...], scimconf: Run, tmp_path: Path
) -> None:
    sealed = vault.encrypt(Secret(ADDRESS), PASSWORD)
    hosts = {"chat1.example.com": {"scim_realms": {"acme": None}, "ansible_host": "{{ address }}"}}
    inventory = {"all": {"vars": {"address": {"__ansible_vault": sealed}}, "hosts": hosts}}
    (tmp_path / "inventory.yaml").write_text(json.dumps(inventory))
    done = scimconf(*words)
    assert done.returncode == (64 if words == ("plan",) else 0), done
    assert '"ansible_host"' not in done.stdout
    if words == ("plan",):
        assert "ansible_host: this value is encrypted, and no vault password" in done.stderr


@pytest.mark.parametrize("verb", ["plan", "verify"])
def test_a_missing_password_names_the_encrypted_variable(
    verb: str, scimconf: Run, tmp_path: Path
) -> None:
    """The sudo password is encrypted, not the tokens."""
    sealed = vault.encrypt(Secret("hidden"), PASSWORD).replace("\n", "\n    ")
    (tmp_path / "inventory.yaml").write_text(
        "all:\n  vars:\n    vault_sudo: !vault |\n      "
        + sealed.replace("\n    ", "\n      ").rstrip()
        + "\n    ansible_become_password: '{{ vault_sudo }}'\n"
        "  hosts: {chat1.example.com: {scim_realms: {acme: }}}\n"
    )
    done = scimconf(verb)
    said = (
        "error: inventory.yaml:3:17: ansible_become_password of chat1.example.com is encrypted, "
        "and no vault password was given\n  -> use "
    )
    assert (done.returncode, said in done.stderr) == (64, True), done
    assert "token" not in done.stderr


def test_init_needs_no_password_for_a_variable_of_the_connection(
    scimconf: Run, encrypted: Path
) -> None:
    (encrypted / "inventory.yaml").write_text("all: {hosts: {chat1.example.com: }}")
    done = scimconf("init", "--host", "chat1.example.com")
    assert done.returncode == 0, done
    assert "vault.yml:1:1: warning: this file is encrypted as a whole" in done.stderr
    assert "scim_realms" in (encrypted / "host_vars/chat1.example.com.yaml").read_text()


def test_a_wrong_password_is_one_error(scimconf: Run, encrypted: Path) -> None:
    """The error of the template, which uses a variable of the file, follows from it."""
    (encrypted / "wrong").write_text("another\n")
    for words in (("inventory", "check"), ("plan",), ("apply", "--yes")):
        done = scimconf(*words, "--vault-password-file", "wrong")
        assert (done.returncode, done.stderr.count("error: ")) == (64, 1), done
        assert "tried: default from wrong" in done.stderr
    assert scimconf("apply", "--yes").stderr.count("error: ") == 1


def test_init_says_how_to_open_a_file_that_it_needs(scimconf: Run, encrypted: Path) -> None:
    (encrypted / "inventory.yaml").write_text("all: {hosts: {chat1.example.com: }}")
    with (encrypted / "group_vars/all/vars.yml").open("a") as file:
        file.write("zulip_external_host: '{{ vault_name }}'\n")
    done = scimconf("init", "--host", "chat1.example.com")
    assert done.returncode == 64, done
    assert "  -> use --vault-password-file FILE or --ask-vault-pass\n" in done.stderr


def test_quiet_does_not_hide_that_the_password_file_of_ansible_cfg_is_ignored(
    scimconf: Run, encrypted: Path
) -> None:
    (encrypted / "ansible.cfg").write_text("[defaults]\nvault_password_file = .pass\n")
    done = scimconf("apply", "-q", "--yes")
    assert done.returncode == 64
    assert "(scimconf ignores vault_password_file of ansible.cfg)" in done.stderr


@pytest.mark.parametrize("verb", ["apply", "rotate", "undo", "recover"])
def test_a_change_needs_all_variables(verb: str, scimconf: Run, encrypted: Path) -> None:
    """A plan can do without a file that sets nothing which it needs. A change cannot know that."""
    (encrypted / "group_vars/all/vars.yml").unlink()
    assert scimconf("inventory", "check").returncode == 0
    done = scimconf(verb, "--yes")
    assert done.returncode == 64
    assert "group_vars/all/vault.yml:1:1: error: this file is encrypted as a whole" in done.stderr
    assert "--vault-password-file" in done.stderr


def test_the_password_comes_from_each_source(
    scimconf: Run, encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = scimconf("inventory", "list", *GIVEN).stdout
    assert (
        json.loads(listed)["_meta"]["hostvars"]["chat1.example.com"]["ansible_host"] == "<secret>"
    )
    assert scimconf("inventory", "list", "--vault-id", "default@password").stdout == listed
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "password")
    assert scimconf("inventory", "list").stdout == listed
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "nosuch")
    assert "cannot read the vault password file nosuch" in scimconf("inventory", "list").stderr
    monkeypatch.setenv("SCIMCONF_VAULT_PASSWORD", "correct horse")
    assert scimconf("inventory", "list").stdout == listed


def test_a_prompt_is_shown_only_if_it_is_needed(
    scimconf: Run, encrypted: Path, typed: list[tuple[str, bool]]
) -> None:
    (encrypted / "group_vars/all/vault.yml").unlink()
    (encrypted / "group_vars/all/vars.yml").unlink()
    assert scimconf("inventory", "check", "--ask-vault-pass").returncode == 0
    assert typed == []


def test_the_trouble_of_another_host_stops_nothing(scimconf: Run, tmp_path: Path) -> None:
    with (tmp_path / "inventory.yaml").open("a") as file:
        file.write(
            "    old.example.com: {scim_realms: {x: }, ansible_user: \"{{ lookup('env') }}\"}\n"
        )
    for words in (("plan",), ("verify", *GIVEN), ("inventory", "list"), ("handoff",)):
        said = scimconf(*words, "chat1*")
        assert "old.example.com" not in said.stdout + said.stderr, said
        stopped = scimconf(*words)
        assert stopped.returncode == 64
        assert "old.example.com.ansible_user: the template fails: lookups" in stopped.stderr
    assert scimconf("inventory", "graph").returncode == 0
    assert scimconf("inventory", "check").returncode == 64
    assert scimconf("inventory", "check", "--limit", "!old*").returncode == 0


def test_extra_vars_of_the_command_line(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("scim_deployment: mine\n")
    done = scimconf("inventory", "list", "chat1*", "-e", "zulip_user=zulip2", "-e", "@more.yml")
    variables = json.loads(done.stdout)["_meta"]["hostvars"]["chat1.example.com"]
    assert (variables["zulip_user"], variables["scim_deployment"]) == ("zulip2", "mine")
    assert scimconf("plan", "-e", "scim_idp").returncode == 64
    refused = scimconf("plan", "-e", '{"scim_realms": {"a": {"token": "abcdefghijklmnopqrstuvw"}}}')
    assert refused.returncode == 64
    assert "a token is on the command line" in refused.stderr


@pytest.mark.needs_sshd
def test_a_saved_plan_binds_encrypted_files_and_extra_vars(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="12.1")
    operator.write_inventory({server.name: {"scim_realms": {"": {}}}})
    variables = json.loads(operator.inventory.read_text())["all"]["hosts"][server.name]
    hidden = {name: variables.pop(name) for name in ("ansible_host", "ansible_port")}
    operator.inventory.write_text(json.dumps({"all": {"hosts": {server.name: variables}}}))
    password = Secret((operator.folder / ".vault-password").read_text().strip())
    file = operator.folder / "host_vars" / f"{server.name}.yml"
    file.parent.mkdir()
    file.write_text(text := vault.encrypt(Secret(json.dumps(hidden)), password))
    extra = ("-e", "scim_idp=okta")
    done = operator.run("plan", "--out", "plan.json", *VAULT, *extra)
    assert done.returncode == 2, done
    saved = (operator.folder / "plan.json").read_text()
    assert f"port {hidden['ansible_port']}" not in saved + done.stdout
    assert "an encrypted value of the inventory, not shown" in saved

    apply = ("--plan", "plan.json")
    without = operator.apply(*apply)
    assert (without.returncode, "scim_realms" in without.stdout) == (1, True), without
    moved = {**hidden, "ansible_host": "127.0.0.2"}
    file.write_text(vault.encrypt(Secret(json.dumps(moved)), password))
    other = operator.apply(*apply, *extra)
    assert other.returncode == 1, other
    assert f"ansible_host of {server.name} was an encrypted value" in other.stdout
    assert "127.0.0.2" not in other.stdout
    own = operator.folder / ".vault-password"
    own.rename(operator.folder / "elsewhere")
    closed = operator.run("apply", "--yes", *apply, *extra)
    (operator.folder / "elsewhere").rename(own)
    assert (closed.returncode, "encrypted as a whole" in closed.stderr) == (64, True), closed

    file.write_text(text)
    done = operator.apply(*apply, *extra)
    assert done.returncode == 0, done
