from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from scimconf.fleet.job import Apply, Changed, CheckPublic, Observe
from scimconf.fleet.look import Looked, planned
from scimconf.model import Outcome, Plan, Status
from scimconf.secret import Secret
from scimconf.ssh.session import Options
from scimconf.workers import message
from scimconf.workers.message import Label, Login, MessageError, Order
from tests.factories import connection, desired, observed, realm

KEY = X25519PrivateKey.generate()
LABEL = Label("run", 1, "dmz")
TOKEN, PASSWORD = "tokentokentoken", "passwordpassword"
SERVER = desired(realm(token=Secret("inventorytoken"))).server
DESIRED = replace(
    desired(realm()),
    server=replace(SERVER, connection=connection(password=Secret("inventorypassword"))),
)
LOOKED = Looked(DESIRED, Outcome("chat1", Status.PENDING, plan=Plan("chat1", "9.0")), observed())
OBSERVE = Observe(DESIRED, planned)
APPLY = Apply((LOOKED,), {"chat1": {"acme": Secret(TOKEN)}})


def _order(job: Any = OBSERVE) -> Order:
    return Order(job, {"chat1": Login(become_password=Secret(PASSWORD))}, Options())


def _sealed(job: Any = OBSERVE, label: Label = LABEL) -> tuple[str, Any]:
    return message.seal_order(_order(job), label, KEY.public_key())


def test_a_message_shows_its_label_and_nothing_else() -> None:
    text, _ = _sealed(APPLY)
    top = json.loads(text)
    assert sorted(top) == ["box", "job", "run", "scimconf", "zone"]
    for secret in (TOKEN, PASSWORD, "chat1", "inventorytoken"):
        assert secret not in text
    assert message.label_of(text) == LABEL


def test_only_the_workers_of_the_zone_can_open_a_job() -> None:
    text, _ = _sealed(APPLY)
    order, _ = message.open_order(text, LABEL, KEY)
    assert order.job.tokens == {"chat1": {"acme": Secret(TOKEN)}}
    assert order.logins["chat1"].credentials.become_password == Secret(PASSWORD)
    with pytest.raises(MessageError, match="another key"):
        message.open_order(text, LABEL, X25519PrivateKey.generate())


def test_a_job_has_no_secret_of_the_inventory_that_it_does_not_need() -> None:
    for job in (OBSERVE, APPLY, CheckPublic(LOOKED, LOOKED.outcome, {})):
        text, _ = _sealed(job)
        order, _ = message.open_order(text, LABEL, KEY)
        (server,) = order.job.servers
        assert server.connection.password is None
        assert server.realms[0].token == Secret("")


@pytest.mark.parametrize(
    "label", [replace(LABEL, run="b"), replace(LABEL, job=2), replace(LABEL, zone="c")]
)
def test_a_job_is_bound_to_its_label(label: Label) -> None:
    text, _ = _sealed()
    with pytest.raises(MessageError):
        message.open_order(text, label, KEY)


def test_the_answer_comes_back() -> None:
    text, ours = _sealed()
    _, theirs = message.open_order(text, LABEL, KEY)
    answer = message.seal_answer(LOOKED, LABEL, theirs)
    assert "chat1" not in answer
    assert message.open_answer(answer, OBSERVE, LABEL, ours) == LOOKED


def test_an_answer_of_another_job_or_another_server_is_ignored() -> None:
    _, ours = _sealed()
    text, _ = _sealed()
    _, others = message.open_order(text, LABEL, KEY)
    with pytest.raises(MessageError, match="not valid"):
        message.open_answer(message.seal_answer(LOOKED, LABEL, others), OBSERVE, LABEL, ours)
    later = replace(LABEL, job=2)
    with pytest.raises(MessageError, match="not valid"):
        message.open_answer(message.seal_answer(LOOKED, LABEL, ours), OBSERVE, later, ours)
    step = message.seal_step(["step"], LABEL, ours)
    with pytest.raises(MessageError, match="not valid"):
        message.open_answer(step, OBSERVE, LABEL, ours)
    for outcome in (
        Outcome("chat2", Status.OK),
        Outcome("chat1", Status.OK, plan=Plan("chat2", "9.0")),
    ):
        answer = message.seal_answer(replace(LOOKED, outcome=outcome), LABEL, ours)
        with pytest.raises(MessageError, match="not valid"):
            message.open_answer(answer, OBSERVE, LABEL, ours)
        answer = message.seal_answer(Changed((outcome,)), LABEL, ours)
        with pytest.raises(MessageError, match="not valid"):
            message.open_answer(answer, APPLY, LABEL, ours)
    answer = message.seal_answer(Changed(()), LABEL, ours)
    with pytest.raises(MessageError, match="not valid"):
        message.open_answer(answer, APPLY, LABEL, ours)


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"bytes",
        "",
        "[]",
        "{}",
        "{" * 100_000,
        '{"box": 1}',
        '{"box": "not base64!"}',
        '{"box": "AAAA"}',
        "x" * (message.LARGEST + 1),
    ],
    ids=repr,
)
def test_anything_else_is_ignored(text: Any) -> None:
    _, ours = _sealed()
    with pytest.raises(MessageError):
        message.open_answer(text, OBSERVE, LABEL, ours)
    with pytest.raises(MessageError):
        message.open_step(text, LABEL, ours)
    with pytest.raises(MessageError):
        message.label_of(text)


def test_a_refusal_is_shown_on_one_line() -> None:
    _, ours = _sealed()
    with pytest.raises(MessageError, match="a / b"):
        message.open_answer(message.refusal(LABEL, "a\nb\x1b[2J"), OBSERVE, LABEL, ours)
