"""Build servers from variables: defaults, connections, realms, tokens, templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf import inventory
from scimconf.errors import InventoryError
from scimconf.model import Connection, Paths, Position, Realm, Reference, Server, VaultValue
from scimconf.secret import Secret
from tests.factories import connection

from .conftest import Load, One, Write, short

TOKEN = "GoodTokenOf43LettersAndDigits0123456789abcXY"


def test_defaults(one: One) -> None:
    assert one() == Server(
        name="chat.example.com",
        connection=connection(user=None),
        paths=Paths(
            settings="/etc/zulip/settings.py",
            secrets="/etc/zulip/zulip-secrets.conf",
            deployment="/home/zulip/deployments/current",
            user="zulip",
        ),
        external_host="chat.example.com",
        realms=(
            Realm(
                string_id="acme",
                present=True,
                idp="other",
                client="scim",
                name_formatted_included=False,
                options={},
                token=None,
                url="https://acme.chat.example.com",
                position=Position("hosts.yaml", 4, 21),
            ),
        ),
        token_store="settings",
        unmanaged="report",
        deployment="chat.example.com",
        restart="server",
        restart_timeout=180,
        gate_timeout=60,
        probe=None,
        verify=True,
        ca=None,
        position=Position("hosts.yaml", 3, 5),
        peers=("chat.example.com",),
    )


def test_every_variable_is_used(one: One, write: Write) -> None:
    write("", "certs/ca.pem")
    server = one("""
        ansible_connection: paramiko
        ansible_host: 10.0.0.7
        ansible_port: "2222"
        ansible_user: admin
        ansible_password: pw
        ansible_ssh_private_key_file: ~/.ssh/key
        ansible_become: "yes"
        ansible_become_method: su
        ansible_become_user: zulip2
        ansible_become_password: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          66
        ansible_python_interpreter: /usr/bin/python3.9
        ansible_ssh_timeout: 5
        zulip_user: zulip1
        zulip_settings: /srv/settings.py
        zulip_secrets: /srv/secrets.conf
        zulip_deployment: /srv/zulip
        zulip_external_host: "Chat.example.org:8443"
        scim_token_store: secrets
        scim_unmanaged: remove
        scim_deployment: main
        scim_restart: [sudo, systemctl, restart, zulip]
        scim_restart_timeout: 300
        scim_gate_timeout: 5
        scim_probe: https://127.0.0.1:8443/
        scim_verify: false
        scim_ca: certs/ca.pem
        scim_moved_from: old.example.com
        """)
    assert server.connection == Connection(
        kind="ssh",
        host="10.0.0.7",
        port=2222,
        user="admin",
        password=Secret("pw"),
        private_key="~/.ssh/key",
        become=True,
        become_method="su",
        become_user="zulip2",
        become_password=VaultValue(
            "$ANSIBLE_VAULT;1.1;AES256\n66\n", Position("hosts.yaml", 14, 32)
        ),
        python="/usr/bin/python3.9",
        timeout=5.0,
        said=frozenset(
            f"ansible_{name}"
            for name in (
                *("connection", "host", "port", "user", "password", "private_key_file"),
                *("become", "become_method", "become_user", "become_password"),
                *("python_interpreter", "timeout"),
            )
        ),
    )
    assert server.paths == Paths("/srv/settings.py", "/srv/secrets.conf", "/srv/zulip", "zulip1")
    assert server.external_host == "Chat.example.org:8443"
    assert server.realms[0].url == "https://acme.Chat.example.org:8443"
    assert server.token_store == "secrets"
    assert (server.unmanaged, server.verify, server.deployment) == ("remove", False, "main")
    assert server.restart == ("sudo", "systemctl", "restart", "zulip")
    assert (server.restart_timeout, server.gate_timeout) == (300, 5)
    assert server.probe == "https://127.0.0.1:8443"
    assert server.ca == "certs/ca.pem"
    assert server.moved_from == "old.example.com"


def test_a_relative_ca_file_starts_at_its_inventory_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for each in ("inv/group_vars/ca.pem", "etc/ca.pem", "home/ca.pem"):
        write("", each)
    write("scim_realms: {x: }\nscim_ca: ca.pem\n", "inv/group_vars/all.yml")
    ca = tmp_path / "etc/ca.pem"
    source = write(
        f"all: {{hosts: {{a: , b: {{scim_ca: {ca}}}, c: {{scim_ca: ~/ca.pem}}}}}}", "inv/hosts.yml"
    )
    servers = inventory.load([source]).servers
    assert servers["a"].ca == "inv/group_vars/ca.pem"
    assert servers["b"].ca == str(ca)
    assert servers["c"].ca == str(tmp_path / "home/ca.pem")


def test_a_ca_file_that_does_not_exist(write: Write, tmp_path: Path) -> None:
    write("", "inv/ca.pem")
    write("", "ca.pem/is-a-folder")
    source = write(
        """\
        all:
          vars: {scim_realms: {x: }, scim_ca: ../ca.pem}
          hosts:
            a:
            b: {scim_ca: ca.pme}
            c: {scim_ca: ca.pem}
        """,
        "inv/hosts.yml",
    )
    with pytest.raises(InventoryError) as caught:
        inventory.load([source])
    hint = "(a relative path starts in the folder of the file that sets it)"
    assert [short(problem) for problem in caught.value.problems] == [
        "inv/hosts.yml:2:30: all.vars.scim_ca: the file inv/../ca.pem is not a regular file "
        + hint,
        f"inv/hosts.yml:5:9: all.hosts.b.scim_ca: the file inv/ca.pme does not exist {hint}",
    ]


# --- the connection ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("ssh", "ssh"),
        ("smart", "ssh"),
        ("paramiko_ssh", "ssh"),
        ("ansible.builtin.ssh", "ssh"),
        ("local", "local"),
        ("ansible.builtin.local", "local"),
    ],
)
def test_kinds_of_connection(one: One, written: str, kind: str) -> None:
    assert one(f"ansible_connection: {written}").connection.kind == kind


def test_ansible_ssh_user_wins_over_ansible_user_in_any_order(one: One) -> None:
    server = one("ansible_ssh_user: old\nansible_user: new\nansible_ssh_host: h1\nansible_host: h2")
    assert (server.connection.user, server.connection.host) == ("old", "h1")


def test_the_inventory_overrides_options(one: One) -> None:
    options = {
        "ansible_user": "option",
        "ansible_ssh_private_key_file": "k",
        "ansible_become": True,
    }
    how = one("ansible_become: false\nansible_private_key_file: mine", **options).connection
    assert (how.user, how.private_key, how.become) == ("option", "mine", False)
    assert one("ansible_user: said", **options).connection.user == "said"


def test_automatic_python_interpreters_mean_none(one: One) -> None:
    assert one("ansible_python_interpreter: auto_silent").connection.python is None


def test_secrets_are_not_shown(one: One) -> None:
    server = one("ansible_password: hunter2\nansible_become_pass: 12345")
    assert "hunter2" not in repr(server)
    assert server.connection.become_password == Secret("12345")


# --- realms ------------------------------------------------------------------------------------


def test_a_realm_overrides_the_server_and_the_preset(one: One) -> None:
    realms = one("""
        scim_idp: okta
        scim_client: ours
        scim_realms:
          a:
          b: {idp: entra}
          c: {client: Own name@x, name_formatted_included: true}
          "": {state: absent, create_guests_without_streams: false}
          "123": {url: "https://Zulip.example.org/", custom_profile_field_map: {x: y}}
        """).realms
    found = [(r.string_id, r.idp, r.client, r.name_formatted_included) for r in realms]
    assert found == [
        ("a", "okta", "ours", False),
        ("b", "entra", "ours", True),
        ("c", "okta", "Own name@x", True),
        ("", "okta", "ours", False),
        ("123", "okta", "ours", False),
    ]
    assert [realm.present for realm in realms] == [True, True, True, False, True]
    assert realms[3].url == "https://chat.example.com"
    assert realms[3].options == {"create_guests_without_streams": False}
    assert realms[4].url == "https://zulip.example.org"
    assert realms[4].options == {"custom_profile_field_map": {"x": "y"}}


def test_the_client_defaults_to_the_presets(one: One) -> None:
    assert one("scim_idp: okta").realms[0].client == "okta"


@pytest.mark.parametrize(
    "url", ["http://localhost:9991", "http://127.0.0.1:80", "http://a.localhost"]
)
def test_http_is_allowed_for_loopback_only(one: One, url: str) -> None:
    assert one(f"scim_realms: {{acme: {{url: '{url}'}}}}").realms[0].url == url


@pytest.mark.parametrize(
    ("written", "kind", "words"),
    [
        ('"env:ACME_TOKEN"', "env", ("ACME_TOKEN",)),
        ("{env: ACME_TOKEN}", "env", ("ACME_TOKEN",)),
        ('"file: my tokens/acme"', "file", ("my tokens/acme",)),
        ("{file: acme}", "file", ("acme",)),
        ("\"command: op read 'a b'\"", "command", ("op", "read", "a b")),
        ("{command: op read x}", "command", ("op", "read", "x")),
        ('{command: [op, read, "a b"]}', "command", ("op", "read", "a b")),
    ],
)
def test_references(write: Write, written: str, kind: str, words: tuple[str, ...]) -> None:
    source = write(
        f"all: {{hosts: {{h: {{scim_realms: {{acme: {{token: {written}}}}}}}}}}}", "inv/h.yml"
    )
    loaded = inventory.load([source])
    assert loaded.servers["h"].realms[0].token == Reference(kind, words, "inv")  # type: ignore[arg-type]
    assert loaded.warnings == ()


def test_a_plaintext_token_works_with_a_warning(load: Load) -> None:
    loaded = load(f"all: {{hosts: {{h: {{scim_realms: {{acme: {{token: {TOKEN}}}}}}}}}}}")
    assert loaded.servers["h"].realms[0].token == Secret(TOKEN)
    (warning,) = loaded.warnings
    assert "acme.token: the token of this realm is in plain text" in short(warning)
    assert TOKEN not in repr(loaded)


def test_a_token_in_a_vault_value(load: Load) -> None:
    loaded = load("""
        all:
          vars:
            acme_token: !vault |
              $ANSIBLE_VAULT;1.1;AES256
              66
          hosts: {h: {scim_realms: {acme: {token: "{{ acme_token }}"}}}}
        """)
    assert isinstance(loaded.servers["h"].realms[0].token, VaultValue)
    assert loaded.warnings == ()


def test_servers_of_one_deployment_share_urls(load: Load) -> None:
    loaded = load("""
        all:
          vars: {scim_deployment: d, zulip_external_host: chat.example.com, scim_realms: {x: }}
          hosts: {a: , b: }
        """)
    assert {server.realms[0].url for server in loaded.servers.values()} == {
        "https://x.chat.example.com"
    }


# --- templates ---------------------------------------------------------------------------------


def test_templates(write: Write) -> None:
    write(
        "domain: example.org\nzulip_external_host: '{{ short }}.{{ domain }}'\n", "group_vars/all"
    )
    source = write("""
        g:
          vars:
            short: "{{ inventory_hostname_short }}"
            idp: entra
            strict: true
            scim_verify: "{{ strict }}"
            ansible_host: "{{ group_names | first }}-{{ groups.g | length }}"
            ansible_private_key_file: "{{ inventory_dir }}/key"
            scim_realms: {acme: {idp: "{{ idp }}", client: !unsafe "raw"}}
          hosts: {chat1.internal: , chat2.internal: {idp: okta}}
        """)
    servers = inventory.load([source]).servers
    assert [server.external_host for server in servers.values()] == [
        "chat1.example.org",
        "chat2.example.org",
    ]
    assert [server.realms[0].idp for server in servers.values()] == ["entra", "okta"]
    one = servers["chat1.internal"]
    assert one.verify is True
    assert one.connection.host == "g-2"
    assert one.connection.private_key == str(source.absolute().parent / "key")


def test_only_used_variables_are_expanded(one: One) -> None:
    assert one("broken: '{{ lookup(1) }}'\nother: '{{'").name == "chat.example.com"


def test_other_variables_are_ignored(one: One) -> None:
    assert one("zulip: x\nscimitar: [1]\nanything: {goes: here}\n12: 13").name == "chat.example.com"


Wrong = Callable[[str], str]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("scim_ipd: okta", "scim_ipd: unknown variable (did you mean scim_idp?)"),
        ("zulip_setings: /x", "zulip_setings: unknown variable (did you mean zulip_settings?)"),
        (
            "scim_idp: okat",
            "scim_idp: unknown identity provider, expected one of: authentik, entra",
        ),
        ("scim_idp: [okta]", "scim_idp: expected text, found a list"),
        ("scim_client: '-x'", "scim_client: the name of a SCIM client starts with a letter"),
        ("scim_client: 12", "scim_client: expected text, found a number (quote it)"),
        ("scim_verify: 'yes'", "scim_verify: expected true or false, found text"),
        ("scim_verify: 1", "scim_verify: expected true or false, found a number"),
        ("scim_unmanaged: kep", "expected report, keep or remove (did you mean keep?)"),
        ("scim_purge: true", "scim_purge: this variable was replaced (use scim_unmanaged"),
        ("scim_verify:", "scim_verify: expected true or false, found nothing"),
        ("scim_token_store: secret", "expected settings or secrets (did you mean secrets?)"),
        (
            "scim_restart: sever",
            "expected server, django, none or a command as a list of words (did",
        ),
        ("scim_restart: []", "scim_restart: expected server, django, none or a command"),
        ("scim_restart: [1]", "scim_restart: expected server, django, none or a command"),
        ("scim_restart: ['']", "scim_restart: this list is not a command"),
        ("scim_probe: http://10.0.0.7", "expected https://"),
        ("scim_probe: localhost", "scim_probe: expected https:// and a host name"),
        ("scim_deployment: ''", "scim_deployment: expected a name"),
        ("scim_deployment: 2024-01-01", "scim_deployment: expected text, found a date (quote it)"),
        ("zulip_external_host: https://x", "zulip_external_host: expected a host name"),
        ("zulip_settings: settings.py", "expected an absolute path on the server"),
        ("zulip_user: -x", "zulip_user: expected a user name"),
        ("zulip_user: root", "zulip_user: the agent never runs as root (use the user"),
        ("ansible_connection: docker", "ansible_connection: expected ssh or local"),
        ("ansible_port: 0", "ansible_port: expected a number of at least 1"),
        ("ansible_port: 70000", "ansible_port: expected a number of at most 65535"),
        ("ansible_ssh_port: x", "ansible_ssh_port: expected a number, found text"),
        ("ansible_host: -oProxyCommand=x", "ansible_host: expected a host name or an address"),
        ("ansible_user: '-l root'", "ansible_user: expected a login name"),
        ("ansible_become_user: 'CORP\\\\zulip'", "ansible_become_user: expected a user name"),
        ("ansible_become: perhaps", "ansible_become: expected true or false, found text"),
        ("ansible_become_method: doas", "ansible_become_method: expected sudo or su"),
        (
            "ansible_password: [x]",
            "ansible_password: expected text or a !vault value, found a list",
        ),
        ("ansible_ssh_timeout: 0", "ansible_ssh_timeout: expected a number greater than 0"),
        ("ansible_host: !vault x", "ansible_host: this is not a vault value"),
        ("scim_idp: '{{ nosuch }}'", "scim_idp: the template fails: 'nosuch' is undefined"),
        ("scim_idp: '{{ scim_idp }}'", "scim_idp: the variable depends on itself"),
        ('ansible_user: \'{{ lookup("env", "USER") }}\'', "lookups are not supported"),
        ("scim_realms:", "scim_realms: expected a mapping of realms, found nothing"),
        ("scim_realms: [acme]", "scim_realms: expected a mapping of realms, found a list"),
        (
            "scim_realms: {no: }",
            'scim_realms."False": YAML reads this realm name as the value fa',
        ),
        ("scim_realms: {123: }", "as the number 123 (quote it)"),
        ("scim_realms: {0022: }", "as the number 18 (quote it)"),
        ("scim_realms: {~: }", "as nothing (quote it)"),
        ("scim_realms: {2024-01-01: }", "as a date (quote it)"),
        (
            "scim_realms: {Acme: }",
            "must be lower-case; Zulip would never match this one (use acme)",
        ),
        ("scim_realms: {-a: }", "lower-case letters, digits and inner hyphens"),
        ("scim_realms: {a_b: }", "lower-case letters, digits and inner hyphens"),
        ("scim_realms: {www: }", 'Zulip uses www for the root realm (use "")'),
        ("scim_realms: {a: x}", "scim_realms.a: expected a mapping, found text"),
        (
            "scim_realms: {a: {clint: x}}",
            "scim_realms.a.clint: unknown key, expected one of: idp, client",
        ),
        ("scim_realms: {a: {state: gone}}", "scim_realms.a.state: expected present or absent"),
        ("scim_realms: {a: {state: 1}}", "scim_realms.a.state: expected present or absent"),
        ("scim_realms: {a: {idp: okat}}", "(did you mean okta?)"),
        ("scim_realms: {a: {custom_profile_field_map: [x]}}", "expected a mapping, found a list"),
        (
            "scim_realms: {a: {custom_profile_field_map: {x: 1}}}",
            "map.x: expected text, found a number",
        ),
        (
            "scim_realms: {a: {custom_profile_field_map: {no: x}}}",
            "a key must be text, but YAML reads true or",
        ),
        ("scim_realms: {a: {url: 'http://x.org'}}", "a.url: expected https://, because the token"),
        ("scim_realms: {a: {url: 'x.org'}}", "a.url: expected https:// and a host name"),
        (
            "scim_realms: {a: {url: 'https://u@x.org'}}",
            "a.url: expected https:// and a host name",
        ),
        (
            "scim_realms: {a: {url: 'https://x.org/p'}}",
            "a.url: expected https:// and a host name",
        ),
        (
            "scim_realms: {a: {url: 'https://x.org?q'}}",
            "a.url: expected https:// and a host name",
        ),
        (
            "scim_realms: {a: {url: 'https://x.org:x'}}",
            "a.url: expected https:// and a host name",
        ),
        ("scim_realms: {a: {url: 'https://'}}", "a.url: expected https:// and a host name"),
        ("scim_realms: {a: {url: 'https://[::1'}}", "a.url: expected https:// and a host name"),
        ("scim_realms: {a: {url: 'https://ü.org'}}", "a.url: expected https:// and a host name"),
        ("scim_realms: {a: {token: short}}", "a.token: this token cannot be used: it"),
        ("scim_realms: {a: {token: ''}}", "a.token: this token cannot be used: it is empty"),
        (
            "scim_realms: {a: {token: [x]}}",
            "a.token: expected env:NAME, file:PATH",
        ),
        (
            "scim_realms: {a: {token: 'evn:X'}}",
            "(did you mean env?)",
        ),
        ("scim_realms: {a: {token: 'op:x'}}", "unknown kind of token reference"),
        ("scim_realms: {a: {token: 'env:a b'}}", "expected the name of an environment variable"),
        ("scim_realms: {a: {token: 'file:'}}", "expected a value after file:"),
        ("scim_realms: {a: {token: 'command: \"x'}}", "a quote in this command is not closed"),
        ("scim_realms: {a: {token: {command: 'x \"'}}}", "a quote in this command is not closed"),
        ("scim_realms: {a: {token: {command: []}}}", "expected a value after command:"),
        (
            "scim_realms: {a: {token: {command: [1]}}}",
            "expected text or a list of words after command",
        ),
        ("scim_realms: {a: {token: {env: [x]}}}", "expected text after env"),
        ("scim_realms: {a: {token: {file: x, env: y}}}", "expected one of env, file"),
        ("scim_realms: {a: {token: {vault: x}}}", "expected one of env, file"),
    ],
)
def test_wrong_variables(wrong: Wrong, variables: str, expected: str) -> None:
    assert expected in wrong(variables)


def test_an_error_never_shows_a_secret(wrong: Wrong) -> None:
    for written in ("{token: hunter2}", "{token: 'hunter2:x'}", "{token: {env: hunter2 x}}"):
        assert "hunter2" not in wrong(f"scim_realms: {{a: {written}}}")
    assert "hunter2" not in wrong("ansible_password: [hunter2]")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ('{x: "a\\n"}', "the value of x"),
        ('{x: "\\u202ea"}', "the value of x"),
        ('{"x\\ty": a}', "the key 'x\\ty'"),
    ],
)
def test_control_characters_in_a_map_are_an_error_with_their_place(
    fields: str, where: str, wrong: Wrong
) -> None:
    """`render` would refuse them later, without a place."""
    said = wrong(f"scim_realms: {{a: {{custom_profile_field_map: {fields}}}}}")
    assert said.startswith(f"scim_realms.a.custom_profile_field_map: {where} contains a line break")
    assert "write |- or >-" in said
