"""List, register and remove the SCIM clients of a 5.x server with its own manage.py."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from scimconf.agent import shell
from scimconf.agent.errors import AgentError

Client = Tuple[str, str]
"""The realm (its string_id) and the client's name."""

_LIST = """
from zerver.models import SCIMClient
answer = list(SCIMClient.objects.values_list("realm__string_id", "name"))
"""
_REALM_IDS = """
from zerver.models import Realm
answer = list(Realm.objects.filter(string_id__in=argument).values_list("string_id", "id"))
"""
_REMOVE = """
from zerver.models import SCIMClient
for realm, name in argument:
    SCIMClient.objects.filter(realm__string_id=realm, name=name).delete()
answer = []
"""


def listed(deployment: str) -> List[Client]:
    """Return all registered clients. Raises AgentError."""
    return [(realm, name) for realm, name in _shell(deployment, _LIST, [])]


def outstanding(
    deployment: str, add: Sequence[Client], remove: Sequence[Client]
) -> Tuple[Tuple[Client, ...], Tuple[Client, ...]]:
    """Return the clients of `add` that are not registered, and those of `remove` that are.

    Raises AgentError.
    """
    present = listed(deployment)
    return (
        tuple(client for client in add if client not in present),
        tuple(client for client in remove if client in present),
    )


def add(deployment: str, wanted: Sequence[Client]) -> None:
    """Register clients that are not registered yet. Raises AgentError.

    The id of each realm is looked up first: `-r` reads digits as an id, so a subdomain that is a
    number could select another organisation.
    """
    ids = dict(_shell(deployment, _REALM_IDS, [realm for realm, _ in wanted]))
    for realm, name in wanted:
        if realm not in ids:
            raise AgentError(
                f"this Zulip has no organisation {realm or '(root)'}", "create it first"
            )
        try:
            shell.manage(deployment, ["add_scim_client", name, "-r", str(ids[realm])])
        except AgentError:
            # An already registered client causes an error, too. The list shows whether it is one.
            if (realm, name) not in listed(deployment):
                raise


def remove(deployment: str, unwanted: Sequence[Client]) -> None:
    """Remove clients, if they are registered. Raises AgentError."""
    _shell(deployment, _REMOVE, [list(client) for client in unwanted])


def _shell(deployment: str, code: str, argument: object) -> List[Tuple[str, str]]:
    return [(first, second) for first, second in shell.ask(deployment, code, argument)]
