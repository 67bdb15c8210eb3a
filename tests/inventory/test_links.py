"""Links in an inventory may only lead to its own group_vars and host_vars."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from scimconf.errors import InventoryError
from scimconf.inventory import load

HOSTS = "all: {hosts: {chat1: {scim_realms: {acme: {}}}}}\n"
ENTRA = "scim_idp: entra\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without .git, and a folder beside it with other files."""
    tree = tmp_path / "checkout"
    for folder in ("host_vars", "group_vars/all", "shared", "overlay/group_vars"):
        (tree / folder).mkdir(parents=True)
    (tree / "inventory.yaml").write_text(HOSTS)
    (tree / "overlay/hosts.yaml").write_text("all: {hosts: {chat1: {}}}\n")
    for file in ("ci-secrets.yaml", "shared/vars.yaml", "../kubeconfig"):
        (tree / file).write_text(ENTRA)
    monkeypatch.chdir(tree)
    return tree


def idp(*paths: str | Path, trusted: bool = False) -> str:
    loaded = load([Path(path) for path in paths or ("inventory.yaml",)], allow_exec=trusted)
    return loaded.servers["chat1"].realms[0].idp


def refused(link: Path, *paths: str | Path) -> None:
    """The error names the link, its place and its target. Consent allows the link."""
    target = os.path.realpath(link)
    with pytest.raises(InventoryError) as caught:
        idp(*paths)
    said = [each for each in caught.value.problems if "is a link to" in each.message]
    assert said
    assert target in said[0].message
    assert said[0].position
    assert Path(said[0].position.file).absolute() == link.absolute()
    assert (said[0].position.line, said[0].position.column) == (1, 1)
    assert "--allow-exec=inventory" in said[0].hint


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("host_vars/chat1.yaml", "../group_vars/entra.yaml"),
        ("host_vars/chat1.yaml", "../overlay/group_vars/entra.yaml"),
        ("host_vars/chat1", "../group_vars/entra"),
        ("group_vars/all/more", "../entra"),
        ("overlay/host_vars", "../host_vars"),
    ],
)
def test_a_link_to_other_variables_of_the_inventory_is_followed(
    tree: Path, link: str, target: str
) -> None:
    folder = tree / "group_vars/entra"
    folder.mkdir()
    for file in (
        "group_vars/entra/x.yml",
        "group_vars/entra.yaml",
        "overlay/group_vars/entra.yaml",
    ):
        (tree / file).write_text(ENTRA)
    if link == "overlay/host_vars":
        (tree / "host_vars/chat1.yaml").write_text(ENTRA)
    (tree / link).symlink_to(target)
    assert idp("inventory.yaml", "overlay") == "entra"


@pytest.mark.parametrize(
    "target", ["../shared/vars.yaml", "../ci-secrets.yaml", "../../kubeconfig"]
)
@pytest.mark.parametrize("link", ["host_vars/chat1.yaml", "host_vars/chat1/x.yml"])
def test_a_link_to_anything_else_is_refused(tree: Path, link: str, target: str) -> None:
    (tree / link).parent.mkdir(exist_ok=True)
    target = target if link.count("/") == 1 else f"../{target}"
    (tree / link).symlink_to(target)
    refused(tree / link)
    assert idp(trusted=True) == "entra"


def test_a_chain_of_links_is_judged_by_its_target(tree: Path) -> None:
    (tree / "group_vars/hop.yaml").symlink_to("../ci-secrets.yaml")
    (tree / "host_vars/chat1.yaml").symlink_to("../group_vars/hop.yaml")
    refused(tree / "host_vars/chat1.yaml")


def test_a_git_repository_does_not_make_a_link_trusted(tree: Path) -> None:
    """Git is not used: the configuration in a repository can run programs."""
    (tree.parent / ".git").mkdir()
    (tree / "group_vars/all/zz.yaml").symlink_to("../../ci-secrets.yaml")
    refused(tree / "group_vars/all/zz.yaml")


@pytest.mark.parametrize("link", ["host_vars/chat1", "host_vars", "group_vars/all/more"])
def test_a_folder_outside_of_the_inventory_is_not_listed(
    tree: Path, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tree.parent / "elsewhere"
    outside.mkdir()
    (outside / "chat1.yaml").write_text(ENTRA)
    if link == "host_vars":
        (tree / link).rmdir()
    (tree / link).symlink_to(outside)
    listed: list[str] = []
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path=".": listed.append(str(path)) or real(path))
    refused(tree / link)
    assert not [path for path in listed if os.path.realpath(path) == str(outside)]
    assert idp(trusted=True) == "entra"


@pytest.mark.parametrize(
    "given", ["inventory.yaml", "{tree}/inventory.yaml", "linked/inventory.yaml"]
)
def test_a_source_that_is_a_link(tree: Path, given: str) -> None:
    there = tree.parent / "there"
    there.mkdir()
    (there / "inventory.yaml").write_text(HOSTS.replace("{}}}", "{idp: entra}}}"))
    path = Path(given.format(tree=tree))
    if given == "linked/inventory.yaml":
        (tree / "linked").symlink_to(there)
    else:
        path.unlink()
        path.symlink_to(there / "inventory.yaml")
    refused(path, path)
    assert idp(path, trusted=True) == "entra"
    assert idp(os.path.realpath(path)) == "entra"  # as the hint expected


@pytest.mark.parametrize("link", ["more.yaml", "sub"])
def test_a_link_in_a_folder_of_sources(tree: Path, link: str) -> None:
    (tree / "overlay" / link).symlink_to(tree.parent if link == "sub" else tree / "inventory.yaml")
    refused(tree / "overlay" / link, "inventory.yaml", "overlay")


def test_links_in_the_parents_of_an_absolute_path_are_trusted(tree: Path) -> None:
    (tree / "host_vars/chat1.yaml").write_text(ENTRA)
    (tree.parent / "way").symlink_to(tree)
    assert idp(tree.parent / "way/inventory.yaml") == "entra"


def test_process_substitution_of_a_shell_is_read(tree: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, HOSTS.encode())
    os.close(writer)
    try:
        assert idp(f"/dev/fd/{reader}") == "other"
    finally:
        os.close(reader)


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("place", ["host_vars/chat1.yaml", "overlay/hosts2.yaml"])
def test_a_pipe_is_refused_without_waiting(tree: Path, place: str, linked: bool) -> None:
    pipe = tree / "group_vars/pipe" if linked else tree / place
    os.mkfifo(pipe)
    if linked:
        (tree / place).symlink_to(pipe)
    message = "is a link to .*pipe" if linked else rf"{re.escape(pipe.name)} is not a regular file"
    with pytest.raises(InventoryError, match=message):
        idp("inventory.yaml", "overlay")


@pytest.mark.parametrize(
    "target", ["chat1.yaml", "nowhere.yaml", "/dev/zero", "/proc/self/environ"]
)
def test_a_dangling_link_and_a_link_to_a_device_are_refused(tree: Path, target: str) -> None:
    (tree / "host_vars/chat1.yaml").symlink_to(target)
    refused(tree / "host_vars/chat1.yaml")
