"""The agent's fingerprints compared with those of passlib."""

from __future__ import annotations

import pytest
from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]

from scimconf.agent import fingerprint
from scimconf.agent.errors import AgentError


@pytest.mark.parametrize("size", [0, 1, 2, 3, 16, 30])
def test_passlibs_fingerprints_match_their_token_only(size: int) -> None:
    text = pbkdf2_sha256.using(rounds=10, salt=bytes(range(240, 240 - size, -1))).hash("tök\nhere")
    assert fingerprint.matches("tök", {"hash": text, "place": "here"})
    assert not fingerprint.matches("tok", {"hash": text, "place": "here"})
    assert not fingerprint.matches("tök", {"hash": text, "place": "there"})


def test_short_is_the_beginning_of_the_checksum() -> None:
    text = pbkdf2_sha256.using(rounds=10, salt=b"salt").hash("token\nhere")
    shown = pbkdf2_sha256.from_string(text).checksum.hex()[:4]
    assert fingerprint.short({"hash": text, "place": "here"}) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$pbkdf2-sha256$10$c2FsdA$x",
        "$pbkdf2$10$c2FsdA$" + "a" * 43,
        "$pbkdf2-sha256$10$a$" + "a" * 43,
    ],
)
def test_a_malformed_fingerprint_is_reported_without_its_text(text: str) -> None:
    with pytest.raises(AgentError, match="not in pbkdf2-sha256"):
        fingerprint.matches("token", {"hash": text, "place": ""})
