"""`scimconf apply` on a terminal, with servers of the lab."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import CTRL_C, Terminal
from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd


@pytest.fixture(scope="module")
def servers(lab: Lab) -> Iterator[list[Server]]:
    """Two servers for all tests of this module. Their SCIM_CONFIG stays from test to test."""
    started = [lab.server(f"terminal{number}.test", version="9.0") for number in (1, 2)]
    yield started
    for server in started:
        server.stop()


class Seat:
    """An operator at a terminal, with an inventory of some servers."""

    def __init__(self, operator: Operator, servers: list[Server]) -> None:
        self.operator = operator
        self.servers = servers
        self.write()

    def write(self, **variables: Any) -> None:
        """Write the inventory. Every server gets these variables."""
        hosts = {each.name: {"scim_realms": {"": {}}, **variables} for each in self.servers}
        self.operator.write_inventory(hosts)

    def run(self, *arguments: str, columns: int = 100, **env: str) -> Terminal:
        """Run scimconf on a terminal."""
        own = self.operator.lab.environment()
        plain = {k: v for k, v in own.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
        folder = self.operator.folder
        return Terminal(*arguments, cwd=folder, env={**plain, **env}, columns=columns)


@pytest.fixture
def seat(operator: Operator, servers: list[Server]) -> Seat:
    """A new operator, without a token file."""
    return Seat(operator, servers)


@pytest.fixture(scope="module")
def settled(lab: Lab, servers: list[Server], tmp_path_factory: pytest.TempPathFactory) -> Seat:
    """An operator whose tokens are made and are on the servers."""
    seat = Seat(Operator(lab, tmp_path_factory.mktemp("settled")), servers)
    done = seat.operator.apply("--format", "json")
    assert done.returncode == 0, done
    return seat


@pytest.mark.parametrize("answer", ["n", "^C"])
def test_any_answer_except_yes_changes_nothing(answer: str, seat: Seat) -> None:
    before = seat.servers[0].settings.read_bytes()
    with seat.run("apply", "--diff", "terminal1.test", *VAULT) as terminal:
        terminal.wait_for("Change this server? [y/N]: ")
        if answer == "n":
            terminal.type("n\n")
        assert (terminal.end() if answer == "n" else terminal.interrupt()) == 130
        assert terminal.text.endswith("\nnothing was changed\n")
        assert "  * make a token for realm (root)\n" in terminal.text
        assert "    --- /" in terminal.text
    assert seat.servers[0].settings.read_bytes() == before
    assert not seat.operator.tokens.exists()


def test_yes_applies_the_plan_with_live_progress_and_no_echoed_password(
    seat: Seat,
) -> None:
    with seat.run("apply", "--ask-vault-pass") as terminal:
        terminal.answer("Vault password: ", "correct horse")
        terminal.answer("Vault password again: ", "correct hrose")
        terminal.answer("Vault password: ", "correct horse")
        terminal.answer("Vault password again: ", "correct horse")
        terminal.answer("Change these 2 servers? [y/N]: ", "y")
        assert terminal.end() == 0
        assert "horse" not in terminal.shown
        for server in seat.servers:
            assert re.search(rf"0:00:0\d {server.name} +restart", terminal.text)
        assert "\x1b[34m" in terminal.shown  # blue
        table = terminal.text.rpartition("server ")[2]
        assert len(re.findall(r"^terminal\d\.test +9\.0 +changed +\d+\.\d$", table, re.M)) == 2
        summary, following, _ = terminal.text.rsplit("\n", 2)
        assert summary.endswith("\n2 servers: 2 changed")
        assert following.startswith("next: scimconf handoff --ask-vault-pass --show-tokens ")

    with seat.run("verify", "--ask-vault-pass") as terminal:
        terminal.answer("Vault password: ", "mistyped")
        assert terminal.end() == 64
        assert re.search(r"error: tokens.yaml:\d+:\d+: wrong vault password", terminal.text)


def test_the_password_file_of_init_is_used_without_an_option(seat: Seat) -> None:
    """The first time it is asked about: no token shows yet that it is the right one."""
    seat.operator.inventory.with_name("tokens.yaml").unlink(missing_ok=True)
    with seat.run("apply", "terminal1.test") as terminal:
        question = "No token is encrypted yet. Use the vault password in .vault-password? [y/N]: "
        terminal.answer(question, "y")
        terminal.wait_for("using the vault password in .vault-password")
        terminal.answer("Change this server? [y/N]: ", "n")
        assert terminal.end() == 130
    assert not seat.operator.tokens.exists()


@pytest.mark.parametrize("verb", ["apply", "rotate"])
def test_a_wrong_password_is_found_before_the_question(verb: str, settled: Seat) -> None:
    settled.write(scim_client="okta-emea")
    before = settled.operator.tokens.read_bytes()
    wrong = settled.operator.folder / "wrong"
    wrong.write_text("wrong\n")
    with settled.run(verb, "--vault-password-file", "wrong", "terminal1.test") as terminal:
        assert terminal.end() == 64
        assert re.search(r"tokens\.yaml:\d+:\d+: wrong vault password: ", terminal.text)
        assert "[y/N]" not in terminal.text
    with settled.run(verb, "terminal1.test") as terminal:
        terminal.wait_for("using the vault password in .vault-password")
        terminal.answer("Change this server? [y/N]: ", "n")
        assert terminal.end() == 130
    (settled.operator.folder / ".vault-password").rename(wrong)
    with settled.run(verb, "terminal1.test") as terminal:
        assert terminal.end() == 64
        assert "a vault password is needed" in terminal.text
        assert "[y/N]" not in terminal.text
    wrong.rename(settled.operator.folder / ".vault-password")
    assert settled.operator.tokens.read_bytes() == before


def test_no_color_and_a_narrow_window_are_respected(seat: Seat) -> None:
    with seat.run("plan", columns=60, NO_COLOR="1") as terminal:
        assert terminal.end() == 2
        # Earlier tests decide whether both servers have the same report.
        start = re.search(r"terminal1\.test(, terminal2\.test)?  Zulip", terminal.shown)
        assert start
        report = terminal.shown[start.start() :]
        assert "\x1b" not in report
        # Only a command to paste may be longer: the terminal breaks it, and copies it as one line.
        long = [line.strip() for line in report.splitlines() if len(line) > 60]
        assert all(line.startswith("scimconf ") for line in long), long


def _waiting(server: Server) -> tuple[list[str], Path]:
    """Return a restart command that waits, and the file that releases it."""
    script = f"{server.paths.deployment}/scripts/restart-server"
    wait = f"until test -e {server.paths.deployment}/go; do sleep 0.02; done; exec {script}"
    return ["/bin/sh", "-c", wait], server.deployment / "go"


def test_ctrl_c_finishes_the_current_server_and_starts_no_other(settled: Seat) -> None:
    restart, go = _waiting(settled.servers[0])
    settled.write(scim_client="okta-emea", scim_restart=restart)
    before = settled.servers[1].settings.read_bytes()
    with settled.run("apply", "--yes", "--forks", "1", *VAULT) as terminal:
        terminal.wait_for("restart")
        terminal.type(CTRL_C)
        terminal.wait_for("warning: interrupted: waiting for the servers")
        # Live progress is drawn anew below it: it stays on the screen.
        said = terminal.shown.rpartition("warning: interrupted")[0]
        assert said.endswith(("\x1b[2K", "\r"))
        go.touch()
        assert terminal.end() == 130
        assert "terminal1.test  Zulip 9.0  changed\n" in terminal.text
        assert "terminal2.test  Zulip 9.0  skipped\n  not started: interrupted" in terminal.text
        assert terminal.text.endswith("\n2 servers: 1 skipped, 1 changed\n")
    go.unlink()
    assert '"okta-emea"' in settled.servers[0].settings.read_text()
    assert settled.servers[1].settings.read_bytes() == before


def test_a_second_ctrl_c_ends_at_once_and_the_server_continues(settled: Seat) -> None:
    restart, go = _waiting(settled.servers[0])
    settled.write(scim_client="okta-apac", scim_restart=restart)
    with settled.run("apply", "--yes", "--limit", "terminal1.test", *VAULT) as terminal:
        terminal.wait_for("restart")
        terminal.type(CTRL_C)
        terminal.wait_for("Ctrl-C again")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        assert "completes the change or rolls it back" in " ".join(terminal.text.split())
    go.touch()
    plans = (settled.operator.run("plan", "terminal1.test") for _ in range(20))
    assert any(plan.returncode == 0 for plan in plans)
    go.unlink()
