from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from jsonschema import ValidationError

from scimconf import __version__
from scimconf.errors import ExitCode
from scimconf.model import (
    Action,
    ActionKind,
    Check,
    Outcome,
    Plan,
    Position,
    Status,
    Step,
    Unmanaged,
    WayFact,
)
from scimconf.report.document import SCHEMA, pieces
from scimconf.server_warning import ServerWarning
from tests.report import published
from tests.report.fleet import fleet
from tests.report.published import document


@pytest.mark.parametrize("outcomes", [(), fleet()[:1], fleet()], ids=["none", "one", "many"])
def test_the_pieces_are_one_indented_document(outcomes: Sequence[Outcome]) -> None:
    given = ("plan", outcomes, ExitCode.PENDING, ['a "{}" note'], {"index": 1, "count": 2})
    found = list(pieces(*given))
    text = "".join(found)
    assert text == json.dumps(json.loads(text), indent=2)
    assert len(found) == len(outcomes) + 1


def test_a_whole_run() -> None:
    plan = Plan(
        "chat1",
        "9.0",
        (Action(ActionKind.SET_REALM, "", "change realm (root)"),),
        diff="-",
        unmanaged=(Unmanaged("wiki", Position("/s.py", 8, 5)),),
    )
    changed = Outcome(
        "chat1",
        Status.CHANGED,
        plan=plan,
        steps=(Step("restart", True, 9.12345, "x"),),
        warnings=(ServerWarning("read-only", "w"),),
        checks=(Check("", "right token", "ok", "answered", 200),),
        silenced=("unused-client",),
        seconds=10.00049,
        way=(WayFact("logs in as", "ops", "from the command line", bound=False),),
    )
    lost = Outcome("chat2", Status.UNREACHABLE, "refused", "is it up?")
    made = document(
        "apply", [changed, lost], ExitCode.UNREACHABLE, ["a note"], {"index": 2, "count": 3}
    )
    assert json.loads(json.dumps(made)) == {
        "schema": 1,
        "scimconf": __version__,
        "verb": "apply",
        "exit_code": 3,
        "summary": {"changed": 1, "unreachable": 1},
        "shard": {"index": 2, "count": 3},
        "scope": {"fleet": "", "realms": []},
        "notes": ["a note"],
        "servers": [
            {
                "server": "chat1",
                "status": "changed",
                "message": "",
                "hint": "",
                "verified": "yes",
                "zulip_version": "9.0",
                "actions": [{"kind": "set realm", "realm": "", "text": "change realm (root)"}],
                "unmanaged": [
                    {"realm": "wiki", "place": "/s.py:8:5", "text": plan.unmanaged[0].text}
                ],
                "diff": "-",
                "warnings": ["w"],
                "warning_ids": ["read-only"],
                "silenced": ["unused-client"],
                "steps": [{"name": "restart", "ok": True, "seconds": 9.123, "detail": "x"}],
                "checks": [
                    {
                        "realm": "",
                        "name": "right token",
                        "result": "ok",
                        "http_status": 200,
                        "message": "answered",
                        "hint": "",
                    }
                ],
                "activity": [],
                "way": [
                    {
                        "what": "logs in as",
                        "value": "ops",
                        "from": "from the command line",
                        "bound": False,
                    }
                ],
                "seconds": 10.0,
            },
            {
                "server": "chat2",
                "status": "unreachable",
                "message": "refused",
                "hint": "is it up?",
                "verified": "not asked",
                "zulip_version": None,
                "actions": [],
                "unmanaged": [],
                "diff": "",
                "warnings": [],
                "warning_ids": [],
                "silenced": [],
                "steps": [],
                "checks": [],
                "activity": [],
                "way": [],
                "seconds": 0.0,
            },
        ],
    }


def test_no_servers() -> None:
    assert document("plan", [], ExitCode.OK)["servers"] == []


def test_every_document_matches_the_published_schema() -> None:
    for verb in published.SCHEMA["properties"]["verb"]["enum"]:
        published.check(document(verb, fleet(40), ExitCode.ROLLED_BACK))


def test_the_schema_lists_every_status_kind_and_exit_code() -> None:
    parts = published.SCHEMA["$defs"]
    assert parts["server"]["properties"]["status"]["enum"] == [each.value for each in Status]
    assert parts["action"]["properties"]["kind"]["enum"] == [each.value for each in ActionKind]
    codes = {int(each) for each in ExitCode} - {ExitCode.USAGE}
    assert set(published.SCHEMA["properties"]["exit_code"]["enum"]) == codes
    assert published.SCHEMA["properties"]["schema"]["const"] == SCHEMA
    assert published.FILE.name == f"report-{SCHEMA}.json"


@pytest.mark.parametrize("field", ["seconds", "status", "checks"])
def test_a_difference_from_the_schema_is_found(field: str) -> None:
    said = document("plan", fleet(40), ExitCode.OK)
    said["servers"][3][field] = None
    with pytest.raises(ValidationError):
        published.check(said)
    said["servers"][3].pop(field)
    with pytest.raises(ValidationError):
        published.check(said)
