from __future__ import annotations

import pytest

from scimconf.agent.entry import KNOWN_KEYS, TOKEN_KEY
from scimconf.inventory.schema import RealmVariables
from scimconf.zulip.block import values
from scimconf.zulip.keys import KEYS, OPTIONAL, REQUIRED, Key
from tests.factories import realm


def test_the_names_of_keys_are_unique() -> None:
    assert len({key.name for key in KEYS}) == len(KEYS)
    assert len({key.variable for key in KEYS}) == len(KEYS)


def test_the_inventory_has_a_variable_for_every_key() -> None:
    assert {key.variable for key in KEYS} <= set(RealmVariables.model_fields)


def test_the_agent_shows_no_text_of_unknown_keys() -> None:
    assert {TOKEN_KEY, *(key.name for key in KEYS)} >= KNOWN_KEYS


@pytest.mark.parametrize("key", [key for key in KEYS if key.type is not bool], ids=lambda k: k.name)
def test_the_agent_shows_the_text_of_each_known_key(key: Key) -> None:
    """A plan cannot compare masked text. Add a new key to scimconf.agent.entry.KNOWN_KEYS."""
    assert key.name in KNOWN_KEYS


def test_a_required_key_has_a_value_in_every_realm() -> None:
    assert [key.name for key in REQUIRED] == list(values(realm(), None))


@pytest.mark.parametrize("key", [key for key in OPTIONAL if key.since], ids=lambda key: key.name)
def test_an_older_zulip_does_not_know_the_key(key: Key) -> None:
    assert not key.known_to(f"{key.since}-beta1")
    assert key.known_to(f"{key.since}")
    assert key.known_to(None)
    assert f"Zulip {key.since} and later" in key.description
