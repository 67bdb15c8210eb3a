"""The oracle agrees with the real `ansible-inventory`, and scimconf reads its output."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from scimconf.inventory.hosts import through_ansible
from tests.oracle import by_hand
from tests.oracle.client import COMMAND, PASSWORD, PYTHON, Oracle, environment
from tests.oracle.ours import Ours

pytestmark = pytest.mark.needs_ansible

NAMES = ("diamond", "vars files", "a folder and a file", "words", "a program", "vault values")


def _listed(sources: list[Path], home: Path) -> str:
    password = home / "password"
    password.write_text(PASSWORD)
    given = [word for source in sources for word in ("-i", str(source))]
    return subprocess.run(
        [PYTHON, COMMAND, *given, "--list", "--vault-password-file", password],
        env=environment(home),
        cwd=home,
        capture_output=True,
        check=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("name", [name for name in by_hand.CASES if name.endswith(NAMES)])
def test_the_oracle_agrees_with_ansible_inventory_whose_output_we_read(
    name: str, oracle: Oracle, tmp_path: Path
) -> None:
    (tmp_path / "inv").mkdir()
    (tmp_path / "home").mkdir()
    sources = by_hand.lay_out(by_hand.CASES[name], tmp_path / "inv")
    text = _listed(sources, tmp_path / "home")
    listed = json.loads(text)

    ours = Ours.read(sources, allow_exec=True)
    answer = oracle.inventory(sources)["answer"]
    assert set(listed["_meta"]["hostvars"]) <= set(answer["hosts"])
    for group, content in listed.items():
        assert set(content.get("hosts", ())) <= set(answer["groups"].get(group, ()))

    saved = tmp_path / "hosts.json"
    saved.write_text(text)
    again = Ours.read([saved])
    assert not again.errors
    assert again.layout.groups.keys() >= {g for g, hosts in ours.layout.groups.items() if hosts}
    for host in ours.layout.tree.hosts:
        ours_here = ours.variables(host, ours.names())
        there = again.variables(host, [n for n in ours.names() if n != "ansible_group_priority"])
        assert {n: str(v) for n, v in there.items()} == {n: str(v) for n, v in ours_here.items()}


def test_the_command_for_an_inventory_of_a_plugin_works(tmp_path: Path) -> None:
    """The error for a `plugin:` shows it; the page for users of Ansible, too."""
    source = tmp_path / "my fleet.generator.yml"
    source.write_text("""\
plugin: ansible.builtin.generator
hosts: {name: "chat{{ number }}.test", parents: [{name: zulip}]}
layers: {number: [1, 2]}
""")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/zulip.yml").write_text("scim_realms: {acme: {}}\n")
    errors = Ours.read([source]).errors
    command = through_ansible(source)
    assert command in errors[0]
    assert command.endswith(" --list | scimconf plan -i -")
    listing, _, ours = command.partition(" | ")
    listed = subprocess.run(
        [PYTHON, COMMAND, *shlex.split(listing)[1:]],
        env=environment(tmp_path),
        capture_output=True,
        check=True,
    ).stdout
    done = subprocess.run(
        [sys.executable, "-m", "scimconf", "inventory", "check", *shlex.split(ours)[2:]],
        input=listed,
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode() == "ok: 2 servers, 2 realms\n", done.stderr
