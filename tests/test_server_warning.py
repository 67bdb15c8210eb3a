"""Each warning about a server has a documented id, and those of failed checks stay."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scimconf.fleet.look import silenced
from scimconf.inventory import rules
from scimconf.model import Outcome, Status
from scimconf.server_warning import ALWAYS_SHOWN, SILENCEABLE, ServerWarning
from tests.factories import server

ROOT = Path(__file__).parents[1]
IDS = {**SILENCEABLE, **ALWAYS_SHOWN}


def _used() -> Iterator[str]:
    """Yield the ids in the code: of ServerWarnings, and of warnings of the inventory."""
    for path in (ROOT / "scimconf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            name = node.func.attr if isinstance(node.func, ast.Attribute) else name
            place = {"ServerWarning": 0, "problem": 2}.get(name)
            if place is not None and len(node.args) > place:
                argument = node.args[place]
                if isinstance(argument, ast.Constant):
                    yield argument.value


def test_the_code_uses_exactly_the_documented_ids() -> None:
    assert set(_used()) == set(IDS)
    assert not SILENCEABLE.keys() & ALWAYS_SHOWN.keys()
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*|CVE-\d{4}-\d{4,7}", each) for each in IDS)


def test_the_page_lists_all_warnings() -> None:
    page = (ROOT / "docs/warnings.md").read_text(encoding="utf-8")
    can, always = page.split("## Warnings that are always shown")
    for text, table in ((can, SILENCEABLE), (always, ALWAYS_SHOWN)):
        rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE))
        assert rows == table


def test_silenced_warnings_are_hidden_and_counted() -> None:
    weak, other = ServerWarning("weak-token", "w"), ServerWarning("read-only", "o")
    outcome = Outcome("chat1", Status.OK, warnings=(weak, other, weak))
    hidden = silenced(outcome, server(silence=("weak-token",)))
    assert (hidden.warnings, hidden.silenced) == ((other,), ("weak-token", "weak-token"))
    assert silenced(hidden, server(silence=("weak-token",))) == hidden
    assert silenced(outcome, server()) == outcome


@pytest.mark.parametrize("name", ALWAYS_SHOWN)
def test_a_failed_check_cannot_be_silenced(name: str) -> None:
    with pytest.raises(rules.Invalid, match="cannot be silenced"):
        rules.warning_id(name)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CVE-2022-41941", "CVE-2022-41914"),
        ("cve-2022-41914", "CVE-2022-41914"),
        ("unmanaged", "unmanaged-realm"),
        ("plaintext_token", "plaintext-token"),
    ],
)
def test_an_unknown_id_is_an_error_with_the_nearest_one(name: str, near: str) -> None:
    with pytest.raises(rules.Invalid, match="unknown warning") as caught:
        rules.warning_id(name)
    assert caught.value.hint == f"did you mean {near}?"


def test_an_id_that_is_near_none_lists_all() -> None:
    with pytest.raises(rules.Invalid) as caught:
        rules.warning_id("x")
    assert "CVE-2022-41914" in caught.value.hint
