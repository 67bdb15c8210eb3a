"""The order of the steps at both ends, with a provider that only records them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scimconf.fleet.look import Looked
from scimconf.fleet.watcher import Watcher
from scimconf.idp.base import Idp, IdpError, NotSupportedError, Target
from scimconf.model import Deliver, Fingerprint, ObservedToken, Outcome, Plan, Status
from scimconf.report.no_progress import NoProgress
from scimconf.run.both_ends import BothEnds
from scimconf.run.delivery import Delivery
from scimconf.secret import Secret
from scimconf.tokens import rotation
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.store import TokenFile, new_entry
from tests.factories import desired, found, observed, realm, server

KEY = ("chat1", "acme")
OLD, NEW = Secret("old-token-of-acme-with-43-characters-0000001"), Secret("new-token-of-acme-2")
PASSWORD = Secret("correct horse")


@dataclass
class Recorder(Idp):
    """A provider that fails where it is told to."""

    fails: dict[str, list[Exception]] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    token: Secret | None = None
    pausable: bool = True

    def _step(self, name: str) -> str:
        self.steps.append(name)
        if waiting := self.fails.get(name):
            raise waiting.pop(0)
        return name

    def check(self) -> bool:
        self._step("check")
        return False

    def pause(self) -> str:
        if not self.pausable:
            raise NotSupportedError("no")
        return self._step("pause")

    def set(self, token: Secret) -> str:
        said = self._step("set")
        self.token = token
        return said

    def test(self) -> str:
        return self._step("test")

    def resume(self) -> str:
        return self._step("resume")


class Recorded(Delivery):
    """A delivery to a recorder."""

    def idp(self) -> Idp:
        return _providers[self.key]


_providers: dict[Any, Recorder] = {}


@dataclass
class Scene:
    """A server with a realm, its provider, and the rotation."""

    ends: BothEnds
    looked: Looked
    idp: Recorder
    changed: list[str] = field(default_factory=list)
    status: Status = Status.CHANGED
    undone: Status = Status.CHANGED
    noted: Status = Status.CHANGED
    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    """The notes on the servers, by server and realm."""

    def run(self, servers: Sequence[Looked] | None = None) -> Outcome:
        def change() -> list[Outcome]:
            self.idp.steps.append("zulip")
            return [Outcome("chat1", self.status, in_force=self.status is Status.CHANGED)]

        def undo(each: Looked, done: Outcome) -> Outcome:
            self.idp.steps.append("undo")
            return Outcome("chat1", self.undone)

        (outcome,) = self.ends.around(servers or [self.looked], change, undo, NoProgress())
        return outcome

    def take_note(
        self, each: Looked, turns: Mapping[str, tuple[str, str]], watcher: Watcher
    ) -> Outcome:
        """Behave as the server."""
        name = each.server.name
        assert all(self.notes.get((name, realm), "") == old for realm, (old, _) in turns.items())
        if self.noted is not Status.CHANGED:
            return Outcome(name, self.noted, "another run is there")
        self.notes |= {(name, realm): new for realm, (_, new) in turns.items()}
        return Outcome(name, self.noted)

    def note(self) -> str:
        """Return what the token file will say: "delivered", "under way" or nothing."""
        if KEY not in self.ends.notes:
            return "unchanged"
        after = self.ends.notes[KEY](self.ends.keyring.file.entries[KEY])
        return "under way" if after.delivering else "delivered" if after.delivered else "nothing"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    file = TokenFile.load(tmp_path / "tokens.yaml").save({KEY: new_entry(KEY, OLD, PASSWORD)})
    keyring = Keyring(file, lambda: {"default": PASSWORD})
    acme = realm("acme", deliver=Deliver("command", {"words": ("./x",)}, "."))
    delivery = Recorded(KEY, server(acme), acme.deliver, Target(*KEY, "https://x/scim/v2"))  # type: ignore[arg-type]
    idp = _providers[KEY] = Recorder()
    token = ObservedToken(43, "", False, created=file.entries[KEY].created)
    seen = observed(replace(found("acme"), token=token))
    plan = Plan("chat1", "9.0")
    wanted = desired(acme, fingerprints={"acme": Fingerprint("x", "y", "z")})
    looked = Looked(wanted, Outcome("chat1", Status.PENDING, plan=plan), seen)
    ends = BothEnds(
        [delivery], keyring, {"chat1": {"acme": NEW}}, {"chat1": {"acme": OLD}}, _no_note
    )
    scene = Scene(ends, looked, idp)
    ends.note = scene.take_note
    return scene


def test_the_order_of_the_steps(scene: Scene) -> None:
    assert scene.run().status is Status.CHANGED
    assert scene.idp.steps == ["check", "pause", "zulip", "set", "test", "resume"]
    assert scene.idp.token == NEW
    assert scene.note() == "delivered"
    assert scene.notes == {KEY: ""}


def test_a_server_that_does_not_take_the_note(scene: Scene) -> None:
    scene.noted = Status.BUSY
    outcome = scene.run()
    assert outcome.status is Status.FAILED
    assert [each.message for each in outcome.checks] == ["another run is there"]
    assert scene.idp.steps == ["check"]
    assert scene.note() == "nothing"


def test_the_note_of_a_dead_run_says_who_paused_the_provider(scene: Scene) -> None:
    """A pipeline that was killed has lost its copy of the token file."""
    scene.notes = {KEY: "2026-06-01T10:00:00Z paused before"}
    assert scene.looked.observed
    seen = replace(scene.looked.observed, deliveries={"acme": scene.notes[KEY]})
    assert scene.run([replace(scene.looked, observed=seen)]).status is Status.CHANGED
    assert scene.idp.steps == ["check", "pause", "zulip", "set", "test"]
    assert scene.notes == {KEY: ""}


def test_a_split_leaves_the_note_on_the_server(scene: Scene) -> None:
    scene.idp.fails = {"set": [LOST, LOST]}
    assert scene.run().status is Status.SPLIT
    assert scene.notes[KEY]
    assert scene.note() == "under way"


def test_zulip_that_fails_leaves_the_provider_untouched(scene: Scene) -> None:
    scene.status = Status.ROLLED_BACK
    assert scene.run().status is Status.ROLLED_BACK
    assert scene.idp.steps == ["check", "pause", "zulip", "resume"]
    assert scene.note() == "nothing"


REFUSED, LOST = IdpError("no"), IdpError("lost", unknown=True)


@pytest.mark.parametrize(
    ("fails", "steps", "status", "note"),
    [
        ({"check": [REFUSED]}, ["check"], Status.FAILED, "unchanged"),
        ({"pause": [REFUSED]}, ["check", "pause", "resume"], Status.FAILED, "nothing"),
        (
            {"set": [REFUSED]},
            ["check", "pause", "zulip", "set", "undo", "resume"],
            Status.ROLLED_BACK,
            "nothing",
        ),
        (
            {"set": [LOST]},
            ["check", "pause", "zulip", "set", "undo", "set", "resume"],
            Status.ROLLED_BACK,
            "nothing",
        ),
        (
            {"set": [LOST, LOST]},
            ["check", "pause", "zulip", "set", "undo", "set"],
            Status.SPLIT,
            "under way",
        ),
        (
            {"test": [REFUSED]},
            ["check", "pause", "zulip", "set", "test", "undo", "set", "resume"],
            Status.ROLLED_BACK,
            "nothing",
        ),
        (
            {"resume": [REFUSED]},
            ["check", "pause", "zulip", "set", "test", "resume"],
            Status.FAILED,
            "under way",
        ),
    ],
)
def test_a_step_that_fails(
    scene: Scene, fails: dict[str, list[Exception]], steps: list[str], status: Status, note: str
) -> None:
    scene.idp.fails = {name: list(errors) for name, errors in fails.items()}
    outcome = scene.run()
    assert (scene.idp.steps, outcome.status) == (steps, status)
    assert scene.note() == note
    if status is Status.ROLLED_BACK:
        assert not outcome.in_force


def test_a_rollback_that_fails_is_split(scene: Scene) -> None:
    scene.idp.fails, scene.undone = {"set": [REFUSED]}, Status.ROLL_BACK_FAILED
    outcome = scene.run()
    assert (outcome.status, outcome.in_force) == (Status.SPLIT, True)
    assert scene.idp.steps[-1] == "undo", "the provider stays paused"
    assert scene.note() == "under way"


def test_without_a_fallback_nothing_is_undone(scene: Scene) -> None:
    scene.ends.fallback, scene.idp.fails = False, {"set": [REFUSED]}
    assert scene.run().status is Status.SPLIT
    assert "undo" not in scene.idp.steps


def test_an_unknown_end_of_zulip_leaves_the_provider_paused(scene: Scene) -> None:
    def change() -> list[Outcome]:
        return [Outcome("chat1", Status.FAILED, "the connection was lost", unknown=True)]

    (outcome,) = scene.ends.around([scene.looked], change, _no_undo, NoProgress())
    assert "the identity provider stays paused" in outcome.message
    assert scene.idp.steps == ["check", "pause"]
    assert scene.note() == "under way"


def test_a_token_that_the_server_did_not_have_is_not_brought_back(scene: Scene) -> None:
    """An earlier run has changed the server, so an undo would bring back another token."""
    assert scene.looked.observed
    token = ObservedToken(43, "", False, created="2020-01-01T00:00:00Z")
    other = observed(replace(found("acme"), token=token))
    scene.idp.fails = {"set": [REFUSED]}
    outcome = scene.run([replace(scene.looked, observed=other)])
    assert (outcome.status, "undo" in scene.idp.steps) == (Status.SPLIT, False)


def test_a_delivery_of_another_run_is_left_alone(scene: Scene) -> None:
    """The other run holds the server's lock, and has noted the delivery before."""
    scene.status = Status.BUSY
    assert scene.run().status is Status.BUSY
    assert scene.idp.steps == ["check", "pause", "zulip", "resume"]
    scene.idp.steps.clear()
    scene.ends.keyring.note(
        {KEY: partial(rotation.begun, now=datetime.now(timezone.utc), was_paused=False)}
    )
    assert "the identity provider stays paused" in scene.run().message
    assert scene.idp.steps == ["check", "pause", "zulip"]
    assert scene.note() == "under way"


@pytest.mark.parametrize(
    ("fails", "status", "note"),
    [
        ({}, Status.OK, "delivered"),
        ({"check": [REFUSED]}, Status.SPLIT, "under way"),
        ({"set": [REFUSED]}, Status.SPLIT, "under way"),
        ({"test": [REFUSED]}, Status.SPLIT, "under way"),
        ({"resume": [REFUSED]}, Status.FAILED, "under way"),
    ],
)
def test_a_server_that_has_the_new_token_already(
    scene: Scene, fails: dict[str, list[Exception]], status: Status, note: str
) -> None:
    """The token file must follow the server, so that `deliver` sends the token that it has."""
    begun = partial(rotation.begun, now=datetime.now(timezone.utc), was_paused=False)
    scene.ends.keyring.note({KEY: begun})
    scene.idp.fails = {name: list(errors) for name, errors in fails.items()}
    outcome = scene.ends.finish(scene.looked, Outcome("chat1", Status.OK), NoProgress())
    assert (outcome.status, outcome.in_force, scene.note()) == (status, True, note)


def test_a_server_of_the_deployment_that_has_the_new_token_already(scene: Scene) -> None:
    """Nothing is undone: the old token could come back on one server only."""
    token = ObservedToken(43, "", True, created="2030-01-01T00:00:00Z")
    scene.idp.fails = {"set": [REFUSED]}
    wanted = replace(scene.looked.desired, server=replace(scene.looked.server, name="chat2"))
    seen = observed(replace(found("acme"), token=token))
    other = Looked(wanted, Outcome("chat2", Status.OK, plan=Plan("chat2", "9.0")), seen)

    def change() -> list[Outcome]:
        return [Outcome("chat1", Status.CHANGED, in_force=True), other.outcome]

    outcomes = scene.ends.around([scene.looked, other], change, _no_undo, NoProgress())
    assert [each.status for each in outcomes] == [Status.SPLIT, Status.SPLIT]


def test_a_deployment_that_was_not_seen_is_left_alone(scene: Scene) -> None:
    away = replace(scene.looked, outcome=Outcome("chat1", Status.UNREACHABLE), observed=None)
    scene.status = Status.SKIPPED
    scene.run([away])
    assert scene.idp.steps == ["zulip"]


def test_another_run_that_changes_the_token_file(scene: Scene) -> None:
    path = scene.ends.keyring.file.path
    TokenFile.load(path).save({KEY: new_entry(KEY, NEW, PASSWORD, weak=True)})
    assert scene.run().status is Status.FAILED
    assert scene.idp.steps == ["check"]


def test_a_provider_that_cannot_be_paused(scene: Scene) -> None:
    scene.idp.pausable = False
    outcome = scene.run()
    assert scene.idp.steps == ["check", "zulip", "set", "test"]
    assert "cannot be paused, and was locked out for at most" in outcome.message


NO_TOKEN = NotSupportedError("the API takes no token for this app")


def test_a_provider_that_takes_no_token_is_found_before_zulip_changes(scene: Scene) -> None:
    scene.idp.fails = {"check": [NO_TOKEN]}
    outcome = scene.run()
    assert (outcome.status, scene.idp.steps, scene.note()) == (
        Status.FAILED,
        ["check"],
        "unchanged",
    )
    (check,) = outcome.checks
    assert check.message == "the API takes no token for this app"
    assert "scimconf handoff --next --show-tokens chat1 --realm acme" in check.hint
    assert "scimconf rotate --activate chat1 --realm acme" in check.hint


def test_a_provider_that_takes_no_token_is_left_out_where_a_person_has_the_token(
    scene: Scene,
) -> None:
    scene.ends.by_hand, scene.idp.fails = True, {"check": [NO_TOKEN]}
    outcome = scene.run()
    assert (outcome.status, scene.idp.steps) == (Status.CHANGED, ["check", "zulip"])
    (check,) = outcome.checks
    assert (check.result, check.message) == ("warning", f"not delivered: {NO_TOKEN.message}")
    assert scene.ends.left == {KEY}
    assert scene.note() == "unchanged"


def test_a_server_that_has_the_token_and_a_provider_that_takes_none(scene: Scene) -> None:
    scene.ends.by_hand, scene.idp.fails = True, {"check": [NO_TOKEN]}
    outcome = scene.ends.finish(scene.looked, Outcome("chat1", Status.OK), NoProgress())
    assert (outcome.status, scene.note(), scene.ends.left) == (Status.OK, "unchanged", {KEY})


def test_a_program_that_does_not_handle_set_is_not_left_out(scene: Scene) -> None:
    """It may have paused provisioning, and would start it again with the old token."""
    scene.ends.by_hand, scene.idp.fails = True, {"set": [NO_TOKEN]}
    assert scene.run().status is Status.ROLLED_BACK


def _no_note(*_: object) -> Outcome:
    raise AssertionError("the scene takes the notes")


def _no_undo(each: Looked, done: Outcome) -> Outcome:
    raise AssertionError("nothing is undone")
