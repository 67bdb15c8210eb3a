"""Limit a run to some realms (`--realm`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches

from scimconf.errors import UsageError
from scimconf.model import Realm, Server
from scimconf.plan.commands import command
from scimconf.run.person import Person
from scimconf.run.start import Start


def narrowed(begun: Start, realms: Collection[str], person: Person) -> Sequence[Server]:
    """Return the servers with only these realms; all servers as they are if `realms` is empty.

    Servers without one of them are left out. Nothing else of a server is changed or reported, not
    even its unmanaged realms: the result is about the selected realms only, and says so. Raises
    UsageError for a realm that no server has.
    """
    if not realms:
        return begun.servers
    check_known(realms, begun)
    person.tell(begun.scope(realms).note)
    return [
        with_only(server, selected)
        for server in begun.servers
        if (selected := tuple(each for each in server.realms if each.string_id in realms))
    ]


def with_only(server: Server, realms: tuple[Realm, ...]) -> Server:
    """Return the server with only these realms. The run leaves all others unchanged."""
    rest = frozenset(each.string_id for each in server.realms if each not in realms)
    return replace(server, realms=realms, left_alone=rest, unmanaged="keep", is_partial=True)


def check_known(realms: Collection[str], begun: Start) -> None:
    """Raise UsageError for realms that no selected server has, with the most similar name."""
    if unknown := sorted(set(realms) - begun.realms):
        listed = command("inventory list", (), (), begun.words)
        near = dict.fromkeys(
            match for each in unknown for match in get_close_matches(each, begun.realms, 1)
        )
        meant = f"did you mean {' and '.join(near)}? " if near else ""
        raise UsageError(
            f"no selected server has realm {', '.join(each or '(root)' for each in unknown)}",
            f"{meant}to see the realms: {listed}",
        )
