"""An attacker changes the token file in a merge request, without the vault password.

The attacker runs one server and wants scimconf to send it the token of another server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path / "operator")


@pytest.fixture
def both(operator: Operator, lab_server: Callable[..., Server]) -> tuple[Server, Server]:
    """The servers of the victim and of the attacker, each with its own token."""
    victim, attacker = lab_server(version="9.0"), lab_server(version="9.0")
    operator.write_inventory({each.name: {"scim_realms": {"": {}}} for each in (victim, attacker)})
    assert operator.apply().returncode == 0
    return victim, attacker


def _entry(text: str, server: Server) -> str:
    """Return the lines of a server's only entry."""
    found = re.search(rf'  "{re.escape(server.name)}":\n    "":\n((?:      .*\n)+)', text)
    assert found
    return found[1]


def test_no_server_gets_the_token_of_another_server(
    operator: Operator, both: tuple[Server, Server]
) -> None:
    victim, attacker = both
    text = operator.tokens.read_text()
    token, settings = operator.token(victim.name, ""), attacker.settings.read_bytes()
    mine, theirs = _entry(text, attacker), _entry(text, victim)
    only_token = mine[: mine.index("token:")] + theirs[theirs.index("token:") :]
    attempts = {
        "copied": text.replace(mine, theirs),
        "swapped": text.replace(mine, "@").replace(theirs, mine).replace("@", theirs),
        "its token alone": text.replace(theirs, "@").replace(mine, only_token).replace("@", mine),
        "renamed": text.replace(victim.name, "gone.test")
        .replace(attacker.name, victim.name)
        .replace("gone.test", attacker.name),
    }
    for how, changed in attempts.items():
        operator.tokens.write_text(changed)
        apply = ("apply", "--yes", "--create-tokens", *VAULT)
        for words in (("plan",), ("apply", "--yes", *VAULT), apply, ("verify", *VAULT)):
            done = operator.run(*words)
            assert token not in done.stdout + done.stderr
            if (
                words[0] != "plan"
            ):  # decrypts nothing, but sees that the token on the server differs
                assert done.returncode == 64, (how, done)
                place = re.search(r"tokens\.yaml:\d+:\d+: ", done.stderr)
                assert place or "lock out the identity provider" in done.stderr, (how, done)
        assert attacker.settings.read_bytes() == settings, how
        assert operator.tokens.read_text() == changed, how


def test_an_old_entry_is_refused_at_another_place(
    operator: Operator, both: tuple[Server, Server]
) -> None:
    """A replaced token is still in the git history, encrypted with the same password."""
    victim, attacker = both
    old = _entry(operator.tokens.read_text(), victim)
    assert operator.run("rotate", "--yes", victim.name, *VAULT).returncode == 0
    text = operator.tokens.read_text()
    settings = attacker.settings.read_bytes()
    operator.tokens.write_text(text.replace(_entry(text, attacker), old))
    # The same token is still in the file, as the previous token of the victim.
    assert operator.run("plan").returncode == 64
    without = re.sub(r"      previous:\n(?:        .*\n)+", "", text)
    operator.tokens.write_text(without.replace(_entry(without, attacker), old))
    done = operator.apply()
    assert done.returncode == 64, done
    assert "does not belong here" in done.stderr
    assert attacker.settings.read_bytes() == settings
