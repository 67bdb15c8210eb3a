from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scimconf import vault
from scimconf.cli.person import Terminal as Person
from scimconf.consent import EVERYTHING, NOTHING
from scimconf.errors import UsageError
from scimconf.fleet.connections import Opener
from scimconf.inventory import Inventory
from scimconf.model import Position, Server, VaultValue
from scimconf.run.connect import opener
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.start import Start, load
from scimconf.secret import Secret
from scimconf.ssh import session
from scimconf.tokens.keyring import Passwords
from tests.cli.conftest import Run
from tests.cli.terminal import Terminal, own_environment
from tests.factories import connection, server
from tests.lab import Server as LabServer
from tests.lab.accounts import OPS_PASSWORD
from tests.lab.operator import VAULT, Operator

PASSWORDS = {"default": Secret("correct horse")}
SOURCE = SourceOptions((), (), None)
EMPTY = Inventory({}, (), {}, {}, ())
PASSWORD_FILE = ("--vault-password-file", "password")
PLAIN = ConnectionOptions(
    forks=20,
    user=None,
    ask_pass=False,
    become=False,
    become_user=None,
    ask_become_pass=False,
    private_key=None,
    known_hosts=None,
    accept_new_host_keys=False,
)


# --- passwords that are typed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "what"),
    [("-k", "SSH password"), ("-K", "sudo password"), ("--ask-vault-pass", "vault password")],
)
def test_no_terminal_to_ask_on(option: str, what: str, scimconf: Run) -> None:
    arguments = ("plan", option) if option != "--ask-vault-pass" else ("verify", option)
    Path("tokens.yaml").unlink(missing_ok=True)
    scimconf(
        "render", "chat1*", "--create-tokens", "--show-tokens", "--vault-password-file", "password"
    )
    done = scimconf(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert f"error: the {what} is needed, and there is no terminal" in done.stderr


def test_passwords_are_not_echoed(scimconf: Run, tmp_path: Path) -> None:
    with Terminal("plan", "-k", "-K", "chat1*", cwd=tmp_path, env=own_environment()) as terminal:
        terminal.answer("SSH password: ", "hunter2")
        terminal.answer("Sudo password: ", "hunter3")
        assert terminal.end() == 3
        assert "hunter" not in terminal.shown
        assert "refused" in terminal.text


# --- passwords in files -------------------------------------------------------------------------


def _files(tmp_path: Path) -> ConnectionOptions:
    (tmp_path / "ssh").write_text(" of ssh \n")
    (tmp_path / "sudo").write_text("#!/bin/sh\nprintf ' of sudo \\n'\n")
    (tmp_path / "sudo").chmod(0o700)
    return replace(
        PLAIN, connection_password_file=tmp_path / "ssh", become_password_file=tmp_path / "sudo"
    )


def test_passwords_come_from_a_file_or_a_program(opened: list[Any], tmp_path: Path) -> None:
    files = _files(tmp_path)
    _open(files)
    _open(files, password=Secret("in the inventory"))
    found = [(each[2].password.reveal(), each[2].become_password.reveal()) for each in opened]
    assert found == [("of ssh", " of sudo "), ("in the inventory", " of sudo ")]
    assert opened[0][2].ask is None


@pytest.mark.parametrize(
    ("asks", "file"),
    [
        ("-k", "--connection-password-file"),
        ("--ask-pass", "--conn-pass-file"),
        ("-K", "--become-password-file"),
        ("--ask-become-pass", "--become-pass-file"),
    ],
)
def test_a_password_is_typed_or_in_a_file(asks: str, file: str, scimconf: Run) -> None:
    done = scimconf("plan", asks, file, "password")
    assert (done.returncode, done.stdout) == (64, "")
    assert "exclude each other: give one" in done.stderr


@pytest.mark.parametrize("of", ["CONNECTION", "BECOME"])
def test_the_command_line_overrides_the_environment(
    of: str, scimconf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise as in Ansible: an option that asks wins, and its variables are the last."""
    asks, ask_variable = {
        "CONNECTION": ("-k", "SCIMCONF_ASK_PASS"),
        "BECOME": ("-K", "SCIMCONF_ASK_BECOME_PASS"),
    }[of]
    no_file, no_terminal = "password file nowhere: No such file", "there is no terminal to ask"

    def said(*arguments: str, **variables: str) -> str:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            done = scimconf("plan", *arguments)
        assert done.returncode == 64, done
        return str(done.stderr)

    ours, ansibles = f"SCIMCONF_{of}_PASSWORD_FILE", f"ANSIBLE_{of}_PASSWORD_FILE"
    assert no_file in said(**{ansibles: "nowhere"})
    assert no_file in said(**{ours: "nowhere", ansibles: "password"})
    assert no_terminal in said(asks, **{ours: "nowhere"})
    assert no_terminal in said(asks, **{ansibles: "nowhere"})
    assert no_terminal in said(**{ask_variable: "1", ours: "nowhere"})
    assert no_file in said(f"--{of.lower()}-password-file", "nowhere", **{ask_variable: "1"})


# --- from options to servers ------------------------------------------------------------------


def test_the_inventory_wins_over_connection_options(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "all:\n  hosts:\n    a.example.com: {scim_realms: {acme: {}}}\n"
        "    b.example.com: {scim_realms: {acme: {}}, ansible_user: bob}\n"
    )
    given = replace(PLAIN, user="ops", become=True, become_user="root", private_key=Path("key"))
    a, b = load(SOURCE, Person(), given).servers.values()
    assert (a.connection.user, b.connection.user) == ("ops", "bob")
    assert (a.connection.become, a.connection.become_user) == (True, "root")
    assert str(a.connection.private_key).endswith("key")
    plain, _ = load(SOURCE, Person(), PLAIN).servers.values()
    assert (plain.connection.user, plain.connection.become) == (None, False)


def test_no_server_is_an_error(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text("all: {hosts: {a.example.com: {}}}\n")
    done = scimconf("plan", "a.example.com")
    assert done.returncode == 64
    assert "no server to work on" in done.stderr
    assert "scimconf inventory list" in done.stderr


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of each call of ssh.open_agent."""
    calls: list[Any] = []

    def open_agent(*given: object) -> nullcontext[None]:
        calls.append(given)
        return nullcontext()

    monkeypatch.setattr(session, "open_agent", open_agent)
    return calls


def _opener(
    given: ConnectionOptions,
    servers: Sequence[Server] = (),
    source: SourceOptions = SOURCE,
    passwords: Passwords = lambda: PASSWORDS,
) -> Opener:
    begun = Start(source, EMPTY, servers, passwords)
    return opener(begun, given, servers, Person())


def _open(given: ConnectionOptions, **own: Any) -> None:
    open_agent = _opener(given)
    with open_agent(server(connection=connection(**own))):
        pass


def test_a_missing_password_stays_missing(opened: list[Any]) -> None:
    _open(PLAIN)
    ((_, _, credentials, options),) = opened
    assert (credentials.password, credentials.become_password) == (None, None)
    assert (options.host_key, options.known_hosts) == ("strict", None)


def test_passwords_of_the_inventory_win_over_typed_ones(
    opened: list[Any], typed: list[tuple[str, bool]]
) -> None:
    both = replace(PLAIN, ask_pass=True, ask_become_pass=True)
    _open(both)
    _open(both, password=Secret("ssh"), become_password=Secret("sudo"))
    found = [(each[2].password.reveal(), each[2].become_password.reveal()) for each in opened]
    assert found == [("typed", "typed"), ("ssh", "sudo")]
    assert typed == [("SSH password", False), ("Sudo password", False)] * 2


def test_a_server_may_ask_the_user_only_with_k(
    opened: list[Any], typed: list[tuple[str, bool]]
) -> None:
    _open(PLAIN)
    _open(replace(PLAIN, ask_pass=True), passphrase=Secret("sesame"))
    (_, _, nobody, _), (_, _, somebody, _) = opened
    assert nobody.ask is None
    assert somebody.ask("zulip at chat1: Code").reveal() == "typed"
    assert somebody.passphrase.reveal() == "sesame"
    assert typed[-1] == ("zulip at chat1: Code", False)


def test_proxy_commands_need_consent(opened: list[Any]) -> None:
    _open(PLAIN)
    assert opened[0][3].allow_exec == NOTHING
    given = SourceOptions((), (), None, allow_exec=frozenset({"local"}))
    with _opener(PLAIN, source=given)(server()):
        pass
    assert opened[1][3].allow_exec == {"local"}


def test_one_typed_password_is_used_for_ssh_and_become(
    opened: list[Any], typed: list[tuple[str, bool]]
) -> None:
    _open(replace(PLAIN, ask_pass=True))
    assert opened[0][2].become_password.reveal() == "typed"


def test_a_vault_password_is_fetched_before_threads_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.yaml").touch()
    asked: list[str] = []

    def passwords() -> dict[str, Secret]:
        asked.append("vault")
        return PASSWORDS

    sealed = VaultValue(vault.encrypt(Secret("sesame"), PASSWORDS["default"]))
    for closed in ({}, {"password": sealed}, {"become_password": sealed}, {"passphrase": sealed}):
        servers = [server(connection=connection(**closed))]
        _opener(PLAIN, servers, passwords=passwords)
    assert len(asked) == 3


def test_vault_values_are_decrypted(opened: list[Any]) -> None:
    sealed = VaultValue(vault.encrypt(Secret("sesame"), PASSWORDS["default"]))
    _open(PLAIN, password=sealed)
    assert opened[0][2].password.reveal() == "sesame"


@pytest.mark.parametrize("kind", ["password", "become_password", "passphrase"])
@pytest.mark.parametrize("is_sealed", [True, False])
def test_the_line_break_that_echo_leaves_is_not_sent(
    kind: str, is_sealed: bool, opened: list[Any]
) -> None:
    """Issue 34795 of ansible. A YAML text block (|) leaves one, too."""
    value = Secret("correct horse\n")
    sealed = VaultValue(vault.encrypt(value, PASSWORDS["default"]))
    _open(PLAIN, **{kind: sealed if is_sealed else value})
    assert getattr(opened[0][2], kind).reveal() == "correct horse"


def test_other_line_breaks_are_named_with_their_place(opened: list[Any]) -> None:
    text = vault.encrypt(Secret("a\nb\n"), PASSWORDS["default"])
    with pytest.raises(UsageError, match=r"^vars\.yml:3:4: this value has more than one line"):
        _open(PLAIN, password=VaultValue(text, Position("vars.yml", 3, 4)))


def test_host_key_options(opened: list[Any]) -> None:
    _open(replace(PLAIN, accept_new_host_keys=True, known_hosts=Path("known")))
    assert (opened[0][3].host_key, opened[0][3].known_hosts) == ("accept-new", ("known",))


# --- programs of the inventory on this machine --------------------------------------------------


@pytest.fixture
def opened_with(opened: list[Any], scimconf: Run, tmp_path: Path) -> Any:
    """Return a function that plans with these arguments and returns the consent."""
    (tmp_path / "inventory.yaml").write_text(
        "all: {hosts: {a.example.com: {scim_realms: {acme: {}}}}}\n"
    )

    def plan(*arguments: str) -> Any:
        opened.clear()
        done = scimconf("plan", *arguments)
        return opened[0][3].allow_exec if opened else done

    return plan


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), NOTHING),
        (("--allow-exec",), EVERYTHING),
        (("--allow-exec", "a.example.com"), EVERYTHING),  # the word behind it is a pattern
        (("--allow-exec=local",), {"local"}),
        (("--allow-exec=local,proxy", "a.example.com"), {"local", "proxy"}),
        (("--allow-exec=local", "--allow-exec=inventory"), {"local", "inventory"}),
        (("--allow-exec=all",), EVERYTHING),
    ],
)
def test_consent_has_kinds(arguments: tuple[str, ...], expected: object, opened_with: Any) -> None:
    assert opened_with(*arguments) == expected


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("1", EVERYTHING), ("true", EVERYTHING), ("0", NOTHING), ("", NOTHING), ("proxy", {"proxy"})],
)
def test_the_variable_takes_the_same_values(
    variable: str, expected: object, opened_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIMCONF_ALLOW_EXEC", variable)
    assert opened_with() == expected


@pytest.mark.parametrize(
    ("given", "hint"), [("locl", "did you mean local?"), ("x", "local, inventory, proxy")]
)
def test_an_unknown_kind_of_consent_is_wrong_usage(given: str, hint: str, opened_with: Any) -> None:
    done = opened_with(f"--allow-exec={given}")
    assert done.returncode == 64
    assert hint in done.stderr


@pytest.mark.parametrize("verb", ["plan", "verify", ("apply", "--yes", "--create-tokens")])
def test_a_local_connection_needs_consent_wherever_its_programs_are(
    verb: str | tuple[str, ...], scimconf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anywhere on the disk, found through PATH, without .git, from a base and an overlay."""
    words = (verb,) if isinstance(verb, str) else verb
    sealed = ("--vault-password-file", "password")
    with tempfile.TemporaryDirectory() as folder:  # not beside the inventory, and open to all
        elsewhere = Path(folder)
        elsewhere.chmod(0o777)
        program = elsewhere / ".venv/bin/python3"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\ntouch {elsewhere}/ran\n")
        program.chmod(0o755)
        (program.parent / "mine").symlink_to(program)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        (tmp_path / "inventory.yaml").write_text(
            "all:\n  vars: {ansible_connection: local, zulip_user: nobody}\n  hosts:\n"
            f"    a.test: {{zulip_deployment: {elsewhere}, scim_realms: {{acme: {{}}}}}}\n"
            f"    b.test: {{ansible_python_interpreter: {program}, scim_realms: {{acme: {{}}}}}}\n"
            "    c.test: {ansible_python_interpreter: mine, scim_realms: {acme: {}}}\n"
        )
        (tmp_path / "overlay.yaml").write_text("all: {hosts: {a.test: {scim_verify: true}}}\n")
        scimconf("render", "a.test", "--create-tokens", "--show-tokens", *sealed)
        done = scimconf(*words, "-i", "inventory.yaml", "-i", "overlay.yaml", *sealed)
        assert not (elsewhere / "ran").exists()
    assert done.returncode == 1
    assert "3 failed" in done.stdout
    assert "add --allow-exec=local" in done.stdout


# --- a sudo password on a real server -------------------------------------------------------------


@pytest.fixture
def sudoer(one: Callable[..., LabServer], operator: Operator) -> Operator:
    """An operator whose server asks the user ops for a sudo password."""
    server = one({}, version="9.0", sudo="password")
    own = {"ansible_user": "ops", "ansible_become": True, "scim_realms": {"": {}}}
    operator.write_inventory({server.name: own})
    return operator


@pytest.mark.needs_sshd
@pytest.mark.needs_sudo
def test_a_sudo_password_with_the_line_break_of_echo(sudoer: Operator) -> None:
    """Issue 34795 of ansible: echo PASSWORD | ansible-vault encrypt_string."""
    password = Secret((sudoer.folder / VAULT[1]).read_text().strip())
    sealed = vault.encrypt(Secret(f"{OPS_PASSWORD}\n"), password).replace("\n", "\n    ")
    (sudoer.folder / "group_vars").mkdir()
    variables = sudoer.folder / "group_vars/all.yml"
    variables.write_text(f"ansible_become_password: !vault |\n    {sealed}")
    assert sudoer.run("plan", *VAULT).returncode == 2
    refused = sudoer.run("plan")
    assert refused.returncode == 64
    assert "-> use --vault-password-file .vault-password\n" in refused.stderr
    undone = sudoer.run("recover", "--yes")
    assert undone.returncode == 64, "there is no token yet that shows that it is the right one"
    assert "no token in tokens.yaml is encrypted with it yet" in undone.stderr


@pytest.mark.needs_sshd
@pytest.mark.needs_sudo
def test_a_sudo_password_from_a_file_and_from_a_program(sudoer: Operator) -> None:
    file, program = sudoer.folder / "sudo", sudoer.folder / "sudo.sh"
    file.write_text(f"{OPS_PASSWORD}\n")
    program.write_text(f"#!/bin/sh\necho {OPS_PASSWORD}\n")
    program.chmod(0o700)
    for each in (file, program):
        done = sudoer.run("plan", "--become-password-file", each.name)
        assert done.returncode == 2, done
    env = {**sudoer.lab.environment(), "ANSIBLE_BECOME_PASSWORD_FILE": "sudo"}
    assert sudoer.run("plan", env=env).returncode == 2
    assert sudoer.run("plan").returncode == 1
    file.chmod(0o700)
    broken = sudoer.run("plan", "--become-password-file", "sudo")
    assert broken.returncode == 64
    assert "error: the sudo password file sudo is executable, but it cannot be run" in broken.stderr
    assert "-> if it contains the password: chmod -x sudo; if it is a program," in broken.stderr
    assert OPS_PASSWORD not in broken.stderr
