from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

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
)
from scimconf.report.junit import junit
from scimconf.server_warning import ServerWarning
from tests.report.fleet import WHEN, fleet

XSD = xmlschema.XMLSchema10(str(Path(__file__).with_name("junit.xsd")))


def _suites(*outcomes: Outcome, verb: str = "apply") -> list[ET.Element]:
    written = junit(verb, outcomes, WHEN)
    XSD.validate(written)
    return list(ET.fromstring(written))


def test_a_report_about_many_servers_matches_the_schema() -> None:
    suites = _suites(*fleet(40))
    assert len(suites) == 40
    assert [suite.get("id") for suite in suites] == [str(number) for number in range(40)]


def test_no_servers() -> None:
    assert _suites() == []


def test_a_suite_matches_the_schema_of_the_ant_task() -> None:
    """The schema of Ant is stricter: it needs all these attributes, and this order of elements."""
    (suite,) = _suites(
        Outcome(
            "chat1",
            Status.ROLLED_BACK,
            "gate: answers 500",
            "look",
            steps=(Step("restart", True, 1.5), Step("gate", False, 0.25, "HTTP 500")),
            checks=(Check("", "right token", "failed", "refused", 401, "which?"),),
            warnings=(ServerWarning("read-only", "w"),),
            seconds=2,
        )
    )
    assert suite.attrib == {
        "name": "chat1",
        "package": "scimconf.apply",
        "id": "0",
        "hostname": "chat1",
        "timestamp": "2026-11-24T10:00:00",
        "time": "2.000",
        "tests": "4",
        "failures": "3",
        "errors": "0",
        "skipped": "0",
    }
    tags = [child.tag for child in suite]
    assert tags == ["properties", *["testcase"] * 4, "system-out", "system-err"]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [
        *("apply", "step restart", "step gate", "realm (root): right token")
    ]
    assert all(set(case.attrib) == {"name", "classname", "time"} for case in cases)
    found = [(case.find("failure") is not None) for case in cases]
    assert found == [True, False, True, True]
    gate = cases[2].find("failure")
    assert gate is not None
    assert gate.attrib == {"type": "step", "message": "HTTP 500"}
    assert suite.findtext("system-err") == "[read-only] w"


@pytest.mark.parametrize("status", [Status.CHANGED, Status.PENDING])
def test_an_unmanaged_realm_is_always_a_failure(status: Status) -> None:
    plan = Plan("chat1", "9.0", unmanaged=(Unmanaged("wiki", Position("/s.py", 8, 5)),))
    (suite,) = _suites(Outcome("chat1", status, plan=plan), verb="apply")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "wiki at /s.py:8:5" in (failure.text or "")


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (Status.OK, None),
        (Status.CHANGED, None),
        (Status.PENDING, "failure"),
        (Status.UNREACHABLE, "error"),
        (Status.BUSY, "error"),
        (Status.FAILED, "failure"),
        (Status.ROLLED_BACK, "failure"),
        (Status.ROLL_BACK_FAILED, "failure"),
        (Status.SPLIT, "failure"),
        (Status.SKIPPED, "skipped"),
    ],
)
def test_each_status_has_a_result(status: Status, result: str | None) -> None:
    (suite,) = _suites(Outcome("chat1", status), verb="plan")
    (case,) = suite.findall("testcase")
    assert [child.tag for child in case] == ([result] if result else [])
    counts = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    for kind, count in counts.items():
        assert suite.get(count) == str(int(kind == result))


def test_a_pending_plan_lists_the_actions_and_the_masked_diff() -> None:
    plan = Plan("chat1", "9.0", (Action(ActionKind.SET_REALM, "", "change realm"),), diff="+ x\n")
    (suite,) = _suites(Outcome("chat1", Status.PENDING, plan=plan), verb="plan")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "to change"
    assert failure.text == "* change realm\n  + x"


def test_control_characters_are_escaped() -> None:
    text = "a\x00b\x1b[31m\x08\ufffe\uffff\ud800\u202e"
    (suite,) = _suites(
        Outcome("chat1", Status.FAILED, text, warnings=(ServerWarning("read-only", text),))
    )
    said = suite.findtext("system-err")
    assert said == "[read-only] a\\x00b\\x1b[31m\\x08\ufffd\ufffd\\ud800\\u202e"


TEXT = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x00\x0b\x1b\x7f\x85\u2028\ufffe\uffff\U0001fffe\ud800<&]\"'\r\n\t"),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, st.sampled_from(Status))
def test_any_text_of_a_server_gives_valid_xml(name: str, text: str, status: Status) -> None:
    step, check = Step(text, False, 0.0, text), Check(text, text, "failed", text, None, text)
    plan = Plan("x", text, (Action(ActionKind.RESTART, None, text),), diff=text)
    (suite,) = _suites(
        Outcome(f"h{name}", status, text, text, plan, (step,), (text,), (check,), 1e6)
    )
    assert len(suite.findall("testcase")) == 3
