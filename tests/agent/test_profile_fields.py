from __future__ import annotations

from typing import Any

import pytest

from scimconf.agent import observe, profile_fields, shell
from scimconf.agent.errors import AgentError
from scimconf.agent.paths import Paths

WHERE = Paths("/s", "/x", "/home/zulip/deployments/current", "zulip")
ASKED = {"acme": {"fields": True}, "wiki": {"fields": False}, "": {}}


@pytest.mark.parametrize(
    ("name", "variable"),
    [("Phone number", "phone_number"), ("GitHub", "github"), ("a  b", "a__b"), ("Ä Ö", "ä_ö")],
)
def test_variable_names(name: str, variable: str) -> None:
    assert profile_fields.variable_name(name) == variable


def test_only_the_realms_that_need_it_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def zulip(deployment: str, code: str, argument: object) -> list[Any]:
        asked.append(argument)
        return [["acme", "Phone number", 1], ["acme", "Birthday", 4]]

    monkeypatch.setattr(shell, "ask", zulip)
    assert observe._fields(WHERE, ASKED, "12.1") == {
        "fields": {"acme": {"phone_number": 1, "birthday": 4}}
    }
    assert asked == [["acme"]]
    assert observe._fields(WHERE, ASKED, "11.4") == {}
    assert observe._fields(WHERE, {"": {}}, "12.1") == {}
    assert len(asked) == 1


def test_why_the_fields_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def zulip(deployment: str, code: str, argument: object) -> list[Any]:
        raise AgentError("manage.py shell exited with status 1: no database")

    monkeypatch.setattr(shell, "ask", zulip)
    assert observe._fields(WHERE, ASKED, "12.1") == {
        "unknown_fields": "its custom profile fields cannot be listed: manage.py shell exited with "
        "status 1: no database"
    }
