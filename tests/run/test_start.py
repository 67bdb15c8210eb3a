"""What the command line says about the connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scimconf.errors import UsageError
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
