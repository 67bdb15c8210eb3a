from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from scimconf.errors import HostError, Unreachable
from scimconf.fleet.change import change, request
from scimconf.fleet.observe import Message
from scimconf.model import ActionKind, Desired, Observed, Outcome, Reference, Status
from scimconf.plan import plan
from scimconf.secret import Secret
from tests.factories import desired, found, known, observed, realm

TOKEN = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF"
TOKENS = {"acme": Secret(TOKEN)}
ENTRY = f'''"acme": {{
        "bearer_token": "{TOKEN}",
        "scim_client_name": "okta",
        "name_formatted_included": False,
    }}'''


def _request(wanted: Desired, seen: Observed, tokens: Mapping[str, Secret] = TOKENS) -> Any:
    """Return the request as the server receives it."""
    made = request(wanted, plan(wanted, seen), seen, tokens)
    assert TOKEN not in repr(made)
    return json.loads(json.dumps(made, default=Secret.reveal))


def test_the_request_for_a_new_realm() -> None:
    made = _request(desired(realm()), observed(running={"acme": 401}))
    assert made["entries"] == {"acme": ENTRY}
    assert made["wanted"]["acme"]["bearer_token"] == TOKEN
    assert made["expect"] == {"settings_sha256": "5" * 64, "secrets_sha256": "6" * 64}
    assert made["restart"] == [
        "/home/zulip/deployments/current/scripts/restart-server",
        "--skip-client-reloads",
    ]
    assert made["gate"] == {"acme": {"host": "acme.chat.example.com", "token": TOKEN}}
    assert made["secrets"] == {"set": {}, "remove": []}


def test_the_request_contains_the_fingerprint_of_the_token() -> None:
    made = _request(desired(realm()), observed(running={"acme": 401}))
    acme = known()
    assert made["fingerprints"] == {
        "acme": {"hash": acme.hash, "place": acme.place, "created": acme.created}
    }


def test_a_plan_that_changes_only_the_token_file_sends_no_request() -> None:
    elsewhere = realm(token=Reference("env", ("TOKEN",), "/"))
    wanted = replace(desired(elsewhere), unrecorded={"acme": ""})
    seen = observed(found())
    outcome = change(_Scripted(), wanted, plan(wanted, seen), seen, TOKENS)
    assert outcome.status is Status.CHANGED
    assert outcome.plan
    assert [action.kind for action in outcome.plan.actions] == [ActionKind.RECORD_TOKEN]


def test_a_token_in_the_secrets_file_is_not_in_the_entry() -> None:
    made = _request(desired(realm(), token_store="secrets"), observed(found()))
    assert 'get_secret("scim_bearer_token_acme")' in made["entries"]["acme"]
    assert TOKEN not in made["entries"]["acme"]
    assert made["secrets"]["set"] == {"scim_bearer_token_acme": TOKEN}
    assert made["wanted"]["acme"]["bearer_token"] == TOKEN


def test_a_change_of_only_the_secret_is_checked_too() -> None:
    seen = observed(found(secret_name="scim_bearer_token_acme", token=None))
    made = _request(desired(realm(), token_store="secrets"), seen)
    assert made["entries"] == {}
    assert list(made["wanted"]) == ["acme"]


def test_the_gate_expects_an_absent_realm_to_be_refused() -> None:
    seen = observed(found(secret_name="my_scim"), version="5.6", has_client_command=True)
    made = _request(desired(realm(present=False)), seen, {})
    assert made["entries"] == {"acme": None}
    assert made["secrets"]["remove"] == ["my_scim"]
    assert made["clients"]["remove"] == [["acme", "okta"]]
    assert made["gate"] == {"acme": {"host": "acme.chat.example.com", "token": None}}


def test_an_unmanaged_realm_is_removed_as_it_was_observed() -> None:
    made = _request(desired(realm(), unmanaged="remove"), observed(found(), found("other")))
    assert made["entries"] == {"other": None}


def test_a_plan_with_only_a_restart_writes_nothing() -> None:
    made = _request(desired(realm()), observed(found(), running={"acme": 401}))
    assert (made["entries"], made["wanted"]) == ({}, {})
    assert made["restart"]


@pytest.mark.parametrize("changes", [{"verify": False}, {"restart": "none"}])
def test_there_is_no_gate_if_nothing_can_be_proved(changes: dict[str, Any]) -> None:
    made = _request(desired(realm(), **changes), observed())
    assert made["gate"] is None


# --- the outcome ------------------------------------------------------------------------------


class _Scripted:
    def __init__(self, *messages: Message | Exception) -> None:
        self.messages = messages

    def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
        for message in self.messages:
            if isinstance(message, Exception):
                raise message
            yield message


def _apply(*messages: Message | Exception) -> tuple[Outcome, list[tuple[str, bool]]]:
    wanted, seen = desired(realm()), observed()
    told: list[tuple[str, bool]] = []
    outcome = change(
        _Scripted(*messages),
        wanted,
        plan(wanted, seen),
        seen,
        TOKENS,
        lambda name, doing: told.append((name, doing)),
    )
    return outcome, told


def _final(result: str) -> Message:
    return {"final": True, "result": result, "message": "m", "hint": "h", "changed": True}


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("committed", Status.CHANGED),
        ("stale", Status.FAILED),
        ("busy", Status.BUSY),
        ("failed", Status.FAILED),
        ("rolled back", Status.ROLLED_BACK),
        ("roll-back failed", Status.ROLL_BACK_FAILED),
        ("something new", Status.FAILED),
    ],
)
def test_each_result_has_its_status(result: str, status: Status) -> None:
    outcome, _ = _apply(_final(result))
    assert (outcome.status, outcome.message, outcome.hint) == (status, "m", "h")


def test_steps_are_reported_and_kept() -> None:
    outcome, told = _apply(
        {"step": "restart", "doing": True},
        {"step": "restart", "ok": True, "seconds": 9.5, "detail": "d"},
        {"step": "gate", "ok": False, "seconds": "nonsense"},
        _final("rolled back"),
    )
    assert told == [("restart", True), ("restart", False), ("gate", False)]
    assert [(s.name, s.ok, s.seconds, s.detail) for s in outcome.steps] == [
        ("restart", True, 9.5, "d"),
        ("gate", False, 0.0, ""),
    ]


def test_the_steps_of_a_server_are_sanitized_and_bounded() -> None:
    outcome, told = _apply(
        {"step": "\x1b]0;title\x07gate\x1b[2J" + "x" * 5000, "doing": True},
        {"step": "gate", "ok": 1, "seconds": 10**400, "detail": ["not", "text"]},
        {"step": "gate", "ok": True, "seconds": -1},
        {"final": True, "result": ["committed"], "message": {"a": 1}, "hint": 5},
    )
    assert told[0][0].startswith("gatexxx")
    assert len(told[0][0]) == 40
    assert [(s.ok, s.seconds, s.detail) for s in outcome.steps] == [
        (False, 0.0, ""),
        (True, 0.0, ""),
    ]
    assert (outcome.status, outcome.message, outcome.hint) == (Status.FAILED, "", "")


def test_an_endless_list_of_steps_is_cut_off() -> None:
    outcome, _ = _apply(*[{"step": "gate", "ok": False}] * 100_000, _final("committed"))
    assert outcome.status is Status.FAILED
    assert "more than 200 steps" in outcome.message
    assert len(outcome.steps) < 300


def test_after_a_lost_connection_the_hint_says_that_the_server_continues() -> None:
    outcome, _ = _apply({"step": "journal", "ok": True}, Unreachable("connection", "reset"))
    assert outcome.status is Status.FAILED
    assert "lost during the change" in outcome.message
    assert "by itself" in outcome.hint
    assert len(outcome.steps) == 1


def test_an_error_of_the_agent_is_reported_with_its_step() -> None:
    outcome, _ = _apply(HostError("lock", "no room", "make room"))
    assert (outcome.status, outcome.message) == (Status.FAILED, "lock: no room")


@pytest.mark.parametrize("lost", [Unreachable("agent", "reset"), HostError("agent", "killed")])
def test_without_an_answer_the_end_of_the_change_is_unknown(lost: HostError) -> None:
    """The identity provider then stays paused: Zulip may have either token."""
    assert _apply({"step": "journal", "ok": True}, lost)[0].unknown
    assert not _apply(_final("rolled back"))[0].unknown


def test_no_outcome_contains_a_token() -> None:
    outcome, _ = _apply(_final("committed"))
    assert TOKEN not in repr(outcome)


@pytest.mark.parametrize("result", ["committed", "failed", "error"])
def test_a_token_that_the_server_echoes_is_not_shown(result: str) -> None:
    echo = f"I was sent {TOKEN}"
    outcome, _ = _apply(
        {"step": "gate", "ok": False, "seconds": 1, "detail": echo},
        {**_final(result), "message": echo, "hint": echo, "step": "gate"},
    )
    assert TOKEN not in repr(outcome)
    assert "I was sent" in outcome.message
