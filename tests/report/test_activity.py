"""The state of identity providers in every report."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from scimconf.activity import Activity, Seen, SeenRequest, State
from scimconf.errors import ExitCode, UsageError
from scimconf.model import Outcome, Status
from scimconf.report.html import page
from scimconf.report.junit import junit
from scimconf.report.lines import lines
from scimconf.report.markdown import markdown
from scimconf.report.reading import parse
from tests.report import published
from tests.report.published import document

NOW = datetime(2026, 11, 29, tzinfo=timezone.utc)
SEEN = Seen(
    accepted=SeenRequest(1_795_885_356.0, 200, "GET Users"),
    refused=SeenRequest(1_795_885_400.0, 401, "PATCH Users"),
    failing_since=1_795_885_390.0,
    failing=2,
    hour={200: 1, 401: 2},
    day={200: 9, 401: 2},
    stranger=SeenRequest(1_795_885_300.0, 401, "GET"),
    strangers_hour=1,
    strangers_day=3,
)
FAILING = Activity("acme", State.FAILING, "it fails", "do this", SEEN, "numbers", 1_795_885_500.0)
OUTCOME = Outcome("chat1", Status.ATTENTION, activity=(FAILING, Activity("", State.OK, "fine")))


def test_the_lines_for_people() -> None:
    assert [f"{line.mark}{line.text}" for line in lines(OUTCOME)] == [
        "failing: realm acme: it fails",
        "   numbers",
        "-> do this",
        "ok: realm (root): fine",
    ]
    for text in (
        page("status", [OUTCOME], ExitCode.PENDING, NOW),
        markdown("status", [OUTCOME], ExitCode.PENDING),
        junit("status", [OUTCOME], NOW),
    ):
        for words in ("it fails", "do this", "needs attention"):
            assert words in text


def test_a_json_report_is_read_as_it_was_written() -> None:
    written = document("status", [OUTCOME], ExitCode.PENDING)
    published.check(written)
    (found,) = parse(json.dumps(written), "r.json").outcomes
    assert replace(found, plan=None) == replace(OUTCOME, plan=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "fine"},
        {"now": "yesterday"},
        {"hour": {"99": 1}},
        {"hour": {"200": "1"}},
        {"last_accepted": {"at": 5, "http_status": 200, "request": "GET"}},
        {"other_programs": None},
    ],
)
def test_a_wrong_report_is_refused(wrong: dict[str, object]) -> None:
    written = document("status", [OUTCOME], ExitCode.PENDING)
    written["servers"][0]["activity"][0].update(wrong)
    with pytest.raises(UsageError):
        parse(json.dumps(written), "r.json")


def test_a_report_of_an_earlier_version_has_no_activity() -> None:
    written = document("plan", [OUTCOME], ExitCode.PENDING)
    del written["servers"][0]["activity"]
    (found,) = parse(json.dumps(written), "r.json").outcomes
    assert found.activity == ()
