"""The outcome of a change at both ends."""

from __future__ import annotations

import pytest

from scimconf.idp.base import Target
from scimconf.model import Deliver, Outcome, Status
from scimconf.run.delivery import Delivery
from scimconf.run.end import End, gap
from tests.factories import realm, server

HOOK = Deliver("command", {"words": ("./hook",)}, ".")


def _end(name: str, *, paused: bool) -> End:
    target = Target("chat1", name, "https://x/scim/v2")
    delivery = Delivery(("chat1", name), server(realm(name)), HOOK, target)
    return End(delivery, delivery.idp(), is_paused=paused, seconds=1.5)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"acme": True, "wiki": True}, "the identity provider was paused during the change"),
        ({"acme": True, "wiki": False}, "the identity provider of wiki cannot be paused, and was"),
        ({"acme": False}, "the identity provider cannot be paused, and was"),
    ],
)
def test_it_names_the_providers_that_cannot_be_paused(ends: dict[str, bool], said: str) -> None:
    changed = Outcome("chat1", Status.CHANGED)
    outcome = gap(changed, [_end(name, paused=paused) for name, paused in ends.items()])
    assert outcome.message.startswith(said)
    assert outcome.message.endswith("1.5 s") is (False in ends.values())
