from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from scimconf.report.html import page
from scimconf.sanitize import sanitize
from tests.report.fleet import TROUBLE, WHEN, fleet


def _page(*outcomes: Outcome, verb: str = "apply", code: ExitCode = ExitCode.OK) -> str:
    return page(verb, outcomes, code, WHEN)


class _Seen(HTMLParser):
    """The tags with their attributes, the text, and the content of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inline: dict[str, str] = {}
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_data(self, data: str) -> None:
        if self._in in ("style", "script"):
            self.inline[self._in] = self.inline.get(self._in, "") + data
        else:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._in = ""


def _said(page: str) -> str:
    return " ".join(_Seen(page).text.split())


def _servers(page: str) -> list[str]:
    return re.findall(r'<span class="name">(.*?)</span>', page)


def test_the_head_shows_date_exit_code_and_counts() -> None:
    said = _said(page("apply", fleet(40), ExitCode.ROLLED_BACK, WHEN))
    assert "2026-11-24 10:00 UTC · 40 servers · exit code 4: a change failed its checks" in said
    assert f"21 of 40 as they should be, {TROUBLE} need attention." in said
    assert "1 ✗ failed 1 ↩ rolled back 12 ? unreachable 5 – skipped 1 ✓ changed" in said


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        ([Status.OK], "1 of 1 as it should be."),
        ([Status.PENDING, Status.OK], "1 of 2 as they should be, 1 to change."),
        (
            [Status.PENDING, Status.FAILED],
            "0 of 2 as they should be, 1 to change, 1 needs attention.",
        ),
    ],
)
def test_one_sentence_summarizes_the_result(statuses: list[Status], sentence: str) -> None:
    outcomes = [Outcome(f"chat{each}", status) for each, status in enumerate(statuses)]
    assert sentence in _said(_page(*outcomes, verb="plan"))


def test_servers_that_need_attention_come_first() -> None:
    outcomes = [Outcome(status.name, status) for status in Status]
    assert _servers(_page(*reversed(outcomes))) == [
        *("ROLL_BACK_FAILED", "SPLIT", "FAILED", "ROLLED_BACK", "UNREACHABLE", "BUSY"),
        *("SKIPPED", "ATTENTION", "PENDING", "CHANGED", "OK"),
    ]


def test_the_words_for_a_status_depend_on_the_verb() -> None:
    asked = (Check("acme", "right token", "ok", "answered", 200),)
    assert "✓ verified" in _said(_page(Outcome("chat1", Status.OK, checks=asked), verb="verify"))
    assert "✓ not asked" in _said(_page(Outcome("chat1", Status.OK), verb="verify"))
    assert "● to change" in _said(_page(Outcome("chat1", Status.PENDING), verb="plan"))


def test_servers_with_an_unmanaged_realm_are_counted_separately() -> None:
    plan = Plan("chat1", "9.0", unmanaged=(Unmanaged("wiki", Position("/s.py", 8, 5)),))
    said = _said(
        _page(
            Outcome("chat1", Status.PENDING, plan=plan),
            Outcome("chat2", Status.CHANGED, plan=plan),
            Outcome("chat3", Status.PENDING),
            verb="plan",
        )
    )
    assert "0 of 3 as they should be, 1 to change, 2 with an unmanaged realm." in said
    assert "unmanaged realm wiki at /s.py:8:5" in said
    assert "chat1 Zulip 9.0 ● nothing to do, with an unmanaged realm" in said


def test_servers_with_the_same_failure_are_one_paragraph() -> None:
    said = _said(page("apply", fleet(40), ExitCode.FAILED, WHEN))
    trouble = said.partition("What needs attention")[2].partition("Servers Show")[0]
    assert trouble.count("connect: no answer from port 22") == 1
    assert "? unreachable 12 servers, all the same" in trouble
    assert "eu12.chat.example.com" in trouble


def test_a_run_without_problems_has_no_attention_section() -> None:
    assert "What needs attention" not in _page(Outcome("chat1", Status.OK))


def test_the_first_server_of_each_kind_of_problem_is_expanded() -> None:
    opened = re.findall(
        r'<details [^>]* open>\s*<summary>\s*<span class="name">(.*?)<',
        page("apply", fleet(40), ExitCode.FAILED, WHEN),
    )
    assert opened == [
        *("chat3.example.com", "chat2.example.com", "eu1.chat.example.com", "chat4.example.com")
    ]
    assert _page(*(Outcome(str(each), Status.OK) for each in range(3))).count(" open>") == 3


def test_every_field_of_an_outcome_is_shown() -> None:
    outcome = Outcome(
        "chat1.example.com",
        Status.FAILED,
        "the message",
        "the hint",
        Plan("chat1", "9.0", (Action(ActionKind.RESTART, None, "restart Zulip"),), diff="+new\n"),
        (Step("restart", True, 2.0), Step("gate", False, 6.0, "HTTP 500")),
        ("the warning",),
        (Check("", "connection test", "failed", "the answer", 500, "the other hint"),),
        8.25,
        way=(WayFact("restarts with", "command: reboot", "scim_restart"),),
    )
    seen = _Seen(_page(outcome, code=ExitCode.FAILED))
    said = " ".join(seen.text.split())
    assert "chat1.example.com Zulip 9.0 ✗ failed ! 1 warning 8.2 s the message the hint" in said
    assert "Started restart Zulip" in said
    assert "+new" in said
    assert "restart 2.0 gate 6.0 failed: HTTP 500" in said
    assert "(root) connection test ✗ failed 500 the answer the other hint" in said
    assert "Warnings the warning" in said
    assert "what runs restarts with: command: reboot (scim_restart)" in said
    bars = [at for tag, at in seen.tags if tag == "rect"][1:]
    assert [(at["x"], at["width"]) for at in bars] == [("0", "250"), ("250", "750")]


@pytest.mark.parametrize(
    ("status", "heading"),
    [(Status.PENDING, "To do"), (Status.CHANGED, "Done"), (Status.ROLLED_BACK, "Started")],
)
def test_the_heading_of_the_actions_depends_on_the_status(status: Status, heading: str) -> None:
    plan = Plan("chat1", "9.0", (Action(ActionKind.RESTART, None, "restart Zulip"),))
    assert f"{heading} restart Zulip" in _said(_page(Outcome("chat1", status, plan=plan)))


@pytest.mark.parametrize("size", [20, 1000])
def test_a_single_server_is_visible_in_the_bar(size: int) -> None:
    bars = re.findall(
        r'<rect class="\w+" x="(\d+)" width="(\d+)"', page("apply", fleet(size), ExitCode.OK, WHEN)
    )
    assert all(int(width) >= 7 for _, width in bars)
    assert int(bars[-1][0]) + int(bars[-1][1]) == 1000


def test_a_report_without_servers() -> None:
    assert "0 of 0 as they should be." in _said(_page())


def test_the_page_loads_nothing_and_its_policy_allows_only_its_own_code() -> None:
    seen = _Seen(page("apply", fleet(40), ExitCode.OK, WHEN))
    attributes = [(name, value or "") for _, own in seen.tags for name, value in own.items()]
    assert not [name for name, _ in attributes if name in ("src", "style", "srcset", "action")]
    assert not [name for name, _ in attributes if name.startswith("on")]
    assert all(value.startswith("#server-") for name, value in attributes if name == "href")
    assert "url(" not in seen.inline["style"]
    assert "@import" not in seen.inline["style"]
    (policy,) = (at["content"] for _, at in seen.tags if at.get("http-equiv"))
    hashes = {
        kind: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for kind, text in seen.inline.items()
    }
    assert policy == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'"
    )


def _filled(text: str) -> Outcome:
    """Return an outcome in which every text is this one."""
    plan = Plan("", text, (Action(ActionKind.RESTART, None, text),), diff=f"+{text}")
    step, check = Step(text, False, 1.0, text), Check(text, text, "failed", text, 500, text)
    way = (WayFact(text, text, text),)
    return Outcome(
        *(text, Status.FAILED, text, text, plan, (step,), (text,), (check,), 1.0), way=way
    )


HOSTILE = st.one_of(
    st.text(min_size=1),
    st.sampled_from(
        [
            "</script><img src=x onerror=alert(1)>",
            "</style><script>alert(1)</script>",
            "--><svg onload=alert(1)>",
            "' onfocus='alert(1)",
            '" autofocus onfocus="alert(1)',
            "{{ 7 * 7 }}{% raw %}",
            "chat1\u202emoc.elpmaxe",
            "\x1b[2J\x9b\x00",
        ]
    ),
)


@settings(max_examples=60)
@given(HOSTILE)
def test_a_text_cannot_add_html_or_change_the_text_direction(text: str) -> None:
    plain, hostile = _page(_filled("x")), _page(_filled(text))
    ours, theirs = _Seen(plain), _Seen(hostile)
    changed = ("aria-label", "class")
    assert _structure(theirs, changed) == _structure(ours, changed)
    assert theirs.inline == ours.inline
    assert hostile == sanitize(hostile, len(hostile))


def _structure(seen: _Seen, without: tuple[str, ...]) -> list[tuple[str, dict[str, str | None]]]:
    """Return the tags without those of diff lines, because a text can have several lines."""
    return [
        (tag, {name: value for name, value in own.items() if name not in without})
        for tag, own in seen.tags
        if own.get("class") not in ("new", "old", "head", "same")
    ]


def test_a_text_with_html_characters_is_shown_unchanged() -> None:
    name = "</script><img src=x onerror=alert(1)> & \"co\" 'x' {{ 7 * 7 }}"
    (shown,) = map(unescape, _servers(_page(Outcome(name, Status.OK))))
    assert shown == name


def test_the_answers_of_the_public_url_are_shown() -> None:
    (outcome,) = (each for each in fleet(20) if each.checks)
    said = _said(_page(replace(outcome, status=Status.OK), verb="verify"))
    assert "(root) wrong token ✓ ok 401 a wrong token is refused" in said
    assert "acme connection test ! warning – not reached: timed out a firewall?" in said
