"""Hints and warnings about how scimconf came to the server."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from scimconf.fleet.connections import Connections
from scimconf.fleet.look import look_at, planned
from scimconf.model import Desired, Outcome, Server, Status
from tests.factories import connection, desired, realm
from tests.fleet.test_fleet import HEALTHY

NOT_OURS = "/etc/zulip/settings.py cannot be replaced by ops: it belongs to zulip"
NOT_READABLE = "/etc/zulip/settings.py cannot be read: Permission denied"


class _Agent:
    """A server that answers once. `warnings` are those of a Conversation."""

    def __init__(self, answer: Mapping[str, Any], warnings: tuple[str, ...] = ()) -> None:
        self._answer = answer
        self.warnings = warnings

    def ask(self, *_: object) -> Iterator[Mapping[str, Any]]:
        yield copy.deepcopy(self._answer)


def outcome(wanted: Desired, agent: _Agent) -> Outcome:
    @contextmanager
    def opened(_: Server) -> Iterator[Any]:
        yield agent

    with Connections(opened) as connections:
        return look_at(wanted, connections, planned, keep=False).outcome


def blocked(message: str, **how: object) -> Outcome:
    wanted = desired(realm())
    server = replace(wanted.server, connection=connection(**{"user": "ops", **how}))
    found = outcome(replace(wanted, server=server), _Agent({**HEALTHY, "blocked": message}))
    assert (found.status, found.message) == (Status.FAILED, message)
    return found


@pytest.mark.parametrize("user", ["ops", None])
def test_a_login_user_without_rights_is_told_to_become_zulip(user: str | None) -> None:
    hint = blocked(NOT_OURS, user=user).hint
    assert "add -b to become zulip (and -K if sudo asks for a password)" in hint
    assert "log in as zulip (-u zulip); or use plan --read-only" in hint


def test_a_user_who_cannot_even_read_is_not_sent_to_read_only() -> None:
    hint = blocked(NOT_READABLE).hint
    assert "add -b to become zulip" in hint
    assert "--read-only" not in hint


def test_the_hint_names_the_user_to_become() -> None:
    assert "add -b to become root" in blocked(NOT_OURS, become_user="root").hint


@pytest.mark.parametrize(
    ("message", "how"),
    [
        (NOT_OURS, {"become": True}),
        (NOT_OURS.replace("ops", "zulip"), {}),
        ("/etc/zulip/settings.py cannot be read: Input/output error", {}),
        ("no Zulip here", {}),
    ],
)
def test_other_trouble_has_no_such_hint(message: str, how: dict[str, object]) -> None:
    assert blocked(message, **how).hint == ""


def test_warnings_about_the_connection_come_first() -> None:
    found = outcome(desired(realm()), _Agent(HEALTHY, ("your ssh_config sets Tunnel",)))
    assert found.status is Status.PENDING
    assert str(found.warnings[0]) == "[ignored-ssh-option] your ssh_config sets Tunnel"
