from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from scimconf.model import (
    Connection,
    Deliver,
    Paths,
    Position,
    Realm,
    Reference,
    Server,
    VaultValue,
    WayFact,
)
from scimconf.report.lines import way_text
from scimconf.run.binding import UNBOUND, way
from scimconf.sanitize import visible
from scimconf.secret import MASK, Sealed, Secret
from tests.factories import connection, realm, server

COMMAND = Reference("command", ("./get-token", "a b"), ".")
DELIVER = Deliver("command", {"words": ("./deliver", "acme")}, ".")
ONE = server(
    realm("acme", token=COMMAND, deliver=DELIVER),
    position=Position("inventory.yaml", 3, 1),
    connection=connection(
        port=2222,
        ssh_arguments=("-o", "HostName=10.0.0.1"),
        private_key="keys/one",
        password=Secret("a password"),
        passphrase=VaultValue("cipher"),
        become=True,
        become_password=Secret("another one"),
        python="/usr/bin/python3.11",
        said=frozenset(
            {
                "ansible_user",
                "ansible_private_key_file",
                "ansible_become",
                "ansible_become_user",
                "ansible_ssh_common_args",
            }
        ),
    ),
    ca="ca.pem",
    probe="http://127.0.0.1:8080",
)
OTHER: dict[str, Any] = {
    "Server.silence": ("unused-client",),
    "Connection.kind": "local",
    "Connection.host": "10.0.0.2",
    "Connection.port": 22,
    "Connection.user": "ops",
    "Connection.password": None,
    "Connection.private_key": "keys/two",
    "Connection.become": False,
    "Connection.become_method": "su",
    "Connection.become_user": "root",
    "Connection.become_password": None,
    "Connection.python": "/home/ops/python",
    "Connection.timeout": 20.0,
    "Connection.passphrase": None,
    "Connection.become_exe": "sudo.ws",
    "Connection.become_flags": "-E",
    "Connection.encrypted": {"ansible_host": Sealed("10.0.0.1", b"key", owned=False)},
    "Connection.ssh_arguments": ("-o", "HostName=10.0.0.2"),
    "Paths.settings": "/srv/settings.py",
    "Paths.secrets": "/srv/zulip-secrets.conf",
    "Paths.deployment": "/home/ops/x",
    "Paths.user": "ops",
    "Server.name": "chat2",
    "Server.external_host": "chat.example.org",
    "Server.token_store": "secrets",
    "Server.unmanaged": True,
    "Server.deployment": "chat2",
    "Server.restart": ("reboot",),
    "Server.restart_timeout": 1,
    "Server.gate_timeout": 1,
    "Server.probe": None,
    "Server.moved_from": "chat0",
    "Server.zone": "dmz",
    "Realm.moved_from": "acme-old",
    "Server.verify": False,
    "Server.ca": "other.pem",
    "Realm.string_id": "wiki",
    "Realm.present": False,
    "Realm.idp": "entra",
    "Realm.client": "entra",
    "Realm.name_formatted_included": True,
    "Realm.options": {"custom_profile_field_map": {"phoneNumber": "phone"}},
    "Realm.token": VaultValue("cipher"),
    "Realm.deliver": Deliver("command", {"words": ("./evil",)}, "."),
    "Deliver.kind": "authentik",
    "Deliver.settings": {"words": ("./evil",)},
    "Deliver.folder": "elsewhere",
    "Realm.url": "https://chat.evil.test",
    "Reference.kind": "file",
    "Reference.words": ("./evil",),
    "Reference.folder": "elsewhere",
}
"""For each field, a value that differs from the one in ONE."""

_NESTED = ("Server.connection", "Server.paths", "Server.realms")


def _bound(one: Server) -> dict[str, str]:
    facts = [fact for fact in way(one) if fact.bound]
    found = {fact.source: fact.value for fact in facts}
    assert len(found) == len(facts), "each bound fact has a source of its own"
    return found


def _other_delivery(field: str, value: object) -> Deliver:
    """Return DELIVER with another value. Another kind also has other settings."""
    if field == "kind":
        return Deliver("authentik", {"url": "https://sso.example.com", "provider": 1}, ".")
    change: Any = {field: value}
    return replace(DELIVER, **change)


def _with(kind: type, field: str, value: object) -> Server:
    """Return ONE with another value in one field, which may be in one of its parts."""
    change: Any = {field: value}
    (acme,) = ONE.realms
    if kind is Server:
        return replace(ONE, **change)
    if kind is Connection:
        return replace(ONE, connection=replace(ONE.connection, **change))
    if kind is Paths:
        return replace(ONE, paths=replace(ONE.paths, **change))
    if kind is Realm:
        return replace(ONE, realms=(replace(acme, **change),))
    if kind is Deliver:
        return replace(ONE, realms=(replace(acme, deliver=_other_delivery(field, value)),))
    return replace(ONE, realms=(replace(acme, token=replace(COMMAND, **change)),))


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        pytest.param(kind, field.name, id=f"{kind.__name__}.{field.name}")
        for kind in (Server, Connection, Paths, Realm, Reference, Deliver)
        for field in fields(kind)
    ],
)
def test_every_field_of_a_server_is_bound_or_has_a_reason(kind: type, field: str) -> None:
    name = f"{kind.__name__}.{field}"
    if name in _NESTED:
        return
    if name not in OTHER:
        assert UNBOUND[name]
        return
    assert _bound(_with(kind, field, OTHER[name])) != _bound(ONE)


def test_every_unbound_field_with_a_reason_exists() -> None:
    kinds = (Server, Connection, Paths, Realm, Reference)
    known = {f"{kind.__name__}.{field.name}" for kind in kinds for field in fields(kind)}
    assert set(UNBOUND) <= known


def test_what_an_encrypted_address_leads_to_is_masked() -> None:
    hidden = {"ansible_host": Sealed("chat.test", b"key", owned=False)}
    one = server(realm(), connection=connection(encrypted=hidden))
    reached = (
        WayFact("connects to", "192.0.2.1", "from the name server", bound=False),
        WayFact("logs in as", "ops", "from your ssh_config", bound=False),
    )
    found = {fact.source: fact.value for fact in way(one, reached)}
    assert found["from the name server"] == MASK
    assert found["from your ssh_config"] == "ops"
    shown = {fact.source: fact.value for fact in way(server(realm()), reached)}
    assert shown["from the name server"] == "192.0.2.1"


def test_options_of_the_command_line_are_shown_but_not_bound() -> None:
    plain = server(realm(), connection=connection(user=None))
    options = server(
        realm(), connection=connection(user="ops", private_key="k", become=True, become_user="root")
    )
    assert _bound(plain) == _bound(options)
    marked = {fact.value for fact in way(options) if fact.source == "from the command line"}
    assert marked == {"ops", "k", "another user after the login", "root"}


@pytest.mark.parametrize(
    "checkout", ["", "{cwd}/", "/builds/two/"], ids=["here", "absolute", "elsewhere"]
)
def test_the_place_of_the_checkout_does_not_matter(checkout: str) -> None:
    def at(folder: str) -> Server:
        folder = folder.format(cwd=Path().absolute())
        absolute = f"{folder or f'{Path().absolute()}/'}prod"
        return server(
            realm("acme", token=Reference("command", ("./get", f"{absolute}/x"), f"{folder}prod")),
            realm("wiki", token=Reference("file", ("t",), f"{folder}prod/group_vars")),
            position=Position(f"{folder}prod/inventory.yaml", 3, 1),
            ca=f"{folder}prod/../ca.pem",
            connection=connection(ssh_arguments=("-i", f"{absolute}/key")),
        )

    bound = _bound(at(checkout))
    assert bound == _bound(at(""))
    assert bound["scim_ca"] == "../ca.pem"
    assert bound["scim_realms.wiki.token"].endswith("in the folder group_vars")
    assert "{{ inventory_dir }}/key" in bound["ansible_ssh_common_args"]


def test_paths_on_the_server_are_not_made_relative() -> None:
    beside = replace(ONE, position=Position("/etc/zulip/inventory.yaml", 1, 1))
    assert _bound(beside)["zulip_settings"] == "/etc/zulip/settings.py"


def test_a_restart_command_differs_from_a_keyword() -> None:
    assert _bound(replace(ONE, restart=("none",))) != _bound(replace(ONE, restart="none"))


def test_no_fact_contains_a_secret() -> None:
    in_clear = _with(Realm, "token", Secret("Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6"))
    in_vault = _with(Realm, "token", VaultValue("cipher"))
    said = repr([way(ONE), way(in_clear), way(in_vault)])
    for secret in ("a password", "another one", "cipher", "Zm9v"):
        assert secret not in said
    assert "ansible_become_password" in said


def test_observed_facts_are_sorted_among_facts_of_the_same_kind() -> None:
    added = WayFact("connects to", "10.9.9.9", "from the name server", bound=False)
    facts = way(ONE, (added,))
    kinds = [fact.what for fact in facts]
    assert added in facts
    assert [kind for kind in dict.fromkeys(kinds) for _ in range(kinds.count(kind))] == kinds
    assert _bound(ONE) == {fact.source: fact.value for fact in facts if fact.bound}


def test_a_fact_is_one_line_with_visible_control_characters() -> None:
    text = way_text(WayFact("runs on the server", "a\nb\x1b[2J\u202e", "scim_restart"))
    assert text == r"runs on the server: a\nb\x1b[2J\u202e (scim_restart)"
    assert visible("a\tb") == r"a\tb"


ENTRA = {"tenant": "contoso.example", "client_id": "c1", "service_principal": "p1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "other") for name in ENTRA),
        ("cloud", "us"),
        ("job", "j2"),
        ("credential", Reference("env", ("SCIMCONF_IDP_OTHER",), ".")),
        ("certificate", Reference("file", ("key.pem",), ".")),
    ],
)
def test_every_setting_of_a_delivery_is_bound(name: str, value: object) -> None:
    (acme,) = ONE.realms
    found = []
    for settings in (ENTRA, {**ENTRA, name: value}):
        deliver = Deliver("entra", settings, ".")  # type: ignore[arg-type]
        found.append(_bound(replace(ONE, realms=(replace(acme, deliver=deliver),))))
    assert found[0] != found[1]


def test_servers_share_equal_facts() -> None:
    one, other = (way(replace(server(), name=name)) for name in ("chat1", "chat2"))
    unequal = [pair for pair in zip(one, other, strict=True) if pair[0] is not pair[1]]
    assert [(a.value, b.value) for a, b in unequal] == [("chat1", "chat2")]
