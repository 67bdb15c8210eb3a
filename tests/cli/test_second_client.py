"""The lab's Zulip answers a SCIM client that nobody here wrote: scim2-client.

It checks each answer against the schemas of RFC 7643 and the rules of RFC 7644.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = [pytest.mark.needs_sshd, pytest.mark.needs_scim2]


@pytest.fixture
def connect(lab: Lab) -> Iterator[Callable[[Server, str, str], Any]]:
    """A function that connects the client to a realm with a token."""
    import httpx2
    from scim2_client.engines.httpx2 import SyncSCIMClient
    from scim2_models import ScimPolicy, ScimProvider, User

    opened = ExitStack()

    def client(server: Server, realm: str, token: str) -> Any:
        host = server.host(realm)
        http = httpx2.Client(
            base_url=f"https://127.0.0.1:{server.web_port}/scim/v2",
            headers={"Authorization": f"Bearer {token}", "Host": host},
            verify=ssl.create_default_context(cafile=str(lab.ca)),
            trust_env=False,
        )
        opened.callback(http.close)
        # The lab's names are not in DNS: ask its address, and check the name in the certificate.
        http.event_hooks["request"] = [
            lambda request: request.extensions.update(sni_hostname=host.rpartition(":")[0])
        ]
        # Zulip sends `role`, which its schema does not have.
        policy = ScimPolicy(unknown=ScimPolicy.Unknown.ignore)
        return SyncSCIMClient(http, provider=ScimProvider(models=[User], policy=policy))

    with opened:
        yield client


def test_a_user_is_created_read_and_changed_and_a_rotation_is_seen(
    operator: Operator, one: Callable[..., Server], connect: Callable[[Server, str, str], Any]
) -> None:
    from scim2_client.errors import UnexpectedStatusCodeException
    from scim2_models import User

    realms = {"scim_realms": {"acme": {"idp": "okta"}}, "scim_token_store": "secrets"}
    server = one(realms, version="9.0", realms=["acme"])
    assert operator.apply().returncode == 0
    old = connect(server, "acme", operator.token(server.name, "acme"))
    email = "grace@example.com"
    wanted = User(
        user_name=email,
        name=User.Name(given_name="Grace", family_name="Hopper"),
        emails=[User.Emails(value=email, primary=True)],
        active=True,
    )
    made = old.create(wanted)
    assert isinstance(made, User), made
    assert made.id
    again = old.query(User, made.id)
    assert (again.user_name, again.active) == (email, True)
    listed = old.query(User)
    assert email in [each.user_name for each in listed.resources]
    again.active = False
    assert old.replace(again).active is False

    done = operator.run("rotate", "--yes", *VAULT)
    assert done.returncode == 0, done
    # Zulip's 401 has no SCIM error in its body, which this client notices.
    with pytest.raises(UnexpectedStatusCodeException, match="answered 401"):
        old.query(User, made.id)
    new = connect(server, "acme", operator.token(server.name, "acme"))
    assert new.query(User, made.id).active is False
