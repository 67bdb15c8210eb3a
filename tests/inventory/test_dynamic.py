"""Inventories that are programs, and the JSON of programs and of `ansible-inventory --list`."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from scimconf import inventory
from scimconf.errors import InventoryError
from scimconf.inventory import programs
from scimconf.model import Position
from tests.lab.crossing import until

from .conftest import Refused, Write, short

ANSWER: dict[str, object] = {
    "_meta": {
        "hostvars": {
            "a.x": {"scim_realms": {"acme": {}}, "scim_client": "{{ c }}"},
            "not.named": {"scim_client": "nobody"},
        },
        "profile": "inventory_legacy",
    },
    "all": {"children": ["ungrouped", "web"]},
    "web": {"hosts": ["a.x", "b[1:2].x"], "vars": {"c": "from the group"}, "children": ["low"]},
    "low": {"hosts": ["c.x"]},
    "ungrouped": {"hosts": ["d.x"]},
}


@pytest.fixture
def program(write: Write) -> Write:
    """Write a shell script into the inventory's folder."""

    def _program(body: str, name: str = "inv.sh") -> Path:
        path = write(f"#!/bin/sh\n{body}\n", name)
        path.chmod(0o755)
        return path

    return _program


def printing(answer: object) -> str:
    return f"cat <<'END'\n{json.dumps(answer)}\nEND"


def failure(path: Path) -> str:
    with pytest.raises(InventoryError) as caught:
        inventory.load([path], allow_exec=True)
    (problem,) = caught.value.problems
    return short(problem)


def test_a_file_a_program_and_stdin_give_the_same_inventory(
    write: Write, program: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(ANSWER)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    write("scim_idp: okta\n", "group_vars/web.yml")
    for source in (write(text, "hosts.json"), program(printing(ANSWER)), Path("-")):
        loaded = inventory.load([source], allow_exec=True)
        assert loaded.hosts == ("a.x", "b[1:2].x", "c.x", "d.x")
        assert loaded.groups["web"] == ("a.x", "b[1:2].x", "c.x")
        (server,) = loaded.servers.values()
        (realm,) = server.realms
        assert (realm.client, realm.idp) == ("from the group", "okta")


def test_positions_in_json(write: Write, program: Write) -> None:
    answer = {"web": {"hosts": ["a"]}, "_meta": {"hostvars": {"a": {"scim_realm": 1}}}}
    with pytest.raises(InventoryError) as caught:
        inventory.load([write(json.dumps(answer, indent=1), "hosts.json")])
    (problem,) = caught.value.problems
    assert problem.position == Position("hosts.json", 10, 5)
    assert short(problem).endswith(
        "_meta.hostvars.a.scim_realm: unknown variable (did you mean scim_realms?)"
    )
    expected = failure(program(printing(answer)))
    assert expected.startswith("inv.sh --list:1:56: _meta.hostvars.a.scim_realm: unknown variable")


def test_without_meta_the_program_runs_for_each_host(program: Write, tmp_path: Path) -> None:
    source = program(
        'case "$1 $2" in\n'
        '\'--list \') echo \'{"web": ["a", "b", "c"]}\' ;;\n'
        "'--host a') echo '{\"scim_realms\": {\"x\": {}}}' ;;\n"
        "'--host b') echo ;;\n"
        "'--host c') echo '{}' ;;\n"
        "*) exit 9 ;; esac"
    )
    loaded = inventory.load([source], allow_exec=True)
    assert list(loaded.servers) == ["a"]
    assert loaded.hosts == ("a", "b", "c")
    assert "web" in loaded.groups


def test_the_environment_of_a_program(
    program: Write, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program has no terminal, no input, and no token that the other files name."""
    for name in ("ONE", "TWO", "THREE", "OTHER"):
        monkeypatch.setenv(f"TOKEN_{name}", name)
    static = write("all: {hosts: {a: {scim_realms: {x: {token: 'env:TOKEN_ONE'}}}}}", "inv/a.yml")
    write("scim_realms: {x: {token: {env: TOKEN_TWO}}}\n", "inv/host_vars/b/vars.yml")
    write('{"scim_realms": {"x": {"token": {"env": "TOKEN_THREE"}}}}', "inv/group_vars/web.json")
    body = f"env > {tmp_path}/seen; cat; {printing({'web': ['b', 'c']})}"
    program(f'[ "$1" = --list ] || exec echo\n{body}', "inv/z.sh")
    loaded = inventory.load([static.parent], allow_exec=True)
    assert list(loaded.servers) == ["a", "b", "c"]
    seen = (tmp_path / "seen").read_text()
    assert "TOKEN_OTHER=OTHER" in seen
    assert "PATH=" in seen
    assert not [name for name in ("ONE", "TWO", "THREE") if f"TOKEN_{name}" in seen]


def test_a_program_in_a_folder_needs_allow_exec_too(program: Write) -> None:
    source = program(printing(ANSWER), "inv/a.sh")
    with pytest.raises(InventoryError, match="which runs only with --allow-exec=inventory"):
        inventory.load([source.parent])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "echo 'no \x1b[31mregion' >&2; echo set >&2; exit 3",
            "--list exited with status 3: no region / set",
        ),
        ("exit 3", "inv.sh --list exited with status 3"),
        ("kill -9 $$", "inv.sh --list was ended by signal 9"),
        ("echo web:", "inv.sh --list:1:1: expected a value"),
        ("echo '[]'", "inv.sh --list:1:1: expected a mapping of groups, found a list"),
        ("printf '\\377'", "inv.sh --list printed text that is not UTF-8"),
        ("""echo '{"web": {"hosts": {"a": {}}}}'""", "web.hosts: expected a list of hosts"),
        ("""echo '{"web": {"hosts": [1]}}'""", "web.hosts.0: a host name must be text"),
        ("""echo '{"web": {"vars": []}}'""", "web.vars: expected a mapping of variables"),
        ("""echo '{"web": {"children": "a"}}'""", "web.children: expected a list of groups"),
        ("""echo '{"web": {"children": [""]}}'""", "web.children.0: expected a group name"),
        ("""echo '{"_meta": {}, "web": ["a"]}'""", "_meta: expected hostvars, a mapping of hosts"),
        (
            """echo '{"web": ["a"], "_meta": {"hostvars": {"a": 1}}}'""",
            "hostvars.a: expected a map",
        ),
        ("""echo '{"a": {"children": ["a"]}}'""", "a.children.0: a cannot be a child of a"),
    ],
)
def test_programs_that_fail(program: Write, body: str, expected: str) -> None:
    found = failure(program(body))
    assert expected in found
    assert "\x1b" not in found


def test_a_program_that_cannot_be_started(write: Write) -> None:
    path = write("#!/no/such/interpreter\n", "inv")
    path.chmod(0o755)
    assert failure(path) == "inv --list cannot be started: No such file or directory"


def _has_ended(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_program_that_hangs(
    program: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "TIMEOUT", 0.3)
    source = program("sleep 100 & echo $! > child; wait")
    assert failure(source) == "inv.sh --list took longer than 0.3 seconds"
    if (tmp_path / "child").exists():  # it went with its group, or has not been reaped yet
        pid = (tmp_path / "child").read_text().strip()
        until(lambda: not pid or _has_ended(Path(f"/proc/{pid}/stat")), "its child is still there")


def test_a_program_with_endless_output(program: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "MAX_BYTES", 1024 * 1024)
    assert failure(program("exec yes")) == "inv.sh --list printed more than 1 MiB"


def test_a_program_with_much_stderr_output_works(program: Write) -> None:
    source = program(f"head -c 300000 /dev/zero >&2\n{printing(ANSWER)}")
    assert len(inventory.load([source], allow_exec=True).hosts) == 4


def test_json_in_the_shape_of_a_yaml_inventory(write: Write) -> None:
    text = json.dumps({"all": {"hosts": {"w[1:2]": {"scim_realms": {}}}}})
    assert list(inventory.load([write(text)]).servers) == ["w1", "w2"]


def test_stdin_that_is_not_utf8(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert refused("all: {}", Path("-")) == ["stdin:1:1: the file is not UTF-8 text"]


def test_binary_programs_are_programs(write: Write) -> None:
    path = write("", "inv")
    path.write_bytes(b"\x7fELF\x02")
    path.chmod(0o755)
    assert programs.is_program(path)
    path.chmod(0o644)
    assert not programs.is_program(path)
    assert not programs.is_program(Path("nosuch"))
    assert os.access(path.parent, os.X_OK)
    assert not programs.is_program(path.parent)
