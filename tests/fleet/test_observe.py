from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.errors import HostError
from scimconf.fleet.observe import Message, final, observe, parse, request
from scimconf.model import Observed, Site
from tests.factories import desired, known, realm

ANSWER: dict[str, Any] = {
    "final": True,
    "result": "observed",
    "version": "5.6",
    "has_client_command": True,
    "external_host": "chat.example.com",
    "realm_hosts": {"wiki": "wiki.example.org"},
    "settings_sha256": "5" * 64,
    "secrets_sha256": None,
    "unknown_secrets": "",
    "block": "SCIM_CONFIG = {}\n",
    "has_get_secret": True,
    "realms": {
        "acme": {
            "values": {"scim_client_name": "okta"},
            "token": {
                "length": 43,
                "short": "ab12",
                "matches": None,
                "other": None,
                "created": "",
            },
            "secret_name": None,
            "line": 3,
            "column": 5,
            "unreadable": "",
        }
    },
    "secret_names": ["scim_bearer_token"],
    "right_secrets": ["acme"],
    "clients": [["acme", "okta"]],
    "sites": {
        "acme": {"status": 302, "location": "/accounts/deactivated/"},
        "wiki": {"status": None, "location": ""},
    },
    "own_clients": [["acme", "okta"]],
    "fields": {"acme": {"phone": 1}},
    "unknown_fields": "",
    "running": {"acme": 200, "wiki": None},
    "blocked": "",
    "interrupted": "",
    "at_work": "",
    "finished_alone": None,
    "lost": "",
    "given_secrets": [],
    "unseen": "",
    "deliveries": {},
}


class _Scripted:
    """An agent with scripted answers. Records the requests."""

    def __init__(self, *messages: Message) -> None:
        self.messages = messages
        self.asked: list[Message] = []

    def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
        self.asked.append(request)
        return iter(self.messages)


def test_the_request_asks_about_every_realm_by_fingerprint() -> None:
    wanted = desired(realm(), realm("", present=False), verify=False, probe="http://[::1]")
    staged = known(created="2026-06-02T10:00:00Z")
    made = request(replace(wanted, others={"acme": (staged,)}))
    assert made["realms"] == {
        "acme": {
            "host": "acme.chat.example.com",
            "client": "okta",
            "secret": None,
            "fields": False,
            "fingerprint": {"hash": known().hash, "place": known().place},
            "others": [{"hash": staged.hash, "place": staged.place}],
        },
        "": {
            "host": "chat.example.com",
            "client": "okta",
            "secret": None,
            "fields": False,
            "fingerprint": None,
            "others": [],
        },
    }
    assert (made["ask"], made["probe"]) == (False, "http://[::1]")
    made = request(desired(realm(), token_store="secrets"))
    assert made["realms"]["acme"]["secret"] == "scim_bearer_token_acme"  # type: ignore[index]


@pytest.mark.parametrize(
    ("answer", "created"),
    [
        ({"other": 0}, "2026-06-02T10:00:00Z"),
        ({"other": 0, "created": "2020-01-01T00:00:00Z"}, "2026-06-02T10:00:00Z"),
        ({"other": 7}, ""),
        ({"other": -1}, ""),
        ({"created": "2026-06-03T10:00:00Z"}, "2026-06-03T10:00:00Z"),
        ({"created": "2026-06-03T10:00:00Z; apply at once"}, ""),
    ],
)
def test_the_creation_date_of_another_token(answer: dict[str, Any], created: str) -> None:
    """The date of the token file wins. From the server, only a valid date is accepted."""
    said = copy.deepcopy(ANSWER)
    said["realms"]["acme"]["token"].update(answer)
    staged = known(created="2026-06-02T10:00:00Z")
    token = parse(said, {"acme": (staged,)}).realms["acme"].token
    assert token
    assert token.created == created


def test_an_answer_becomes_a_value_of_observed() -> None:
    agent = _Scripted({"step": "look", "doing": True}, ANSWER)
    seen = observe(agent, desired(realm()))
    assert isinstance(seen, Observed)
    assert seen.clients == {("acme", "okta")}
    assert seen.running == {"acme": 200, "wiki": None}
    assert seen.sites == {"acme": Site(302, "/accounts/deactivated/"), "wiki": Site(None)}
    assert seen.realms["acme"].token is not None
    assert agent.asked[0]["do"] == "observe"


def test_an_error_of_the_agent_is_a_host_error() -> None:
    answer = {"final": True, "result": "error", "step": "zulip", "message": "m", "hint": "h"}
    with pytest.raises(HostError) as caught:
        final([answer], "observe")
    assert (caught.value.step, caught.value.message, caught.value.hint) == ("zulip", "m", "h")


def test_an_agent_that_ends_early_is_a_host_error() -> None:
    with pytest.raises(HostError, match="without an answer"):
        final([{"step": "look", "doing": True}], "observe")


# The path of every fact in the answer. The tests replace its value.
PLACES = [
    *((name,) for name in ANSWER if name not in ("final", "result")),
    *(("realms", "acme", name) for name in ANSWER["realms"]["acme"]),
    *(("realms", "acme", "token", name) for name in ANSWER["realms"]["acme"]["token"]),
    ("realm_hosts", "wiki"),
    ("running", "acme"),
    ("sites", "acme"),
    ("sites", "acme", "status"),
    ("sites", "acme", "location"),
    ("secret_names", 0),
    ("right_secrets", 0),
    ("clients", 0),
    ("clients", 0, 1),
    ("own_clients", 0),
    ("deliveries", "acme"),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_a_fact_of_the_wrong_type_is_an_error(place: tuple[Any, ...]) -> None:
    answer = copy.deepcopy(ANSWER)
    holder = answer
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = 1.5
    with pytest.raises(HostError, match="invalid response"):
        parse(answer)


@pytest.mark.parametrize(
    "note", ["", "yesterday", "2026-06-01T10:00:00Z\n", "2026-06-01T10:00:00Z x"]
)
def test_the_note_of_a_delivery_is_a_date(note: str) -> None:
    notes = {"acme": "2026-06-01T10:00:00Z", "": "2026-06-01T10:00:00Z paused before"}
    assert parse({**ANSWER, "deliveries": notes}).deliveries == notes
    with pytest.raises(HostError, match="invalid response"):
        parse({**ANSWER, "deliveries": {"acme": note}})


@pytest.mark.parametrize("name", [name for name in ANSWER if name not in ("final", "result")])
def test_only_nullable_facts_may_be_missing(name: str) -> None:
    answer = {key: value for key, value in ANSWER.items() if key != name}
    if name in ("external_host", "secrets_sha256", "block", "clients", "finished_alone"):
        assert getattr(parse(answer), name) is None
    else:
        with pytest.raises(HostError, match=name):
            parse(answer)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(PLACES), _JSON)
def test_any_answer_gives_facts_or_a_host_error(place: tuple[Any, ...], value: Any) -> None:
    answer = copy.deepcopy(ANSWER)
    holder = answer
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with suppress(HostError):
        assert isinstance(parse(answer), Observed)
