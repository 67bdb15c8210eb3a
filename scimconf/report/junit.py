"""Report outcomes as JUnit XML, for programs that show test results: one suite per server.

JUnit XML has no official schema. The output follows the strictest reader, the Ant task's: all of
its attributes, and its order of elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from scimconf.model import Outcome, Status
from scimconf.report.lines import lines
from scimconf.report.words import phrase
from scimconf.sanitize import sanitize, visible

_RESULT = {
    Status.PENDING: "failure",
    Status.ATTENTION: "failure",
    Status.UNREACHABLE: "error",
    Status.BUSY: "error",
    Status.FAILED: "failure",
    Status.ROLLED_BACK: "failure",
    Status.ROLL_BACK_FAILED: "failure",
    Status.SPLIT: "failure",
    Status.SKIPPED: "skipped",
}
# Not allowed by XML 1.0, section 2.2, and not control characters, so sanitize() leaves them.
_NO_XML = re.compile("[\ufffe\uffff]")


def junit(verb: str, outcomes: Sequence[Outcome], when: datetime) -> str:
    """Return the whole run as the text of one XML file. `when`: the end of the run.

    A server that differs from the inventory is a failure, also if changes are pending. A server
    that is unreachable or busy is an error.
    """
    root = ET.Element("testsuites")
    for number, outcome in enumerate(outcomes):
        root.append(_suite(verb, outcome, number, when))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _suite(verb: str, outcome: Outcome, number: int, when: datetime) -> ET.Element:
    name = _text(outcome.server)
    cases = list(_cases(verb, outcome))
    suite = ET.Element(
        "testsuite",
        name=name,
        package=f"scimconf.{verb}",
        id=str(number),
        hostname=name,
        timestamp=when.strftime("%Y-%m-%dT%H:%M:%S"),
        time=_seconds(outcome.seconds),
        tests=str(len(cases)),
        failures=_count(cases, "failure"),
        errors=_count(cases, "error"),
        skipped=_count(cases, "skipped"),
    )
    ET.SubElement(suite, "properties")
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = _said(outcome)
    ET.SubElement(suite, "system-err").text = _text(
        "\n".join(visible(str(warning)) for warning in outcome.warnings)
    )
    return suite


def _count(cases: Iterable[ET.Element], result: str) -> str:
    return str(sum(case.find(result) is not None for case in cases))


def _cases(verb: str, outcome: Outcome) -> Iterator[ET.Element]:
    """Return cases for the server itself, its steps and the answers of the public URLs."""
    case = _case(outcome, verb, outcome.seconds)
    result = _RESULT.get(outcome.status)
    if result is None and outcome.plan and outcome.plan.unmanaged:
        result = "failure"
    if result:
        _note(case, result, phrase(verb, outcome), outcome.message, _said(outcome))
    yield case
    for step in outcome.steps:
        case = _case(outcome, f"step {step.name}", step.seconds)
        if not step.ok:
            _note(case, "failure", "step", step.detail)
        yield case
    for check in outcome.checks:
        case = _case(outcome, f"realm {check.realm or '(root)'}: {check.name}", 0.0)
        if check.result == "failed":
            _note(case, "failure", "answer", check.message, _text(visible(check.hint)))
        yield case
    for each in outcome.activity:
        case = _case(outcome, f"realm {each.realm or '(root)'}: identity provider", 0.0)
        if each.needs_attention:
            _note(case, "failure", each.state.value, each.message, _text(visible(each.hint)))
        yield case


def _case(outcome: Outcome, name: str, seconds: float) -> ET.Element:
    return ET.Element(
        "testcase", name=_text(name), classname=_text(outcome.server), time=_seconds(seconds)
    )


def _note(case: ET.Element, result: str, kind: str, message: str, text: str = "") -> None:
    told = ET.SubElement(case, result)
    if result != "skipped":
        told.set("type", kind)
    told.set("message", _text(visible(message or kind)))
    told.text = text


def _said(outcome: Outcome) -> str:
    return _text("\n".join(f"{line.mark}{line.text}" for line in lines(outcome, diff=True)))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", sanitize(text, 20_000))
