"""What is read of a settings.py. Refusals are in test_settings_edit.py."""

from __future__ import annotations

import pytest

from scimconf.agent.settings_file import read
from tests.agent.test_settings_edit import ZULIP


def test_facts() -> None:
    found = read(ZULIP)
    assert found.external_host == "chat.example.com"
    assert found.realm_hosts == {"acme": "chat.acme.example"}
    assert found.block is None
    assert found.block_text is None
    assert found.entries == {}


@pytest.mark.parametrize(
    "data",
    [
        b"EXTERNAL_HOST = get_host()\nREALM_HOSTS = dict(a='b')\n",
        b"EXTERNAL_HOST = 'a'\nEXTERNAL_HOST = 'b'\nREALM_HOSTS = {}\nREALM_HOSTS = {'a': 'b'}\n",
        b"EXTERNAL_HOST = 'a'\nREALM_HOSTS = {}\nif 1:\n    EXTERNAL_HOST = REALM_HOSTS = 0\n",
        b"REALM_HOSTS = ['a']\n",
    ],
)
def test_facts_that_cannot_be_proved(data: bytes) -> None:
    assert read(data).external_host is None
    assert read(data).realm_hosts == {}


def test_entries_are_read_as_data() -> None:
    data = (
        'from .config import get_secret\nSCIM_CONFIG = {\n    "": {"bearer_token": "tök"},\n'
        '  "é": {}, "b": {"bearer_token": get_secret("n"), "m": {"a": [1, None]}},\n'
        '    "none": {"bearer_token": None}, "empty": {"bearer_token": ""},\n}\n'
    ).encode()
    found = read(data).entries
    assert found[""].token == "tök"
    assert (found[""].line, found[""].column) == (3, 5)
    assert (found["b"].line, found["b"].column) == (4, 12)
    assert found["b"].secret_name == "n"
    assert found["b"].values == {"m": {"a": [1, None]}}
    assert found["none"].token is None
    assert found["empty"].token is None
    assert not any(each.unreadable for each in found.values())
    assert "tök" not in repr(found)


def test_a_get_secret_other_than_zulips_is_unreadable() -> None:
    data = b'SCIM_CONFIG = {"a": {"bearer_token": get_secret("n")}}\n'
    assert read(data).entries["a"].unreadable
    assert read(b"from .config import get_secret\n" + data).entries["a"].secret_name == "n"
    assert read(b"from x import get_secret\n" + data).entries["a"].unreadable
