"""What a worker answers. It never raises: the engine would log the text of the job."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scimconf.fleet.job import Observe
from scimconf.fleet.look import planned
from scimconf.model import Status
from scimconf.ssh.session import Options
from scimconf.workers import message, work
from scimconf.workers.message import Label, Login, MessageError, Order
from scimconf.workers.zone_key import Channel, public_key
from tests.factories import connection, desired, realm

LABEL = Label("run", 1, "dmz")
CLOSED = replace(
    desired(realm()), server=replace(desired(realm()).server, connection=connection(port=1))
)
JOB = Observe(CLOSED, planned)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key = tmp_path / "dmz.key"
    for words in (
        ["genpkey", "-algorithm", "X25519", "-out", str(key)],
        ["pkey", "-in", str(key), "-pubout", "-out", str(tmp_path / "dmz.pub")],
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    monkeypatch.setenv(work.KEY, str(key))
    return tmp_path


def _sealed(folder: Path, logins: Any, label: Label = LABEL) -> tuple[str, Channel]:
    order = Order(JOB, logins, Options())
    return message.seal_order(order, label, public_key(folder, "dmz"))


def _refused(text: str, channel: Channel) -> str:
    with pytest.raises(MessageError) as error:
        message.open_answer(work.work(text, lambda _: None, "w1"), JOB, LABEL, channel)
    return str(error.value)


def test_the_answer_and_the_steps_are_for_the_controller_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    text, channel = _sealed(folder, {"chat1": Login()})
    told: list[str] = []
    answer = message.open_answer(work.work(text, told.append, "w1"), JOB, LABEL, channel)
    assert answer.outcome.status is Status.UNREACHABLE
    (begin,) = told
    assert '"w1"' not in begin  # the sealed part may contain the letters by chance
    step = message.open_step(begin, LABEL, channel)
    assert (step[0], step[2]) == ("begin", "w1")


def test_a_worker_with_another_version_refuses_the_job(folder: Path) -> None:
    label = replace(LABEL, scimconf="0.0.1")
    text, channel = _sealed(folder, {}, label)
    said = _refused(text, channel)
    assert "worker w1 has scimconf" in said
    assert "the controller has scimconf 0.0.1" in said


def test_a_worker_without_a_usable_key_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, channel = _sealed(folder, {})
    monkeypatch.setenv(work.KEY, str(folder / "no.key"))
    assert "the private key of zone dmz on worker w1 cannot be used" in _refused(text, channel)
    monkeypatch.delenv(work.KEY)
    assert "worker w1 has no private key: set SCIMCONF_WORKER_KEY" in _refused(text, channel)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": "a", "job": "b"}', "\0"])
def test_a_message_that_is_none_is_refused(text: str) -> None:
    assert "refused" in json.loads(work.work(text, lambda _: None))


def test_an_error_during_the_job_is_no_refusal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a token could stand here")

    monkeypatch.setattr(Observe, "do", broken)
    text, channel = _sealed(folder, {"chat1": Login()})
    said = work.work(text, lambda _: None, "w1")
    assert "KeyError" not in said
    answer = message.open_answer(said, JOB, LABEL, channel)
    assert answer.outcome.status is Status.FAILED
    assert "bug in scimconf: KeyError" in answer.outcome.message


def test_an_unexpected_error_is_refused_without_its_values(folder: Path) -> None:
    text, channel = _sealed(folder, {"chat1": Login()})

    def broken(_: str) -> None:
        raise KeyError("a token could stand here")

    answer = work.work(text, broken, "w1")
    assert "bug in scimconf: KeyError" in answer
    assert "token could" not in answer
    assert channel
