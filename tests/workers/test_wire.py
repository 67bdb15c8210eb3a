from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from scimconf.fleet.job import Apply, Changed, CheckPublic, Observe, Recover, UndoOrRecover
from scimconf.fleet.look import Looked, looks_for, planned, planned_and_acknowledged
from scimconf.model import (
    Action,
    ActionKind,
    Check,
    Desired,
    Observed,
    Outcome,
    Plan,
    Position,
    Problem,
    Reference,
    Server,
    Site,
    Status,
    Step,
    Unmanaged,
    Unproved,
    VaultValue,
    WayFact,
)
from scimconf.secret import Sealed, Secret
from scimconf.server_warning import ServerWarning
from scimconf.ssh.session import Options
from scimconf.workers.wire import WireError, from_data, to_data
from tests.factories import FINGERPRINT, connection, desired, known, observed, realm, server

FULL = server(
    realm("acme", token=Reference("file", ("a b",), "/etc"), custom_profile_field_map={"a": "b"}),
    realm("", position=Position("f", 1, 2), moved_from="old"),
    connection=connection(
        port=22,
        ssh_arguments=("-o", "A=b"),
        said=frozenset({"ansible_port", "ansible_host"}),
        unknown={"ansible_user": Problem("m", Position("f", 3, 4))},
    ),
    restart=("/bin/a", "b"),
    left_alone=frozenset({"x"}),
    zone="dmz",
)
PLAN = Plan(
    "chat1",
    "9.0",
    (
        Action(ActionKind.SET_REALM, "acme", "t", locks_out=True),
        Action(ActionKind.RESTART, None, ""),
    ),
    (ServerWarning("lock-out", "text"),),
    diff="--- a\n+++ b\n",
    unmanaged=(Unmanaged("x", Position("settings.py", 9, 1)),),
    unproved=Unproved("m", "h"),
)
OUTCOME = Outcome(
    "chat1",
    Status.ROLLED_BACK,
    "m",
    "h",
    PLAN,
    (Step("restart", True, 1.5, "d"),),
    checks=(Check("acme", "right token", "warning", "m", 401),),
    way=(WayFact("a", "b", "c", bound=False),),
    outage=None,
)
LOOKED = Looked(desired(realm()), OUTCOME, observed(), reached=(WayFact("a", "\x1b", "c"),))
VALUES: list[tuple[Any, type]] = [
    (FULL, Server),
    (server(realm(), restart="none"), Server),
    (
        replace(desired(realm()), others={"acme": (known(), known())}, moved={"a": ("b", "c")}),
        Desired,
    ),
    (observed(sites={"acme": Site(None, "https://\x1b")}, running={"acme": None}), Observed),
    (OUTCOME, Outcome),
    (Options(known_hosts=("/a",), allow_exec=frozenset({"become", "proxy"})), Options),
    (Observe(desired(realm()), planned), Observe),
    (Observe(desired(realm()), looks_for("undo"), keep=True), Observe),
    (Recover(LOOKED, 3), Recover),
    (Apply((LOOKED,), {"chat1": {"acme": Secret("t")}}, 9), Apply),
    (UndoOrRecover((LOOKED,), "undo"), UndoOrRecover),
    (CheckPublic(LOOKED, OUTCOME, {"acme": Secret("t")}, 3), CheckPublic),
    (Changed((OUTCOME,), frozenset({"chat1"})), Changed),
]


@pytest.mark.parametrize(("value", "kind"), VALUES, ids=lambda each: type(each).__name__)
def test_a_value_is_the_same_after_the_way_there_and_back(value: Any, kind: type) -> None:
    there = json.loads(json.dumps(to_data(value, kind)))
    assert from_data(there, kind) == value


def test_a_worker_gets_no_vault_value_and_masks_what_was_encrypted() -> None:
    hidden = replace(
        FULL.connection,
        password=VaultValue("$ANSIBLE_VAULT;1.1;AES256\n3030"),
        encrypted={"ansible_host": Sealed("chat.example.com", b"key", owned=True)},
    )
    data = to_data(replace(FULL, connection=hidden), Server)
    assert "ANSIBLE_VAULT" not in json.dumps(data)
    back = from_data(data, Server).connection
    assert back.password == VaultValue("")
    assert back.encrypted["ansible_host"].reveal() == "chat.example.com"


def test_the_texts_of_an_outcome_are_sanitized_again() -> None:
    data = to_data(replace(OUTCOME, message="\x1b[2Jgone", hint="a\nb"), Outcome)
    found = from_data(data, Outcome)
    assert (found.message, found.hint) == ("\\x1b[2Jgone", "a\nb")
    assert from_data(to_data(Changed((replace(OUTCOME, message="\x07"),)), Changed), Changed) == (
        Changed((replace(OUTCOME, message="\\x07"),))
    )


def _wrong() -> list[Any]:
    good = to_data(OUTCOME, Outcome)
    wrong: list[Mapping[str, Any]] = [
        {**good, "more": 1},
        {name: value for name, value in good.items() if name != "hint"},
        {**good, "status": "fine"},
        {**good, "seconds": "1"},
        {**good, "in_force": 1},
        {**good, "message": None},
        {**good, "steps": {}},
        {**good, "steps": [1]},
        {**good, "plan": []},
        {**good, "outage": True},
        {**good, "checks": [{**good["checks"][0], "result": "good"}]},
        {**good, "checks": [{**good["checks"][0], "status": 1.5}]},
    ]
    return [*wrong, None, [], "text", 3]


@pytest.mark.parametrize("data", _wrong())
def test_data_of_another_type_are_refused(data: Any) -> None:
    with pytest.raises(WireError):
        from_data(data, Outcome)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"look": "import", "keep": False, "desired": None}, Observe),
        ([3, "x"], Reference | Secret | None),
        ([True, "x"], Reference | Secret | None),
        ("x", Reference | Secret | None),
        ([1], tuple[int, int]),
        ({"a": {1: 2}}, object),
    ],
)
def test_other_wrong_data_are_refused(data: Any, kind: Any) -> None:
    with pytest.raises(WireError):
        from_data(data, kind)


def test_a_look_of_another_verb_has_no_form() -> None:
    with pytest.raises(WireError):
        to_data(Observe(desired(realm()), lambda agent, wanted: (OUTCOME, None)), Observe)
    assert to_data(Observe(desired(realm()), planned_and_acknowledged), Observe)["look"]


def test_the_hash_of_a_fingerprint_survives() -> None:
    assert from_data(to_data(known(), type(known())), type(known())).hash == FINGERPRINT


def test_answers_share_empty_values_and_equal_texts() -> None:
    """A fleet has many servers: each of these costs up to 200 bytes."""
    kind = frozenset[str]
    one, other = (from_data([], kind) for _ in range(2))
    assert one == frozenset()
    assert one is other
    first, second = (from_data(to_data(OUTCOME, Outcome), Outcome) for _ in range(2))
    assert first.message is second.message
