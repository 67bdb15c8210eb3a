"""Former names of deployments and realms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf import inventory
from scimconf.errors import InventoryError
from scimconf.model import Places

Load = Callable[[str], Places]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def places(hosts: str) -> Places:
        path = tmp_path / "hosts.yaml"
        path.write_text(f"all:\n  hosts:\n{hosts}")
        return inventory.load([path]).places

    return places


def test_without_a_former_name_nothing_is_renamed(load: Load) -> None:
    assert load("    a: {scim_realms: {acme: , '': }}\n") == Places(
        frozenset({("a", "acme"), ("a", "")})
    )


def test_a_renamed_host_a_renamed_realm_and_both(load: Load) -> None:
    renamed = load(
        "    b:\n      scim_moved_from: a\n"
        "      scim_realms: {acme: , docs: {moved_from: wiki}, top: {moved_from: ''}}\n"
    ).renamed
    assert renamed == {
        ("b", "acme"): (("a", "acme"),),
        ("b", "docs"): (("b", "wiki"), ("a", "wiki"), ("a", "docs")),
        ("b", "top"): (("b", ""), ("a", ""), ("a", "top")),
    }


def test_all_servers_of_a_deployment_may_have_its_former_name(load: Load) -> None:
    renamed = load(
        "    b: &both {scim_deployment: new, scim_moved_from: old, scim_realms: {'': }}\n"
        "    c: *both\n"
    ).renamed
    assert renamed == {("new", ""): (("old", ""),)}


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        # The old name is still in use, so a token would be in two places.
        ("    a: {scim_realms: {x: }}\n    b: {scim_moved_from: a, scim_realms: {x: }}\n", "a is"),
        ("    a: {scim_realms: {x: , y: {moved_from: x}}}\n", "the realm x is still"),
        ("    a: {scim_realms: {y: {moved_from: y}}}\n", "the realm y is still"),
        # Two realms or servers want the same token.
        (
            "    a: {scim_realms: {x: {moved_from: o}, y: {moved_from: o}}}\n",
            "realm x of a was already moved from o",
        ),
        (
            "    b: {scim_moved_from: a, scim_realms: {x: }}\n"
            "    c: {scim_moved_from: a, scim_realms: {x: }}\n",
            "b was already moved from a",
        ),
        # Not names.
        ("    a: {scim_realms: {x: {moved_from: Acme}}}\n", "lower-case"),
        ("    a: {scim_realms: {x: {moved_from: 5}}}\n", "moved_from"),
        ("    a: {scim_moved_from: '', scim_realms: {x: }}\n", "expected a name"),
    ],
)
def test_a_rename_that_cannot_be_right_is_an_error_with_its_place(
    load: Load, hosts: str, words: str
) -> None:
    with pytest.raises(InventoryError) as refused:
        load(hosts)
    assert words in refused.value.text
    assert "hosts.yaml:" in refused.value.text


def test_the_servers_of_a_deployment_know_each_other(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(
        "all: {hosts: {a: &x {scim_deployment: z, scim_realms: {'': }}, b: *x, "
        "c: {scim_realms: {'': }}}}\n"
    )
    servers = inventory.load([path]).servers
    assert {name: each.peers for name, each in servers.items()} == {
        "a": ("a", "b"),
        "b": ("a", "b"),
        "c": ("c",),
    }
