"""The order of keys and passwords, and the questions of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scimconf.errors import Unreachable
from scimconf.secret import Secret
from scimconf.ssh import stream
from scimconf.ssh.session import Credentials
from tests.ssh.server import PASSWORD, Server, make_key, special_server, ssh_agent
from tests.ssh.test_sshd import ask, failing

Write = Callable[[str], Path]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the hosts, one for each connection."""
    names: list[str] = []
    connect = stream.connect

    def counted(route: stream.Route) -> stream.Socket:
        names.append(route.name)
        return connect(route)

    monkeypatch.setattr(stream, "connect", counted)
    return names


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Server]:
    """A server that closes the connection after two wrong keys."""
    folder = tmp_path / "impatient"
    folder.mkdir()
    with special_server(folder, "MaxAuthTries 2") as server:
        yield server


@pytest.fixture
def keys(tmp_path: Path) -> list[Path]:
    """Keys that no server knows."""
    return [make_key(tmp_path / f"key{number}") for number in range(5)]


class TestManyKeys:
    """More keys than a server wants to see (MaxAuthTries)."""

    def test_the_last_key_is_accepted(
        self, impatient: Server, keys: list[Path], ssh_config: Write, connected: list[str]
    ) -> None:
        ssh_config("".join(f"IdentityFile {key}\n" for key in [*keys, impatient.key]))
        connection = impatient.connection(private_key=None)
        assert ask(connection, impatient.options)["final"] is True
        assert len(connected) == 3

    def test_the_number_of_connections_is_limited(
        self, impatient: Server, tmp_path: Path, ssh_config: Write, connected: list[str]
    ) -> None:
        more = [make_key(tmp_path / f"more{number}") for number in range(12)]
        ssh_config("".join(f"IdentityFile {key}\n" for key in more))
        error = failing(impatient.connection(private_key=None), impatient.options)
        assert isinstance(error, Unreachable)
        assert "the server closed the connection during" in error.message
        assert f"key {more[0]}" in error.message
        assert "and 4 more" in error.message
        assert "MaxAuthTries" in error.hint
        assert len(connected) == 5

    def test_named_keys_of_the_agent_come_first(
        self,
        impatient: Server,
        keys: list[Path],
        ssh_config: Write,
        connected: list[str],
        tmp_path: Path,
    ) -> None:
        with ssh_agent(tmp_path, *keys, impatient.key) as address:
            ssh_config(f"IdentityAgent {address}\nIdentityFile {impatient.key}\n")
            connection = impatient.connection(private_key=None)
            assert ask(connection, impatient.options)["final"] is True
        assert len(connected) == 1

    def test_identities_only(self, server: Server, ssh_config: Write, tmp_path: Path) -> None:
        with ssh_agent(tmp_path, server.key) as address:
            connection = server.connection(private_key=None)
            ssh_config(f"IdentityAgent {address}\nIdentityFile /nowhere\nIdentitiesOnly yes\n")
            assert "there was no key to try" in failing(connection, server.options).message
            # As in ssh, a public key selects a key of the agent.
            ssh_config(
                f"IdentityAgent {address}\nIdentityFile {server.key}.pub\nIdentitiesOnly yes\n"
            )
            assert ask(connection, server.options)["final"] is True

    def test_two_keys_with_the_same_comment(
        self, server: Server, keys: list[Path], ssh_config: Write, tmp_path: Path
    ) -> None:
        with ssh_agent(tmp_path, *keys[:3]) as address:
            ssh_config(f"IdentityAgent {address}\n")
            message = failing(server.connection(private_key=None), server.options).message
        assert message.count("ssh agent's key me@here") == 3


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"])
def test_login_with_every_type_of_key(tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "key", kind, "open sesame")
    authorized = tmp_path / "authorized"
    authorized.write_bytes((tmp_path / "key.pub").read_bytes())
    with special_server(tmp_path, f"AuthorizedKeysFile {authorized}") as server:
        connection = server.connection(private_key=str(key))
        credentials = Credentials(passphrase=Secret("open sesame"))
        assert ask(connection, server.options, credentials)["final"] is True


@pytest.mark.parametrize(
    "line", ["PubkeyAuthentication no", "PreferredAuthentications password,keyboard-interactive"]
)
def test_ssh_config_can_switch_keys_off(server: Server, ssh_config: Write, line: str) -> None:
    ssh_config(line)
    assert "there was no key to try" in failing(server.connection(), server.options).message


class TestQuestions:
    """Questions of PAM, by keyboard-interactive."""

    @pytest.fixture
    def asking(self, accounts: Server, tmp_path: Path) -> Iterator[Server]:
        """A server that asks two questions before it accepts a login."""
        assert accounts.accounts
        pam = (
            "auth required pam_unix.so\n"
            "auth optional pam_ftp.so\n"  # it asks again, and leaves the answer to the next one
            "auth required pam_unix.so use_first_pass\n"
            "account required pam_permit.so\n"
        )
        folder = tmp_path / "asking"
        folder.mkdir()
        lines = ("PasswordAuthentication no", "KbdInteractiveAuthentication yes")
        with special_server(folder, *lines, pam=pam) as server:
            yield server

    def test_a_second_question_is_asked_on_the_terminal(self, asking: Server) -> None:
        asked: list[str] = []

        def person(question: str) -> Secret:
            asked.append(question)
            return Secret(PASSWORD)

        credentials = Credentials(password=Secret(PASSWORD), ask=person)
        connection = asking.connection("zulip", private_key=None)
        assert ask(connection, asking.options, credentials)["user"] == "zulip"
        assert asked == [f"zulip at [127.0.0.1]:{asking.port}: Password required for zulip."]

    def test_after_a_wrong_password_nobody_is_asked(self, accounts: Server) -> None:
        asked: list[str] = []

        def person(question: str) -> Secret:
            asked.append(question)
            return Secret(PASSWORD)

        connection = accounts.connection("zulip", private_key=None)
        credentials = Credentials(password=Secret("wrong"), ask=person)
        error = failing(connection, accounts.options, credentials)
        assert "tried: keyboard-interactive" in error.message
        assert asked == []

    def test_a_second_question_without_a_terminal_is_an_error(self, asking: Server) -> None:
        connection = asking.connection("zulip", private_key=None)
        credentials = Credentials(password=Secret(PASSWORD))
        error = failing(connection, asking.options, credentials)
        assert isinstance(error, Unreachable)
        assert "asks zulip at" in error.message
        assert error.message.endswith("for more than a password: Password required for zulip.")
        assert "-k" in error.hint

    def test_one_question_is_answered_with_the_password(
        self, accounts: Server, tmp_path: Path
    ) -> None:
        folder = tmp_path / "one"
        folder.mkdir()
        lines = ("PasswordAuthentication no", "KbdInteractiveAuthentication yes")
        assert accounts.accounts
        with special_server(folder, *lines) as server:
            connection = server.connection("zulip", private_key=None)
            right = Credentials(password=Secret(PASSWORD))
            assert ask(connection, server.options, right)["user"] == "zulip"
            wrong = Credentials(password=Secret("wrong"))
            assert "check the password" in failing(connection, server.options, wrong).hint

    def test_a_jump_host_asks_for_its_own_password(
        self, accounts: Server, ssh_config: Write
    ) -> None:
        asked: list[str] = []

        def person(question: str) -> Secret:
            asked.append(question)
            return Secret(PASSWORD)

        ssh_config(
            f"Host bastion\n HostName 127.0.0.1\n Port {accounts.port}\n User zulip\n"
            " IdentityFile none\n"
        )
        connection = accounts.connection("zulip", ssh_arguments=("-Jbastion",))
        credentials = Credentials(password=Secret("not the bastion's"), ask=person)
        assert ask(connection, accounts.options, credentials)["user"] == "zulip"
        assert asked == ["zulip at bastion: Password"]
