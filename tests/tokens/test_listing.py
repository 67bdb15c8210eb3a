"""List the tokens of a fleet without a password."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from scimconf.model import Reference
from scimconf.secret import Secret
from scimconf.tokens.entries import Entry, Removed
from scimconf.tokens.listing import Row, older, rows
from scimconf.tokens.rotation import activated, staged
from tests.factories import FINGERPRINT, realm, server

NOW = datetime(2026, 6, 1, 10, tzinfo=timezone.utc)
GENERATED = FINGERPRINT.replace("$29000$", "$100$")
OLD = Entry(GENERATED, "2026-01-01T10:00:00Z", "$ANSIBLE_VAULT;old")
NEW = Entry(GENERATED, "2026-05-30T10:00:00Z", "$ANSIBLE_VAULT;new")
ACME = ("chat1", "acme")


def test_a_rotated_token_with_a_staged_one() -> None:
    rotated = activated(staged(OLD, NEW, NOW), NOW - timedelta(days=1))
    entry = staged(rotated, OLD, NOW)
    assert rows([server(realm())], {ACME: entry}, NOW) == [
        Row(
            *(*ACME, ("chat1",), "in force", "token file", "2026-05-30T10:00:00Z", 2),
            rotated="2026-05-31T10:00:00Z",
            staged="2026-01-01T10:00:00Z",
            previous_until="2026-06-07T10:00:00Z",
            bits=256,
        )
    ]


def test_a_previous_token_is_not_listed_after_its_week() -> None:
    rotated = activated(staged(OLD, NEW, NOW), NOW - timedelta(days=8))
    (row,) = rows([server(realm())], {ACME: rotated}, NOW)
    assert (row.rotated, row.previous_until) == ("", "")


def test_every_realm_of_the_inventory_has_a_row_and_strays_too() -> None:
    vault_value = realm("clear", token=Secret("a token in clear"))
    elsewhere = realm("kept", token=Reference("command", ("pass", "show", "x"), "/"))
    recorded = realm("seen", token=Reference("env", ("TOKEN",), "/"))
    first = server(realm(), elsewhere, recorded, vault_value, realm("gone", present=False))
    records = {
        ("chat1", "seen"): replace(OLD, ciphertext=None),
        ("chat1", "kept"): OLD,
        ("chat1", "gone"): Removed("2026-05-31T10:00:00Z", OLD),
        ("chat0", "acme"): NEW,
        ("chat0", "wiki"): Removed("2026-01-01T00:00:00Z", OLD),
    }
    named = {("chat1", each.string_id) for each in first.realms}
    listed = rows([first], records, NOW, named)
    assert [(row.deployment, row.realm, row.state, row.kept) for row in listed] == [
        ("chat0", "acme", "not in the inventory", "token file"),
        ("chat1", "acme", "missing", ""),
        ("chat1", "clear", "not recorded", "inventory (clear text)"),
        ("chat1", "gone", "removed", "token file"),
        ("chat1", "kept", "not recorded", "command:pass show x"),
        ("chat1", "seen", "in force", "env:TOKEN"),
    ]
    assert [row.deployment for row in rows([first], records, NOW)] == ["chat1"] * 5


def test_a_deployment_has_one_row_for_all_its_servers() -> None:
    both = [server(realm(), name=name, deployment="both") for name in ("a", "b")]
    (row,) = rows(both, {("both", "acme"): OLD}, NOW)
    assert row.servers == ("a", "b")


def test_the_strength_of_a_token_from_elsewhere_is_not_known() -> None:
    (row,) = rows([server(realm())], {ACME: replace(OLD, fingerprint=FINGERPRINT)}, NOW)
    assert row.bits is None


def test_only_tokens_in_force_can_be_too_old() -> None:
    (row,) = rows([server(realm())], {ACME: staged(OLD, NEW, NOW)}, NOW)
    assert older(row, timedelta(days=90), NOW), "a staged token does not make it younger"
    assert not older(row, timedelta(days=200), NOW)
    assert older(replace(row, created="some day"), timedelta(days=200), NOW)
    for state in ("missing", "not recorded", "removed", "not in the inventory"):
        assert not older(replace(row, state=state), timedelta(days=1), NOW)
