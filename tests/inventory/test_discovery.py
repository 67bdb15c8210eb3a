"""The inventory that is found without -i."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from scimconf.errors import UsageError
from scimconf.inventory import discovery
from scimconf.inventory.discovery import Found, find, in_folder

from .conftest import Write

ONE = "[defaults]\ninventory = {}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a system-wide ansible.cfg of the test, and the current folder `here`."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(discovery, "SYSTEM", tmp_path / "etc/ansible.cfg")
    return home


@pytest.fixture
def here(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file; the current folder is `here`, and `../` leads out of it."""
    monkeypatch.chdir(tmp_path / "here")

    def _write(text: str, name: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return _write


def names(environment: Mapping[str, str] = {}) -> list[str]:
    return [str(path) for path in find(environment=environment).sources]


def refusal(environment: Mapping[str, str] = {}) -> str:
    with pytest.raises(UsageError) as caught:
        find(environment=environment)
    return f"{caught.value.message} ({caught.value.hint})"


# --- by name ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("inventory.yaml", "inventory.yml", "hosts.yml", "hosts.yaml", "hosts.ini", "hosts"),
        *("inventory", "inventory/hosts"),
    ],
)
def test_each_usual_name_is_found(name: str, here: Write) -> None:
    here("", name)
    assert find(environment={}) == Found((Path(name.partition("/")[0]),))


def test_without_any_the_names_are_listed(here: Write) -> None:
    assert refusal() == (
        "no inventory: this folder has no inventory.yaml, inventory.yml, hosts.yml, hosts.yaml, "
        "hosts.ini, hosts and no inventory/ (name one with -i, or create one: scimconf init)"
    )


def test_two_at_once_are_an_error_that_names_both(here: Write) -> None:
    here("", "hosts")
    here("", "hosts.ini")
    assert refusal() == (
        "there are two inventories: hosts.ini and hosts (name the one to use: -i hosts.ini or -i "
        "hosts)"
    )
    with pytest.raises(UsageError, match=r"two inventories: hosts\.ini and hosts"):
        in_folder(Path())


# --- ansible.cfg --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("production/hosts", ["production/hosts"]),
        ("./production/", ["production"]),
        ("production/hosts, hosts.yml", ["production/hosts", "hosts.yml"]),
        ("production/hosts,\n  hosts.yml", ["production/hosts", "hosts.yml"]),
        ("hosts.yml ; the servers", ["hosts.yml"]),
        ("", ["hosts.yml"]),
    ],
)
def test_ansible_cfg_names_the_inventory(text: str, found: list[str], here: Write) -> None:
    here("", "production/hosts")
    here("", "hosts.yml")
    here(ONE.format(text), "ansible.cfg")
    assert names() == found
    assert [str(path) for path in in_folder(Path())] == found


def test_ansible_cfg_settles_which_of_two(here: Write) -> None:
    here("", "hosts")
    here("", "hosts.ini")
    here(ONE.format("hosts"), "ansible.cfg")
    assert names() == ["hosts"]


def test_the_first_ansible_cfg_counts(here: Write, home: Path, tmp_path: Path) -> None:
    """ANSIBLE_CONFIG, the current folder, the home folder, the system; the others are not read."""
    for name in ("one", "two", "three", "four"):
        here("", f"../{name}/hosts")
    here(ONE.format("four/hosts"), "../four.cfg")
    discovery.SYSTEM.parent.mkdir()
    discovery.SYSTEM.write_text(ONE.format("../four/hosts"))
    assert find(environment={}) == Found(
        (tmp_path / "etc/../four/hosts",), str(tmp_path / "etc/ansible.cfg")
    )
    (home / ".ansible.cfg").write_text(ONE.format("~/../three/hosts"))
    assert find(environment={}).sources == (home / "../three/hosts",)
    here("", "hosts")
    here("[defaults]\nforks = 5\n", "ansible.cfg")
    assert find(environment={}) == Found((Path("hosts"),))
    here(ONE.format("one/hosts"), "../ansible.cfg")
    assert names({"ANSIBLE_CONFIG": "../ansible.cfg"}) == ["../one/hosts"]
    assert names({"ANSIBLE_CONFIG": ".."}) == ["../one/hosts"]
    assert names({"ANSIBLE_CONFIG": "/dev/null"}) == ["hosts"]
    assert names({"ANSIBLE_CONFIG": "nosuch.cfg"}) == ["hosts"]


def test_variables_are_expanded_in_the_users_own_file(
    here: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET", "fleet")
    here("", "../home/fleet/hosts")
    (home / ".ansible.cfg").write_text(ONE.format("$FLEET/hosts"))
    assert names() == [str(home / "fleet/hosts")]


def test_an_inventory_here_and_one_of_the_users_ansible_cfg_are_two(
    here: Write, home: Path
) -> None:
    here("", "../home/fleet/hosts")
    (home / ".ansible.cfg").write_text(ONE.format("fleet/hosts"))
    here("", "inventory.yaml")
    assert refusal() == (
        f"there are two inventories: inventory.yaml and {home}/fleet/hosts ({home}/.ansible.cfg "
        f"names it) (name the one to use: -i inventory.yaml or -i {home}/fleet/hosts)"
    )
    assert in_folder(Path()) == (Path("inventory.yaml"),)


def test_the_same_file_is_not_two(here: Write, home: Path) -> None:
    path = here("", "hosts")
    (home / ".ansible.cfg").write_text(ONE.format(path.absolute()))
    assert names() == [str(path.absolute())]


def test_a_folder_that_everybody_can_write_to(here: Write) -> None:
    """Ansible does not read ansible.cfg there, because anybody could have put it there."""
    here(ONE.format("hosts"), "ansible.cfg")
    here("", "hosts")
    here("", "hosts.ini")
    Path().chmod(0o777)
    assert refusal().startswith("there are two inventories")
    Path("hosts.ini").unlink()
    assert "ansible.cfg was not read, as in Ansible, because everybody" in find().warning
    Path("hosts").unlink()
    assert "ansible.cfg was not read" in refusal()


# --- a merge request ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "../secret",
        "~/secret",
        "hosts, ../secret",
        "inv/../../secret",
        "link",
        "folder/secret",
    ],
)
@pytest.mark.parametrize("variable", [{}, {"ANSIBLE_CONFIG": "./ansible.cfg"}, "absolute"])
def test_an_ansible_cfg_of_the_checkout_names_only_files_of_the_checkout(
    text: str, variable: dict[str, str] | str, here: Write, home: Path
) -> None:
    here("", "../secret")
    (home / "secret").touch()
    here("", "hosts")
    Path("inv").mkdir()
    Path("link").symlink_to("../secret")
    Path("folder").symlink_to("..")
    config = here(ONE.format(text), "ansible.cfg")
    given = variable if isinstance(variable, dict) else {"ANSIBLE_CONFIG": str(config.absolute())}
    assert "names an inventory outside of its folder: " in refusal(given)


def test_its_variables_are_not_expanded(here: Write) -> None:
    """Otherwise the message would show the variable."""
    here(ONE.format("hosts-$PATH"), "ansible.cfg")
    assert "the inventory hosts-$PATH does not exist; ansible.cfg names it" in refusal(os.environ)


def test_it_cannot_name_stdin(here: Write) -> None:
    here(ONE.format("-"), "ansible.cfg")
    assert "the inventory - does not exist" in refusal()


# --- ANSIBLE_INVENTORY --------------------------------------------------------------------------


def test_ansible_inventory_wins(here: Write, home: Path) -> None:
    here(ONE.format("hosts"), "ansible.cfg")
    here("", "hosts")
    here("", "../home/fleet")
    assert names({"ANSIBLE_INVENTORY": "~/fleet, hosts"}) == [str(home / "fleet"), "hosts"]
    missing = refusal({"ANSIBLE_INVENTORY": "x"})
    assert missing.startswith("the inventory x does not exist; ANSIBLE_INVENTORY names it")
