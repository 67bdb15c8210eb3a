"""Conversations through real sshds, with real sudo and su."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from scimconf.errors import HostError, Unreachable
from scimconf.model import Connection
from scimconf.secret import Secret
from scimconf.ssh import command, fixed_path
from scimconf.ssh.session import Credentials, Options, open_agent
from scimconf.ssh.sudo import Sudo
from tests.ssh.server import (
    ACCOUNTS,
    HERE,
    PASSWORD,
    PATHS,
    PATHS_HERE,
    Server,
    make_key,
    special_server,
    ssh_agent,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("home")
NOTHING = Credentials()
OBSERVE = {
    "do": "observe",
    "paths": asdict(PATHS),
    "probe": None,
    "ask": False,
    "realms": {},
}
RIGHT = Credentials(become_password=Secret(PASSWORD))


def ask(
    connection: Connection,
    options: Options,
    credentials: Credentials = NOTHING,
    request: Mapping[str, object] = MappingProxyType({"do": "who"}),
) -> Mapping[str, object]:
    paths = PATHS if connection.user in ACCOUNTS else PATHS_HERE
    with open_agent(connection, paths, credentials, options) as agent:
        *_, final = agent.ask(dict(request))
    return final


def failing(
    connection: Connection,
    options: Options,
    credentials: Credentials = NOTHING,
    request: Mapping[str, object] = MappingProxyType({"do": "who"}),
) -> HostError:
    with pytest.raises(HostError) as caught:
        ask(connection, options, credentials, request)
    return caught.value


def test_the_user_who_runs_the_tests_gets_an_answer(server: Server) -> None:
    connection = server.connection()
    assert ask(connection, server.options)["user"] == HERE


@pytest.mark.usefixtures("real_agent")
@pytest.mark.parametrize(("user", "become"), [("root", False), ("root", True), ("zulip", False)])
def test_the_agent_is_never_root(accounts: Server, user: str, become: bool, nonce: str) -> None:
    connection = accounts.connection(user, become=become)
    with open_agent(connection, PATHS, NOTHING, accounts.options) as agent:
        *_, final = agent.ask(OBSERVE)
        assert (final["result"], final["final"]) == ("observed", True)
        assert "/home/zulip/deployments/current" in str(final["blocked"])
        zulip = list(ACCOUNTS).index("zulip") + 2001
        (agent_pid,) = [pid for pid, argv in processes(nonce).items() if argv[1] == "-I"]
        status = Path("/proc", str(agent_pid), "status").read_text()
        ids = re.findall(r"^[UG]id:\t(.*)$", status, re.MULTILINE)
        assert ids == [f"{zulip}\t{zulip}\t{zulip}\t{zulip}"] * 2


WAYS_TO_ROOT: list[tuple[str, dict[str, object]]] = [
    ("root", {}),
    ("toor", {}),
    ("boss", {"become": True, "become_user": "root"}),
    ("boss", {"become": True, "become_user": "root", "become_method": "su"}),
]
"""Logins that are root or become root."""


def recorder(program: Path, ran: Path) -> Path:
    """Write a program that writes its user to a file."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$0 as $(/usr/bin/id -u)" >>{ran}\nexit 1\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("zulip_user", ["root", "toor", "no-such-user"])
@pytest.mark.parametrize(("login", "way"), WAYS_TO_ROOT)
def test_root_runs_no_python_of_another_user(
    accounts: Server, shared: Path, login: str, way: dict[str, object], zulip_user: str
) -> None:
    ran = shared / "ran"
    recorder(shared / ".venv/bin/python3", ran)
    python = recorder(shared / "mine", ran)
    paths = replace(PATHS, user=zulip_user, deployment=str(shared))
    connection = accounts.connection(login, python=str(python), **way)
    with (
        pytest.raises(HostError) as caught,
        open_agent(connection, paths, RIGHT, accounts.options),
    ):
        pass
    assert not ran.exists()
    assert caught.value.step == "start"
    assert zulip_user in caught.value.message
    assert "zulip_user" in caught.value.hint


FOUND_BY_PATH = ("id", "env", "sh", "runuser", "sudo", "su", "python3", "cd", "command")


@pytest.mark.parametrize(
    ("login", "way"), [*WAYS_TO_ROOT, ("free", {"become": True}), ("zulip", {})]
)
def test_the_login_user_cannot_choose_a_program(
    login: str, way: dict[str, object], tmp_path: Path, shared: Path
) -> None:
    ran = shared / "ran"
    for name in FOUND_BY_PATH:
        recorder(shared / "bin" / name, ran)
    recorder(shared / "profile", ran)
    ran.touch()
    ran.chmod(0o666)
    words = f"PATH={shared}/bin ENV={shared}/profile BASH_ENV={shared}/profile CANARY=canary"
    with special_server(tmp_path, f"SetEnv {words} PYTHONSTARTUP={shared}/profile") as server:
        if not server.accounts:
            pytest.skip("needs root, for users and sudo rules of its own")
        with open_agent(server.connection(login, **way), PATHS, RIGHT, server.options) as agent:
            *_, answer = agent.ask({"do": "who"})
    assert answer["user"] == "zulip"
    assert ran.read_text() == ""
    environment = answer["environment"]
    assert not {"CANARY", "ENV", "BASH_ENV", "PYTHONSTARTUP"} & environment.keys()
    assert (str(shared) in environment["PATH"]) is (login == "zulip")
    if login in ("root", "toor"):
        assert environment.get("SSH_CONNECTION", "").startswith("127.0.0.1 ")
        of_zulip = {name: environment.pop(name, "zulip") for name in ("USER", "LOGNAME", "HOME")}
        assert {Path(each).name for each in of_zulip.values()} == {"zulip"}  # by runuser
        own = {"PATH", "SSH_CONNECTION", "SUDO_USER", "PWD", "OLDPWD", "LC_CTYPE", "_"}
        assert environment.keys() <= own


def test_without_become_as_zulip(accounts: Server) -> None:
    answer = ask(accounts.connection("zulip"), accounts.options)
    assert (answer["user"], answer["argument"]) == ("zulip", "zulip")


def test_sudo_without_a_password(accounts: Server) -> None:
    # An unneeded password must not reach the agent's stdin.
    connection = accounts.connection("free", become=True)
    answer = ask(connection, accounts.options, RIGHT)
    assert (answer["user"], answer["echo"]) == ("zulip", {"do": "who"})


@pytest.mark.parametrize("user", ["CORP\\alice", "first.last$"])
def test_login_names_of_a_domain(accounts: Server, user: str) -> None:
    assert ask(accounts.connection(user), accounts.options)["user"] == user
    answer = ask(accounts.connection(user, become=True), accounts.options, RIGHT)
    assert answer["user"] == "zulip"


def test_the_line_for_sudoers_in_a_hint_is_right(accounts: Server) -> None:
    """The server has this rule for the user, so it works as it is written."""
    become = Sudo("", "CORP\\alice", "zulip")
    assert f'"{ACCOUNTS[become.login]}"' in become.no_password().hint


def test_a_folder_of_sudoers_that_is_missing_is_no_missing_sudo(accounts: Server) -> None:
    error = failing(accounts.connection("lost", become=True), accounts.options)
    assert "cannot change to the folder that sudoers names for lost" in error.message
    assert "is not installed" not in error.message


@pytest.mark.parametrize("user", ["asked", "pty"])
def test_sudo_with_a_password(accounts: Server, user: str) -> None:
    answer = ask(accounts.connection(user, become=True), accounts.options, RIGHT)
    assert (answer["user"], answer["echo"]) == ("zulip", {"do": "who"})


def test_a_wrong_sudo_password_is_sent_once(accounts: Server) -> None:
    wrong = Credentials(become_password=Secret("wrong"))
    error = failing(accounts.connection("asked", become=True), accounts.options, wrong)
    assert error.step == "become"
    assert "did not accept the password of asked" in error.message
    assert error.exit_code == 1


@pytest.mark.parametrize(
    ("user", "message", "hint"),
    [
        ("asked", "sudo asks for the password of asked", "asked ALL=(zulip) NOPASSWD: ALL"),
        ("tty", "requiretty", "Defaults:tty !requiretty"),
    ],
)
def test_refusals_of_sudo_have_a_remedy(
    accounts: Server, user: str, message: str, hint: str
) -> None:
    error = failing(accounts.connection(user, become=True), accounts.options)
    assert error.step == "become"
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("stranger", "stranger is not in the sudoers file"),
        ("ls", "sudo does not allow ls to run /bin/sh as zulip"),
    ],
)
def test_refusals_of_sudo_after_the_right_password(
    accounts: Server, user: str, message: str
) -> None:
    error = failing(accounts.connection(user, become=True), accounts.options, RIGHT)
    assert message in error.message
    assert f"{user} ALL=(zulip) NOPASSWD: ALL" in error.hint


def test_su_with_the_password_of_the_new_user(accounts: Server) -> None:
    connection = accounts.connection("stranger", become=True, become_method="su")
    answer = ask(connection, accounts.options, RIGHT)
    assert (answer["user"], answer["echo"]) == ("zulip", {"do": "who"})


def test_su_to_root_drops_to_zulip(accounts: Server) -> None:
    connection = accounts.connection(
        "stranger", become=True, become_method="su", become_user="root"
    )
    assert ask(connection, accounts.options, RIGHT)["user"] == "zulip"


def test_a_wrong_su_password_is_sent_once(accounts: Server) -> None:
    connection = accounts.connection("chatty", become=True, become_method="su")
    wrong = Credentials(become_password=Secret("wrong"))
    error = failing(connection, accounts.options, wrong)
    assert error.step == "become"
    assert "su did not accept the password of zulip; it was sent once" in error.message
    error = failing(connection, accounts.options)
    assert "su asks for the password of zulip, and none was given" in error.message


def test_su_to_an_unknown_user(accounts: Server) -> None:
    connection = accounts.connection(
        "stranger", become=True, become_method="su", become_user="nobody-here"
    )
    assert (
        "does not know the user nobody-here" in failing(connection, accounts.options, RIGHT).message
    )


def test_sudo_to_an_unknown_user(accounts: Server) -> None:
    connection = accounts.connection("free", become=True, become_user="nobody-here")
    error = failing(connection, accounts.options)
    assert "does not know the user nobody-here" in error.message


def test_an_account_without_a_shell(accounts: Server) -> None:
    error = failing(accounts.connection("mute"), accounts.options)
    assert error.step == "start"
    assert "exited with status 1" in error.message
    assert "not available" in error.message


def test_the_output_of_a_profile_is_skipped(accounts: Server) -> None:
    # bash reads ~/.bashrc if sshd starts it. This one prints, and its last line has no line break.
    assert ask(accounts.connection("chatty"), accounts.options)["user"] == "chatty"


def test_a_login_shell_that_prints_nothing(accounts: Server) -> None:
    error = failing(accounts.connection("false"), accounts.options)
    assert error.step == "start"
    assert (
        error.message
        == "the agent did not start: the command exited with status 1 and printed nothing"
    )
    assert "ssh false@SERVER true" in error.hint


@pytest.mark.parametrize("become", [False, True])
def test_a_login_shell_that_is_not_sh(accounts: Server, become: bool) -> None:
    connection = accounts.connection("odd", become=become, become_method="su")
    answer = ask(connection, accounts.options, RIGHT)
    assert answer["user"] == ("zulip" if become else "odd")


def test_a_banner_is_skipped(tmp_path: Path) -> None:
    banner = tmp_path / "banner"
    banner.write_text("Authorised use only.\n" * 50)
    with special_server(tmp_path, f"Banner {banner}") as server:
        assert ask(server.connection(), server.options)["final"] is True


def test_a_server_without_python(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = command._CHOOSE.replace(fixed_path.USUAL, "/nowhere")
    monkeypatch.setattr(command, "_CHOOSE", nowhere)
    error = failing(server.connection("zulip" if server.accounts else None), server.options)
    assert "has no python3 on the server" in error.message
    assert "ansible_python_interpreter" in error.hint


def test_a_python_that_is_too_old(server: Server, shared: Path) -> None:
    old = shared / "python3.6"
    old.write_text('#!/bin/sh\necho "$7 ready 3.6.9"\ncat\n')
    old.chmod(0o755)
    error = failing(server.connection(python=str(old)), server.options)
    assert error.message == (
        "the Python on the server is 3.6.9; scimconf's agent needs 3.8 or newer"
    )


def test_ipv6(tmp_path: Path) -> None:
    with special_server(tmp_path, address="::1") as server:
        assert ask(server.connection(), server.options)["final"] is True
        error = failing(server.connection(), Options(known_hosts=(str(tmp_path / "none"),)))
    assert f"[::1]:{server.port} is not in known_hosts" in error.message


def test_the_environment_of_the_agent(server: Server) -> None:
    answer = ask(server.connection(), server.options)
    assert not [name for name in answer["environment"] if "SCIMCONF" in name.upper()]


def test_megabytes_both_ways(server: Server) -> None:
    with open_agent(server.connection(), PATHS_HERE, NOTHING, server.options) as agent:
        text = "x" * 3_000_000  # more than the SSH window, which is 2 MiB
        assert next(iter(agent.ask({"do": "echo", "text": text})))["echo"]["text"] == text
        assert [message["final"] for message in agent.ask({"do": "complain"})] == [True]


def test_steps_arrive_one_by_one(server: Server) -> None:
    with open_agent(server.connection(), PATHS_HERE, NOTHING, server.options) as agent:
        for _ in range(2):
            names = [message.get("step") for message in agent.ask({"do": "steps"})]
            assert names == ["0", "1", "2", None]


def test_the_last_words_of_a_dead_agent_are_reported(server: Server) -> None:
    with (
        open_agent(server.connection(), PATHS_HERE, NOTHING, server.options) as agent,
        pytest.raises(HostError) as caught,
    ):
        list(agent.ask({"do": "exit", "stderr": "Traceback:\n...\n\x1b[31mOops: \x07no"}))
    assert caught.value.message == "the agent ended without an answer (exit status 3): Oops: no"


def test_a_look_has_one_time_limit(server: Server) -> None:
    options = replace(server.options, look_timeout=1.5)
    begun = time.monotonic()
    error = failing(server.connection(), options, request={"do": "drip"})
    assert time.monotonic() - begun < 10
    assert (error.step, error.exit_code) == ("agent", 1)
    assert "did not answer completely within 1.5 s" in error.message
    assert "--look-timeout" in error.hint


def test_the_start_counts_towards_the_first_look(server: Server) -> None:
    options = replace(server.options, look_timeout=0.001)
    error = failing(server.connection(), options)
    assert "did not answer completely within 0.001 s" in error.message


def test_a_change_has_more_time(server: Server) -> None:
    options = replace(server.options, look_timeout=0.001)
    with open_agent(server.connection(), PATHS_HERE, NOTHING, options) as agent:
        assert [message.get("step") for message in agent.ask({"do": "steps"}, 20)][-1] is None


def test_an_agent_finishes_after_a_disconnect(server: Server, shared: Path) -> None:
    done = shared / "done"
    with open_agent(server.connection(), PATHS_HERE, NOTHING, server.options) as agent:
        assert next(iter(agent.ask({"do": "mark", "file": str(done)})))["step"] == "begun"
    wait_for(lambda: done.exists() and done.read_text() == "finished")


def test_no_process_is_left_on_the_server(server: Server, nonce: str) -> None:
    ask(server.connection(), server.options)  # what is imported or cached once
    descriptors = len(os.listdir("/proc/self/fd"))
    threads = threading.active_count()
    for _ in range(3):
        ask(server.connection(), server.options)
        failing(server.connection(port=server.port, private_key="/nowhere"), server.options)
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors
    wait_for(lambda: not processes(nonce))


@pytest.fixture
def nonce(monkeypatch: pytest.MonkeyPatch) -> str:
    """A word that only the command lines of this test's agents contain."""
    word = secrets.token_hex(16)
    monkeypatch.setattr("secrets.token_hex", lambda _: word)
    return word


def processes(nonce: str) -> dict[int, list[str]]:
    """Return the processes with that word in their command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (folder / "cmdline").read_text().split("\0")
            if nonce in " ".join(argv):
                found[int(folder.name)] = argv
    return found


def test_twenty_at_once(server: Server) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(server.connection(), server.options), range(20)))
    assert [answer["final"] for answer in answers] == [True] * 20


class TestHostKeys:
    """Checks of the host key."""

    def test_an_unknown_key_is_refused_with_its_fingerprint(
        self, server: Server, tmp_path: Path
    ) -> None:
        error = failing(server.connection(), Options(known_hosts=(str(tmp_path / "none"),)))
        assert isinstance(error, Unreachable)
        assert fingerprint(server.folder / "host_key.pub") in error.message
        assert f"ssh-keyscan -p {server.port} 127.0.0.1 >> {tmp_path}/none;" in error.hint
        assert not (tmp_path / "none").exists()

    def test_the_command_in_the_hint_adds_the_key_to_the_file_in_use(
        self, server: Server, tmp_path: Path, ssh_config: Callable[[str], Path]
    ) -> None:
        """Also to a file with a space in its name, and under a HostKeyAlias."""
        file = tmp_path / "known hosts"
        options = Options(known_hosts=(str(file),))
        for line in "", "Host *\n HostKeyAlias fleet&co\n":
            ssh_config(line)
            hint = failing(server.connection(), options).hint
            command = hint.partition("then run: ")[2].partition("; or run once")[0]
            assert command.endswith(f">> '{file}'")
            subprocess.run(["sh", "-c", command], check=True, capture_output=True)
            assert ask(server.connection(), options)["final"] is True

    @pytest.mark.parametrize("files", [(), ("/dev/null",)])
    def test_the_hint_without_a_known_hosts_file(
        self, server: Server, files: tuple[str, ...]
    ) -> None:
        hint = failing(server.connection(), Options(known_hosts=files)).hint
        assert "name the file with --known-hosts" in hint
        assert "ssh-keyscan" not in hint

    def test_the_command_in_the_hint_removes_the_old_key_from_the_file_in_use(
        self, server: Server, tmp_path: Path
    ) -> None:
        file = tmp_path / "known hosts"
        other = make_key(tmp_path / "other").with_suffix(".pub").read_text()
        file.write_text(f"[127.0.0.1]:{server.port} {other}")
        options = Options(known_hosts=(str(file),))
        command = failing(server.connection(), options).hint.partition("then run: ")[2]
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)
        assert "is not in known_hosts" in failing(server.connection(), options).message

    def test_an_unknown_key_is_added_only_on_request(self, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "new" / "known_hosts"
        ask(server.connection(), Options(host_key="accept-new", known_hosts=(str(file),)))
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.read_text() == f"[127.0.0.1]:{server.port} {server.host_key}\n"
        ask(server.connection(), Options(known_hosts=(str(file),)))

    @pytest.mark.parametrize("host_key", ["strict", "accept-new"])
    @pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
    def test_a_changed_key_is_never_accepted(
        self, server: Server, tmp_path: Path, host_key: str, kind: str
    ) -> None:
        other = make_key(tmp_path / "other", kind)
        file = tmp_path / "known_hosts"
        name = f"[127.0.0.1]:{server.port}"
        file.write_text(f"# mine\n{name} {other.with_suffix('.pub').read_text()}")
        error = failing(server.connection(), Options(host_key=host_key, known_hosts=(str(file),)))
        assert isinstance(error, Unreachable)
        assert fingerprint(server.folder / "host_key.pub") in error.message
        assert fingerprint(other.with_suffix(".pub")) in error.message
        assert f"{file}:2" in error.message
        assert f"ssh-keygen -R '{name}' -f {file}" in error.hint

    def test_a_revoked_key_is_refused(self, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "known_hosts"
        good = server.known_hosts.read_text()
        file.write_text(
            f"@cert-authority * {server.host_key}\n{good}@revoked * {server.host_key}\n"
        )
        error = failing(server.connection(), Options(known_hosts=(str(file),)))
        assert f"is marked @revoked in {file}:3" in error.message

    @pytest.mark.parametrize("what", ["pipe", "device", "too large"])
    def test_a_known_hosts_that_is_not_a_regular_file(
        self, server: Server, tmp_path: Path, what: str
    ) -> None:
        file = tmp_path / "known_hosts"
        if what == "pipe":
            os.mkfifo(file)
        elif what == "device":
            file.symlink_to("/dev/zero")
        else:
            file.touch()
            os.truncate(file, (16 << 20) + 1)
        # Another file knows the server, but this file could revoke its key.
        files = (str(server.known_hosts), str(file))
        error = failing(server.connection(), Options(known_hosts=files))
        assert isinstance(error, Unreachable)
        assert f"cannot read the known_hosts file {file}: " in error.message

    def test_dev_null_as_known_hosts(self, server: Server) -> None:
        files = ("/dev/null", "/nowhere", str(server.known_hosts))
        ask(server.connection(), Options(known_hosts=files))
        error = failing(server.connection(), Options(known_hosts=("/dev/null",)))
        assert "is not in known_hosts" in error.message

    def test_hashed_names_as_ssh_keygen_writes_them(self, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "known_hosts"
        file.write_text(server.known_hosts.read_text())
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
        assert file.read_text().startswith("|1|")
        ask(server.connection(), Options(known_hosts=(str(file),)))


class TestLogin:
    """Keys, the ssh agent, passwords."""

    def test_a_wrong_key(self, server: Server, tmp_path: Path) -> None:
        wrong = make_key(tmp_path / "wrong")
        error = failing(server.connection(private_key=str(wrong)), server.options)
        assert isinstance(error, Unreachable)
        assert f"tried: key {wrong}" in error.message
        assert "the server accepts publickey" in error.message

    @pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
    @pytest.mark.parametrize("passphrase", ["", "open sesame"])
    def test_every_kind_of_key_is_read(
        self, server: Server, tmp_path: Path, kind: str, passphrase: str
    ) -> None:
        # A refusal shows that the key was offered, so no second sshd is needed.
        key = make_key(tmp_path / "key", kind, passphrase)
        credentials = Credentials(passphrase=Secret(passphrase) if passphrase else None)
        error = failing(server.connection(private_key=str(key)), server.options, credentials)
        assert f"tried: key {key}; the server accepts publickey" in error.message

    @pytest.mark.parametrize(
        ("passphrase", "words"),
        [
            (None, "it has a passphrase, and none was given"),
            (Secret("wrong one"), "the passphrase does not open it"),
        ],
    )
    def test_a_key_that_does_not_open(
        self, server: Server, tmp_path: Path, passphrase: Secret | None, words: str
    ) -> None:
        key = make_key(tmp_path / "key", passphrase="open sesame")
        error = failing(
            server.connection(private_key=str(key)),
            server.options,
            Credentials(passphrase=passphrase),
        )
        assert error.message == f"the private key {key} cannot be used: {words}"

    def test_files_that_are_not_keys(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "junk").write_text("no key at all")
        (tmp_path / "torn").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXkt\n")
        cases = {"junk": "it is not a private key", "torn": "damaged", "none": "No such file"}
        for name, words in cases.items():
            error = failing(server.connection(private_key=str(tmp_path / name)), server.options)
            assert words in error.message

    def test_login_without_any_key(self, server: Server) -> None:
        nothing = failing(server.connection(private_key=None), server.options)
        assert "there was no key to try" in nothing.message

    def test_the_ssh_agent(
        self, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with ssh_agent(tmp_path, server.key) as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
            assert ask(server.connection(private_key=None), server.options)["final"] is True
            # As in ssh: the file needs a passphrase, but the agent has the key.
            locked = tmp_path / "locked"
            locked.write_bytes(server.key.read_bytes())
            locked.chmod(0o600)
            (tmp_path / "locked.pub").write_bytes(server.key.with_suffix(".pub").read_bytes())
            subprocess.run(["ssh-keygen", "-q", "-p", "-N", "sesame", "-f", locked], check=True)
            assert ask(server.connection(private_key=str(locked)), server.options)["final"] is True

    def test_a_password(self, accounts: Server) -> None:
        connection = accounts.connection("zulip", private_key=None)
        right = Credentials(password=Secret(PASSWORD))
        assert ask(connection, accounts.options, right)["user"] == "zulip"

    def test_a_wrong_password(self, accounts: Server) -> None:
        connection = accounts.connection("zulip", private_key=None)
        error = failing(connection, accounts.options, Credentials(password=Secret("wrong")))
        assert isinstance(error, Unreachable)
        assert "zulip at [127.0.0.1]" in error.message
        assert "tried: password" in error.message

    def test_the_default_key(self, server: Server, home: Path) -> None:
        (home / ".ssh").mkdir()
        make_key(home / ".ssh" / "id_ecdsa", "ecdsa", "locked away")
        (home / ".ssh" / "id_ed25519").write_bytes(server.key.read_bytes())
        assert ask(server.connection(private_key=None), server.options)["final"] is True
        (home / ".ssh" / "id_ed25519").unlink()
        error = failing(server.connection(private_key=None), server.options)
        assert f"not used: {home}/.ssh/id_ecdsa: it has a passphrase" in error.message

    def test_a_passphrase_that_is_not_needed(self, server: Server) -> None:
        credentials = Credentials(passphrase=Secret("for another key"))
        assert ask(server.connection(), server.options, credentials)["final"] is True

    def test_a_server_that_wants_key_and_password(self, accounts: Server, tmp_path: Path) -> None:
        with special_server(tmp_path, "AuthenticationMethods publickey,password") as server:
            connection = server.connection("zulip")
            error = failing(connection, server.options)
            assert "is incomplete: the server also asks for password" in error.message
            both = Credentials(password=Secret(PASSWORD))
            assert ask(connection, server.options, both)["user"] == "zulip"


def test_a_connection_that_breaks(server: Server) -> None:
    with open_agent(server.connection(), PATHS_HERE, NOTHING, server.options) as agent:
        answers = agent.ask({"do": "mark", "file": "/dev/null"})
        assert next(answers)["step"] == "begun"
        agent._process._transport.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(Unreachable, match="the connection broke while the agent was working"):
            next(answers)


def test_a_sudo_password_of_two_lines_is_not_sent(accounts: Server) -> None:
    two = Credentials(become_password=Secret(f"{PASSWORD}\nmore"))
    error = failing(accounts.connection("asked", become=True), accounts.options, two)
    assert "has more than one line" in error.message


def fingerprint(public_key: Path) -> str:
    done = subprocess.run(
        ["ssh-keygen", "-l", "-f", public_key], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()[1]
