"""The SCIM clients that a 5.x server has registered, through its own manage.py.

Code for `manage.py shell` travels on stdin: Zulip writes every argv to a log that others read.
"""

from __future__ import annotations

import json
import os
from typing import Iterable, List, Set, Tuple

from scimconf.agent import child, zulip
from scimconf.agent.trouble import Trouble

SECONDS = 120
"""A call takes two to four on an idle server."""

_MARK = "scimconf: "

Client = Tuple[str, str]
"""Realm (its string_id) and the client's name."""

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
    """Give all that are registered. Raises Trouble."""
    return [(realm, name) for realm, name in _shell(deployment, _LIST, [])]


def add(deployment: str, wanted: Iterable[Client]) -> List[Client]:
    """Register what is not registered yet; gives what it added. Raises Trouble.

    The realm's id is looked up first: `-r` takes digits for an id, so an organisation whose
    subdomain is a number could be taken for another one.
    """
    missing = sorted(set(wanted) - set(listed(deployment)))
    if not missing:
        return []
    ids = dict(_shell(deployment, _REALM_IDS, [realm for realm, _ in missing]))
    for realm, name in missing:
        if realm not in ids:
            raise Trouble(f"this Zulip has no organisation {realm or '(root)'}", "create it first")
        _manage(deployment, ["add_scim_client", name, "-r", str(ids[realm])])
    lost: Set[Client] = set(missing) - set(listed(deployment))
    if lost:
        names = ", ".join(f"{name} for {realm or '(root)'}" for realm, name in sorted(lost))
        raise Trouble(f"add_scim_client did not register {names}")
    return missing


def remove(deployment: str, unwanted: Iterable[Client]) -> List[Client]:
    """Take registrations away; gives those that were there. Raises Trouble."""
    present = sorted(set(unwanted) & set(listed(deployment)))
    if present:
        _shell(deployment, _REMOVE, [list(client) for client in present])
    return present


def _shell(deployment: str, code: str, argument: object) -> List[Tuple[str, str]]:
    program = (
        f"import json\nargument = json.loads({json.dumps(argument)!r})\n{code}\n"
        f"print({_MARK!r} + json.dumps(answer))\n"
    )
    ended = _manage(deployment, ["shell"], program)
    for line in ended.out.splitlines():
        if line.startswith(_MARK):
            return [(first, second) for first, second in json.loads(line[len(_MARK) :])]
    raise Trouble(f"manage.py shell gave no answer: {ended.last_words}")


def _manage(deployment: str, words: List[str], stdin: str = "") -> child.Ended:
    manage = os.path.join(deployment, "manage.py")
    argv = [zulip.interpreter(deployment), manage, *words]
    ended = child.run(argv, deployment, SECONDS, stdin)
    if ended.code is None:
        raise Trouble(f"manage.py {words[0]} did not end within {SECONDS} seconds")
    # Somebody else may have registered the client since we looked; the list tells.
    if ended.code != 0 and "already exists" not in ended.err:
        raise Trouble(f"manage.py {words[0]} ended with {ended.code}: {ended.last_words}")
    return ended
