from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf.errors import UsageError
from scimconf.inventory import host_vars, load
from scimconf.run.existing import describe
from scimconf.tokens.generate import generate
from scimconf.yamlfile import parse
from tests.factories import found, observed, server
from tests.oracle.client import PYTHON, environment

VARIABLES: dict[str, Any] = {
    "scim_token_store": "secrets",
    "scim_realms": {"": {"idp": "other"}, "acme": {"client": "a: b # c", "idp": "okta"}, "no": {}},
}


def test_the_new_file_is_read_with_the_inventory(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("all: {hosts: {chat1: }}\n")
    path = host_vars.place(inventory, "chat1")
    assert path == tmp_path / "host_vars/chat1.yaml"
    text = host_vars.added(path, {"scim_realms": {"acme": {}, "": {}}}, "Found.")
    assert text == '# Found.\nscim_realms:\n  "acme": {}\n  "": {}\n'
    host_vars.write(path, text)
    assert [each.string_id for each in load([inventory]).servers["chat1"].realms] == ["acme", ""]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (("chat1.yml", "chat1.yaml"), "chat1.yml"),
        (("chat1", "chat1.yml"), "chat1"),
        (("chat1/own.yml",), "chat1/scimconf.yaml"),
        (("chat2.yml",), "chat1.yaml"),
    ],
)
def test_the_file_is_the_one_that_ansible_reads(
    tmp_path: Path, there: tuple[str, ...], expected: str
) -> None:
    for name in there:
        path = tmp_path / "host_vars" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("own: 1\n")
    assert host_vars.place(tmp_path, "chat1") == tmp_path / "host_vars" / expected


def test_nothing_is_added_to_an_encrypted_file(tmp_path: Path) -> None:
    path = tmp_path / "host_vars/chat1.yml"
    path.parent.mkdir()
    path.write_text("$ANSIBLE_VAULT;1.1;AES256\n6666\n")
    with pytest.raises(UsageError, match="encrypted as a whole") as error:
        host_vars.added(path, VARIABLES, "Found.")
    assert f"move it into a folder: {tmp_path}/host_vars/chat1/chat1.yml" in error.value.hint


@pytest.mark.parametrize(
    "before",
    ["", "own: 1\n", "own: 1", "---\n# ours\nown: {a: [1, 2]}\n\n# the end\n", "own: |\n  text\n"],
)
def test_existing_lines_do_not_change(tmp_path: Path, before: str) -> None:
    path = tmp_path / "chat1.yml"
    path.write_text(before)
    path.chmod(0o640)
    text = host_vars.added(path, VARIABLES, "Found.")
    assert text.startswith(before)
    host_vars.write(path, text)
    assert parse(text, "t").data == {**(parse(before, "t").data or {}), **VARIABLES}
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["chat1.yml"]


@pytest.mark.parametrize(
    "before",
    ["own: 1\n...\n", "own: 1\r\n...", "---\nown: 1\n... # end\n# a comment\n", "---\n..."],
)
def test_variables_come_before_the_end_of_the_document(tmp_path: Path, before: str) -> None:
    path = tmp_path / "chat1.yml"
    path.write_bytes(before.encode())
    text = host_vars.added(path, VARIABLES, "Found.")
    start, marker, rest = before.partition("...")
    assert text.startswith(start)
    assert text.endswith(marker + rest)
    assert text.count("\r\n") in (0, text.count("\n")), "one kind of line breaks"
    assert parse(text, "t").data == {**(parse(before, "t").data or {}), **VARIABLES}


@pytest.mark.parametrize("folded", ["", "  6162\n  "])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_a_file_that_ends_with_a_vault_value_and_no_line_break(
    tmp_path: Path, folded: str, line_break: str
) -> None:
    """Issue 78932 of ansible: encrypt_string before 2.15 ended without a line break."""
    lines = ["ansible_user: ops", "secret: !vault |", "  $ANSIBLE_VAULT;1.1;AES256", "  3132"]
    path = tmp_path / "zulip.yml"
    before = line_break.join([*lines, folded] if folded else lines)
    path.write_bytes(before.encode())
    text = host_vars.added(path, VARIABLES, "Found.")
    assert text.startswith(before + line_break)
    found, known = parse(text, "t").data, parse(before, "t").data
    assert isinstance(found, dict)
    assert isinstance(known, dict)
    assert found["secret"].ciphertext.strip() == known["secret"].ciphertext.strip()
    assert found.keys() == {*known, *VARIABLES}


@pytest.mark.parametrize(
    ("before", "reason", "hint"),
    [
        ("[1]\n", "it is not a YAML mapping", "NAME: VALUE"),
        ("text\n", "it is not a YAML mapping", "NAME: VALUE"),
        ("{own: 1}\n", "are not on lines of their own", "chat1/"),
        ("  own: 1\n", "are not on lines of their own", "chat1/"),
        ("scim_realms: {}\n", "it already has scim_realms", "remove"),
        ("a: [\n", "it is not valid YAML: .*chat1.yml:1:4: ", "correct the file"),
        ("a: 1\n---\nb: 1\n", "more than one YAML document", "correct the file"),
        ("own: |\n  text", "it ends inside a text block", "end the file with a line break"),
        ("own: >\n  text", "it ends inside a text block", "end the file with a line break"),
        ("$ANSIBLE_VAULT;1.1;AES256\n3132\n", "it is encrypted as a whole", "chat1/"),
    ],
)
def test_files_that_cannot_be_extended_are_refused(
    tmp_path: Path, before: str, reason: str, hint: str
) -> None:
    path = tmp_path / "chat1.yml"
    path.write_text(before)
    with pytest.raises(UsageError, match=f"cannot add variables to .*{reason}") as caught:
        host_vars.added(path, VARIABLES, "Found.")
    assert hint in caught.value.hint


def test_json_and_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/chat1.json").write_text("{}")
    with pytest.raises(UsageError, match="is JSON"):
        host_vars.place(tmp_path, "chat1")
    with pytest.raises(UsageError, match="cannot write"):
        host_vars.write(tmp_path / "host_vars/chat1.json/x.yaml", "")


@pytest.mark.parametrize("host", ["../chat1", "/etc/chat1", "..", "a/b", "a\0b"])
def test_a_host_name_that_is_a_path_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="is not a valid file name"):
        host_vars.place(tmp_path, host)


def test_files_are_restored_after_a_failure(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("a: 1\n")

    def fail() -> None:
        with host_vars.written({old: "a: 2\n", new: "b: 1\n"}):
            assert (old.read_text(), new.read_text()) == ("a: 2\n", "b: 1\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert old.read_text() == "a: 1\n"
    assert os.listdir(tmp_path) == ["old.yaml"]


@pytest.mark.needs_ansible
def test_text_from_a_server_is_not_a_template_for_ansible(tmp_path: Path) -> None:
    """Ansible would run a lookup in it on this machine, also in a loop over dict2items keys."""
    lookup = f"lookup('pipe', 'touch {tmp_path}/ran')"
    start, end = "variable_start_string:'[['", "variable_end_string:']]'"
    evil = f"{{{{ {lookup} }}}}"
    other = f"#jinja2: {start}, {end}\n[[ {lookup} ]]"
    names = {"attribute0": evil}
    values = {"scim_client_name": "okta", "name_formatted_included": False}
    keys = [{evil: "x"}, {other: "x"}, {f"urn:{evil}": "x"}, {f"{{% set x = {lookup} %}}": "x"}]
    keys.append({"attribute1": other})  # its line break is refused in a name of a field
    entries = [
        found(f"realm{number}", values={**values, "custom_profile_field_map": fields})
        for number, fields in enumerate([names, *keys])
    ]
    tokens = {entry.string_id: generate() for entry in entries}
    made = describe(server(), observed(*entries), tokens)
    path = host_vars.place(tmp_path / "inventory.yaml", "localhost")
    host_vars.write(path, host_vars.added(path, made.variables, "Found."))
    (tmp_path / "inventory.yaml").write_text(
        "all: {hosts: {localhost: {ansible_connection: local}}}\n"
    )
    (tmp_path / "play.yaml").write_text(
        """\
- hosts: localhost
  gather_facts: false
  tasks:
    - debug: {msg: "{{ item.key }} {{ item.value }}"}
      loop: "{{ scim_realms | dict2items }}"
    - debug: {msg: "{{ item.0.key }} {{ item.1.key }} {{ item.1.value }}"}
      loop: >-
        {{ scim_realms | dict2items | zip(scim_realms.values()
           | map(attribute='custom_profile_field_map') | map('dict2items') | map('first')) }}
"""
    )
    done = subprocess.run(
        [PYTHON, PYTHON.with_name("ansible-playbook"), "-i", "inventory.yaml", "play.yaml"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert "lookup('pipe'" in done.stdout, done
    assert not (tmp_path / "ran").exists()
    assert list(made.variables["scim_realms"]) == ["realm0"]
    assert len(made.warnings) == len(keys)


@pytest.mark.parametrize("key", ["{{ x }}", "a{% x %}", "{# x #}", "#jinja2: x", "!unsafe x"])
def test_a_key_that_could_be_a_template_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="could run it as a template"):
        host_vars.added(Path("/nonexistent/a.yaml"), {"scim_realms": {"acme": {key: "x"}}}, "x")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    variables=st.dictionaries(st.sampled_from(["scim_realms", "scim_verify"]), VALUES, min_size=1)
)
def test_any_variables_are_read_back_unchanged(variables: dict[str, Any]) -> None:
    path = Path("/nonexistent/chat1.yaml")
    if any(map(host_vars.may_be_template, _keys(variables))):
        with pytest.raises(UsageError, match="could run it as a template"):
            host_vars.added(path, variables, "Found.")
    else:
        text = host_vars.added(path, variables, "Found.")
        assert (parse(text, "t").data or {}) == variables


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _keys(each)
