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


def test_no_two_are_equal() -> None:
    assert len({generate(length=20).reveal() for _ in range(500)}) == 500


@settings(max_examples=50)
@given(entropy=st.integers(119, 2000), charset=st.sampled_from(CHARSETS))
def test_holds_the_bits_asked_for_and_looks_strong(entropy: int, charset: str) -> None:
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
def test_refuses_weak_tokens_with_the_reason(entropy: int) -> None:
    for make in (generate, phrase):
        with pytest.raises(UsageError, match=f"{entropy} bits is too weak: 119 are") as error:
            make(entropy)
        assert "fingerprint" in error.value.message
        assert error.value.hint.startswith("use --entropy 119")


@pytest.mark.parametrize("number", [1025, 10**400])
def test_refuses_what_fits_into_no_header(number: int) -> None:
    with pytest.raises(UsageError, match="header"):
        generate(length=number)
    with pytest.raises(UsageError, match="header"):
        generate(number * 10)
    with pytest.raises(UsageError, match="header"):
        phrase(number)


def test_refuses_an_unknown_character_set() -> None:
    with pytest.raises(UsageError, match="ascii_72") as error:
        generate(charset="ascii_72")
    assert "ascii_62" in error.value.hint


def test_a_phrase_is_words_with_hyphens() -> None:
    words = phrase().reveal().split("-")
    assert len(words) >= 10
    assert all(word.isalpha() and word.islower() for word in words)
