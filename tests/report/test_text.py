from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

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
from scimconf.report.lines import STYLE
from scimconf.report.text import show
from scimconf.report.words import words
from scimconf.server_warning import ServerWarning

PLAN = Plan(
    "chat1",
    "9.0",
    (
        Action(ActionKind.SET_REALM, "acme", "change realm acme in SCIM_CONFIG: scim_client_name"),
        Action(ActionKind.RESTART, None, "restart Zulip"),
    ),
    diff='--- a\n+++ b\n@@ -1 +1 @@\n-    "x": 1,\n+    "x": 2,\n     "y": [bold]',
)


def _outcome(name: str = "chat1", status: Status = Status.PENDING, **values: Any) -> Outcome:
    return Outcome(name, status, **{"plan": PLAN, **values})


def _pipe(*outcomes: Outcome, verb: str = "plan", **options: Any) -> str:
    said = io.StringIO()
    show(Console(file=said, width=30), verb, outcomes, **options)
    return said.getvalue()


def _terminal(*outcomes: Outcome, verb: str = "plan", width: int = 60, **options: Any) -> str:
    said = io.StringIO()
    console = Console(file=said, width=width, force_terminal=True, color_system="256")
    show(console, verb, outcomes, **options)
    return said.getvalue()


def test_a_pipe_gets_plain_whole_lines() -> None:
    assert _pipe(_outcome()) == (
        "chat1  Zulip 9.0  to change\n"
        "  * change realm acme in SCIM_CONFIG: scim_client_name\n"
        "  * restart Zulip\n"
    )


def test_connection_facts_are_shown_only_with_the_steps() -> None:
    facts = (
        WayFact("connects to", "10.0.0.1", "ansible_host"),
        WayFact("runs on the server", "\x1b[2J\nboot", "scim_restart"),
        WayFact("logs in as", "ops", "from the command line", bound=False),
    )
    assert _pipe(_outcome(way=facts)) == _pipe(_outcome())
    assert _pipe(_outcome(way=facts), steps=True) == _pipe(_outcome()) + (
        "  connects to: 10.0.0.1 (ansible_host)\n"
        "  runs on the server: \\x1b[2J\\nboot (scim_restart)\n"
        "  logs in as: ops (from the command line)\n"
    )


def test_a_terminal_gets_colour_and_lines_that_fit() -> None:
    said = _terminal(_outcome(), _outcome("chat2", Status.OK, plan=None), width=40)
    assert "\x1b[" in said
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert all(len(line) <= 40 for line in plain.splitlines())
    assert "  * change realm acme in SCIM_CONFIG:\n    scim_client_name" in plain


def test_servers_that_need_attention_come_last() -> None:
    said = _pipe(*(_outcome(each.name, each, plan=None) for each in Status), verb="apply")
    heads = [line.split()[0] for line in said.splitlines() if line.startswith(tuple("ABCDEFOPRSU"))]
    assert heads == [
        *("OK", "CHANGED", "PENDING", "ATTENTION", "SKIPPED", "BUSY", "UNREACHABLE"),
        *("ROLLED_BACK", "FAILED", "SPLIT", "ROLL_BACK_FAILED"),
    ]
    assert said.endswith(
        "\n11 servers: 1 roll-back failed, 1 split, 1 failed, 1 rolled back, 1 unreachable, "
        "1 busy, 1 skipped, 1 needs attention, 1 changes pending, 1 changed, 1 nothing to do\n"
    )


def _found(name: str = "chat1", **values: Any) -> Plan:
    """Return a plan that has an unmanaged realm to report."""
    return Plan(name, "9.0", unmanaged=(Unmanaged("wiki", Position("/s.py", 8, 5)),), **values)


def test_servers_not_verified_from_outside_are_counted() -> None:
    seen = Check("acme", "wrong token", "ok", "refused", 401)
    away = Check("wiki", "wrong token", "warning", "https://wiki was not reached")
    outcomes = [
        _outcome("chat1", Status.CHANGED, plan=None, checks=(seen, away)),
        _outcome("chat2", Status.CHANGED, plan=None, checks=(seen,)),
    ]
    said = _pipe(*outcomes, verb="apply")
    assert "chat1  changed, not verified from outside\n" in said
    assert "chat2  changed\n" in said
    assert said.endswith("2 servers: 2 changed; 1 of them not verified from outside\n")


def test_an_unmanaged_realm_is_named_with_its_place() -> None:
    said = _pipe(_outcome(plan=_found()), _outcome("chat2", Status.OK, plan=None))
    assert "chat1  Zulip 9.0  nothing to do, with an unmanaged realm\n" in said
    assert "  ! unmanaged realm wiki at /s.py:8:5: " in said
    assert "scim_unmanaged" in said
    assert said.endswith("2 servers: 2 nothing to do; 1 of them with an unmanaged realm\n")
    said = _pipe(_outcome(status=Status.CHANGED, plan=_found(actions=PLAN.actions)), verb="apply")
    assert "chat1  Zulip 9.0  changed, with an unmanaged realm\n" in said


def test_the_summary_counts_unmanaged_realms_once() -> None:
    said = _pipe(
        _outcome("chat1", Status.OK, plan=_found()),
        _outcome("chat2", Status.CHANGED, plan=_found(actions=PLAN.actions)),
        verb="apply",
    )
    assert said.endswith("1 changed, 1 nothing to do; 2 of them with an unmanaged realm\n")


def test_verify_reports_a_server_that_was_not_asked() -> None:
    asked = (Check("acme", "right token", "ok", "answered", 200),)
    said = _pipe(
        _outcome("chat1", Status.OK, plan=None, checks=asked),
        _outcome("chat2", Status.OK, plan=None),
        verb="verify",
    )
    assert "chat1  verified\n" in said
    assert "chat2  not asked\n" in said


def test_no_status_differs_only_by_red_and_green() -> None:
    """Most colour-blind people confuse red and green. Each status also has its own words."""
    assert set(STYLE) == set(Status)
    assert not [style for style in STYLE.values() if "green" in style]
    for verb in ("plan", "apply", "verify", "undo"):
        assert len({words(verb, status) for status in Status}) == len(Status)


@pytest.mark.parametrize(
    ("verb", "status", "said"),
    [
        ("plan", Status.OK, "nothing to do"),
        ("plan", Status.PENDING, "to change"),
        ("apply", Status.OK, "nothing to do"),
        ("verify", Status.OK, "verified"),
        ("verify", Status.FAILED, "failed"),
    ],
)
def test_words(verb: str, status: Status, said: str) -> None:
    assert words(verb, status) == said


def test_message_hint_failed_step_and_warning() -> None:
    outcome = _outcome(
        status=Status.ROLLED_BACK,
        plan=None,
        message="the gate said no",
        hint="look at the log",
        steps=(Step("write", True, 0.01), Step("restart", False, 9.1, "exit 1")),
        warnings=(ServerWarning("unmanaged-realm", "unmanaged, left unchanged: realm wiki"),),
    )
    assert _pipe(outcome, verb="apply") == (
        "chat1  rolled back\n"
        "  the gate said no\n"
        "  -> look at the log\n"
        "  failed: restart exit 1\n"
        "  ! [unmanaged-realm] unmanaged, left unchanged: realm wiki\n"
    )
    assert "  ok: write 0.0 s\n  failed: restart exit 1\n" in _pipe(outcome, steps=True)


def test_checks_are_grouped_by_realm() -> None:
    checks = (
        Check("", "wrong token", "ok", "a wrong token is refused", 401),
        Check("", "right token", "failed", "Zulip does not accept the token", 401, "run plan"),
        Check("acme", "wrong token", "ok", "a wrong token is refused", 401),
        Check("acme", "right token", "ok", "the test is answered", 200),
        Check("wiki", "address", "warning", "not reached"),
    )
    outcome = _outcome(status=Status.FAILED, plan=None, checks=checks)
    assert _pipe(outcome, verb="verify") == (
        "chat1  failed\n"
        "  ok: realm (root): a wrong token is refused (HTTP 401)\n"
        "  failed: realm (root): right token: Zulip does not accept the token (HTTP 401)\n"
        "  -> run plan\n"
        "  ok: realm acme: a wrong token is refused (HTTP 401); the test is answered (HTTP 200)\n"
        "  ! realm wiki: not reached\n"
    )


def test_the_diff_is_shown_on_request_and_not_wrapped() -> None:
    assert "@@" not in _pipe(_outcome())
    shown = _pipe(_outcome(), diff=True)
    assert shown.endswith(
        '    --- a\n    +++ b\n    @@ -1 +1 @@\n    -    "x": 1,\n    +    "x": 2,\n'
        '         "y": [bold]\n'
    )
    long = Plan("chat1", "9.0", PLAN.actions, diff="+" + "x" * 100)
    assert "+" + "x" * 100 in _terminal(_outcome(plan=long), diff=True)


def test_servers_with_the_same_message_are_grouped() -> None:
    failed = [_outcome(f"chat{n}", Status.FAILED, plan=None, message="no Zulip") for n in range(40)]
    other = _outcome("web", Status.FAILED, plan=None, message="no sudo")
    said = _pipe(*failed[:20], other, *failed[20:], verb="plan")
    assert said.count("no Zulip") == 1
    assert said.count("no sudo") == 1
    assert "chat39  failed\n  all 40 report:\n  no Zulip\nweb  failed\n" in said
    for each in failed:
        assert f"{each.server}  failed\n" in said
    said = re.sub(r"\x1b\[[0-9;]*m", "", _terminal(*failed, other, width=72))
    lines = [line.rstrip() for line in said.splitlines()]
    assert lines[0].startswith("chat0, chat1, chat2, ")
    assert lines[lines.index("  no Zulip") - 1].endswith("chat39  failed")
    assert lines[lines.index("  no sudo") - 1] == "web  failed"
    assert all(len(line) <= 72 for line in lines)


def test_on_a_terminal_servers_without_messages_are_only_in_the_table() -> None:
    fine = [_outcome(name, Status.OK, plan=None, seconds=1.25) for name in ("chat1", "chat2")]
    said = re.sub(r"\x1b\[[0-9;]*m", "", _terminal(*fine))
    assert said.split("\n") == [
        "",
        "server  zulip  result         seconds",
        "chat1          nothing to do      1.2",
        "chat2          nothing to do      1.2",
        "2 servers: 2 nothing to do",
        "",
    ]
    assert _pipe(*fine).startswith("chat1  nothing to do\nchat2  nothing to do\n\n2 servers")
    assert "chat1" in _terminal(fine[0])


def test_a_narrow_table_wraps_names() -> None:
    names = [f"chat-production-eu-west-{n}.corp.europe.example.com" for n in (1, 2)]
    outcomes = [_outcome(name, Status.UNREACHABLE, plan=None) for name in names]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _terminal(*outcomes, width=45))
    table = re.split(r"result +\n", plain)[1]
    assert all(len(line) <= 45 for line in table.splitlines()[:4])
    assert "…" not in table
    assert table.count("unreachable") == 3  # and the totals
    rows = [line.split()[0] for line in table.splitlines()[:4]]
    assert ["".join(rows[:2]), "".join(rows[2:])] == names


def test_text_of_a_server_is_neither_escape_codes_nor_markup() -> None:
    evil = "\x1b[2J[/bold][red]x\u202e"
    plan = Plan("a", evil, (Action(ActionKind.RESTART, None, evil),), diff=f"+{evil}")
    outcome = Outcome(
        f"chat{evil}",
        Status.FAILED,
        evil,
        evil,
        plan,
        (Step(evil, False, 1.0, evil),),
        (evil,),
        (Check(evil, evil, "failed", evil, 200, evil),),
    )
    for said in (
        _pipe(outcome, outcome, diff=True),
        _terminal(outcome, outcome, width=1000, diff=True),
    ):
        assert "\x1b[2J" not in said
        assert "\u202e" not in said
        # head, message, hint, action, step (2), check (4), warning, diff, table (2)
        assert said.count("[/bold][red]x") >= 12


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (60, ["server", "zulip", "result", "seconds"]),
        (40, ["server", "zulip", "result"]),
        (30, ["server", "result"]),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns_and_whole_names(
    width: int, headings: list[str]
) -> None:
    changed = Outcome("chat1.example.com", Status.CHANGED, plan=PLAN)
    said = _terminal(
        changed, Outcome("chat2.example.com", Status.FAILED, plan=PLAN), width=width, verb="apply"
    )
    rows = re.sub(r"\x1b\[[0-9;]*m", "", said).partition("\nserver ")[2].splitlines()
    assert ["server", *rows[0].split()] == headings
    assert [row.split()[0] for row in rows[1:3]] == ["chat1.example.com", "chat2.example.com"]


def test_a_command_that_is_too_long_is_not_broken() -> None:
    """A part of it could select more servers than the whole."""
    command = "scimconf rotate --vault-password-file .vault-password --activate chat1 --realm acme"
    hint = (
        f"fix the cause on this server, then run: {command}; or to go back: {command}. If not, ask"
    )
    said = _terminal(_outcome(status=Status.FAILED, hint=hint, plan=None), width=30)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()
    assert lines[1:] == [
        "  -> fix the cause on this",
        "     server, then run:",
        f"     {command}",
        "     or to go back:",
        f"     {command}",
        "     If not, ask",
    ]
    said = _terminal(_outcome(status=Status.FAILED, hint=hint, plan=None), width=300)
    assert f"  -> {hint}" in said


def test_a_warning_that_is_the_message_is_shown_once() -> None:
    warning = ServerWarning("unfinished-delivery", "it has not ended; to finish it: x")
    said = _pipe(
        _outcome(
            status=Status.FAILED,
            message="it has not ended",
            hint="to finish it: x",
            warnings=(warning,),
        )
    )
    assert said.count("it has not ended") == 1
