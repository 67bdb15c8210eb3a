"""INI inventories: positions, problems, and which files are INI. tests/oracle compares values."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf import inventory
from scimconf.errors import InventoryError
from scimconf.inventory import ini
from scimconf.inventory.sources import as_inventory
from scimconf.model import Position
from scimconf.yamlfile import parse

from .conftest import Write, short

Says = Callable[..., list[str]]

FLEET = """\
# Zulip
[zulip]
chat1.example.com ansible_host=10.0.0.5
chat2.example.com ansible_port=2222 scim_verify=False   # behind the VPN

[zulip:vars]
ansible_user = zulip
scim_idp = okta
scim_realms = {'': {}, 'acme': {'idp': 'entra'}}
"""


@pytest.fixture
def says(write: Write) -> Says:
    """Load a wrong INI inventory and return each problem on one line, without the file name."""

    def _says(text: str, name: str = "hosts.ini") -> list[str]:
        with pytest.raises(InventoryError) as caught:
            inventory.load([write(text, name)])
        return [short(problem).replace(f"{name}:", "") for problem in caught.value.problems]

    return _says


def test_a_fleet(write: Write) -> None:
    loaded = inventory.load([write(FLEET, "hosts.ini")])
    first, second = loaded.servers.values()
    assert (first.connection.host, first.connection.user) == ("10.0.0.5", "zulip")
    assert (second.connection.port, second.verify) == (2222, False)
    assert [(realm.string_id, realm.idp) for realm in first.realms] == [
        ("", "okta"),
        ("acme", "entra"),
    ]
    assert first.position == Position("hosts.ini", 3, 1)
    assert loaded.groups["zulip"] == ("chat1.example.com", "chat2.example.com")
    assert loaded.warnings == ()


def test_a_problem_of_a_variable_has_its_place(says: Says) -> None:
    of_host, of_name, of_group = says("""\
        [zulip]
        chat1.example.com  scim_idp=okto "scim_realm={'a': {}}"
        [zulip:vars]
        scim_realms = {'acme': {'ipd': 'okta'}}
        """)
    host = "zulip.hosts.chat1.example.com"
    assert of_host.startswith(f"2:20: {host}.scim_idp: unknown identity provider")
    assert of_name == f"2:34: {host}.scim_realm: unknown variable (did you mean scim_realms?)"
    assert of_group.startswith("4:1: zulip.vars.scim_realms.acme.ipd: unknown key")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a x\n", "1:3: expected key=value after the host (write key=value without spaces"),
        ("a x = 1\n", "1:3: expected key=value after the host (write key=value without spaces"),
        ("a   ; note\n", "1:5: expected key=value after the host (a comment after a host starts"),
        ("a x='1 2\n", "1:3: a quote is not closed, or nothing follows a backslash (close"),
        ("[w]\na\n[w:vars]\n  x: 1\n", "4:3: expected key=value (write key=value)"),
        ("[w]\na\n[w:vars]\nx\n", "4:1: expected key=value (a section with variables has only"),
        ("[w]\na\n[p:children]\nw x=1\n", "4:1: expected the name of a group (variables belong"),
        ("[w:var]\nx=1\n", "1:1: unknown kind of section, 'var' (did you mean vars?)"),
        ("[w:x]\nx=1\n", "1:1: unknown kind of section, 'x' (expected one of: hosts, children, v"),
        ("[my web]\na\n", "1:1: this section is not valid (write [group], [group:children]"),
        ("a\n[wbe:vars]\nx=1\n[web]\n", "2:1: wbe: no section declares the group wbe (did you mea"),
        (
            "[p:children]\nnew\n[w]\na\n",
            "2:1: p.children.new: no section declares the group new (a",
        ),
        ("all:\n  hosts:\n", "1:1: a host name must not end in a colon (is this a YAML file?"),
        ("---\nall: x\n", "1:1: this looks like a YAML file (give it a name that ends in .yaml)"),
        ("w[1:x]\n", "1:1: ungrouped.hosts.w[1:x]: [1:x]: both ends must be numbers"),
        ("a,b\n", "1:1: ungrouped.hosts.a,b: this is not a valid host name"),
        ("[w]\na\n[w:vars]\nx = {{ 'a' }}\n", "4:5: this looks like a Python literal, but Ansi"),
        ("[w]\nw\n[w:children]\nw\n", "4:1: w.children.w: w cannot be a child of w, because"),
        ("\ufeff[w]\na\n", "1:1: Ansible reads no INI file with a byte order mark (save"),
        ("a x=" + "-" * 20_000 + "\n", "1:5: this value has more than 16384 characters (move"),
        ("a x=" + "-" * 16_000 + "1\n", "1:5: this value is nested too deep (quote it"),
        ("a x=" + "0x" + "f" * 10_000 + "\n", "1:5: this number has more than 1000 digits"),
        ("a x=\"'\\\\ud800'\"\n", "1:5: this text has half of a surrogate pair"),
        ("a x=\"b'\\\\xff'\"\n", "1:5: these bytes are not UTF-8 text"),
        ("a x='{(1, 2): 3}'\n", "1:5: a key must be text"),
    ],
)
def test_mistakes_have_a_place_and_a_way_out(text: str, said: str, says: Says) -> None:
    (problem, *_) = says(text)
    assert problem.startswith(said)


def test_all_mistakes_are_reported(says: Says) -> None:
    text = "a x\n[w:vras]\nignored here\n[p:children]\nnosuch\n[w:vars]\ny: 1\n"
    assert [problem.partition(": ")[0] for problem in says(text)] == ["1:3", "2:1", "7:1"]


def test_a_hash_that_means_something_else_than_it_seems_is_warned_about(write: Write) -> None:
    text = """\
        a x=1#2 y=3
        b x="1#2" # a comment
        c x=1 y='1'#2
        c \u00a0x=1
        [w]
        d
        [w:vars]
        x = one # not a comment
        y = 1 # a comment
        z = one ; not a comment
        """
    part = "is part of the value: a section with variables has no comments there"
    own = "(move the comment to a line of its own)"
    assert [short(each) for each in inventory.load([write(text, "hosts.ini")]).warnings] == [
        "hosts.ini:1:6: the rest of this line is a comment (quote the value if it has a #)",
        "hosts.ini:4:3: the name of this variable starts or ends with a space (replace the special "
        "space (such as a no-break space) with a plain one)",
        f"hosts.ini:8:9: this # {part} {own}",
        f"hosts.ini:10:9: this ; {part} {own}",
    ]


def test_no_message_quotes_a_value(says: Says) -> None:
    text = "a ansible_password=hunter2 hunter3\nb x='hunter4\n[w]\n[w:vars]\nhunter5\n"
    assert "hunter" not in " ".join(says(text))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a scim_verify=false scim_realms={}", "in an INI file, write True or False"),
        (
            "a scim_realms={'acme':{}}",
            """write a Python literal, such as "{'acme': {'idp': 'okta'}}"; or use group_vars/""",
        ),
        (
            "a\n[all:vars]\nscim_realms={acme: {}}",
            "write a Python literal, such as {'acme': {'idp': 'okta'}}; or use group_vars/",
        ),
        ("a scim_idp=1 scim_realms={}", """in a line with a host, quote it twice: '"..."'"""),
        ("a scim_realms={}\n[all:vars]\nscim_idp=1", "(quote it)"),
        ("a scim_realms={} ansible_password='1234.'", """quote it twice: '"..."'"""),
    ],
)
def test_hints_for_values_of_another_type(text: str, hint: str, says: Says) -> None:
    assert hint in " ".join(says(text))


@pytest.mark.parametrize(
    ("name", "text", "is_ini"),
    [
        ("hosts", "[web]\na\n", True),
        ("hosts", "a\nb\n", True),
        ("hosts", "a:2222\n", True),
        ("hosts", "# nothing yet\n", True),
        ("hosts", "web: {hosts: {a: }}\n", False),
        ("hosts", '{"web": ["a"]}', False),
        ("hosts.ini", "[web]\na\n", True),
        ("inv.example.com", "a\n", True),
        ("hosts.yml", "[web]\na x=1\n", True),
        ("hosts.yml", "web: {hosts: {a: }}\n", False),
        ("stdin", "[web]\na\n", True),
        ("/dev/fd/63", "[web]\na\n", True),
    ],
)
def test_which_files_are_ini(name: str, text: str, is_ini: bool) -> None:
    """The oracle compares the result with Ansible."""
    assert isinstance(as_inventory(text, name), ini.IniDocument) is is_ini


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("hosts.yml", "web:\n  hosts:\n\ta:\n", "3:1: YAML does not allow a tab for indentation"),
        ("hosts", "web:\n  hosts:\n\ta:\n", "3:1: YAML does not allow a tab for indentation"),
        ("hosts.yml", "[web]\na b\n", "2:3: expected key=value after the host"),
        ("hosts", "[web]\na b\n", "2:3: expected key=value after the host"),
        ("hosts.json", '{"all": {"hosts": {"a": {}}}', "1:1: this { is not closed, or a comma"),
        ("hosts", "a b\n", "1:3: expected key=value after the host"),
        ("hosts.yml", "a b\n", "1:1: expected a mapping of groups, such as all:, found text"),
        ("hosts", "", "1:1: the file is empty"),
        ("hosts.toml", "[web]\n", "1:1: TOML inventories are not supported (run ansible-inventory"),
    ],
)
def test_a_file_that_is_neither_has_the_errors_of_what_it_looks_like(
    name: str, text: str, said: str, says: Says
) -> None:
    assert any(problem.startswith(said) for problem in says(text, name))


def test_stdin_can_be_ini_but_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def stdin(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    stdin(FLEET)
    assert len(inventory.load([Path("-")]).servers) == 2
    stdin("")
    with pytest.raises(InventoryError, match="the file is empty"):
        inventory.load([Path("-")])


@given(st.text("ab=[]:\"'\\#; \t\nvars{}1,é\u2028\x0b\r", max_size=60))
def test_any_text_is_read_or_refused_with_places_inside_it(text: str) -> None:
    lines = len(text) + 1
    try:
        document = ini.parse(text, "f")
    except InventoryError as error:
        places = [problem.position for problem in error.problems]
        assert all(place and 1 <= place.line <= lines for place in places)
    else:
        for group, kinds in document.data.items():  # type: ignore[attr-defined]
            for kind, names in kinds.items():
                for name in names:
                    at = document.position((group, kind, name))
                    line = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[at.line - 1]
                    assert line[at.column - 1 :].strip()


@given(st.text("ab=[]:\"'#; \t\n-{}?&,", max_size=20))
def test_the_first_line_alone_decides_only_what_yaml_decides(text: str) -> None:
    if ini.cannot_be_yaml(text):
        try:
            assert not isinstance(parse(text, "f").data, dict)
        except InventoryError:
            return
