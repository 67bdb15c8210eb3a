"""The states of a token: staged, in force, replaced, kept for a week, deleted.

Zulip accepts one token per realm, so one token is in force at a time. The token file keeps the next
and the previous tokens beside it, encrypted in the same way. These functions are pure: they take
records and return records.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import MAXYEAR, datetime, timedelta, timezone

from scimconf.errors import UsageError
from scimconf.tokens.entries import Entry, Record, Removed

KEPT = timedelta(days=7)
"""How long a replaced token is kept for a rollback."""

_PAUSED_BEFORE = " paused before"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def stamp(moment: datetime) -> str:
    """Return a moment in the token file's format: UTC, to the second."""
    return moment.astimezone(timezone.utc).strftime(_FORMAT)


def created(present: Record | None, now: datetime) -> str:
    """Return the date of a realm's new token: now, or one second after the latest other one.

    The date tells the tokens of a realm apart. A pipeline may make two of them within a second.
    """
    entry = present.entry if isinstance(present, Removed) else present
    dates = [_moment(each.created) for each in entry.tokens()] if entry else []
    latest = max([*dates, now - timedelta(seconds=1)])
    return stamp(latest + timedelta(seconds=1) if latest.year < MAXYEAR else now)


def staged(entry: Entry, new: Entry, now: datetime) -> Entry:
    """Return the entry with a new token beside the one in force.

    A token that was staged before is kept as a replaced one. The server may have it, if a rotation
    was interrupted or another run is changing the server.
    """
    return replace(entry, next=_over(new, _retired(entry.next, now)))


def activated(entry: Entry, now: datetime) -> Entry:
    """Return the entry with its staged token in force. Raises UsageError if none is staged.

    Keep all tokens that were replaced within a week: an undo restores the token that the server
    had, which may be an older one.
    """
    if entry.next is None:
        raise UsageError("no token is staged", "stage one first: run rotate --stage for this realm")
    following = _noted_as(entry, entry.next)
    return _over(following, [*_retired(entry, now), *replaced(entry.next)])


def replaced(entry: Entry) -> list[Entry]:
    """Return all tokens that this one and its predecessors have replaced, the latest first."""
    previous = entry.previous
    return [replace(previous, previous=None), *replaced(previous)] if previous else []


def _retired(entry: Entry | None, now: datetime) -> list[Entry]:
    """Return a token, marked as replaced now, and those that it has replaced."""
    if entry is None:
        return []
    gone = replace(_undelivered(entry), next=None, previous=None, retired=stamp(now))
    return [gone, *replaced(entry)]


def _undelivered(entry: Entry) -> Entry:
    return replace(entry, delivered="", delivering="")


def _noted_as(entry: Entry, other: Entry) -> Entry:
    """Return the other token with the note that a delivery of this realm has not ended."""
    return replace(other, delivering=entry.delivering)


def begun(entry: Entry, now: datetime, *, was_paused: bool) -> Entry:
    """Return the entry with the note that a delivery has begun.

    A note that is there already stays: only that run knows who had paused the identity provider.
    """
    if entry.delivering:
        return entry
    return replace(entry, delivering=stamp(now) + (_PAUSED_BEFORE if was_paused else ""))


def was_paused(note: str) -> bool:
    """Return whether an administrator had paused the identity provider before the delivery.

    `note`: `delivering` of an entry, or the note on a server.
    """
    return note.endswith(_PAUSED_BEFORE)


def delivered(entry: Entry, now: datetime) -> Entry:
    """Return the entry with the note that its token is at the identity provider."""
    return replace(entry, delivered=stamp(now), delivering="")


def ended(entry: Entry) -> Entry:
    """Return the entry without the note of a delivery."""
    return replace(entry, delivering="")


def _over(entry: Entry, before: list[Entry]) -> Entry:
    """Return the entry with these tokens as its replaced ones, the latest first."""
    previous: Entry | None = None
    for each in reversed(before):
        previous = replace(each, previous=previous)
    return replace(entry, previous=previous)


def replaced_by(entry: Entry | None, new: Entry, now: datetime) -> Entry:
    """Return `new`, an imported or referenced token that is in force already, in place of `entry`.

    Keep the old token as the previous one if only the token file has it.
    """
    if entry is None:
        return new
    if entry.ciphertext is None:
        return replace(new, previous=entry.previous)
    return activated(staged(entry, new, now), now)


def rolled_back(entry: Entry, now: datetime, to: str = "") -> Entry:
    """Return the entry with a previous token in force again and the present one staged.

    `to`: the date of the previous token that the server has; "": the latest one. Raises UsageError
    if there is no previous token or it is no longer kept.
    """
    entry = pruned(entry, now)
    kept = replaced(entry)
    if not kept:
        raise UsageError(
            f"no previous token is kept: it is forgotten {KEPT.days} days after a rotation",
            "to rotate this realm to a new token, leave out --back",
        )
    back = next((each for each in kept if each.created == to), kept[0])
    staged_now = _over(replace(_undelivered(entry), next=None), _retired(entry.next, now))
    others = [each for each in kept if each is not back]
    return replace(_over(_noted_as(entry, back), others), next=staged_now, retired="")


def removed(entry: Entry, now: datetime) -> Removed:
    """Return the record of a realm that was removed from its servers.

    Keep all its tokens: an undo restores the token that the server had. After an interrupted
    rotation, that may be another token than the one in force here.
    """
    return Removed(stamp(now), entry)


def without_expired(record: Record, now: datetime) -> Record:
    """Return the record without tokens that were replaced or removed more than `KEPT` ago."""
    if isinstance(record, Entry):
        return pruned(record, now)
    expired = now - _moment(record.removed) > KEPT
    kept = None if expired or not record.entry else pruned(record.entry, now)
    return replace(record, entry=kept)


def pruned(entry: Entry, now: datetime) -> Entry:
    """Return the entry without tokens that were replaced more than `KEPT` ago."""
    kept = [each for each in replaced(entry) if now - _moment(each.retired) <= KEPT]
    following = entry.next and pruned(entry.next, now)
    return replace(_over(entry, kept), next=following)


def older_than(entry: Entry, age: timedelta, now: datetime) -> bool:
    """Return whether the token in force is older than `age`; a token without a date is old."""
    return now - _moment(entry.created) > age


def kept_until(replaced_on: str) -> str:
    """Return until when a token is kept that was replaced then; "" if the date is not valid."""
    moment = _moment(replaced_on)
    return stamp(moment + KEPT) if moment.year > 1 else ""


def days_old(entry: Entry, now: datetime) -> int | None:
    """Return the age of a token in whole days; None if its date is not valid."""
    moment = _moment(entry.created)
    return (now - moment).days if moment.year > 1 else None


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:  # written by hand
        return datetime.min.replace(tzinfo=timezone.utc)
