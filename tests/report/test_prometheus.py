"""Metrics for Prometheus, read back with its own parser."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from scimconf.errors import ExitCode
from scimconf.model import Outcome, Plan, Position, Status, TokenDate, Unmanaged
from scimconf.report.prometheus import metrics, successes

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=timezone.utc)
THEN = NOW - timedelta(days=1)
SUCCESS = "scimconf_server_last_success_timestamp_seconds"


def _metrics(*outcomes: Outcome, code: ExitCode = ExitCode.OK, **values: Any) -> str:
    given = {"report": "nightly", "earlier": {}, **values}
    return metrics("plan", outcomes, code, given.pop("when", NOW), **given)


def _samples(text: str) -> dict[tuple[str, str], float]:
    """Read the text with Prometheus' parser: (metric, server or realm) -> value."""
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for sample in family.samples:
            assert sample.labels.pop("report") == "nightly"
            assert sample.timestamp is None  # node_exporter skips files with timestamps
            about = sample.labels.get("server", sample.labels.get("realm", ""))
            assert found.setdefault((sample.name, about), sample.value) == sample.value
    return found


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.OK, "in_step"),
        (Status.CHANGED, "in_step"),
        (Status.PENDING, "pending"),
        (Status.SKIPPED, "pending"),
        (Status.BUSY, "failed"),
        (Status.UNREACHABLE, "failed"),
        (Status.FAILED, "failed"),
        (Status.ROLLED_BACK, "failed"),
        (Status.ROLL_BACK_FAILED, "failed"),
        (Status.SPLIT, "failed"),
    ],
)
def test_each_server_has_one_state(status: Status, state: str) -> None:
    read = _samples(_metrics(Outcome("chat1", status)))
    states = {each: read[f"scimconf_server_{each}", "chat1"] for each in STATES}
    assert states == {each: float(each == state) for each in STATES}


STATES = ("in_step", "pending", "failed")


def test_an_unmanaged_realm_is_not_in_step() -> None:
    plan = Plan("chat1", "9.0", unmanaged=(Unmanaged("wiki", Position("/s.py", 8, 5)),))
    read = _samples(_metrics(Outcome("chat1", Status.CHANGED, plan=plan), code=ExitCode.PENDING))
    assert read["scimconf_server_pending", "chat1"] == 1
    assert (SUCCESS, "chat1") not in read


def test_the_last_success_survives_failed_runs() -> None:
    good = _metrics(Outcome("chat1", Status.OK), Outcome("chat2", Status.OK), when=THEN)
    bad = [Outcome("chat1", Status.UNREACHABLE), Outcome("chat2", Status.OK)]
    for _ in range(3):
        earlier = successes(good.encode(), NOW)
        good = _metrics(*bad, code=ExitCode.UNREACHABLE, earlier=earlier)
    read = _samples(good)
    assert read["scimconf_run_exit_code", ""] == 3
    assert read["scimconf_run_timestamp_seconds", ""] == NOW.timestamp()
    assert read["scimconf_last_success_timestamp_seconds", ""] == THEN.timestamp()
    assert read[SUCCESS, "chat1"] == THEN.timestamp()
    assert read[SUCCESS, "chat2"] == NOW.timestamp()


def test_a_server_that_left_the_fleet_is_forgotten() -> None:
    earlier = {"chat1": 5.0, "gone": 5.0}
    assert "gone" not in _metrics(Outcome("chat1", Status.FAILED), earlier=earlier)


@pytest.mark.parametrize(
    "line",
    [
        f'{SUCCESS}{{report="r",server="chat1"}} 9999999999',  # in the future
        f'{SUCCESS}{{report="r",server="chat1"}} -5',
        f'{SUCCESS}{{report="r",server="chat1"}} 0',
        f'{SUCCESS}{{report="r",server="chat1"}} NaN',
        f'{SUCCESS}{{report="r",server="chat1"}} +Inf',
        f'{SUCCESS}{{report="r",server="chat1"}} 1e9999',
        f'{SUCCESS}{{report="r",server="chat1"}} 5 5',
        f'{SUCCESS}{{report="r",server="chat1',
        f'x{SUCCESS}{{report="r",server="chat1"}} 5',
        f'{SUCCESS}{{report="r",server="{"x" * 3000}"}} 5',
        "token: Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm",
        "\x00\xff",
    ],
)
def test_other_lines_of_an_earlier_file_are_ignored(line: str) -> None:
    assert successes(f"{line}\n".encode("latin-1"), NOW) == {}


@hypothesis.given(st.binary(max_size=300))
def test_any_earlier_file_is_data(data: bytes) -> None:
    assert all(0 < each <= NOW.timestamp() for each in successes(data, NOW).values())


@hypothesis.given(st.lists(st.text(), max_size=4), st.text(), st.text(min_size=1))
def test_any_names_are_escaped(servers: list[str], realm: str, report: str) -> None:
    outcomes = [Outcome(name, Status.OK) for name in servers]
    tokens = [TokenDate("chat1", realm, "2026-06-01T10:00:00Z")]
    text = metrics("plan", outcomes, ExitCode.OK, NOW, report=report, tokens=tokens, earlier={})
    families = list(text_string_to_metric_families(text))
    assert text.split("\n")[:-1] == text.splitlines()  # no other line break
    seen = [(each.name, *sorted(each.labels.items())) for f in families for each in f.samples]
    assert len(seen) == len(set(seen))
    again = successes(text.encode(), NOW)
    assert {NOW.timestamp()} == set(again.values())
    assert len(again) == len({sample for sample in seen if sample[0] == SUCCESS}) + (
        "" not in servers
    )


def test_the_age_of_a_token_is_the_time_since_it_was_created() -> None:
    tokens = [
        TokenDate("chat1", "acme", "2026-06-01T10:00:00Z"),
        TokenDate("chat1", "wiki", "yesterday"),
    ]
    read = _samples(_metrics(tokens=tokens))
    created = datetime(2026, 6, 1, 10, tzinfo=timezone.utc).timestamp()
    assert read["scimconf_token_created_timestamp_seconds", "acme"] == created
    assert ("scimconf_token_created_timestamp_seconds", "wiki") not in read


def test_two_files_of_one_folder_do_not_collide() -> None:
    """node_exporter reads them together, and accepts no sample twice."""
    one, two = (
        _metrics(Outcome("chat1", Status.OK), report=report) for report in ("nightly", "hourly")
    )
    lines = [line for line in f"{one}{two}".splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    helps = {line for line in f"{one}{two}".splitlines() if line.startswith("# HELP")}
    assert len(helps) == one.count("# HELP")
