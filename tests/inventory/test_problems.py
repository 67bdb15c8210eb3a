"""Every problem of an inventory is reported at once, each with its position."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimconf import inventory
from scimconf.errors import InventoryError

from .conftest import Load, Refused, Write, short


def test_every_problem_is_reported_at_once(write: Write) -> None:
    one = write(
        """\
        all:
          vars:
            scim_ipd: okta
            scim_verify: maybe
          hosts:
            a: {scim_realms: {Acme: {}, b: {idp: okat, clent: x}}}
            c: {scim_realms: {no: {}}, ansible_port: x}
        """,
        "one.yaml",
    )
    two = write("g:\n  hosts: [a]\n", "two.yaml")
    broken = write("a: 1\na: 2\n", "broken.yaml")
    write("scim_verify: 3\n", "host_vars/c.yml")
    missing = Path("elsewhere.txt")
    with pytest.raises(InventoryError) as caught:
        inventory.load([one, two, broken, missing])
    places = [short(problem).split(": ")[:2] for problem in caught.value.problems]
    assert places == [
        ["the inventory elsewhere.txt does not exist"],
        ["two.yaml:2:3", "g.hosts"],
        ["broken.yaml:2:1", "duplicate key 'a' (the first one is in line 1)"],
        ["one.yaml:3:5", "all.vars.scim_ipd"],
        ["one.yaml:4:5", "all.vars.scim_verify"],
        ["one.yaml:6:23", "all.hosts.a.scim_realms.Acme"],
        ["one.yaml:6:37", "all.hosts.a.scim_realms.b.idp"],
        ["one.yaml:6:48", "all.hosts.a.scim_realms.b.clent"],
        ["one.yaml:7:23", 'all.hosts.c.scim_realms."False"'],
        ["one.yaml:7:32", "all.hosts.c.ansible_port"],
        ["host_vars/c.yml:1:1", "scim_verify"],
    ]
    lines = str(caught.value).splitlines()
    at = lines.index("  -> did you mean okta?")
    assert lines[at - 1 : at + 1] == [
        "one.yaml:6:37: error: all.hosts.a.scim_realms.b.idp: unknown identity provider, "
        "expected one of: authentik, entra, jumpcloud, keycloak, okta, onelogin, other",
        "  -> did you mean okta?",
    ]


def test_a_problem_of_a_group_is_reported_once(refused: Refused) -> None:
    problems = refused("""
        all:
          vars: {scim_verify: 1, scim_realms: {Bad: }}
          hosts: h[1:50]
        """)
    assert len(problems) == 2


def test_the_same_url_on_two_servers(refused: Refused) -> None:
    (problem,) = refused(
        "all:\n  vars: {zulip_external_host: x.org}\n  hosts:\n"
        "    a: {scim_realms: {'': }}\n    b: {scim_realms: {'': }}\n"
    )
    assert problem == (
        '5:23: b.scim_realms."": https://x.org is already the URL of realm (root) of a at '
        "4:23 (if they are one Zulip, set the same scim_deployment)"
    )


def test_the_same_url_for_two_realms_of_one_deployment(refused: Refused) -> None:
    (problem,) = refused("""
        all:
          vars: {scim_deployment: d}
          hosts:
            a: {scim_realms: {x: {url: "https://x.org"}}}
            b: {scim_realms: {y: {url: "https://x.org"}}}
        """)
    assert "https://x.org is already the URL of realm x of a" in problem


def test_the_same_url_in_two_spellings(refused: Refused) -> None:
    (problem,) = refused("""
        all: {hosts: {x.org: {scim_realms: {a: , b: {url: "https://A.X.org:443/"}}}}}
        """)
    assert "is already the URL of realm a of x.org" in problem


def test_the_url_of_an_absent_realm_can_be_used_again(load: Load) -> None:
    loaded = load("""
        all:
          hosts:
            a: {scim_realms: {x: {state: absent, url: "https://x.org"}}}
            b: {scim_realms: {x: {url: "https://x.org"}}}
        """)
    assert len(loaded.servers) == 2


def test_a_host_name_that_is_not_a_valid_external_host(refused: Refused) -> None:
    (problem,) = refused("all: {hosts: {'2001:db8::1': {scim_realms: {x: }}}}")
    assert "cannot be Zulip's EXTERNAL_HOST (set zulip_external_host)" in problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("# only a comment\n", "1:1: the file is empty"),
        ("- a\n- b\n", "expected a mapping of groups, such as all:, found a list"),
        ("hello: hello\n", "expected a group with hosts, children, vars, found text"),
        ("all:\n\thosts: x\n", "2:1: YAML does not allow a tab"),
        ("[" * 2000, "nested more than 64 levels deep"),
        ("a\0: b", "1:2: the character U+0000 is not allowed in YAML"),
        ("all: {hosts: {a: {x: !ruby/object y}}}", "unknown tag !ruby/object"),
        ("a: &a [x]\nb: [*a, *c]\n", "2:9: the alias *c has no anchor &c above"),
    ],
)
def test_files_that_are_not_inventories(refused: Refused, content: str, expected: str) -> None:
    assert expected in refused(content)[0]


def test_a_list_of_hosts_is_not_an_inventory(write: Write) -> None:
    write("")
    with pytest.raises(InventoryError) as caught:
        inventory.load([Path("chat1,chat2,")])
    assert [short(problem) for problem in caught.value.problems] == [
        "the inventory chat1,chat2, does not exist, and scimconf reads no list of hosts (write the "
        "hosts into a file, one on each line)"
    ]


def test_a_program_is_refused_and_not_started(write: Write, tmp_path: Path) -> None:
    source = write("#!/bin/sh\ntouch started\n", "dynamic.sh")
    (tmp_path / source).chmod(0o700)
    with pytest.raises(
        InventoryError,
        match="this inventory is a program, which runs only with --allow-exec=inventory",
    ):
        inventory.load([source])
    assert not (tmp_path / "started").exists()


def test_an_executable_yaml_file_is_not_a_program(write: Write, tmp_path: Path) -> None:
    source = write("all: {hosts: {a: }}")
    (tmp_path / source).chmod(0o755)
    assert inventory.load([source]).hosts == ("a",)


def test_missing_sources(write: Write, tmp_path: Path) -> None:
    write("all: {}", "hosts.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InventoryError) as caught:
        inventory.load([Path("host.yaml"), Path("no/such"), Path("empty")])
    assert [short(problem) for problem in caught.value.problems] == [
        "the inventory host.yaml does not exist (did you mean hosts.yaml?)",
        "the inventory no/such does not exist",
        "the folder empty contains no inventory file",
    ]


def test_a_file_of_a_gigabyte_is_not_read(write: Write, tmp_path: Path) -> None:
    source = write("")
    with (tmp_path / source).open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InventoryError, match="is larger than 8 MiB and was not read"):
        inventory.load([source])


def test_a_file_in_latin_1_is_refused(write: Write, tmp_path: Path) -> None:
    source = write("")
    (tmp_path / source).write_bytes("all: ü".encode("latin-1"))
    with pytest.raises(InventoryError, match=r"hosts.yaml:1:6: error: the file is not UTF-8 text"):
        inventory.load([source])


# --- ansible.cfg -------------------------------------------------------------------------------

CFG = """
[defaults]
inventory = hosts
remote_user = admin
forks = 5
[privilege_escalation]
become = true
"""


def test_a_warning_names_the_settings_of_ansible_cfg_that_are_ignored(write: Write) -> None:
    source = write("all: {hosts: {a: {scim_realms: {x: }}}}", "inv/hosts.yaml")
    write(CFG, "inv/ansible.cfg")
    loaded = inventory.load([source])
    assert [short(warning) for warning in loaded.warnings] == [
        "scimconf reads only `inventory` from inv/ansible.cfg; it ignores remote_user, become "
        "(use -u, -b, or variables of the inventory)"
    ]
    assert loaded.servers["a"].connection.user is None


def test_a_sudo_that_ansible_cfg_names_is_not_passed_over(write: Write) -> None:
    source = write("all: {hosts: {a: {scim_realms: {x: }}}}", "inv/hosts.yaml")
    write("[privilege_escalation]\nbecome_exe = sudo.ws\nbecome_flags = -H\n", "inv/ansible.cfg")
    (warning,) = inventory.load([source]).warnings
    assert "it ignores become_exe, become_flags" in warning.message
    assert "ansible_become_exe, ansible_become_flags" in warning.hint


def test_the_same_ansible_cfg_is_named_once(write: Write) -> None:
    source = write("all: {hosts: {a: }}")
    write(CFG, "ansible.cfg")
    assert len(inventory.load([source, source]).warnings) == 1


@pytest.mark.parametrize(
    ("section", "line", "instead"),
    [
        ("defaults", "ask_vault_pass = True", "--ask-vault-pass"),
        ("defaults", "host_key_checking = False", "--accept-new-host-keys"),
        ("defaults", "interpreter_python = /usr/bin/python3", "ansible_python_interpreter"),
        ("defaults", "remote_port = 2222", "ansible_port"),
        ("defaults", "timeout = 60", "ansible_timeout"),
        ("defaults", "transport = local", "ansible_connection"),
        ("defaults", "vault_password_file = .pass", "--vault-password-file"),
        ("privilege_escalation", "become_user = zulip", "--become-user"),
        ("ssh_connection", "pkcs11_provider = /usr/lib/opensc.so", "an ssh agent"),
        ("ssh_connection", "retries = 3", "--retries"),
        ("ssh_connection", "ssh_args = -F ./ssh_config", "ansible_ssh_args"),
        ("ssh_connection", "ssh_args = -o 'unclosed", "ansible_ssh_args"),
        ("ssh_connection", "ssh_common_args = -J bastion", "ansible_ssh_common_args"),
        ("ssh_connection", "ssh_executable = /opt/ssh", "the environment variable PATH"),
        ("ssh_connection", "ssh_extra_args = -p 2222", "ansible_ssh_extra_args"),
    ],
)
def test_each_setting_for_connections_and_passwords_is_named(
    write: Write, section: str, line: str, instead: str
) -> None:
    source = write("all: {hosts: {a: {scim_realms: {x: }}}}", "inv/hosts.yaml")
    write(f"[{section}]\n{line}\n", "inv/ansible.cfg")
    (warning,) = inventory.load([source]).warnings
    assert warning.message.endswith(f"; it ignores {line.partition(' = ')[0]}")
    assert instead in warning.hint


def test_a_setting_of_a_plugin_is_named_with_its_section(write: Write) -> None:
    source = write("all: {hosts: {a: }}", "inv/hosts.yaml")
    write("[sudo_become_plugin]\nuser = zulip\npassword = s3cret\n", "inv/ansible.cfg")
    (warning,) = inventory.load([source]).warnings
    assert "user of [sudo_become_plugin], password of [sudo_become_plugin]" in warning.message
    assert "s3cret" not in warning.text("warning")


USUAL = """
[defaults]
ask_pass = no
host_key_checking = True
interpreter_python = auto_silent
timeout = 10
transport = smart
vault_password_file =
[privilege_escalation]
become = False
become_ask_pass = False
become_flags = -H -S -n
become_method = sudo
become_user = root
[ssh_connection]
retries = 0
ssh_args = -C -o ControlMaster=auto -o ControlPersist=60s -o ControlPath=~/.ssh/%C
"""


@pytest.mark.parametrize(
    "text", ["", "[defaults]\nforks = 5\n", "no section\n", "[defaults\n", USUAL]
)
def test_an_ansible_cfg_without_relevant_settings(write: Write, text: str) -> None:
    source = write("all: {hosts: {a: }}")
    write(text, "ansible.cfg")
    assert inventory.load([source]).warnings == ()
