from __future__ import annotations

import json
import re
import shlex
import stat
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scimconf.cli import init
from scimconf.zulip.presets import PRESETS
from tests.cli.conftest import Run
from tests.cli.terminal import Terminal, own_environment


def _hostvars(scimconf: Run, folder: str) -> dict[str, dict[str, object]]:
    listed = json.loads(scimconf("inventory", "list", "-i", f"{folder}/inventory.yaml").stdout)
    found: dict[str, dict[str, object]] = listed["_meta"]["hostvars"]
    return found


def test_init_with_options(empty: Run, tmp_path: Path) -> None:
    done = empty(
        *("init", "--host", "chat.example.com", "--host", "10.0.0.7", "--user", "ops"),
        *("--idp", "entra", "--realm", "acme", "--realm", "", "--make-vault-password"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = ("inventory.yaml", ".scimconf-schema.json", ".gitignore", ".vault-password")
    assert done.stdout.startswith("".join(f"wrote {name}\n" for name in written))
    assert empty("inventory", "check").stdout == "ok: 2 servers, 4 realms\n"
    variables = _hostvars(empty, ".")["10.0.0.7"]
    assert variables["ansible_user"] == "ops"
    assert variables["scim_token_store"] == "secrets"
    realms = variables["scim_realms"]
    assert isinstance(realms, dict)
    assert {name: realm["idp"] for name, realm in realms.items()} == {"acme": "entra", "": "entra"}
    password = tmp_path / ".vault-password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert len(password.read_text().strip()) >= 43


def test_init_has_defaults(empty: Run, tmp_path: Path) -> None:
    assert empty("init", "--host", "chat.example.com").returncode == 0
    variables = _hostvars(empty, ".")["chat.example.com"]
    assert variables["ansible_user"] == "zulip"
    assert variables["scim_realms"] == {
        "": {
            "idp": "okta",
            "client": "okta",
            "name_formatted_included": False,
            "url": "https://chat.example.com",
            "state": "present",
        }
    }
    assert not (tmp_path / ".vault-password").exists()


def test_secret_files_are_in_gitignore(empty: Run, tmp_path: Path) -> None:
    assert empty("init", "--host", "chat.example.com", "--make-vault-password").returncode == 0
    made = empty(
        *("render", "chat.example.com", "--create-tokens", "--show-tokens"),
        *("--vault-password-file", ".vault-password"),
    )
    assert made.returncode == 0
    ignored = set((tmp_path / ".gitignore").read_text().splitlines())
    assert {path.name for path in tmp_path.iterdir()} - ignored == {
        *("inventory.yaml", "tokens.yaml", ".gitignore", ".scimconf-schema.json"),
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ".vault-password\n.tokens.yaml.lock\n.*.new\n"),
        ("*.pyc", "*.pyc\n.vault-password\n.tokens.yaml.lock\n.*.new\n"),
        (".tokens.yaml.lock\n\xff\n", ".tokens.yaml.lock\n\xff\n.vault-password\n.*.new\n"),
        (
            ".*.new\n.vault-password\n.tokens.yaml.lock",
            ".*.new\n.vault-password\n.tokens.yaml.lock",
        ),
    ],
)
def test_lines_are_only_added_to_gitignore(
    before: str, after: str, empty: Run, tmp_path: Path
) -> None:
    (tmp_path / ".gitignore").write_text(before, encoding="latin-1")
    done = empty("init", "--host", "chat.example.com")
    assert done.returncode == 0
    assert (tmp_path / ".gitignore").read_text(encoding="latin-1") == after
    assert ("wrote .gitignore" in done.stdout) is (before != after)


def test_an_existing_inventory_is_not_overwritten(scimconf: Run, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = scimconf("init", "--host", "chat.example.com", "--make-vault-password")
    assert (done.returncode, done.stdout) == (64, "")
    assert "inventory.yaml already exists" in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_link_is_not_followed(empty: Run, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").symlink_to("elsewhere")
    assert empty("init", "--host", "chat.example.com").returncode == 64
    assert [path.name for path in tmp_path.iterdir()] == ["inventory.yaml"]


def test_an_existing_password_is_kept(empty: Run, tmp_path: Path) -> None:
    (tmp_path / ".vault-password").write_text("mine\n")
    done = empty("init", "--host", "chat.example.com", "--make-vault-password")
    assert (tmp_path / ".vault-password").read_text() == "mine\n"
    assert "apply --vault-password-file .vault-password\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "a b"), "this is not a valid host name"),
        (("--host", "a", "--realm", "ACME"), "ACME"),
        (("--host", "a", "--realm", "a_b"), "a_b"),
        (("--host", "a", "--idp", "okto"), "'okto' is not one of 'authentik'"),
        (("--host", "a", "/dev/null/x"), "/dev/null/x: Not a directory"),
        ((), "--host chat.example.com"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_answers_are_refused_before_anything_is_written(
    arguments: tuple[str, ...], said: str, empty: Run, tmp_path: Path
) -> None:
    done = empty("init", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert said in done.stderr
    assert "/tmp/" not in done.stderr.replace(str(tmp_path), "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(empty: Run, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    done = empty("init", "--host", "a")
    assert done.returncode == 64
    assert "cannot write .gitignore: Is a directory" in done.stderr


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    empty: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "_make", lambda folder: (tmp_path / "inventory.yaml").touch())
    done = empty("init", "--host", "a")
    assert done.returncode == 64
    assert "cannot write inventory.yaml: File exists" in done.stderr


# --- the printed commands ---------------------------------------------------------------------


@pytest.mark.parametrize("folder", [".", "new", "two words/$HOME", "-x"])
@pytest.mark.parametrize("password", ["--make-vault-password", "--no-vault-password"])
def test_the_next_commands_can_be_pasted(
    folder: str, password: str, empty: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = empty("init", "--host", "chat.example.com", password, "--", folder)
    assert done.returncode == 0
    commands = re.findall(r"^  (\S.*)$", done.stdout, re.M)
    assert not any("#" in command for command in commands)
    if folder != ".":
        cd, dashes, path = shlex.split(commands.pop(0))
        assert (cd, dashes, path) == ("cd", "--", folder)
    monkeypatch.chdir(folder)
    assert [command.split()[1] for command in commands] == ["plan", "apply", "handoff"]
    for command in commands:
        _, *arguments = shlex.split(command)
        assert empty(*arguments, "--help").returncode == 0
    vault = shlex.split(commands[1])[2:]
    if password == "--make-vault-password":
        made = empty("render", "chat.example.com", "--show-tokens", "--create-tokens", *vault)
        assert made.returncode == 0
    else:
        assert vault == ["--ask-vault-pass"]


# --- quoting ----------------------------------------------------------------------------------

ODD = ["no", "on", "y", "null", "true", "2024", "1e3", "0x1f", "0o7", "1-0", "12-30", "10", "e1"]
WORD = r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?"
LABEL = st.sampled_from(ODD) | st.from_regex(WORD, fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
USER = st.just("no") | st.from_regex(r"[a-z_][a-z0-9_.-]{0,8}", fullmatch=True)


@settings(max_examples=50, deadline=None)
@given(
    hosts=st.lists(HOST, min_size=1, max_size=3),
    realms=st.lists(st.just("") | LABEL, min_size=1, max_size=4),
    user=USER,
    idp=st.sampled_from(sorted(PRESETS)),
)
def test_the_inventory_has_the_answers(
    hosts: list[str],
    realms: list[str],
    user: str,
    idp: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from scimconf import inventory

    # Two realms with one URL are refused: realm "0" of host "no", and the root realm of "0.no".
    urls = [f"{r}.{h}" if r else h for h in dict.fromkeys(hosts) for r in dict.fromkeys(realms)]
    assume(len(set(urls)) == len(urls))
    path = tmp_path_factory.mktemp("init") / "inventory.yaml"
    path.write_text(init._inventory(hosts, user, idp, realms))
    servers = inventory.load([path]).servers
    assert list(servers) == list(dict.fromkeys(hosts))
    for server in servers.values():
        assert [realm.string_id for realm in server.realms] == list(dict.fromkeys(realms))
        assert {realm.idp for realm in server.realms} <= {idp}
        assert server.connection.user == user


@given(st.text(max_size=20))
def test_any_text_survives_quoting(text: str) -> None:
    from scimconf.yamlfile import parse

    assert parse(f"a: {init._scalar(text)}\n", "x").data == {"a": text}


def test_an_editor_finds_the_schema_where_the_first_line_says(empty: Run, tmp_path: Path) -> None:
    """yaml-language-server resolves a relative path from the file that contains it."""
    assert empty("init", "new", "--host", "chat.example.com").returncode == 0
    line = (tmp_path / "new/inventory.yaml").read_text().splitlines()[0]
    named = line.removeprefix("# yaml-language-server: $schema=")
    assert named != line
    schema = (tmp_path / "new" / named).read_text()
    assert schema == empty("inventory", "schema").stdout


# --- an existing inventory ----------------------------------------------------------------------

ANSIBLE = """\
all:
  vars: {ansible_user: ops}   # ours
  children:
    web: {hosts: {web1.example.com: , web2.example.com: }}
    db: {hosts: {"fe80::1": }}
"""


def _files(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.mark.parametrize(
    ("name", "source", "beside"),
    [
        ("hosts.yml", "hosts.yml", "group_vars"),
        ("hosts", "hosts", "group_vars"),
        ("inventory.yml", "inventory.yml", "group_vars"),
        ("inventory.yaml", "inventory.yaml", "group_vars"),
        ("inventory/hosts.yml", "inventory", "inventory/group_vars"),
        ("inventory/production/hosts.yml", "inventory", "inventory/group_vars"),
    ],
)
def test_an_existing_ansible_inventory_is_used(
    name: str, source: str, beside: str, empty: Run, tmp_path: Path
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(ANSIBLE)
    done = empty("init", "--host", "web", "--realm", "acme", "--realm", "")
    assert (done.returncode, done.stderr) == (0, "")
    assert _files(tmp_path) == {
        name: ANSIBLE,
        f"{beside}/web.yaml": (
            "# From scimconf init; all variables: docs/inventory.md of scimconf.\n"
            'scim_idp: "okta"\nscim_token_store: "secrets"\n'
            'scim_realms:\n  "acme": {}\n  "": {}\n'
        ),
        ".gitignore": ".vault-password\n.tokens.yaml.lock\n.*.new\n",
    }
    assert "\n  scimconf plan\n  scimconf apply --ask-vault-pass\n" in done.stdout
    assert done.stdout.endswith("scimconf import --ask-vault-pass HOST\n")
    assert empty("inventory", "check", "-i", source).stdout == "ok: 2 servers, 4 realms\n"


def test_single_hosts_get_their_own_files(empty: Run, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(ANSIBLE)
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/web2.example.com.yml").write_text("a: 1  # mine")
    done = empty("init", "--host", "web2.example.com", "--host", "web1*", "--user", "zulip")
    assert done.returncode == 0
    written = _files(tmp_path)
    assert written["host_vars/web2.example.com.yml"].startswith("a: 1  # mine\n# From scimconf")
    assert 'ansible_user: "zulip"\n' in written["host_vars/web1.example.com.yaml"]
    assert empty("inventory", "check", "-i", "hosts.yml").stdout == "ok: 2 servers, 2 realms\n"
    again = empty("init", "--host", "web")
    assert (again.returncode, again.stdout) == (64, "")
    assert "all hosts of web" in again.stderr
    assert _files(tmp_path) == written


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (ANSIBLE, ["--host", "wbe"], "no host or group matches 'wbe'"),
        (ANSIBLE, ["--host", "all"], "set zulip_external_host"),
        (ANSIBLE, ["--host", "web", "--realm", "ACME"], "ACME"),
        (ANSIBLE, [], "--host chat.example.com"),
        ("[web]\nweb1 x = 1\n", ["--host", "web"], "hosts:2:6: error: expected key=value"),
        (
            "all: {hosts: {a: {scim_realms: {}}}}\n",
            ["--host", "a"],
            "all of its hosts have",
        ),
    ],
)
def test_a_failed_addition_restores_all_files(
    text: str, arguments: list[str], said: str, empty: Run, tmp_path: Path
) -> None:
    (tmp_path / "hosts").write_text(text)
    done = empty("init", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_an_ini_inventory_that_ansible_cfg_names_is_used(empty: Run, tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = production/hosts\n")
    done = empty("init", "--host", "web")
    assert (done.returncode, done.stdout) == (64, "")
    assert "the inventory production/hosts does not exist; ansible.cfg names it" in done.stderr
    (tmp_path / "production").mkdir()
    text = "[web]\nweb1.example.com ansible_user=ops\n"
    (tmp_path / "production/hosts").write_text(text)
    (tmp_path / "hosts.yml").write_text(ANSIBLE)
    done = empty("init", "--host", "web")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "production/hosts").read_text() == text
    assert "scim_realms" in (tmp_path / "production/group_vars/web.yaml").read_text()
    assert "\n  scimconf plan\n" in done.stdout
    assert empty("inventory", "check").stdout == "ok: 1 server, 1 realm\n"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("../hosts", "ansible.cfg names an inventory outside of its folder: ../hosts"),
        ("", "there are two inventories: hosts.yml and hosts"),
    ],
)
def test_init_extends_only_one_inventory_of_the_folder(
    named: str, said: str, empty: Run, tmp_path: Path
) -> None:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ninventory = {named}\n")
    for name in ("hosts.yml", "hosts"):
        (tmp_path / name).write_text(ANSIBLE)
    before = _files(tmp_path)
    done = empty("init", "--host", "web")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == (
        f"error: {said}\n  -> init extends one inventory: name its folder (scimconf init FOLDER)\n"
    )
    assert _files(tmp_path) == before


def test_init_writes_an_inventory_here_though_the_user_has_one_elsewhere(
    empty: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next commands then name the new one, because they would not find it."""
    fleet = tmp_path / "fleet.yml"
    fleet.write_text(ANSIBLE)
    monkeypatch.setenv("ANSIBLE_INVENTORY", str(fleet))
    done = empty("init", "--host", "chat.example.com")
    assert done.returncode == 0
    assert "\n  scimconf plan -i inventory.yaml\n" in done.stdout
    assert fleet.read_text() == ANSIBLE


def test_init_asks_for_hosts_of_the_inventory(empty: Run, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(ANSIBLE.replace("web:", "zulip:"))
    with Terminal("init", cwd=tmp_path, env=own_environment(), columns=60) as terminal:
        terminal.wait_for("Using the inventory hosts.yml.")
        terminal.wait_for("scimconf import HOST")
        terminal.answer("separated by spaces) [zulip]: ", "")
        terminal.answer("[okta]: ", "")
        terminal.answer('[""]: ', "")
        terminal.answer("Create a vault password (.vault-password)? [Y/n]: ", "")
        assert terminal.end() == 0
    assert empty("inventory", "check", "-i", "hosts.yml").stdout == "ok: 2 servers, 2 realms\n"


# --- on a terminal ----------------------------------------------------------------------------


def test_init_asks(empty: Run, tmp_path: Path) -> None:
    with Terminal("init", "new", cwd=tmp_path, env=own_environment(), columns=60) as terminal:
        question = "Zulip servers (host names, separated by spaces): "
        terminal.answer(question, "chat.example.com, b.test")
        terminal.answer("Log in as [zulip]: ", "")
        terminal.answer("[okta]: ", "okto")
        terminal.answer("[okta]: ", "keycloak")
        terminal.answer('[""]: ', 'acme ""')
        terminal.answer("Create a vault password (.vault-password)? [Y/n]: ", "")
        assert terminal.end() == 0
        assert "Next:\n  cd -- new\n" in terminal.text
    found = _hostvars(empty, "new")
    assert list(found) == ["chat.example.com", "b.test"]
    realms = found["b.test"]["scim_realms"]
    assert isinstance(realms, dict)
    assert {name: realm["idp"] for name, realm in realms.items()} == {
        "acme": "keycloak",
        "": "keycloak",
    }
    assert (tmp_path / "new/.vault-password").exists()


def test_ctrl_c_writes_nothing(empty: Run, tmp_path: Path) -> None:
    with Terminal("init", cwd=tmp_path, env=own_environment()) as terminal:
        terminal.wait_for("Zulip servers")
        assert terminal.interrupt() == 130
        assert terminal.text.endswith("\ninterrupted\n")
    assert list(tmp_path.iterdir()) == []
