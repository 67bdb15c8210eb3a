"""Try a test user: what is asked, and what is never done to the account of a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scimconf.fleet.trial import CHANGED, NAME, Trial
from scimconf.fleet.verify import Answer
from scimconf.model import Check, Realm
from scimconf.secret import Secret
from scimconf.zulip.presets import PRESETS
from tests.factories import realm

TOKEN = Secret("gR7bQ2mXv9LkPz4TnW8s")
EMAIL = "scim-test@example.com"
Lie = Callable[[str, str, Any], Answer | None]


class Zulip:
    """Zulip's SCIM API for one realm, as docs/zulip.md describes it."""

    def __init__(self, of: Realm, *users: dict[str, Any]) -> None:
        self.realm = of
        self.preset = PRESETS[of.idp]
        self.users = {str(number): dict(user) for number, user in enumerate(users, 7)}
        self.asked: list[tuple[str, str]] = []
        self.sent: list[Any] = []
        self.lie: Lie = lambda method, path, body: None

    def send(self, token: Secret, method: str, path: str, body: Any = None) -> Answer:
        assert token is TOKEN
        where = urlsplit(path)
        self.asked.append((method, where.path.removeprefix("/scim/v2")))
        self.sent.append(body)
        answer = self.lie(method, where.path, body)
        return answer or self._answer(method, where.path.rpartition("Users")[2], where.query, body)

    def _answer(self, method: str, path: str, query: str, body: Any) -> Answer:
        if method == "GET" and not path:
            wanted = parse_qs(query)["filter"][0].split('"')[1]
            found = [self._shown(each) for each in self.users if self.users[each]["e"] == wanted]
            return _json(200, {"Resources": found, "totalResults": len(found)})
        if method == "POST":
            name = self._name(body)
            if not name:
                return _json(400, {"detail": "Must specify name.formatted, name.givenName or ..."})
            number = str(len(self.users) + 7)
            self.users[number] = {"e": body["userName"], "n": name, "a": body["active"]}
            return _json(201, self._shown(number))
        number = path.removeprefix("/")
        if method == "PUT":
            self.users[number].update(n=self._name(body) or self.users[number]["n"])
            self.users[number]["a"] = body["active"]
            mapped = self.realm.options.get("custom_profile_field_map", {})
            extra = {key: body[key] for key in mapped if key in body}  # type: ignore[attr-defined]
            self.users[number].setdefault("x", {}).update(extra)
        elif method == "PATCH":
            (operation,) = body["Operations"]
            if operation["op"] == "Add":
                return _json(501, {"detail": "Not Implemented"})
            change = operation["value"]
            if "path" in operation:
                change = {operation["path"]: operation["value"]}
            self.users[number].update(
                {
                    {"active": "a", "name.formatted": "n"}[key]: value
                    for key, value in change.items()
                }
            )
        return _json(200, self._shown(number))

    def _name(self, body: Any) -> str:
        name = body["name"]
        if self.realm.name_formatted_included:
            return str(name.get("formatted", ""))
        return f"{name.get('givenName', '')} {name.get('familyName', '')}".strip()

    def _shown(self, number: str) -> dict[str, Any]:
        user = self.users[number]
        return {
            "id": number,
            "userName": user["e"],
            "displayName": user["n"],
            "active": user["a"],
            **user.get("x", {}),
        }


def _json(status: int, body: Any) -> Answer:
    return Answer(status, json.dumps(body).encode())


def run(zulip: Zulip, fields: dict[str, int] | None = None, stop_after: int = 99) -> list[Check]:
    done: list[Check] = []
    trial = Trial(zulip, TOKEN, EMAIL, fields or {}, lambda: len(done) >= stop_after)  # type: ignore[arg-type]
    for check in trial.run():
        done.append(check)
    return done


def said(checks: list[Check]) -> list[tuple[str, str]]:
    return [(each.name.removeprefix("test user, "), each.result) for each in checks]


GOOD = [("create", "ok"), ("change", "ok"), ("deactivate", "ok")]


@pytest.mark.parametrize("idp", PRESETS)
def test_every_provider_creates_changes_and_deactivates_a_user(idp: str) -> None:
    zulip = Zulip(realm(idp=idp, name_formatted_included=PRESETS[idp].name_formatted_included))
    for _ in range(2):  # the second run uses the same account
        assert said(run(zulip)) == GOOD
        assert zulip.users == {"7": {"e": EMAIL, "n": CHANGED, "a": False, **_x(zulip)}}


def _x(zulip: Zulip) -> dict[str, Any]:
    return {"x": {}} if "x" in zulip.users["7"] else {}


def test_the_requests_have_the_form_of_the_provider() -> None:
    okta, entra = Zulip(realm()), Zulip(realm(idp="entra", name_formatted_included=True))
    run(okta)
    run(entra)
    change = ("GET", "/Users/7")
    assert okta.asked[:5] == [
        ("GET", "/Users"),
        ("POST", "/Users"),
        ("PUT", "/Users/7"),
        change,
        ("PATCH", "/Users/7"),
    ]
    assert okta.sent[1]["name"] == {"givenName": "SCIM", "familyName": "Test"}
    assert okta.sent[4]["Operations"] == [{"op": "replace", "value": {"active": False}}]
    assert entra.sent[1]["name"] == {"formatted": "SCIM Test"}
    assert entra.sent[2]["Operations"] == [
        {"op": "Replace", "path": "name.formatted", "value": CHANGED}
    ]
    assert entra.sent[4]["Operations"] == [{"op": "Replace", "path": "active", "value": False}]


def test_a_wrong_name_formatted_included_is_found() -> None:
    zulip = Zulip(realm(name_formatted_included=True))
    (check,) = run(zulip)
    assert (check.result, check.status) == ("failed", 400)
    assert "Must specify name.formatted" in check.message
    assert "name_formatted_included is true for this realm: check it" in check.hint
    assert zulip.users == {}


@pytest.mark.parametrize("active", [True, False])
def test_the_account_of_a_person_is_never_changed(active: bool) -> None:
    person = {"e": EMAIL, "n": "Ada Lovelace", "a": active}
    zulip = Zulip(realm(), person)
    (check,) = run(zulip)
    assert (check.result, "it is unchanged" in check.message) == ("failed", True)
    assert zulip.users["7"] == person
    assert [method for method, _ in zulip.asked] == ["GET"]
    assert "Ada" not in check.message


def test_mapped_fields() -> None:
    fields = {"custom_profile_field_map": {"phone": "phone", "born": "birthday", "team": "team"}}
    types = {"phone": 1, "birthday": 4, "team": 3}
    zulip = Zulip(realm(**fields))
    checks = run(zulip, types)
    assert said(checks)[2:5] == [(f"field {each}", "ok") for each in ("phone", "born", "team")]
    assert zulip.users["7"]["x"] == {"phone": "scim-test", "born": "2000-01-31"}
    assert "was not tried" in checks[4].message

    entra = Zulip(realm(idp="entra", name_formatted_included=True, **fields))
    checks = run(entra, {"phone": 1})
    assert [each.status for each in checks if each.result == "failed"] == [501] * 3
    assert said(checks)[-1] == ("deactivate", "ok")


def test_ctrl_c_deactivates_the_account() -> None:
    zulip = Zulip(realm())
    assert said(run(zulip, stop_after=1)) == [("create", "ok"), ("deactivate", "ok")]
    assert zulip.users["7"]["a"] is False


@pytest.mark.parametrize(
    "bad", [Answer(500), Answer(None, trouble="timed out"), Answer(201, b"{}")]
)
def test_an_account_that_was_created_in_spite_of_a_bad_answer_is_deactivated(bad: Answer) -> None:
    zulip = Zulip(realm())

    def lie(method: str, path: str, body: Any) -> Answer | None:
        if method != "POST":
            return None
        zulip.users["7"] = {"e": EMAIL, "n": NAME, "a": True}
        return bad

    zulip.lie = lie
    assert said(run(zulip)) == [("create", "failed"), ("deactivate", "ok")]
    assert zulip.users["7"]["a"] is False


def test_an_account_that_may_still_be_active_is_named() -> None:
    zulip = Zulip(realm())

    def lie(method: str, path: str, body: Any) -> Answer | None:
        return Answer(503) if method == "PATCH" else None

    zulip.lie = lie
    *_, last = run(zulip)
    assert f"the account {EMAIL} may still be active" in last.message
    assert last.hint.startswith("deactivate it in Zulip; ")


def test_a_change_that_has_no_effect_is_found() -> None:
    zulip = Zulip(realm())

    def lie(method: str, path: str, body: Any) -> Answer | None:
        return _json(200, {}) if method in ("PUT", "PATCH") else None

    zulip.lie = lie
    checks = run(zulip)
    assert said(checks) == [("create", "ok"), ("change", "failed"), ("deactivate", "failed")]
    assert "the user has the name 'SCIM Test'" in checks[1].message
    assert "is still active" in checks[2].message


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"id": "../7", "userName": EMAIL, "active": True},
        {"id": "7?x", "userName": EMAIL, "active": True},
        {"id": "7", "userName": 5, "active": True},
        {"id": True, "userName": EMAIL, "active": True},
        {"id": "7", "userName": EMAIL, "active": "yes"},
        {"id": "9" * 99, "userName": EMAIL, "active": True},
    ],
)
def test_an_answer_that_is_not_zulips(user: dict[str, Any]) -> None:
    zulip = Zulip(realm())
    zulip.lie = lambda method, path, body: _json(200, {"Resources": [user]})
    (check,) = run(zulip)
    assert (check.result, len(zulip.asked)) == ("failed", 1)
    assert "not one of Zulip's SCIM API" in check.message


def test_what_the_server_says_is_bounded_and_shows_no_token() -> None:
    zulip = Zulip(realm())
    text = f"\x1b[31m{TOKEN.reveal()} {'x' * 9999}"
    zulip.lie = lambda method, path, body: (
        _json(400, {"detail": text}) if method == "POST" else None
    )
    (check,) = run(zulip)
    assert TOKEN.reveal() not in check.message
    assert "\x1b" not in check.message
    assert len(check.message) < 300
    text = f"{'x' * 190}{TOKEN.reveal()}"  # only a part of the token would be shown
    (check,) = run(zulip)
    assert TOKEN.reveal()[:4] not in check.message


def test_a_person_in_a_list_that_ignores_the_filter_is_not_deactivated() -> None:
    zulip = Zulip(realm(), {"e": "ada@example.com", "n": "Ada", "a": True})
    person = {"id": "7", "userName": "ada@example.com", "displayName": "Ada", "active": True}
    answers = [_json(200, {"Resources": []}), Answer(503), _json(200, {"Resources": [person]})]
    zulip.lie = lambda method, path, body: answers.pop(0)
    assert said(run(zulip)) == [("create", "failed")]
    assert zulip.users["7"]["a"] is True
