from __future__ import annotations

import base64
import hashlib

import pytest

from scimconf.agent import fingerprint as far_end
from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.tokens.fingerprint import ROUNDS, check, fingerprint, matches, short

TOKEN = Secret("gR7bQ2mXv9LkPz4TnW8s")


def test_two_fingerprints_of_one_token_differ_and_both_match() -> None:
    first, second = fingerprint(TOKEN), fingerprint(TOKEN)
    assert first != second
    assert matches(TOKEN, first)
    assert matches(TOKEN, second)
    assert not matches(Secret("gR7bQ2mXv9LkPz4TnW8t"), first)


def test_it_is_pbkdf2_as_hashlib_computes_it() -> None:
    _, _, rounds, salt, checksum = fingerprint(TOKEN).split("$")
    assert rounds == str(ROUNDS) == "29000"
    salt_bytes = base64.b64decode(salt.replace(".", "+") + "==")
    computed = hashlib.pbkdf2_hmac("sha256", TOKEN.reveal().encode(), salt_bytes, ROUNDS)
    assert base64.b64encode(computed).decode().rstrip("=").replace("+", ".") == checksum
    assert short(f"$pbkdf2-sha256$29000${salt}${checksum}") == computed.hex()[:4]


def test_the_agent_computes_the_same() -> None:
    known = fingerprint(TOKEN)
    assert far_end.matches(TOKEN.reveal(), known)
    assert far_end.short(TOKEN.reveal(), known, "acme") == short(known)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab12",
        "$pbkdf2-sha256$29000$salt",
        "$pbkdf2-sha256$29000$c2FsdA$short",
        "$pbkdf2-sha512$29000$c2FsdA$" + "x" * 86,
        "$pbkdf2-sha256$0$c2FsdA$" + "x" * 43,
        "$pbkdf2-sha256$2000000$c2FsdA$" + "x" * 43,
        "$pbkdf2-sha256$29000$c2FsdA$" + "é" * 43,
    ],
)
def test_refuses_what_is_no_fingerprint(text: str) -> None:
    for ask in (check, short, lambda known: matches(TOKEN, known)):
        with pytest.raises(UsageError, match="not a fingerprint"):
            ask(text)
