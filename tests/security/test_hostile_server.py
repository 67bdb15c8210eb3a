"""Invalid, huge and endless answers of a server give a clear error in bounded time and memory.

Only printable text of the server reaches the operator's terminal.
"""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

import pytest
from rich.console import Console

from scimconf.errors import ExitCode
from scimconf.fleet.connections import Connections
from scimconf.fleet.look import look_at, planned
from scimconf.fleet.observe import LARGEST_BLOCK
from scimconf.model import (
    Action,
    ActionKind,
    Check,
    Outcome,
    Plan,
    Position,
    Server,
    Status,
    Step,
    Unmanaged,
    WayFact,
)
from scimconf.report.github import annotated
from scimconf.report.junit import junit
from scimconf.report.markdown import markdown
from scimconf.report.text import show
from scimconf.server_warning import ServerWarning
from scimconf.ssh.conversation import Conversation
from scimconf.ssh.process import Exchange
from tests.factories import desired, realm
from tests.fleet.test_observe import ANSWER
from tests.report.published import document

CHUNK = 1 << 18
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\r\x08\x7f"


class Says:
    """The process of a hostile agent: it sends the given bytes, whatever the request is."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def exchange(self, outgoing: bytes, seconds: float) -> Exchange:
        piece = next(self._pieces, None)
        return Exchange(len(outgoing), piece or b"", b"", ended=piece is None)

    def exit_status(self) -> int | None:
        return 0

    def close(self, *, at_work: bool) -> None:
        return None


def outcome(*pieces: bytes, endless: bytes = b"") -> Outcome:
    """Return the outcome of a plan for a server that sends these bytes."""
    says = itertools.chain(pieces, itertools.repeat(endless) if endless else ())

    @contextmanager
    def open_agent(_: Server) -> Iterator[Conversation]:
        yield Conversation(Says(says))

    return look_at(desired(realm()), Connections(open_agent), planned, keep=False).outcome


def answer(**lies: Any) -> bytes:
    return json.dumps({**ANSWER, **lies}).encode() + b"\n"


def printed(*outcomes: Outcome) -> str:
    """Return the text of the outcomes on a terminal and in a pipe, and the JSON."""
    shown = io.StringIO()
    for console in (
        Console(file=shown, width=100),
        Console(file=shown, width=100, force_terminal=True, color_system=None),
    ):
        show(console, "plan", outcomes, diff=True)
    return shown.getvalue() + json.dumps(document("plan", outcomes, ExitCode.FAILED))


def test_a_correct_answer_is_accepted() -> None:
    assert (
        outcome(
            answer(running={"acme": 401}, sites={"acme": {"status": 200, "location": ""}})
        ).status
        is Status.PENDING
    )


class Drips(Says):
    """It sends one byte at a time and never a line break."""

    def __init__(self, clock: Callable[[float], None]) -> None:
        super().__init__(itertools.repeat(b" "))
        self._clock = clock

    def exchange(self, outgoing: bytes, seconds: float) -> Exchange:
        self._clock(0.5)
        return super().exchange(outgoing, seconds)


def test_a_slow_answer_is_given_up_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("scimconf.ssh.conversation.time.monotonic", lambda: now[0])

    @contextmanager
    def open_agent(_: Server) -> Iterator[Conversation]:
        yield Conversation(Drips(wait))

    left = look_at(desired(realm()), Connections(open_agent), planned, keep=False).outcome
    assert left.status is Status.FAILED
    assert "did not answer completely within 60 s" in left.message
    assert 60 <= now[0] <= 61


ENTRY = ANSWER["realms"]["acme"]
LIES: dict[str, tuple[Callable[[], Outcome], str]] = {
    "a line without end": (lambda: outcome(endless=b"x" * CHUNK), "over 4 MiB"),
    "lines without end": (lambda: outcome(endless=b'{"step": "x"}\n' * 9000), "over 1000 lines"),
    "nothing": (lambda: outcome(), "ended without an answer"),
    "no JSON": (lambda: outcome(ESCAPES.encode() + b"\n"), "not JSON"),
    "not UTF-8": (lambda: outcome(b'{"final": "\xff\xfe"}\n'), "not JSON"),
    "deep": (lambda: outcome(b'{"final": ' + b"[" * 500_000 + b"\n"), "not JSON"),
    "a number of a million digits": (lambda: outcome(b"1" * 10**6 + b"\n"), "not JSON"),
    "one key twice": (lambda: outcome(b'{"final": true, "final": true}\n'), "not JSON"),
    "two answers": (lambda: outcome(answer() * 2), "more than one request"),
    "an answer too early": (lambda: outcome(answer() + b"x"), "more than one request"),
    "no final": (lambda: outcome(answer(final=False)), "ended without an answer"),
    "wrong type": (lambda: outcome(answer(version=9.0)), "observe: version"),
    "a list for a mapping": (lambda: outcome(answer(realms=[])), "observe: realms"),
    "no version": (lambda: outcome(answer(version="x" * 10**6)), "is not a Zulip version"),
    "another host": (lambda: outcome(answer(external_host="evil.org")), "'evil.org'"),
    "a block that is none": (
        lambda: outcome(answer(block="boo(", running={}, sites={})), "not Python",
    ),
    "a block of brackets": (
        lambda: outcome(answer(block="SCIM_CONFIG = " + "[" * 50_000)), "cannot be edited",
    ),
    "a block too large": (lambda: outcome(answer(block="#" * (LARGEST_BLOCK + 1))), "the limit is"),
    "escapes as its reason": (lambda: outcome(answer(blocked=ESCAPES * 9000)), "evil"),
    "an error full of escapes": (
        lambda: outcome(answer(result="error", step=ESCAPES, message=ESCAPES, hint=ESCAPES)),
        "evil",
    ),
    "escapes everywhere": (
        lambda: outcome(
            answer(
                version="9.0+" + ESCAPES,
                block=f"SCIM_CONFIG = {{}}  # {ESCAPES}\n".replace("\r", ""),
                running={}, sites={},
                unknown_secrets=ESCAPES,
                unseen=ESCAPES,
                external_host=ESCAPES,
                realms={ESCAPES: {**ENTRY, "values": {ESCAPES: ESCAPES}, "unreadable": ESCAPES}},
            )
        ),
        "",
    ),
    "a run at work, with escapes": (
        lambda: outcome(answer(at_work=ESCAPES)),
        "another run is at work on this server",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_each_invalid_answer_is_reported_in_printable_text(lie: str) -> None:
    tell, says = LIES[lie]
    came = tell()
    text = printed(came)
    assert came.status is (Status.BUSY if "at work" in lie else Status.FAILED)
    assert says in f"{came.message} {text}"
    assert "bug" not in came.message
    assert all(character.isprintable() or character == "\n" for character in text)


def test_the_printed_text_is_bounded() -> None:
    for lie in ("escapes as its reason", "no version", "no JSON"):
        came = LIES[lie][0]()
        shown = io.StringIO()
        show(Console(file=shown, width=100), "plan", [came], diff=True)
        assert len(shown.getvalue()) < 10_000


FLOODS = {
    "empty lists": "answer(realms=1)[:-3] + b'[' + b'[],' * (MOST // 3 - 500) + b'[]]}\\n'",
    "objects in objects": "b'{\"a\":[' + b'{\"a\":0},' * (MOST // 8 - 9) + b'0]}\\n'",
    "a block of numbers": "answer(running={}, sites={}, block='SCIM_CONFIG = {\"a\": [' "
    "+ '1,' * (LARGEST_BLOCK // 2 - 99) + ']}\\n')",
    "a block of realms": "answer(running={}, sites={}, block='SCIM_CONFIG = {' + "
    "','.join('\"r%d\": {}' % n for n in range(LARGEST_BLOCK // 30)) + '}\\n')",
    "a block of comments": "answer(running={}, sites={}, block='SCIM_CONFIG = {\\n' "
    "+ '#\\n' * (LARGEST_BLOCK // 2 - 99) + '}\\n')",
    "many realms": "answer(realms={str(n): ENTRY for n in range(18000)})",
}
_FLOOD = """
from scimconf.fleet.observe import LARGEST_BLOCK
from scimconf.ssh.conversation import MOST_ANSWER as MOST
from tests.memory import most_megabytes
from tests.security.test_hostile_server import *
before = most_megabytes()
came = outcome({flood})
printed(came)
assert "over 4 MiB" not in came.message and "bug" not in came.message, came.message
print(most_megabytes() - before)
"""
MOST_MEGABYTES = 400
"""The memory that the answer of one server may use. docs/security.md has the measured values."""


@pytest.mark.parametrize("flood", FLOODS)
def test_an_endless_answer_uses_bounded_memory(flood: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FLOOD.format(flood=FLOODS[flood])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_MEGABYTES


FORGED = "chat2.test  Zulip 9.0  nothing to do"
LIE = f"x\n{FORGED}\r\n{FORGED}\u2028{FORGED}\x85{FORGED}"


def _everywhere(lie: str) -> Outcome:
    """Return an outcome with hostile text in every field that a server can influence."""
    action = Action(ActionKind.REMOVE_CLIENT, "acme", lie, lie)
    place = Position("settings.py", 1, 1)
    plan = Plan(
        "chat1.test",
        lie,
        (action,),
        diff="@@\n+" + lie.replace("\n", "\n "),
        unmanaged=(Unmanaged(lie, place),),
    )
    return Outcome(
        "chat1.test",
        Status.FAILED,
        lie,
        lie,
        plan,
        steps=(Step("restart", False, 1.0, lie), Step("gate", True, 1.0, lie)),
        warnings=(ServerWarning("read-only", lie),),
        checks=(Check("acme", "right token", "failed", lie, 500, lie),),
        way=(WayFact("connects to", lie, lie),),
    )


def _as_text(outcome: Outcome, terminal: bool = False) -> str:
    stream = io.StringIO()
    show(
        Console(file=stream, force_terminal=terminal, width=200, color_system=None),
        "plan",
        [outcome, replace(outcome, server="chat3.test")],
        diff=True,
        steps=True,
    )
    return stream.getvalue()


def _as_junit(outcome: Outcome) -> str:
    root = ET.fromstring(junit("plan", [outcome], datetime.now(timezone.utc)))
    values = [value for each in root.iter() for value in (*each.attrib.values(), each.text or "")]
    return "\n".join(values)


@pytest.mark.parametrize(
    "form",
    [
        _as_text,
        partial(_as_text, terminal=True),
        lambda outcome: markdown("plan", [outcome], ExitCode.FAILED, diff=True),
        _as_junit,
        lambda outcome: "\n".join(annotated("plan", [outcome])).replace("%0A", "\n"),
    ],
    ids=["text", "terminal", "markdown", "junit", "github"],
)
def test_text_of_a_server_cannot_add_a_line(form: Callable[[Outcome], str]) -> None:
    said = form(_everywhere(LIE))
    assert "chat2.test" in said
    assert not [line for line in said.splitlines() if line.startswith(FORGED)]
