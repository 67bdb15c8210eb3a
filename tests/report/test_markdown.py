from __future__ import annotations

import re

from scimconf.errors import ExitCode
from scimconf.model import Action, ActionKind, Outcome, Plan, Status, WayFact
from scimconf.report.commonmark import code_block, code_span
from scimconf.report.markdown import LARGEST, markdown
from scimconf.server_warning import ServerWarning
from tests.report.fleet import DIFF, fleet


def test_a_plan() -> None:
    plan = Plan("chat1", "9.0", (Action(ActionKind.RESTART, None, "restart Zulip"),), diff=DIFF)
    outcomes = [
        Outcome("chat2", Status.OK),
        Outcome(
            "chat1",
            Status.PENDING,
            plan=plan,
            warnings=(ServerWarning("unmanaged-realm", "kept: realm wiki"),),
        ),
        Outcome("chat3", Status.UNREACHABLE, "connect: refused", "is it up?"),
    ]
    said = markdown("plan", outcomes, ExitCode.UNREACHABLE)
    assert said == (
        "## scimconf plan\n"
        "\n"
        "3 servers: 1 unreachable, 1 to change, 1 nothing to do (exit code 3)\n"
        "\n"
        "### unreachable: `chat3`\n"
        "\n"
        "- `connect: refused`\n"
        "- → `is it up?`\n"
        "\n"
        "### to change: `chat1`\n"
        "\n"
        "- `restart Zulip`\n"
        "- ⚠ `[unmanaged-realm] kept: realm wiki`\n"
        "\n"
        "### nothing to do: `chat2`\n"
    )
    with_diff = markdown("plan", outcomes, ExitCode.UNREACHABLE, diff=True)
    shown = f"<details><summary>the change</summary>\n\n```diff\n{DIFF}```\n\n</details>\n"
    assert with_diff.replace("\n" + shown, "") == said


def _going_to(host: str, status: Status = Status.PENDING) -> Outcome:
    plan = Plan("x", "9.0", (Action(ActionKind.RESTART, None, "restart Zulip"),))
    facts = (
        WayFact("connects to", host, "ansible_host"),
        WayFact("runs on the server", "`boot", "x"),
    )
    return Outcome(host, status, plan=plan if status is Status.PENDING else None, way=facts)


def test_connection_facts_that_all_servers_share_are_listed_once() -> None:
    said = markdown("plan", [_going_to("a"), _going_to("b")], ExitCode.PENDING)
    assert said.endswith(
        "<details><summary>where it goes, and what runs</summary>\n"
        "\n"
        "- `` runs on the server: `boot (x) ``\n"
        "\n"
        "`a`:\n"
        "\n"
        "- `connects to: a (ansible_host)`\n"
        "\n"
        "`b`:\n"
        "\n"
        "- `connects to: b (ansible_host)`\n"
        "\n"
        "</details>\n"
    )
    assert "connects to" not in markdown("plan", [_going_to("a", Status.OK)], ExitCode.OK)


def test_connection_facts_that_are_too_long_are_replaced_by_a_hint() -> None:
    said = markdown("plan", [_going_to("x" * 100 + str(n)) for n in range(1000)], ExitCode.PENDING)
    assert len(said) <= LARGEST
    assert "`-v` and the JSON show what runs and where" in said
    assert "restart Zulip" in said


def test_text_from_others_is_always_code() -> None:
    hostile = "`` @all </details> [x](https://x) \n# h\n```\n<script>\u202e"
    plan = Plan("x", "9.0", (Action(ActionKind.RESTART, None, hostile),), diff=hostile)
    outcome = Outcome(
        hostile,
        Status.PENDING,
        hostile,
        hostile,
        plan,
        warnings=(ServerWarning("read-only", hostile),),
    )
    said = markdown("plan", [outcome], ExitCode.PENDING, diff=True)
    without_blocks = re.sub(r"(?ms)^(````+)diff\n.*?^\1$", "", said)
    assert without_blocks != said
    bare = re.sub(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", without_blocks)
    assert bare.replace("<details><summary>the change</summary>", "").count("</details>") == 1
    assert not re.search(r"@|script|https|# h", bare)
    assert "\u202e" not in said


def test_a_long_report_is_cut_to_the_size_of_a_comment() -> None:
    long = Plan("x", "9.0", diff="+ y\n" * 6_000)
    outcomes = [Outcome(f"h{n}", Status.PENDING, f"m{n}", plan=long) for n in range(50)]
    said = markdown("plan", outcomes, ExitCode.PENDING, diff=True)
    assert len(said) <= LARGEST
    shown = said.count("\n### ")
    assert 1 <= shown < 50
    assert f"Too long for a comment: {50 - shown} more servers are in the log." in said
    assert said.count("```") == 2 * shown
    many = [Outcome(f"h{n}", Status.OK) for n in range(1000)]
    assert "`h39`, and 960 more" in markdown("plan", many, ExitCode.OK)


def test_servers_that_need_attention_come_first() -> None:
    said = markdown("apply", fleet(40), ExitCode.ROLLED_BACK)
    assert re.findall("^### ([a-z ,-]+):", said, re.M) == [
        *("failed", "rolled back", "unreachable", "skipped"),
        *("changed, not verified from outside", "nothing to do"),
    ]


def test_code_spans_and_blocks() -> None:
    assert code_span("a") == "`a`"
    assert code_span("a``b") == "``` a``b ```"
    assert code_span("a\nb") == "`a b`"
    assert code_block("a\n```\n", "diff") == "````diff\na\n```\n````"
