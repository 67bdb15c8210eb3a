"""Links of an inventory: those within its git tree are followed, those out of it are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scimconf.errors import InventoryError
from scimconf.inventory import load

HOSTS = "all: {hosts: {chat1: {scim_realms: {acme: {}}}}}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout, and beside it what is not of it."""
    tree = tmp_path / "checkout"
    for folder in (".git", "host_vars", "shared"):
        (tree / folder).mkdir(parents=True)
    (tree / "inventory.yaml").write_text(HOSTS)
    (tree / "shared/vars.yaml").write_text("scim_idp: entra\n")
    (tmp_path / "kubeconfig").write_text("scim_idp: entra\n")
    return tree


def test_a_link_within_the_tree_is_followed(tree: Path) -> None:
    (tree / "host_vars/chat1.yaml").symlink_to("../shared/vars.yaml")
    assert load([tree / "inventory.yaml"]).servers["chat1"].realms[0].idp == "entra"


@pytest.mark.parametrize("link", ["host_vars/chat1.yaml", "host_vars/chat1", "inventory.yaml"])
def test_one_that_leads_out_is_not_unless_it_is_trusted(tree: Path, link: str) -> None:
    (tree / link).unlink(missing_ok=True)
    outside = tree.parent
    if link == "host_vars/chat1":
        outside = tree.parent / "elsewhere"
        outside.mkdir()
        (tree.parent / "kubeconfig").rename(outside / "kubeconfig.yml")
        (tree / link).symlink_to(outside)
    else:
        (tree / link).symlink_to(tree.parent / "kubeconfig")
    if link == "inventory.yaml":
        (tree.parent / "kubeconfig").write_text(HOSTS.replace("{}}}", "{idp: entra}}}"))
    with pytest.raises(InventoryError, match=r"is a link to .* outside of .*checkout") as error:
        load([tree / "inventory.yaml"])
    assert "--allow-exec" in str(error.value)
    trusted = load([tree / "inventory.yaml"], allow_exec=True)
    assert trusted.servers["chat1"].realms[0].idp == "entra"


def test_outside_of_any_tree_links_are_the_operators_own(tree: Path) -> None:
    (tree / ".git").rmdir()
    (tree / "host_vars/chat1.yaml").symlink_to(tree.parent / "kubeconfig")
    assert load([tree / "inventory.yaml"]).servers["chat1"].realms[0].idp == "entra"


def test_a_pipe_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "host_vars/chat1.yaml")
    with pytest.raises(InventoryError, match=r"chat1\.yaml is no file"):
        load([tree / "inventory.yaml"])
