"""`token list` and `token move`: work on the token file. They contact no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from pathlib import Path

from scimconf import inventory as inventories
from scimconf.errors import ExitCode, UsageError
from scimconf.inventory import rules
from scimconf.inventory.place import nearest
from scimconf.inventory.still_encrypted import StillEncrypted, still_encrypted
from scimconf.model import Place, Places, Position, Problem, Server
from scimconf.run.options import SourceOptions
from scimconf.run.person import Person
from scimconf.run.start import sources, start, token_file
from scimconf.secret import Secret
from scimconf.tokens.keyring import Passwords
from scimconf.tokens.listing import Row, older, rows
from scimconf.tokens.moving import move as move_entries
from scimconf.tokens.moving import named
from scimconf.tokens.store import TokenFile, place


@dataclass(frozen=True, slots=True)
class Listed:
    """The tokens that are listed."""

    rows: tuple[Row, ...]
    older_than: timedelta | None

    @property
    def exit_code(self) -> ExitCode:
        """2 if a token is too old."""
        return ExitCode.PENDING if self.rows and self.older_than is not None else ExitCode.OK


def listed(
    source: SourceOptions, pattern: Sequence[str], older_than: timedelta | None, person: Person
) -> Listed:
    """Return the tokens of the selected servers, or only the old ones. Needs no password.

    If all servers are selected, entries that the inventory does not name are included. Raises
    UsageError.
    """
    begun = start(source, pattern, person, changes=False)
    now = datetime.now(timezone.utc)
    whole = not (pattern or source.limit)
    places = begun.inventory.places
    found = rows(begun.servers, token_file(source).records, now, places.named if whole else None)
    if older_than is not None:
        found = [row for row in found if older(row, older_than, now)]
    return Listed(tuple(found), older_than)


def path_of(source: SourceOptions) -> Path:
    """Return the path of the token file. Raises UsageError if there is none."""
    path = source.tokens or place(None, sources(source))
    if not path.exists():
        raise UsageError(f"there is no token file {path}", "name it: --tokens FILE")
    return path


def left_behind(
    source: SourceOptions, old: Mapping[str, Secret], new: Mapping[str, Secret]
) -> StillEncrypted | None:
    """Return what only the old vault passwords decrypt in the inventory; None if not known."""
    try:
        return still_encrypted(sources(source), old, new)
    except UsageError:  # there is no inventory, or it cannot be read
        return None


def move(
    source: SourceOptions, old: str, new: str, passwords: Passwords
) -> tuple[dict[Place, Place], tuple[Place, ...]]:
    """Move the tokens of a deployment or of one realm in the token file.

    Return the moved places, and the new places of tokens that are kept elsewhere. Raises
    UsageError.
    """
    path = path_of(source)
    moves = _moves(TokenFile.load(path), old, new)
    _check_renamed(source, moves, passwords)
    return moves, move_entries(path, moves, passwords()).left_out


def _check_renamed(
    source: SourceOptions, moves: Mapping[Place, Place], passwords: Passwords
) -> None:
    """Raise UsageError for a move from a place of the inventory to one that it does not have.

    The next `apply` would make another token for the old place. If the inventory cannot be read as
    a whole, this is not known.
    """
    try:
        found = inventories.read(sources(source), passwords=passwords, extra=source.extra_vars)
    except UsageError:
        return
    if found.broken:
        return
    places = found.places.named
    for before, after in moves.items():
        if before in places and after not in places:
            raise UsageError(
                f"the inventory still has {named(before)}, and does not have {named(after)}: the "
                "next apply would make another token, and lock out the identity provider",
                "rename it in the inventory first, then run this command again",
            )


def unmoved(servers: Iterable[Server], places: Places, file: TokenFile) -> Iterator[Problem]:
    """Yield a warning for each former name in the inventory that no token belongs to.

    There is none if the move was done, because the new place has a token then.
    """
    known = [key for key in file.records if key not in places.named]
    for server in servers:
        realms = [each for each in server.realms if each.present and each.token is None]
        for realm in realms:
            key = (server.deployment, realm.string_id)
            olds = places.renamed.get(key, ())
            if not olds or any(each in file.records for each in (key, *olds)):
                continue
            if realm.moved_from is not None:
                name, near = realm.moved_from, nearest(realm.moved_from, [r for _, r in known])
                path = f"{server.name}.scim_realms.{realm.label}.moved_from"
                yield _unmoved(file, named((server.deployment, name)), realm.position, path, near)
                continue
            name, near = server.moved_from, nearest(server.moved_from, [d for d, _ in known])
            path = f"{server.name}.scim_moved_from"
            yield _unmoved(file, name, server.position, path, near)
            break


def _unmoved(
    file: TokenFile, name: str, position: Position | None, path: str, near: str
) -> Problem:
    message = f"{file.path} has no token of {name}, so apply moves nothing and makes a new token"
    hint = near or "correct the former name; to see all tokens: scimconf token list"
    return Problem(message, position, path, hint)


def _moves(file: TokenFile, old: str, new: str) -> dict[Place, Place]:
    """Return the old and new places that the two words of the command line mean.

    The name of a deployment may contain a slash: then the token file decides.
    """
    if old == new:
        raise UsageError("OLD and NEW are the same place")
    deployments = {deployment for deployment, _ in file.records}
    if old in deployments:
        if "/" in new and "/" not in old:
            raise UsageError(
                f"{old} is a deployment, but {new} is a realm",
                f"name the realm of both: {old}/REALM {new}",
            )
        return {(old, realm): (new, realm) for name, realm in file.records if name == old}
    before = _place(old)
    if before is None or before not in file.records:
        known = sorted({*deployments, *("/".join(key) for key in file.records)})
        near = get_close_matches(old, known, 1)
        raise UsageError(
            f"{file.path} has no token of {old}",
            f"did you mean {near[0]}?" if near else "to see all tokens: scimconf token list",
        )
    after = _place(new)
    if after is None:
        raise UsageError(f"{old} is a realm, but {new} is not", f"name a realm: {new}/{before[1]}")
    try:
        rules.string_id(after[1])
    except rules.Invalid as error:
        raise UsageError(f"{new}: {error.message}", error.hint) from None
    return {before: after}


def _place(word: str) -> Place | None:
    """Parse DEPLOYMENT/REALM; the root realm is empty or "(root)"."""
    deployment, slash, realm = word.rpartition("/")
    if not slash or not deployment:
        return None
    return deployment, "" if realm == "(root)" else realm
