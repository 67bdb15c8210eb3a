"""The lab itself: its servers start, are isolated, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.lab import Lab, LabError, Server
from tests.lab.accounts import OPS_PASSWORD
from tests.matrix import sample

PROJECT = Path(__file__).parents[1]
SCIM = """
SCIM_CONFIG = {
    "acme": {
        "bearer_token": "right",
        "scim_client_name": "okta",
        "name_formatted_included": True,
    },
}
"""


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[Server]:
    """One server for the tests that change nothing."""
    started = lab.server("chat.test", realms=["", "acme"], extra_settings=SCIM)
    yield started
    started.stop()


def ssh(lab: Lab, server: Server, user: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Log in with OpenSSH's own client, strict about host keys."""
    key, known_hosts = (str(path).replace("%", "%%") for path in (lab.client_key, lab.known_hosts))
    options = [f'UserKnownHostsFile="{known_hosts}"', "StrictHostKeyChecking=yes"]
    options += [f'IdentityFile="{key}"', "BatchMode=yes", "IdentitiesOnly=yes"]
    argv = ["ssh", "-F", "none", "-p", str(server.ssh_port)]
    argv += [word for option in options for word in ("-o", option)]
    return subprocess.run(
        [*argv, f"{user}@127.0.0.1", *command], capture_output=True, text=True, check=False
    )


def users(server: Server, token: str) -> int:
    """Request the users of acme. Return the status."""
    return server.request("GET", "/scim/v2/Users?count=1", "acme", token)[0]


def test_a_server_accepts_only_the_right_token(server: Server) -> None:
    assert (users(server, "right"), users(server, "wrong")) == (200, 401)
    assert server.url("acme") == f"https://acme.chat.test:{server.web_port}"


def test_only_the_ca_of_the_lab_trusts_the_certificate(server: Server) -> None:
    context = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", server.web_port)) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(raw, server_hostname="chat.test")


@pytest.mark.needs_sshd
def test_openssh_accepts_the_key_of_the_lab(lab: Lab, server: Server) -> None:
    done = ssh(lab, server, server.user, "id -un; command -v supervisorctl")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == server.user
    assert ssh(lab, server, "nosuch", "true").returncode == 255


@pytest.mark.needs_sshd
def test_many_logins_at_once(lab: Lab, server: Server) -> None:
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda _: ssh(lab, server, server.user, "echo in"), range(20)))
    assert [one.stdout for one in done] == ["in\n"] * 20


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_an_isolated_server_has_its_own_users(lab: Lab, server: Server) -> None:
    for user in ("zulip", "ops", "root"):
        assert ssh(lab, server, user, "id -un; echo $HOME").stdout.split()[0] == user
    assert server.run(["cat", "/etc/zulip/zulip-secrets.conf"], user="ops").returncode == 1
    assert server.run(["cat", "/etc/hostname"]).stdout == "chat.test\n"


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_the_host_does_not_see_the_files_of_an_isolated_server(server: Server) -> None:
    assert server.run(["test", "-d", "/etc/zulip"]).returncode == 0
    assert not Path("/etc/zulip").exists()
    assert not Path("/home/zulip").exists()
    assert ":61001:" not in Path("/etc/passwd").read_text()


@pytest.mark.needs_sudo
@pytest.mark.needs_sshd
@pytest.mark.parametrize(
    ("password", "code"), [(OPS_PASSWORD, 0), ("wrong", 1), (None, 1)], ids=["right", "wrong", "-"]
)
def test_sudo_with_a_password(sudoers: Server, password: str | None, code: int) -> None:
    argv = ["sudo", "-k", *(["-n"] if password is None else ["-S"]), "-u", "zulip", "id", "-un"]
    done = sudoers.run(argv, user="ops", input=password and f"{password}\n")
    assert done.returncode == code
    assert done.stdout == ("zulip\n" if code == 0 else "")


@pytest.fixture(scope="module")
def sudoers(lab: Lab) -> Iterator[Server]:
    """A server where `ops` needs a password for sudo."""
    started = lab.server("password.test", sudo="password")
    yield started
    started.stop()


@pytest.mark.needs_sudo
@pytest.mark.needs_sshd
def test_sudo_can_be_forbidden_or_need_a_terminal(lab_server: Callable[..., Server]) -> None:
    forbidden = lab_server(sudo=None)
    assert forbidden.run(["sudo", "-n", "-u", "zulip", "id"], user="ops").returncode == 1
    terminal = lab_server(sudoers="Defaults requiretty\n")
    done = terminal.run(["setsid", "sudo", "-n", "-u", "zulip", "id"], user="ops")
    assert "tty" in done.stderr


def test_without_sshd_the_files_are_at_their_normal_paths(
    lab_server: Callable[..., Server],
) -> None:
    server = lab_server(sshd=False, version="5.6", realms=["acme"])
    assert server.ssh_port is None
    assert server.inventory_vars()["ansible_connection"] == "local"
    assert Path(server.paths.settings) == server.settings
    assert Path(server.paths.deployment) == server.deployment
    done = server.run(
        [f"{server.paths.deployment}/manage.py", "add_scim_client", "a", "-r", "acme"]
    )
    assert done.returncode == 0, done.stderr
    server.restart()
    assert users(server, "any") == 500


def test_two_servers_are_separate(server: Server, lab_server: Callable[..., Server]) -> None:
    other = lab_server(realms=["acme"])
    assert (users(server, "right"), users(other, "right")) == (200, 500)


def test_a_server_that_does_not_start_reports_the_reason(lab: Lab) -> None:
    with pytest.raises(LabError, match="SyntaxError"):
        lab.server("broken.test", settings="EXTERNAL_HOST = (")


def test_run_returns_the_exit_code_and_refuses_unknown_users(server: Server) -> None:
    assert server.run(["sh", "-c", "cat; exit 3"], input="in").returncode == 3
    with pytest.raises(LabError, match="no user"):
        server.run(["true"], user="nosuch")


def test_inventory_vars_match_the_server(lab: Lab, server: Server) -> None:
    variables = server.inventory_vars()
    assert variables["zulip_external_host"] == server.external_host
    assert variables["zulip_settings"] == server.paths.settings
    assert variables["scim_probe"] == f"https://127.0.0.1:{server.web_port}"
    assert variables["scim_ca"] == str(lab.ca)


def test_child_processes_resolve_names_and_find_known_hosts(lab: Lab, server: Server) -> None:
    code = (
        "import os.path, socket, sys, scimconf;"
        "print(socket.gethostbyname('localhost'),"
        " socket.getaddrinfo('acme.chat.test', 443)[0][4][0], os.path.expanduser('~'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=lab.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split(maxsplit=2)[:2] == ["127.0.0.1", "127.0.0.1"]
    assert Path(done.stdout.strip().split(maxsplit=2)[2]) / ".ssh/known_hosts" == lab.known_hosts


@pytest.fixture
def odd_folder() -> Iterator[Path]:
    """A folder with special characters that every user can read (pytest's folder is private)."""
    with tempfile.TemporaryDirectory(prefix="with a blank, an ' and a %u in it ") as folder:
        path = Path(folder, "x" * 60)
        path.mkdir()
        path.parent.chmod(0o755)
        yield path


def test_two_labs_in_folders_with_special_characters(odd_folder: Path) -> None:
    with Lab(odd_folder) as one, Lab(odd_folder) as two:
        for lab in (one, two):
            server = lab.server("chat.test", realms=["acme"], extra_settings=SCIM)
            assert users(server, "right") == 200
            server.restart()
            if server.ssh_port:
                done = ssh(lab, server, server.user, "echo in")
                assert done.stdout == "in\n", done.stderr


def test_make_lab_prints_instructions_and_stops_on_ctrl_c() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lab"], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = []
            while not (lines and lines[-1].startswith("Ctrl-C ")):
                lines.append(process.stdout.readline())
                assert lines[-1], "make lab stopped by itself"
            inventory = next(line for line in lines if line.startswith("inventory: "))
            hosts = YAML(typ="safe").load(Path(inventory.split(": ", 1)[1].strip()))["all"]["hosts"]
            assert {name.split(".")[0] for name in hosts} == {"chat56", "chat90", "chat121"}
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0
        finally:
            process.kill()


# --- nothing is left behind -----------------------------------------------------------------------

OWNER = """
import sys, time
from tests.lab import Lab
from tests.test_lab import ssh
with Lab() as lab:
    server = lab.server("chat.test")
    ssh(lab, server, server.user, "setsid sleep 600 <&- >&- 2>&- &")
    print(lab.folder, flush=True)
    sys.stdin.readline()
    END
"""


@pytest.mark.needs_sshd
@pytest.mark.parametrize(
    "end", sample(["pass", "sys.exit(3)", "1 / 0", "INT", "TERM", "KILL"], "pass", "INT", "KILL")
)
def test_nothing_is_left_when_the_owner_ends_or_dies(end: str) -> None:
    died = end.isupper()
    with subprocess.Popen(
        [sys.executable, "-c", OWNER.replace("END", "time.sleep(600)" if died else end)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        try:
            assert owner.stdout is not None
            folder = Path(owner.stdout.readline().strip())
            started = descendants(owner.pid)
            assert any("serve.py" in words for words in started.values())
            assert any("sleep 600" in words for words in started.values())
            if died:
                owner.send_signal(signal.Signals[f"SIG{end}"])
            owner.communicate("")
        finally:
            owner.kill()
    deadline = time.monotonic() + 20
    while (left := started.items() & processes().items()) or folder.exists():
        assert time.monotonic() < deadline, (left, folder)
        time.sleep(0.02)


def processes() -> dict[int, str]:
    """Return process id -> command line, for every process that has a command line."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if words:
                found[int(entry)] = words
    return found


def descendants(ancestor: int) -> dict[int, str]:
    """Return the same for the descendants of one process, in any namespace."""
    commands = processes()
    parents = {}
    for number in commands:
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{number}/stat").read_text()
            parents[number] = int(stat.rpartition(")")[2].split()[1])
    family = {ancestor}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return {number: commands[number] for number in family - {ancestor}}
