"""Groups, hosts, and the precedence of variables."""

from __future__ import annotations

import pytest

from scimconf import inventory
from scimconf.errors import InventoryError
from scimconf.inventory import hosts, layout, servers
from scimconf.inventory.place import Problems

from .conftest import Load, Refused, Write, short


def client(loaded: inventory.Inventory, host: str = "h") -> str:
    return loaded.servers[host].realms[0].client


def test_children_win_over_parents_and_hosts_over_groups(load: Load) -> None:
    loaded = load("""
        all:
          vars: {scim_realms: {acme: {}}, scim_client: all}
          hosts: {a: , b: , c: {scim_client: host}}
          children:
            parent:
              vars: {scim_client: parent}
              hosts: {b: }
              children: {child: {vars: {scim_client: child}, hosts: {c: , d: }}}
        """)
    assert [client(loaded, host) for host in "abcd"] == ["all", "parent", "host", "child"]


def test_at_one_depth_priority_counts_before_the_name(load: Load) -> None:
    text = """
        a: {hosts: {h: }, vars: {scim_client: from-a%s, scim_realms: {x: }}}
        b: {hosts: {h: }, vars: {scim_client: from-b}}
        """
    assert client(load(text % "")) == "from-b"
    assert client(load(text % ", ansible_group_priority: 10")) == "from-a"
    assert client(load(text % ', ansible_group_priority: "10"')) == "from-a"


def test_depth_is_the_longest_path_and_counts_before_priority(load: Load) -> None:
    loaded = load("""
        top: {children: {middle: {children: {low: {hosts: {h: }}}}, low: }}
        middle: {vars: {scim_client: middle, ansible_group_priority: 99}}
        low: {vars: {scim_client: low, scim_realms: {x: }}}
        """)
    assert client(loaded) == "low"


def test_files_win_over_inline_vars(write: Write) -> None:
    source = write("""
        all: {vars: {scim_client: inline-all}, hosts: {f: }}
        g: {vars: {scim_client: inline-g}, hosts: {h: , i: {scim_client: inline-i}, j: }}
        """)
    write("scim_realms: {x: }\nscim_client: file-all\n", "group_vars/all.yml")
    assert client(inventory.load([source]), "f") == "file-all"
    # group_vars/all is stronger than a group's inline vars: so it is in Ansible.
    assert client(inventory.load([source])) == "file-all"
    write("scim_client: file-g\n", "group_vars/g")
    write('{"scim_client": "file-j"}', "host_vars/j.json")
    loaded = inventory.load([source])
    assert [client(loaded, host) for host in "hij"] == ["file-g", "inline-i", "file-j"]


def test_a_folder_of_vars_files(write: Write) -> None:
    source = write("g: {hosts: {h: }}")
    write("scim_realms: {x: }\nscim_client: one\n", "group_vars/g/1.yml")
    write("scim_client: two\n", "group_vars/g/2")
    for ignored in (".hidden", "9.yml~", "9.txt", "dir.d/9.yml"):
        write("scim_client: ignored\n", f"group_vars/g/{ignored}")
    assert client(inventory.load([source])) == "two"
    write("scim_client: deep\n", "group_vars/g/sub/1.yaml")
    assert client(inventory.load([source])) == "deep"


def test_only_the_first_extension_of_a_vars_file_is_read(write: Write) -> None:
    source = write("g: {hosts: {h: }}")
    write("scim_realms: {x: }\nscim_client: yml\n", "group_vars/g.yml")
    write("scim_client: yaml\n", "group_vars/g.yaml")
    assert client(inventory.load([source])) == "yml"


def test_later_sources_win(write: Write) -> None:
    one = write("g: {hosts: {h: }, vars: {scim_client: one, scim_realms: {x: }}}", "one/hosts.yml")
    two = write("g: {vars: {scim_client: two}}", "two/hosts.yml")
    assert client(inventory.load([one, two])) == "two"
    assert client(inventory.load([two, one])) == "one"
    write("scim_client: file-one\n", "one/group_vars/g.yml")
    assert client(inventory.load([one, two])) == "file-one"
    write("scim_client: file-two-all\n", "two/group_vars/all.yml")
    assert client(inventory.load([one, two])) == "file-one"


def test_a_folder_as_source(write: Write, tmp_path: object) -> None:
    write("g: {hosts: {h: }, vars: {scim_client: a, scim_realms: {x: }}}", "inv/a.yml")
    write("g: {vars: {scim_client: b}}", "inv/b.yml")
    write("not read: [", "inv/README.md")
    write("not read: [", "inv/.hidden.yml")
    write("not read: [", "inv/old.bak")
    write("g: {hosts: {i: }}", "inv/sub/c.yml")
    source = write("scim_client: vars\n", "inv/group_vars/g.yml").parents[1]
    loaded = inventory.load([source])
    assert loaded.hosts == ("h", "i")
    assert client(loaded) == "vars"


def test_all_and_ungrouped_always_exist(load: Load) -> None:
    loaded = load("""
        all: {hosts: {a: , b: }}
        g: {hosts: {b: , c: }}
        ungrouped: {hosts: {c: , d: }}
        """)
    assert loaded.groups["ungrouped"] == ("d", "a")
    assert set(loaded.groups["all"]) == set("abcd")
    assert loaded.groups["g"] == ("b", "c")


def test_a_host_can_be_named_in_several_forms(load: Load) -> None:
    loaded = load("""
        g:
          hosts: web[1:2].x:2222
          children: sub
        sub: {hosts: {web1.x: {scim_realms: {x: }}}}
        """)
    assert loaded.hosts == ("web1.x", "web2.x")
    assert loaded.servers["web1.x"].connection.port == 2222


def test_a_host_without_realms_is_not_a_server(load: Load) -> None:
    loaded = load("all: {hosts: {a: , b: {scim_realms: {}}}}")
    assert list(loaded.servers) == ["b"]
    assert loaded.servers["b"].realms == ()


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("host", "hosts"),
        ("Hosts", "hosts"),
        ("childrens", "children"),
        ("child", "children"),
        ("var", "vars"),
    ],
)
def test_a_misspelt_key_of_a_group_is_an_error(refused: Refused, key: str, near: str) -> None:
    (problem,) = refused(f"g: {{{key}: {{a: }}, hosts: {{b: }}}}")
    message = "unknown key: a group has only hosts, children and vars"
    assert problem == f"1:5: g.{key}: {message} (did you mean {near}?)"


def test_other_keys_of_a_group_are_warned_about(load: Load) -> None:
    (warning,) = load("g: {owner: ops, hosts: {b: }}").warnings
    assert "g.owner: this key is ignored: a group has only hosts, children and vars" in short(
        warning
    )
    (warning,) = load("g: {hosts: {g: }}").warnings
    assert "g is the name of both a group and a host" in short(warning)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: {children: {a: }}", "1:16: a.children.a: a cannot be a child of a"),
        (
            "a: {children: {b: {children: {a: }}}}",
            "b cannot be a child of a, because it is its parent",
        ),
        ("a: {children: {all: }}", "all cannot be a child of a"),
        ("a: [b]", "1:1: a: expected a group with hosts, children, vars, found a list"),
        ("a: {hosts: [b]}", "1:5: a.hosts: expected a mapping, found a list"),
        ("a: {vars: x}", "a.vars: expected a mapping, found text"),
        ("a: {hosts: {b: [c]}}", "a.hosts.b: expected a mapping of variables, found a list"),
        ("12: {}", "a group name must be text, but YAML reads a number here (quote it)"),
        ("a: {hosts: {12: }}", "a host name must be text"),
        ("a: {hosts: {no: }}", 'a.hosts."False": a host name must be text'),
        ("a: {hosts: {-oProxyCommand=x: }}", "this is not a valid host name"),
        ("a: {hosts: {'a b': }}", "this is not a valid host name"),
        ("a: {hosts: {'x[1:': }}", "a bracket of the host range is not closed"),
        ("a: {hosts: {'x[1:99999999]': }}", "more than 100000 hosts"),
        ("a: {vars: {ansible_group_priority: high}}", "ansible_group_priority: expected a number"),
        (
            "plugin: amazon.aws.aws_ec2",
            "scimconf runs no inventory plugins of Ansible "
            "(run ansible-inventory -i hosts.yaml --list | scimconf plan -i -)",
        ),
    ],
)
def test_invalid_groups_and_hosts(refused: Refused, text: str, expected: str) -> None:
    (problem,) = refused(text)
    assert expected in problem


def test_too_many_hosts(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "MAX_HOSTS", 10)
    (problem,) = refused("a: {hosts: {'x[1:9]': , 'y[1:2]': }}")
    assert problem.endswith("a.hosts.y[1:2]: the inventory has more than 10 hosts")


def test_a_wrong_vars_file(write: Write) -> None:
    source = write("all: {hosts: {h: }}")
    write("- a\n", "group_vars/all.yml")
    write("a: [\n", "host_vars/h.yml")
    write("", "host_vars/empty.yml")
    with pytest.raises(InventoryError) as caught:
        inventory.load([source])
    list_, open_ = caught.value.problems
    assert "group_vars/all.yml:1:1: error: expected a mapping of variables, found a list" in str(
        list_
    )
    assert "host_vars/h.yml:" in str(open_)


def test_many_diamonds_of_groups_are_fast(load: Load) -> None:
    lines = []
    for n in range(60):
        below = f"{{children: {{a{n + 1}: }}}}"
        lines.append(f"a{n}: {{children: {{l{n}: {below}, r{n}: {below}}}}}\n")
    loaded = load("".join(lines) + "a60: {hosts: {h: {scim_realms: {x: }}}}\n")
    assert loaded.groups["a0"] == ("h",)


def test_expanded_variables_are_freed_and_read_again_by_hostvars(write: Write) -> None:
    text = """
    all:
      vars: {ansible_host: "10.0.0.{{ n }}", scim_idp: okta, scim_realms: {"": {}}}
      hosts:
        a: {n: 1}
        b: {n: 2, ansible_user: "u{{ hostvars.a.n }}"}
    """
    problems = Problems()
    found = layout.read([write(text)], problems)
    built = servers.build(found, {}, bare=False)
    assert [each.connection.user for each in built.servers.values()] == [None, "u1"]
    assert list(found._known) == ["a"]
