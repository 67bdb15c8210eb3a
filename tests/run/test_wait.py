from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from scimconf.activity import Activity, State
from scimconf.errors import ExitCode
from scimconf.fleet.fleet import Fleet
from scimconf.model import Outcome, Status
from scimconf.report.words import phrase
from scimconf.run import wait
from scimconf.run.result import Result
from tests.factories import realm, server


@pytest.mark.parametrize(
    ("state", "code"), [(State.OK, ExitCode.OK), (State.NOT_BACK, ExitCode.PENDING)]
)
def test_a_provider_that_is_not_back_gives_exit_code_2(state: State, code: ExitCode) -> None:
    changed = Outcome("a", Status.CHANGED, activity=(Activity("acme", state, "x"),))
    assert Result("rotate", (changed,), codes=wait.is_back([changed])).exit_code is code
    said = phrase("rotate", changed)
    assert said == ("changed" if code is ExitCode.OK else "changed, identity provider not back")


def test_only_servers_that_are_ready_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []

    def note(fleet: Any, servers: Any, seconds: float, watcher: Any) -> dict[str, Any]:
        waited.extend(each.name for each in servers)
        assert seconds == 300
        return {name: (Activity("acme", State.OK, name),) for name in waited}

    class Person:
        def progress(self, *, steps: bool) -> AbstractContextManager[None]:
            return nullcontext()

    monkeypatch.setattr(wait, "wait", note)
    statuses = {"a": Status.OK, "b": Status.CHANGED, "c": Status.ROLLED_BACK, "d": Status.SKIPPED}
    outcomes = [Outcome(name, status) for name, status in statuses.items()]
    servers = [server(realm(), name=name) for name in statuses]
    person: Any = Person()
    fleet = Fleet(None, 1)  # type: ignore[arg-type]
    assert wait.waited(fleet, servers, outcomes, None, person) == outcomes
    assert waited == []
    found = wait.waited(fleet, servers, outcomes, 5, person)
    assert [bool(each.activity) for each in found] == [True, True, False, False]
