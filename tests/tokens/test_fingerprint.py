from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest

from scimconf.agent import fingerprint as far_end
from scimconf.errors import UsageError
from scimconf.model import Fingerprint
from scimconf.secret import Secret
from scimconf.tokens.fingerprint import (
    ROUNDS,
    ROUNDS_OF_GENERATED,
    check,
    fingerprint,
    matches,
    place_of,
    short,
)

TOKEN = Secret("gR7bQ2mXv9LkPz4TnW8s")
CREATED = "2026-06-01T10:00:00Z"
PLACE = place_of("chat1", "acme", CREATED)


def _made(**settings: bool) -> Fingerprint:
    return Fingerprint(fingerprint(TOKEN, PLACE, **settings), PLACE, CREATED)


def test_two_fingerprints_of_one_token_differ_and_both_match() -> None:
    first, second = _made(), _made()
    assert first != second
    assert matches(TOKEN, first)
    assert matches(TOKEN, second)
    assert not matches(Secret("gR7bQ2mXv9LkPz4TnW8t"), first)


@pytest.mark.parametrize(
    "place",
    [
        place_of("chat2", "acme", CREATED),
        place_of("chat1", "", CREATED),
        place_of("chat1", "acme", "2026-06-02T10:00:00Z"),
        place_of("chat1acme", "", CREATED),
        "",
    ],
)
def test_a_fingerprint_matches_only_at_its_own_place(place: str) -> None:
    assert not matches(TOKEN, replace(_made(), place=place))


def test_a_fingerprint_equals_the_pbkdf2_of_hashlib() -> None:
    made = _made()
    _, _, rounds, salt, checksum = made.hash.split("$")
    assert rounds == str(ROUNDS) == "29000"
    salt_bytes = base64.b64decode(salt.replace(".", "+") + "==")
    bound = f'{TOKEN.reveal()}\n["chat1", "acme", "{CREATED}"]'
    computed = hashlib.pbkdf2_hmac("sha256", bound.encode(), salt_bytes, ROUNDS)
    assert base64.b64encode(computed).decode().rstrip("=").replace("+", ".") == checksum
    assert short(made) == computed.hex()[:4]


def test_a_token_made_by_scimconf_needs_fewer_rounds() -> None:
    made = _made(generated=True)
    assert made.hash.startswith(f"$pbkdf2-sha256${ROUNDS_OF_GENERATED}$")
    assert matches(TOKEN, made)


def test_the_agent_computes_the_same_fingerprint() -> None:
    for known in (_made(), _made(generated=True)):
        asked = {"hash": known.hash, "place": known.place}
        assert far_end.matches(TOKEN.reveal(), asked)
        assert far_end.short(asked) == short(known)
        assert not far_end.matches(TOKEN.reveal(), {**asked, "place": "elsewhere"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab12",
        "$pbkdf2-sha256$29000$salt",
        "$pbkdf2-sha256$29000$c2FsdA$short",
        "$pbkdf2-sha512$29000$c2FsdA$" + "x" * 86,
        "$pbkdf2-sha256$0$c2FsdA$" + "x" * 43,
        "$pbkdf2-sha256$100001$c2FsdA$" + "x" * 43,
        "$pbkdf2-sha256$29000$c2FsdA$" + "é" * 43,
    ],
)
def test_a_malformed_fingerprint_is_refused(text: str) -> None:
    known = Fingerprint(text, PLACE, CREATED)
    for ask in (lambda: check(text), lambda: short(known), lambda: matches(TOKEN, known)):
        with pytest.raises(UsageError, match="not a fingerprint"):
            ask()
