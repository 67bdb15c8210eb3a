from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_check_counts(scimconf: Run, tmp_path: Path) -> None:
    assert scimconf("inventory", "check").stdout == "ok: 2 servers, 3 realms\n"
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("all: {hosts: {a.example.com: {scim_realms: {acme: {}}}}}\n")
    assert scimconf("inventory", "check").stdout == "ok: 1 server, 1 realm\n"
    inventory.write_text("all: {hosts: {a.example.com: {}}}\n")
    said = scimconf("inventory", "check")
    assert (said.returncode, "no host has scim_realms" in said.stdout) == (0, True)


def test_check_prints_every_error_with_its_position(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "all:\n  hosts:\n    a: {scim_realms: {ACME: {}, acme: {idp: okto}}}\n"
    )
    done = scimconf("inventory", "check")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.count("inventory.yaml:3:") == 2
    assert "Traceback" not in done.stderr


def test_warnings_go_to_stderr(scimconf: Run, tmp_path: Path) -> None:
    token = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm"
    (tmp_path / "inventory.yaml").write_text(
        f"all: {{hosts: {{a.example.com: {{scim_realms: {{acme: {{token: {token}}}}}}}}}}}\n"
    )
    done = scimconf("inventory", "check")
    assert (done.returncode, done.stdout) == (0, "ok: 1 server, 1 realm\n")
    assert ": warning: all.hosts" in done.stderr
    assert "inventory.yaml:1:" in done.stderr
    assert token not in done.stderr + scimconf("inventory", "list").stdout


def test_check_applies_limit_and_reports_a_typo(scimconf: Run) -> None:
    one = scimconf("inventory", "check", "--limit", "chat1*")
    assert one.stdout.startswith("ok: 1 server, ")
    typo = scimconf("inventory", "check", "--limit", "chta1.example.com")
    assert typo.returncode == 64
    assert "chta1" in typo.stderr


def test_a_key_cannot_forge_an_output_line(scimconf: Run, tmp_path: Path) -> None:
    text = 'all: {hosts: {"a\\nweb9  nothing to do": {scim_realms: {"b\\nok": {}}}}}\n'
    (tmp_path / "inventory.yaml").write_text(text)
    done = scimconf("inventory", "check")
    assert done.returncode == 64
    assert "a\\nweb9" in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith(("web9", "ok"))]


def test_list_and_graph(scimconf: Run) -> None:
    whole = json.loads(scimconf("inventory", "list").stdout)
    assert set(whole["_meta"]["hostvars"]) == {"chat1.example.com", "chat2.example.com"}
    one = json.loads(scimconf("inventory", "list", "chat1*").stdout)
    assert set(one["_meta"]["hostvars"]) == {"chat1.example.com"}
    assert scimconf("inventory", "graph").stdout.startswith("@all:\n")


def test_schema(scimconf: Run) -> None:
    assert json.loads(scimconf("inventory", "schema").stdout)["type"] == "object"


@pytest.mark.parametrize("sources", [("-i", "a", "-i", "b"), ()], ids=["options", "variable"])
def test_several_sources(
    sources: tuple[str, ...], scimconf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        text = f"all: {{hosts: {{{name}.example.com: {{scim_realms: {{acme: {{}}}}}}}}}}\n"
        (tmp_path / name).write_text(text)
    if not sources:
        monkeypatch.setenv("SCIMCONF_INVENTORY", "a:b")
    assert scimconf("inventory", "check", *sources).stdout == "ok: 2 servers, 2 realms\n"


def test_without_an_inventory_the_hint_is_init(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").unlink()
    done = scimconf("inventory", "check")
    assert done.returncode == 64
    assert "scimconf init" in done.stderr


def test_an_inventory_program_needs_consent(scimconf: Run, tmp_path: Path) -> None:
    """docs/from-ansible.md describes this."""
    source = tmp_path / "inv"
    source.write_text('#!/bin/sh\necho \'{"web": {"hosts": ["a"]}, "_meta": {"hostvars": {}}}\'\n')
    source.chmod(0o755)
    refused = scimconf("inventory", "check", "-i", "inv")
    assert refused.returncode == 64
    assert "which runs only with --allow-exec=inventory" in refused.stderr
    done = scimconf("inventory", "list", "-i", "inv", "--allow-exec=inventory")
    assert json.loads(done.stdout)["web"] == {"hosts": ["a"]}


# --- found without -i ---------------------------------------------------------------------------


def test_every_verb_uses_the_inventory_that_ansible_cfg_names(empty: Run, tmp_path: Path) -> None:
    """The token file stands beside it."""
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = fleet/hosts\n")
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet/hosts").write_text("[zulip]\nchat.example.com scim_realms={}\n")
    group = tmp_path / "fleet/group_vars/zulip.yml"
    group.parent.mkdir()
    group.write_text("scim_idp: okta\n")
    host = tmp_path / "fleet/host_vars/chat.example.com.yml"
    host.parent.mkdir()
    host.write_text("scim_realms: {acme: {}}\n")
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    password.chmod(0o600)
    assert empty("inventory", "check").stdout == "ok: 1 server, 1 realm\n"
    made = empty(
        *("render", "chat.example.com", "--create-tokens", "--show-tokens"),
        *("--vault-password-file", "password"),
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert (tmp_path / "fleet/tokens.yaml").exists()
    assert "<token acme" in empty("handoff").stdout


def test_an_inventory_of_the_user_is_named(
    empty: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / "hosts").write_text("chat.example.com scim_realms=\"{'acme': {}}\"\n")
    (home / ".ansible.cfg").write_text("[defaults]\ninventory = hosts\n")
    done = empty("inventory", "check")
    assert done.stdout == "ok: 1 server, 1 realm\n"
    assert done.stderr == f"using the inventory {home}/hosts, which {home}/.ansible.cfg names\n"


def test_a_program_that_ansible_cfg_names_does_not_run(empty: Run, tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = hosts\n")
    program = tmp_path / "hosts"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho '{{}}'\n")
    program.chmod(0o755)
    done = empty("plan")
    assert (done.returncode, done.stdout) == (64, "")
    assert "runs only with --allow-exec=inventory" in done.stderr
    assert not (tmp_path / "ran").exists()
