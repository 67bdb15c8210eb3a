from __future__ import annotations

import math
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf.errors import UsageError
from scimconf.tokens.generate import CHARSETS, generate, phrase
from scimconf.tokens.strength import weakness

LETTERS_AND_DIGITS = set(string.ascii_letters + string.digits)


def test_the_default_is_43_letters_and_digits() -> None:
    token = generate()
    assert len(token) == 43
    assert set(token.reveal()) <= LETTERS_AND_DIGITS


def test_generated_tokens_differ() -> None:
    assert len({generate(length=20).reveal() for _ in range(500)}) == 500


@settings(max_examples=50)
@given(entropy=st.integers(119, 2000), charset=st.sampled_from(CHARSETS))
def test_a_token_has_the_requested_entropy_and_passes_the_strength_check(
    entropy: int, charset: str
) -> None:
    token = generate(entropy, charset=charset).reveal()
    sizes = {"ascii_62": 62, "ascii_50": 50, "hex": 16}
    assert len(token) * math.log2(sizes[charset]) >= entropy
    assert set(token) <= LETTERS_AND_DIGITS
    assert weakness(token) is None


@pytest.mark.parametrize(("charset", "length"), [("ascii_62", 20), ("ascii_50", 22), ("hex", 30)])
def test_the_shortest_token_of_each_character_set(charset: str, length: int) -> None:
    assert len(generate(length=length, charset=charset)) == length
    with pytest.raises(UsageError, match="119 are needed"):
        generate(length=length - 1, charset=charset)


@pytest.mark.parametrize("entropy", [118, 60, 0, -1])
def test_a_weak_token_is_refused_with_the_reason(entropy: int) -> None:
    for make in (generate, phrase):
        with pytest.raises(UsageError, match=f"{entropy} bits is too weak: 119 are") as error:
            make(entropy)
        assert "fingerprint" in error.value.message
        assert error.value.hint.startswith("use --entropy 119")


@pytest.mark.parametrize("number", [1025, 10**400])
def test_a_token_that_is_too_long_for_a_header_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match="header"):
        generate(length=number)
    with pytest.raises(UsageError, match="header"):
        generate(number * 10)
    with pytest.raises(UsageError, match="header"):
        phrase(number)


def test_an_unknown_character_set_is_refused() -> None:
    with pytest.raises(UsageError, match="ascii_72") as error:
        generate(charset="ascii_72")
    assert "ascii_62" in error.value.hint


def test_a_phrase_is_words_joined_by_hyphens() -> None:
    words = phrase().reveal().split("-")
    assert len(words) >= 10
    assert all(word.isalpha() and word.islower() for word in words)
