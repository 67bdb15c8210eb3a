"""Reports are read back as they were written, and those of shards are merged."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.errors import ExitCode, UsageError
from scimconf.model import Outcome, Scope, Status
from scimconf.report.reading import Report, merge, parse
from tests.report.fleet import fleet
from tests.report.published import document


def text(
    outcomes: Sequence[Outcome], shard: tuple[int, int] | None = None, verb: str = "apply"
) -> str:
    named = {"index": shard[0], "count": shard[1]} if shard else None
    return json.dumps(document(verb, outcomes, ExitCode.PENDING, ["a note"], named))


def test_a_report_is_read_back() -> None:
    outcomes = fleet()
    read = parse(text(outcomes, (2, 3)), "a.json")
    assert (read.verb, read.exit_code, read.notes, read.shard) == (
        "apply",
        ExitCode.PENDING,
        ("a note",),
        (2, 3),
    )
    again = document(read.verb, read.outcomes, read.exit_code, read.notes)
    assert again["servers"] == json.loads(text(outcomes))["servers"]


WRONG: list[Any] = [None, [], 1, "x", {}, {"schema": 2}, {"schema": True}]


@pytest.mark.parametrize("data", WRONG)
def test_what_is_no_report_is_refused(data: object) -> None:
    with pytest.raises(UsageError, match="is not a report of scimconf"):
        parse(json.dumps(data), "a.json")


@pytest.mark.parametrize("broken", ["", "{", "[" * 100_000, '{"schema": 1}x', "NaN"])
def test_text_that_is_not_json_is_refused(broken: str) -> None:
    with pytest.raises(UsageError, match="is not a report of scimconf"):
        parse(broken, "a.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.data())
def test_a_report_with_one_wrong_value_is_read_or_refused(data: st.DataObject) -> None:
    """The reader raises nothing but UsageError, whatever a file contains."""
    report = json.loads(text(fleet(20), (1, 2)))
    place: Any = report
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
            place = inner
            continue
        place[key] = data.draw(JSON)
        break
    try:
        read = parse(json.dumps(report), "a.json")
    except UsageError:
        return
    json.dumps(document(read.verb, read.outcomes, read.exit_code, read.notes))


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.update(verb="plan** [x](https://evil.example)"),
        lambda report: report["servers"][0].update(server="*"),
        lambda report: report["servers"][0].update(server="all"),
        lambda report: report["servers"][0].update(server="!chat1"),
        lambda report: report["servers"][0].update(seconds=-1),
        lambda report: report["servers"][0].update(seconds=1e308),
        lambda report: report["servers"][0].update(seconds=10**400),
        lambda report: report.update(scope={"fleet": 1, "realms": []}),
    ],
)
def test_a_hostile_value_is_refused(change: Callable[[Any], None]) -> None:
    report = json.loads(text(fleet(2), (1, 2)))
    change(report)
    with pytest.raises(UsageError, match="not a report of scimconf"):
        parse(json.dumps(report), "a.json")


def shard(index: int, count: int, *names: str, code: ExitCode = ExitCode.OK) -> Report:
    outcomes = tuple(Outcome(name, Status.OK) for name in names)
    return Report("plan", outcomes, code, ("shared",), (index, count))


def test_shards_are_merged() -> None:
    merged = merge(
        {
            "b.json": shard(2, 3, "chat2", code=ExitCode.PENDING),
            "a.json": shard(1, 3, "chat1", "chat4", code=ExitCode.UNREACHABLE),
            "c.json": shard(3, 3),
        }
    )
    assert [each.server for each in merged.outcomes] == ["chat2", "chat1", "chat4"]
    assert (merged.exit_code, merged.notes, merged.shard) == (
        ExitCode.UNREACHABLE,
        ("shared",),
        None,
    )


def test_one_report_of_the_whole_fleet_is_itself() -> None:
    whole = Report("plan", (Outcome("chat1", Status.OK),), ExitCode.OK)
    assert merge({"a.json": whole}) == whole


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        ({"a": shard(1, 3), "b": shard(3, 3)}, "the report of shard 2 of 3 is missing"),
        ({"a": shard(1, 2), "b": shard(1, 2)}, "shard 1 is there twice: a and b"),
        ({"a": shard(1, 2), "b": shard(2, 3)}, "different numbers of shards"),
        ({"a": shard(1, 2, "x"), "b": shard(2, 2, "x")}, "x is in a and in b"),
        (
            {"a": Report("plan", (), ExitCode.OK), "b": shard(1, 1)},
            "a is not the report of a shard",
        ),
        (
            {"a": shard(1, 2), "b": Report("apply", (), ExitCode.OK, shard=(2, 2))},
            "of different verbs: b \\(apply\\), a \\(plan\\)",
        ),
        (
            {"a": shard(1, 2), "b": replace(shard(2, 2), scope=Scope("other"))},
            "a and b are not of one run",
        ),
    ],
)
def test_reports_that_do_not_belong_together(reports: dict[str, Report], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        merge(reports)
