"""The generated pages are up to date, and the example is valid."""

from __future__ import annotations

from pathlib import Path

from scimconf import inventory
from scimconf.inventory import reference
from scimconf.inventory.connection import SPELLINGS
from scimconf.inventory.schema import OURS, RealmVariables

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert committed == reference.page(), (
        "run: python -m scimconf.inventory.reference > docs/inventory.md"
    )


def test_the_page_names_every_variable() -> None:
    page = reference.page()
    names = [
        *OURS,
        *RealmVariables.model_fields,
        *(name for names in SPELLINGS.values() for name in names),
    ]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_example_is_valid() -> None:
    loaded = inventory.load([ROOT / "inventory.example.yaml"])
    assert list(loaded.servers) == [
        "chat1.example.com",
        "chat2.example.com",
        "app1.community.example.com",
        "app2.community.example.com",
    ]
    assert loaded.warnings == ()
    assert {server.token_store for server in loaded.servers.values()} == {"secrets"}
    assert [realm.url for realm in loaded.servers["chat1.example.com"].realms] == [
        "https://acme.chat1.example.com",
        "https://chat1.example.com",
    ]
