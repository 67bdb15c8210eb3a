"""Jump hosts and ProxyCommands, with real sshds."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.consent import EVERYTHING
from scimconf.errors import Unreachable
from scimconf.model import Connection
from scimconf.secret import Secret
from scimconf.ssh import jump, stream
from scimconf.ssh.session import Credentials, Options, open_agent
from tests.ssh.server import PATHS_HERE, Server, special_server, wait_for
from tests.ssh.test_sshd import NOTHING, ask, failing

Write = Callable[[str], Path]


@pytest.fixture
def bastion(server: Server, ssh_config: Write) -> Iterator[Server]:
    """The server as its own jump host `bastion`, with a separate name in known_hosts."""
    ssh_config(hop(server))
    before = server.known_hosts.read_text()
    names = ("bastion", "second", f"[server.test]:{server.port}", f"[localhost]:{server.port}")
    server.known_hosts.write_text(before + "".join(f"{name} {server.host_key}\n" for name in names))
    yield server
    server.known_hosts.write_text(before)


def hop(server: Server, name: str = "bastion", more: str = "") -> str:
    user = server.connection().user
    return (
        f"Host {name}\n HostName 127.0.0.1\n Port {server.port}\n User {user}\n"
        f" HostKeyAlias {name}\n IdentityFile {server.key}\n{more}"
    )


def through(server: Server, *words: str, host: str = "localhost") -> Connection:
    return server.connection(host=host, ssh_arguments=words)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts with a direct connection from this machine."""
    hosts: list[str] = []
    connect = stream.connect

    def counted(route: stream.Route) -> stream.Socket:
        hosts.append(route.name)
        return connect(route)

    monkeypatch.setattr(stream, "connect", counted)
    return hosts


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "ProxyJump=bastion"),
        ("-J", "bastion"),
        ("-o", "ProxyCommand=ssh -W %h:%p -q bastion"),
        ("-oProxyCommand=ssh -q -o StrictHostKeyChecking=no -W [%h]:%p bastion",),
    ],
)
def test_a_jump_host_of_the_inventory(
    bastion: Server, reached: list[str], words: tuple[str, ...]
) -> None:
    answer = ask(through(bastion, *words), bastion.options)
    assert answer["final"] is True
    assert reached == ["bastion"]


def test_the_jump_host_looks_up_the_name(accounts: Server, bastion: Server) -> None:
    # Only the jump host can resolve server.test.
    assert ask(through(accounts, "-Jbastion", host="server.test"), bastion.options)["final"]
    with pytest.raises(Unreachable, match=r"cannot resolve the name server\.test"):
        ask(through(accounts, host="server.test"), bastion.options)


def test_a_chain_of_ssh_config(bastion: Server, ssh_config: Write, reached: list[str]) -> None:
    second = hop(bastion, "second", " ProxyJump bastion\n")
    ssh_config(hop(bastion) + second + "Host localhost\n ProxyJump second\n")
    assert ask(through(bastion), bastion.options)["final"] is True
    assert reached == ["bastion"]


def test_a_chain_in_one_line(bastion: Server, ssh_config: Write, reached: list[str]) -> None:
    # As in ssh, the last one is reached through the others, and its own ProxyJump is ignored.
    ssh_config(hop(bastion) + hop(bastion, "second", " ProxyJump nowhere.invalid\n"))
    assert ask(through(bastion, "-Jbastion,second"), bastion.options)["final"] is True
    assert reached == ["bastion"]


def test_a_user_and_a_port_for_the_jump_host_alone(bastion: Server, ssh_config: Write) -> None:
    ssh_config(f"Host 127.0.0.1\n HostKeyAlias bastion\n IdentityFile {bastion.key}\n")
    command = f"ssh -W %h:%p -p {bastion.port} %r@127.0.0.1"
    assert ask(through(bastion, f"-oProxyCommand={command}"), bastion.options)["final"] is True
    ssh_config("")
    error = failing(through(bastion, f"-Jnobody@127.0.0.1:{bastion.port}"), bastion.options)
    assert error.message.startswith("at the jump host 127.0.0.1: ")
    assert "nobody at" in error.message
    assert bastion.connection().user != "nobody"
    assert "ssh_config" in error.hint


def test_a_key_for_the_jump_host_alone_makes_it_a_program(bastion: Server) -> None:
    command = f"ssh -W %h:%p -i {bastion.key} bastion"
    connection = through(bastion, f"-oProxyCommand={command}")
    error = failing(connection, replace(bastion.options, allow_exec=EVERYTHING - {"proxy"}))
    assert command in error.message
    assert "ProxyJump" in error.hint


def test_the_key_of_a_jump_host_is_checked(bastion: Server, ssh_config: Write) -> None:
    ssh_config(hop(bastion).replace("HostKeyAlias bastion", "HostKeyAlias somebody"))
    error = failing(through(bastion, "-Jbastion"), bastion.options)
    assert "at the jump host bastion: somebody is not in known_hosts" in error.message


def test_a_key_behind_a_jump_host_cannot_be_scanned(bastion: Server, ssh_config: Write) -> None:
    ssh_config(f"UserKnownHostsFile {bastion.known_hosts}\n{hop(bastion)}")
    only = bastion.known_hosts.with_name("only-the-bastion")
    only.write_text(f"bastion {bastion.host_key}\n")
    error = failing(through(bastion, "-Jbastion"), Options(known_hosts=(str(only),)))
    assert "[localhost]" in error.message
    assert "ssh-keyscan" not in error.hint
    assert "on the server, then run once with --accept-new-host-keys" in error.hint


def test_a_jump_host_sees_no_password(bastion: Server, ssh_config: Write) -> None:
    ssh_config(hop(bastion).replace(str(bastion.key), "/nowhere"))
    both = Credentials(password=Secret("the server's"), become_password=Secret("the server's"))
    error = failing(through(bastion, "-Jbastion"), bastion.options, both)
    assert "at the jump host bastion" in error.message
    assert "there was no key to try" in error.message
    assert error.message.endswith("; not used: /nowhere: this file does not exist")
    assert "IdentityFile and IdentitiesOnly for bastion in your ssh_config" in error.hint
    assert "password" not in error.message.partition("the server accepts")[0]


def test_a_jump_host_that_refuses_the_connection(bastion: Server, ssh_config: Write) -> None:
    """The inventory's port is for the server, not for the jump host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ssh_config(hop(bastion).replace(f"Port {bastion.port}", f"Port {port}"))
    error = failing(through(bastion, "-Jbastion"), bastion.options)
    assert error.message == (
        f"at the jump host bastion: 127.0.0.1 port {port} refused the connection"
    )
    assert error.hint == (
        "check that sshd runs on this port (ProxyJump, or Port for bastion in your ssh_config)"
    )
    ssh_config(hop(bastion).replace("HostName 127.0.0.1", "HostName nowhere.invalid"))
    error = failing(through(bastion, "-Jbastion"), bastion.options)
    assert error.hint.startswith("set HostName for bastion in your ssh_config, or check the DNS")


def test_the_hint_has_the_file_of_the_inventory(bastion: Server, tmp_path: Path) -> None:
    own = tmp_path / "own config"
    own.write_text("NoSuchOption yes\n")
    error = failing(through(bastion, "-F", str(own)), bastion.options)
    assert error.hint == f"to see the problem, run: ssh -G -F '{own}' localhost"
    own.write_text("Host localhost\n CheckHostIP yes\n")
    error = failing(through(bastion, "-F", str(own)), bastion.options)
    assert error.message.startswith(f"{own} sets CheckHostIP for localhost, which scimconf does")
    assert error.hint.endswith(f"; to see the settings, run: ssh -G -F '{own}' localhost")


def test_a_server_that_the_jump_host_cannot_reach(bastion: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = replace(through(bastion, "-Jbastion"), port=port)
    error = failing(connection, bastion.options)
    assert f"bastion cannot connect to localhost port {port}: " in error.message
    assert "refused" in error.message.lower() or "failed" in error.message.lower()


def test_a_jump_host_that_forwards_nothing(
    bastion: Server, ssh_config: Write, tmp_path: Path
) -> None:
    with special_server(tmp_path, "AllowTcpForwarding no") as closed:
        ssh_config(hop(closed))
        known = tmp_path / "known"
        known.write_text(f"bastion {closed.host_key}\n")
        error = failing(through(bastion, "-Jbastion"), Options(known_hosts=(str(known),)))
    assert "it does not allow forwarding" in error.message
    assert "AllowTcpForwarding" in error.hint


def test_a_circle(bastion: Server, ssh_config: Write) -> None:
    ssh_config(hop(bastion) + "Host *\n ProxyJump bastion\n")
    error = failing(through(bastion), bastion.options)
    assert "more than 8 jump hosts: bastion, bastion, bastion" in error.message
    assert "ProxyJump none" in error.hint


def test_many_share_one_connection(bastion: Server, reached: list[str]) -> None:
    together = threading.Barrier(8, timeout=30)

    def one(_: int) -> bool:
        connection = through(bastion, "-Jbastion")
        with open_agent(connection, PATHS_HERE, NOTHING, bastion.options) as agent:
            together.wait()
            return next(iter(agent.ask({"do": "who"})))["final"] is True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [True] * 8
    assert reached == ["bastion"]
    assert not jump._shared


def test_no_thread_or_descriptor_is_left(bastion: Server) -> None:
    ask(through(bastion, "-Jbastion"), bastion.options)
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    ask(through(bastion, "-Jbastion"), bastion.options)
    failing(through(bastion, "-Jbastion", host="no-such-host.invalid"), bastion.options)
    wait_for(lambda: threading.active_count() == threads)
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_jump_host_that_disconnects(bastion: Server) -> None:
    with ExitStack() as stack:
        connection = through(bastion, "-Jbastion")
        agent = stack.enter_context(open_agent(connection, PATHS_HERE, NOTHING, bastion.options))
        answers = agent.ask({"do": "mark", "file": "/dev/null"})
        assert next(answers)["step"] == "begun"
        (one,) = jump._shared.values()
        one.ready.result().sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(Unreachable, match="the connection broke while the agent was working"):
            next(answers)


class TestProxyCommand:
    """A connection through a program."""

    def test_of_ssh_config(self, bastion: Server, ssh_config: Write, reached: list[str]) -> None:
        config = ssh_config(hop(bastion))
        command = f"ssh -F {config} -o UserKnownHostsFile={bastion.known_hosts} -W %h:%p bastion"
        ssh_config(hop(bastion) + f"Host localhost\n ProxyCommand {command}\n")
        assert ask(through(bastion), bastion.options)["final"] is True
        assert reached == []

    def test_megabytes_both_ways(self, bastion: Server, ssh_config: Write) -> None:
        ssh_config(f"ProxyCommand {relay(bastion)}\n")
        with open_agent(through(bastion), PATHS_HERE, NOTHING, bastion.options) as agent:
            text = "x" * 3_000_000
            assert next(iter(agent.ask({"do": "echo", "text": text})))["echo"]["text"] == text

    FAILING = "sh -c 'echo trying >&2; echo no way to %h:%p >&2; exit 7'"

    def test_a_failing_command_is_reported(self, bastion: Server, ssh_config: Write) -> None:
        ssh_config(f"ProxyCommand {self.FAILING}\n")
        error = failing(through(bastion), bastion.options)
        assert isinstance(error, Unreachable)
        command = self.FAILING.replace("%h:%p", f"localhost:{bastion.port}")
        assert error.message.startswith(f"the ProxyCommand `{command}` exited with status 7")
        assert error.message.endswith(f": no way to localhost:{bastion.port}")
        assert "your ssh_config, for localhost" in error.hint

    def test_the_place_that_sets_it_is_named(self, bastion: Server, tmp_path: Path) -> None:
        error = failing(through(bastion, f"-oProxyCommand={self.FAILING}"), bastion.options)
        assert "ansible_ssh_common_args" in error.hint
        assert "ssh_config" not in error.hint
        own = tmp_path / "own"
        own.write_text(f"ProxyCommand {self.FAILING}\n")
        error = failing(through(bastion, "-F", str(own)), bastion.options)
        assert f"{own} (-F in ansible_ssh_common_args" in error.hint

    def test_the_stderr_of_the_command_is_sanitized(
        self, bastion: Server, ssh_config: Write
    ) -> None:
        ssh_config("ProxyCommand printf '\\033[31mred\\007\\n' >&2\n")
        message = failing(through(bastion), bastion.options).message
        assert message.endswith("exited with status 0 before SSH started: red")

    def test_a_working_command_is_not_blamed(self, bastion: Server, ssh_config: Write) -> None:
        ssh_config(f"ProxyCommand {relay(bastion)}\nHostKeyAlias nobody\n")
        message = failing(through(bastion), bastion.options).message
        assert "nobody is not in known_hosts" in message
        assert "ProxyCommand" not in message

    def test_a_command_that_does_not_end_is_killed(
        self, bastion: Server, ssh_config: Write, tmp_path: Path
    ) -> None:
        ssh_config(f"ProxyCommand sh -c 'echo $$ > {tmp_path}/pid; trap \"\" HUP; sleep 60'\n")
        connection = replace(through(bastion), timeout=0.5)
        message = failing(connection, bastion.options).message
        assert message.startswith("the ProxyCommand `sh -c ")
        assert "made no SSH connection within 0.5 s" in message
        pid = int((tmp_path / "pid").read_text())
        wait_for(lambda: not Path(f"/proc/{pid}").exists())

    def test_a_proxy_command_of_the_inventory_needs_permission(
        self, bastion: Server, tmp_path: Path
    ) -> None:
        touched = tmp_path / "touched"
        connection = through(bastion, f"-oProxyCommand=touch {touched}")
        error = failing(connection, replace(bastion.options, allow_exec=EVERYTHING - {"proxy"}))
        assert "can run programs on this machine" in error.message
        assert "--allow-exec=proxy" in error.hint
        assert not touched.exists()
        failing(connection, bastion.options)
        assert touched.exists()

    def test_an_ssh_config_of_the_inventory_needs_permission(
        self, bastion: Server, tmp_path: Path
    ) -> None:
        own = tmp_path / "own"
        own.write_text(hop(bastion) + "Host localhost\n ProxyJump bastion\n")
        connection = through(bastion, "-F", str(own))
        error = failing(connection, replace(bastion.options, allow_exec=EVERYTHING - {"proxy"}))
        assert "--allow-exec=proxy" in error.hint
        assert ask(connection, bastion.options)["final"] is True

    @pytest.mark.parametrize("host", ["a;b", "$(id)", "a`b`", "a&b"])
    def test_an_unsafe_host_name_does_not_reach_the_shell(
        self, bastion: Server, ssh_config: Write, tmp_path: Path, host: str
    ) -> None:
        ssh_config(f"ProxyCommand touch {tmp_path}/ran %h\n")
        error = failing(through(bastion, host=host), bastion.options)
        assert "is not a valid name of a host" in error.message
        assert not (tmp_path / "ran").exists()


def relay(server: Server) -> str:
    """A ProxyCommand that always connects to the server."""
    program = server.folder / "relay.py"
    program.write_text(
        "import os, socket, sys, threading\n"
        f"far = socket.create_connection(('127.0.0.1', {server.port}))\n"
        "def up():\n"
        "    while data := os.read(0, 65536):\n"
        "        far.sendall(data)\n"
        "    far.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := far.recv(65536):\n"
        "    while data:\n"
        "        data = data[os.write(1, data):]\n"
    )
    return f"python3 {program} %h %p"
