from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.model import Outcome, Plan, Position, Status, Unmanaged
from scimconf.report.github import annotated, stop_commands
from scimconf.server_warning import ServerWarning
from tests.report.fleet import fleet


def _annotated(
    verb: str, outcomes: list[Outcome], at: dict[str, Position], root: Path | None = None
) -> list[str]:
    placed = [replace(each, position=at.get(each.server)) for each in outcomes]
    return list(annotated(verb, placed, root))


AT = {"chat1": Position("inventory.yaml", 4, 7)}


def _obeyed(log: str) -> list[str]:
    """Return the commands that GitHub's runner would execute (its ActionCommandManager.cs)."""
    obeyed, deaf_until = [], None
    for line in re.split(r"\r\n|[\r\n]", log):
        if deaf_until is not None:
            if line.strip() == f"::{deaf_until}::":
                deaf_until = None
        elif found := re.match(r"\s*::([^ :]+)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)", line):
            if found[1] == "stop-commands":
                deaf_until = found[3]
            else:
                obeyed.append(line)
        elif "##[" in line:
            obeyed.append(line)
    assert deaf_until is None
    return obeyed


def test_an_annotation_is_at_the_line_of_the_inventory() -> None:
    failed = Outcome(
        "chat1",
        Status.FAILED,
        "settings.py:3:1: no",
        "edit it",
        warnings=(ServerWarning("read-only", "w"),),
    )
    assert list(_annotated("plan", [failed], AT)) == [
        "::error file=inventory.yaml,line=4,col=7,title=chat1%3A failed"
        "::settings.py:3:1: no%0A-> edit it%0A! [read-only] w"
    ]


@pytest.mark.parametrize("status", [Status.CHANGED, Status.PENDING])
def test_an_unmanaged_realm_is_a_warning(status: Status) -> None:
    plan = Plan("chat1", "9.0", unmanaged=(Unmanaged("wiki", Position("/s.py", 8, 5)),))
    (line,) = _annotated("apply", [Outcome("chat1", status, plan=plan)], AT)
    assert line.startswith("::warning ")
    assert "wiki at /s.py:8:5" in line


@pytest.mark.parametrize(
    ("status", "warnings", "level"),
    [
        (Status.OK, (), None),
        (Status.OK, ("w",), "warning"),
        (Status.CHANGED, (), None),
        (Status.CHANGED, ("w",), "warning"),
        (Status.PENDING, (), "notice"),
        (Status.UNREACHABLE, (), "error"),
        (Status.BUSY, (), "error"),
        (Status.FAILED, (), "error"),
        (Status.ROLLED_BACK, (), "error"),
        (Status.ROLL_BACK_FAILED, (), "error"),
        (Status.SPLIT, (), "error"),
        (Status.SKIPPED, (), "warning"),
    ],
)
def test_each_status_has_a_level(
    status: Status, warnings: tuple[str, ...], level: str | None
) -> None:
    lines = list(
        _annotated(
            "plan",
            [
                Outcome(
                    "chat1",
                    status,
                    warnings=tuple(ServerWarning("read-only", each) for each in warnings),
                )
            ],
            AT,
        )
    )
    assert [line.split()[0] for line in lines] == ([f"::{level}"] if level else [])


def test_properties_are_escaped() -> None:
    at = {"a": Position("x,y:z%.yaml", 1, 2)}
    (line,) = _annotated("plan", [Outcome("a", Status.FAILED, "50%\r\n,:")], at)
    assert line == "::error file=x%2Cy%3Az%25.yaml,line=1,col=2,title=a%3A failed::50%25\\r\\n,:"


def test_equal_failures_become_one_annotation() -> None:
    lines = list(_annotated("apply", fleet(40), {}))
    assert [line.split(" ")[0] for line in lines] == [
        *("::error", "::error", "::error", "::warning", "::warning")
    ]
    assert "eu1.chat.example.com%2C eu2.chat.example.com" in lines[2]
    many = [Outcome(f"h{number}", Status.UNREACHABLE, "x") for number in range(50)]
    (line,) = _annotated("apply", many, {})
    assert "h19%2C and 30 more%3A unreachable" in line


def test_paths_are_relative_to_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ops").mkdir()
    monkeypatch.chdir(tmp_path / "ops")
    failed = [Outcome("chat1", Status.FAILED, "x")]
    for file in ("inventory.yaml", str(tmp_path / "ops/inventory.yaml")):
        at = {"chat1": Position(file, 1, 1)}
        (line,) = _annotated("plan", failed, at, tmp_path)
        assert line.startswith("::error file=ops/inventory.yaml,line=1,")
    at = {"chat1": Position("/elsewhere/inventory.yaml", 1, 1)}
    (line,) = _annotated("plan", failed, at, tmp_path)
    assert line.startswith("::error file=/elsewhere/inventory.yaml,line=1,")


HOSTILE = st.lists(
    st.sampled_from(
        [
            *("\n", "\r", "\r\n", " ", "::", "x", "%0A", ",", ":", "\u2028", "\x85", "::t0k3n::"),
            *("::set-env name=A::b", "##[add-matcher]/x", "::stop-commands::y", "::error::z"),
        ]
    )
).map("".join)


@given(HOSTILE, HOSTILE, st.sampled_from(Status))
def test_text_of_a_server_contains_no_command(name: str, text: str, status: Status) -> None:
    outcome = Outcome(name, status, text, text, warnings=(ServerWarning("read-only", text),))
    lines = list(_annotated("plan", [outcome], {name: Position(name, 1, 1)}))
    assert all(re.match("::(error|warning|notice) ", line) for line in lines)
    printed = "\n".join([stop_commands(f"{name}\n{text}", "not guessed"), *lines])
    assert _obeyed(printed) == lines
