"""sudo and su that the inventory names, and sudo-rs, behind a real sshd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from scimconf.consent import NOTHING as NO_CONSENT
from scimconf.errors import HostError
from scimconf.secret import Secret
from scimconf.ssh import become
from scimconf.ssh.session import Credentials, Options, find_become
from scimconf.ssh.sudo import Sudo
from tests.ssh.server import (
    LINK_TO_SUDO,
    OWN_SUDO,
    PATHS,
    ROOTS_SUDO_RS,
    STOLEN,
    WRITABLE_SUDO,
    Server,
)
from tests.ssh.test_command import LOCAL
from tests.ssh.test_sshd import NOTHING, RIGHT, ask, failing

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def strict(accounts: Server) -> Options:
    """The inventory may not name programs."""
    return replace(accounts.options, allow_exec=NO_CONSENT)


@pytest.mark.parametrize(
    "way",
    [
        {"become_exe": "sudo", "become_flags": "-H -S -n"},
        {"become_exe": "/usr/bin/sudo", "become_flags": "-H -S -n -i"},
        {"become_exe": "/bin/sudo"},
        {"become_method": "su", "become_exe": "/bin/su", "become_flags": "-"},
        {"become_method": "su", "become_exe": "/usr/bin/su", "become_flags": "-s /bin/bash"},
    ],
)
def test_a_sudo_or_su_of_root_is_called(
    accounts: Server, strict: Options, way: dict[str, object]
) -> None:
    connection = accounts.connection("asked", become=True, **way)
    assert ask(connection, strict, RIGHT)["user"] == "zulip"


@pytest.mark.parametrize("program", [WRITABLE_SUDO, OWN_SUDO, LINK_TO_SUDO])
def test_a_program_that_others_than_root_can_replace_is_not_run(
    accounts: Server, strict: Options, program: str
) -> None:
    Path(STOLEN).unlink(missing_ok=True)
    connection = accounts.connection("free", become=True, become_exe=program)
    error = failing(connection, strict, RIGHT)
    assert f"users other than root can replace {program} on the server (" in error.message
    assert f"({program.replace('/home/free/sudo', '/home/free')})" in error.message
    assert "--allow-exec=become" in error.hint
    assert not Path(STOLEN).exists()
    if program != LINK_TO_SUDO:
        failing(connection, accounts.options, RIGHT)
        assert Path(STOLEN).exists()
        Path(STOLEN).unlink()


@pytest.mark.parametrize("name", ["sudo.ws", "sudo-rs", "/usr/bin/sudo-rs"])
def test_a_sudo_that_is_not_installed_is_named(
    accounts: Server, strict: Options, name: str
) -> None:
    error = failing(accounts.connection("free", become=True, become_exe=name), strict)
    assert error.message == f"{name} is not installed on the server"
    assert "ansible_become_exe" in error.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"become_exe": "/opt/pbrun"}, "ansible_become_exe is '/opt/pbrun'"),
        ({"become_exe": "sudo su -", "become_method": "su"}, "ansible_become_exe is 'sudo su -'"),
        ({"become_flags": "-A"}, "ansible_become_flags contains '-A'"),
    ],
)
def test_other_programs_and_options_need_permission(
    changes: dict[str, object], message: str
) -> None:
    connection = replace(LOCAL, become=True, **changes)
    with pytest.raises(HostError) as caught:
        find_become(connection, PATHS, "ops", "[m]")
    assert message in caught.value.message
    assert "--allow-exec=become" in caught.value.hint
    assert find_become(connection, PATHS, "root", "[m]") is None
    found = find_become(connection, PATHS, "ops", "[m]", allow_exec=True)
    assert found is not None
    assert found.words()


def test_sudo_su_with_permission(accounts: Server) -> None:
    """A widespread way around rules that allow only `sudo su`."""
    way = {"become_method": "su", "become_exe": "sudo su", "become_user": "zulip"}
    answer = ask(accounts.connection("boss", become=True, **way), accounts.options, RIGHT)
    assert answer["user"] == "zulip"


def test_allowed_flags_come_before_the_user() -> None:
    called = Sudo("[m]", "ops", "zulip", ("dzdo",), ("-g", "staff"), allowed=True).words()
    assert called[4:] == (
        *("dzdo", "-H", "-S", "-k", "-p", "[m]", "-g", "staff", "-u", "zulip", "--"),
    )


def test_the_check_is_readable_by_every_login_shell() -> None:
    assert not set(become._CHECK) & set("'\\!\n")


class TestSudoRs:
    """The stand-in of tests/lab/standins/sudo_rs.py, which speaks as the source of sudo-rs does."""

    WAY: ClassVar = {"become": True, "become_exe": ROOTS_SUDO_RS}

    def test_the_password_is_sent_to_its_prompt(self, accounts: Server, strict: Options) -> None:
        answer = ask(accounts.connection("free", **self.WAY), strict, RIGHT)
        assert (answer["user"], answer["echo"]) == ("zulip", {"do": "who"})

    def test_without_a_password(self, accounts: Server, strict: Options) -> None:
        connection = accounts.connection("boss", **self.WAY, become_user="root")
        assert ask(connection, strict)["user"] == "zulip"

    def test_no_password_was_given(self, accounts: Server, strict: Options) -> None:
        error = failing(accounts.connection("free", **self.WAY), strict, NOTHING)
        assert "sudo asks for the password of free, and none was given" in error.message

    def test_a_wrong_password_is_sent_once(self, accounts: Server, strict: Options) -> None:
        wrong = Credentials(become_password=Secret("wrong"))
        error = failing(accounts.connection("free", **self.WAY), strict, wrong)
        assert "did not accept the password of free; it was sent once" in error.message

    def test_no_rule(self, accounts: Server, strict: Options) -> None:
        error = failing(accounts.connection("stranger", **self.WAY), strict, RIGHT)
        assert "stranger is not in the sudoers file, or no rule" in error.message
        assert '"stranger ALL=(zulip) NOPASSWD: ALL"' in error.hint

    def test_an_unknown_user(self, accounts: Server, strict: Options) -> None:
        connection = accounts.connection("free", **self.WAY, become_user="zu")
        assert "does not know the user zu" in failing(connection, strict, RIGHT).message
