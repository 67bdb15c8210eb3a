"""`-e`: what tests/oracle/test_extra_vars.py does not compare with Ansible."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimconf import inventory, vault
from scimconf.errors import InventoryError
from scimconf.inventory import Inventory
from scimconf.run.binding import way
from scimconf.secret import Secret
from scimconf.tokens.generate import generate

from .conftest import Write, of_one_host, short

PASSWORD = Secret("correct horse")


def read(write: Write, *extra: str, own: str = "") -> Inventory:
    return inventory.read(
        [write(of_one_host(own))], extra=extra, passwords=lambda: {"default": PASSWORD}
    )


def test_the_command_line_overrides_everything_but_facts(write: Write) -> None:
    write("ansible_user: file\nscim_idp: okta\n", "host_vars/chat.example.com.yml")
    found = read(write, "ansible_user=ops inventory_hostname=x scim_deployment='{{ a }}'", "a=b")
    (server,) = found.servers.values()
    assert (server.name, server.connection.user, server.deployment) == (
        "chat.example.com",
        "ops",
        "b",
    )


def test_a_wrong_variable_is_an_error_of_every_host(write: Write) -> None:
    found = read(write, "scim_idp=okat", "scim_vrify=no")
    assert [short(problem) for problem in found.errors_of(found.hosts)] == [
        "-e:1:1: scim_vrify: unknown variable (did you mean scim_verify?)",
        "-e:1:1: scim_idp: unknown identity provider, expected one of: authentik, entra, "
        "jumpcloud, keycloak, okta, onelogin, other (did you mean okta?)",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ansible_port", "a word has no = (write KEY=VALUE, a JSON or YAML mapping, or @FILE;"),
        ("./vars.yml", "looks like a file name (write -e @FILE)"),
        ("[a]", "expected variables, found a list"),
        ("{a: [}", "-e:1:"),
        ("@nosuch.yml", "cannot read nosuch.yml"),
        ("a='x", "a quote or a template is not closed"),
        (r"a=\N{NOSUCH}", "a backslash escape is not valid"),
    ],
)
def test_mistakes_stop_every_run(text: str, words: str, write: Write) -> None:
    with pytest.raises(InventoryError) as caught:
        read(write, text)
    (problem,) = map(short, caught.value.problems)
    assert words in problem


@pytest.mark.parametrize(
    "text",
    [
        "ansible_password=hunter2",
        '{"ansible_become_pass": "hunter2"}',
        "{ansible_sudo_pass: 4711}",
        "ansible_ssh_private_key_passphrase=hunter2",
    ],
)
def test_a_password_on_the_command_line_is_a_warning(text: str, write: Write) -> None:
    (warning,) = map(short, read(write, text).warnings)
    assert "a password is on the command line, where every local user can read it" in warning
    assert "-e @FILE" in warning
    assert "hunter2" not in warning


@pytest.mark.parametrize("text", ["ansible_password='{{ x }}'", "@vars.yml", "password=x"])
def test_no_warning_without_a_password_on_the_command_line(text: str, write: Write) -> None:
    write("ansible_password: hunter2\n", "vars.yml")
    assert not read(write, text, "x=1", own="ansible_user: ops").warnings


@pytest.mark.parametrize("form", ["json", "anywhere", "reference"])
def test_a_token_on_the_command_line_is_refused(form: str, write: Write) -> None:
    token = generate().reveal()
    text = {
        "json": json.dumps({"scim_realms": {"acme": {"token": "a-token-of-a-provider-1234567"}}}),
        "anywhere": f"my_token={token}",
        "reference": json.dumps({"scim_realms": {"acme": {"token": "env:ACME"}}}),
    }[form]
    if form == "reference":
        assert read(write, text).servers
        return
    with pytest.raises(InventoryError) as caught:
        read(write, text)
    (problem,) = map(short, caught.value.problems)
    assert "a token is on the command line" in problem
    assert token not in problem


def test_an_encrypted_file_is_opened_and_its_values_are_hidden(write: Write) -> None:
    text = "ansible_user: ops\nansible_become_password: hunter2\n"
    write(vault.encrypt(Secret(text), PASSWORD), "secrets.yml")
    (server,) = read(write, "@secrets.yml").servers.values()
    assert server.connection.user == "ops"
    assert server.connection.become_password == Secret("hunter2")
    assert "ops" not in {fact.value for fact in way(server)}
    with pytest.raises(InventoryError, match=r"secrets.yml:1:1: .*encrypted as a whole"):
        inventory.read([Path("hosts.yaml")], extra=["@secrets.yml"])


def test_a_saved_plan_binds_what_it_sets(write: Write) -> None:
    def bound(*extra: str) -> set[str]:
        (server,) = read(write, *extra).servers.values()
        return {f"{fact.source} {fact.value}" for fact in way(server) if fact.bound}

    assert bound() != bound("ansible_user=ops")
    assert bound("ansible_user=ops") != bound("ansible_user=ops2")
    assert bound("a=1") == bound("a=2")


@pytest.mark.parametrize(
    ("text", "json_text"),
    [
        ('scim_realms={"acme":{}}', '{"scim_realms": {"acme": {"idp": "okta"}}}'),
        ("scim_silence=no-restart", '{"scim_silence": ["A", "B"]}'),
        ("scim_verify=maybe", '{"scim_verify": true}'),
    ],
)
def test_a_text_in_place_of_another_kind_gets_an_example_in_json(
    text: str, json_text: str, write: Write
) -> None:
    found = read(write, text)
    (problem,) = found.errors_of(found.hosts)
    assert problem.hint == f"KEY=VALUE is always text; write JSON: -e '{json_text}'"
    again = read(write, json_text)
    assert "found text" not in str(again.errors_of(again.hosts))
