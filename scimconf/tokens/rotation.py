"""A token's way through its life: made, in force, replaced, kept for a while, forgotten.

Zulip takes one token per realm, so there is one in force at any moment; what comes next and what
was before stand beside it in the token file, encrypted alike. Pure: records in, records out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from scimconf.errors import UsageError
from scimconf.tokens.entries import Entry, Record, Removed

KEPT = timedelta(days=7)
"""How long the token that was in force before is kept for a way back."""

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def stamp(moment: datetime) -> str:
    """Give a moment as the token file has it: UTC, to the second."""
    return moment.astimezone(timezone.utc).strftime(_FORMAT)


def staged(entry: Entry, new: Entry, now: datetime) -> Entry:
    """Return the entry with a new token beside the one in force.

    One that was staged before gives way, and is kept for a while: where a rotation was cut off, or
    another run is at work, the server may have it.
    """
    return replace(entry, next=_over(new, _retired(entry.next, now)))


def activated(entry: Entry, now: datetime) -> Entry:
    """Return the entry with its staged token in force. Raises UsageError where none is staged.

    All that were replaced within a week are kept: an undo brings back what the server had, and
    that need not be the last one.
    """
    if entry.next is None:
        raise UsageError("no token is staged", "make one first: scimconf rotate --stage")
    return _over(entry.next, [*_retired(entry, now), *_replaced(entry.next)])


def _replaced(entry: Entry) -> list[Entry]:
    """Return the tokens that this one and its predecessors have replaced, the last first."""
    previous = entry.previous
    return [replace(previous, previous=None), *_replaced(previous)] if previous else []


def _retired(entry: Entry | None, now: datetime) -> list[Entry]:
    """Return a token that gives way now, and those that it has replaced."""
    if entry is None:
        return []
    return [replace(entry, next=None, previous=None, retired=stamp(now)), *_replaced(entry)]


def _over(entry: Entry, replaced: list[Entry]) -> Entry:
    """Return the entry with these as the ones that it has replaced, the last first."""
    previous: Entry | None = None
    for each in reversed(replaced):
        previous = replace(each, previous=previous)
    return replace(entry, previous=previous)


def succeeded(entry: Entry | None, new: Entry, now: datetime) -> Entry:
    """Give a token that is in force by itself, in the place of `entry`: imported, or referred to.

    A token that only the token file holds is kept as the previous one.
    """
    if entry is None:
        return new
    if entry.ciphertext is None:
        return replace(new, previous=entry.previous)
    return activated(staged(entry, new, now), now)


def gone_back(entry: Entry, now: datetime) -> Entry:
    """Give the entry with its previous token in force again; the one it takes over from is staged.

    Raises UsageError where there is no previous one, or none that is kept any more.
    """
    entry = pruned(entry, now)
    if entry.previous is None:
        raise UsageError(
            "no previous token is kept",
            f"it is kept for {KEPT.days} days after a rotation; make a new one: scimconf rotate",
        )
    staged_now = _over(replace(entry, next=None), _retired(entry.next, now))
    return replace(entry.previous, next=staged_now, retired="")


def removed(entry: Entry, now: datetime) -> Removed:
    """Return the record of a realm that is gone from its servers.

    Its tokens are kept for a while, those beside it too: an undo brings back what the server had,
    and where a rotation was cut off that is another than the one in force here.
    """
    return Removed(stamp(now), entry)


def without_expired(record: Record, now: datetime) -> Record:
    """Return the record without a token that was replaced or removed too long ago."""
    if isinstance(record, Entry):
        return pruned(record, now)
    expired = now - _moment(record.removed) > KEPT
    kept = None if expired or not record.entry else pruned(record.entry, now)
    return replace(record, entry=kept)


def pruned(entry: Entry, now: datetime) -> Entry:
    """Return the entry without the replaced tokens whose time is over."""
    kept = [each for each in _replaced(entry) if now - _moment(each.retired) <= KEPT]
    following = entry.next and pruned(entry.next, now)
    return replace(_over(entry, kept), next=following)


def older_than(entry: Entry, age: timedelta, now: datetime) -> bool:
    """Say whether the token in force was made longer ago; one without a date counts as old."""
    return now - _moment(entry.created) > age


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:  # written by hand
        return datetime.min.replace(tzinfo=timezone.utc)
