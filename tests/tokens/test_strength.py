from __future__ import annotations

import string

import pytest

from scimconf.tokens.strength import weakness

GOOD = "gR7bQ2mXv9LkPz4TnW8s"


def test_20_random_letters_and_digits_are_enough() -> None:
    assert weakness(GOOD) is None
    assert "about 113 bits" in (weakness(GOOD[:-1]) or "")


@pytest.mark.parametrize(
    "token",
    [
        "3f9a0c7be2d84516a7c0e9d1b5f26843",
        "Zk3-v9_XqT7mB2wLr8Yc4NfHs6Jd0PgA",
        "segment-passover-unpainted-proofread-baking-emcee-bulginess-driven",
    ],
)
def test_strong_tokens_of_other_programs_are_accepted(token: str) -> None:
    assert weakness(token) is None


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("", "empty"),
        ("changeme", "bits"),
        ("a" * 43, "about 4 bits"),
        ("abcabcab" * 8, "bits"),
        ("abbabaabbaababbabaababbaabbabaab", "different"),
        ("password" * 8, "bits"),
        ("passw0rdX" * 8, "bits"),
        (string.ascii_letters, "bits"),
        (string.digits * 4, "bits"),
        ("0123456789abcdef0123456789", "bits"),
        ("3f9a0c7be2d84516a7c0e9d1b5f2", "bits"),
        ("<secret token>", "space"),
        ("Bearer " + GOOD, "Bearer"),
        ("tökén" * 10, "ASCII"),
    ],
)
def test_weak_tokens_are_refused_with_the_reason(token: str, word: str) -> None:
    assert word in (weakness(token) or "")


def test_the_reason_does_not_show_the_token() -> None:
    for token in ("hunter2hunter2", GOOD[:15], "two words"):
        assert token not in (weakness(token) or "")
