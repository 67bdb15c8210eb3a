"""What the command line says about the connection."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.cli import run
from scimconf.errors import UsageError
from scimconf.inventory.hosts import Host
from scimconf.run import start
from tests.cli.test_connect import PLAIN


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user": "-oProxyCommand=x"}, "-u '-oProxyCommand=x': expected a login name"),
        ({"user": "a b"}, "-u 'a b': expected a login name"),
        ({"become_user": r"CORP\zulip"}, r"--become-user 'CORP\\zulip': expected a user name"),
        ({"become_user": "-x"}, "--become-user '-x': expected a user name"),
    ],
)
def test_an_invalid_user_name_is_refused_by_its_option(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        start._defaults(replace(PLAIN, **changes))
    assert caught.value.message == message


def test_a_login_name_of_a_domain() -> None:
    found = start._defaults(replace(PLAIN, user=r"CORP\alice", become_user="zulip"))
    assert found == {"ansible_user": r"CORP\alice", "ansible_become_user": "zulip"}


def test_what_reading_a_large_inventory_has_left_is_freed(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: {'h[0:999]': {scim_idp: okta, scim_realms: {'': {}}}}}\n")
    gc.collect()
    gc.disable()
    try:
        assert run(["inventory", "check", "-i", str(inventory)]) == 0
        assert not [each for each in gc.get_objects() if isinstance(each, Host)]
    finally:
        gc.enable()
