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


def staged(entry: Entry, new: Entry) -> Entry:
    """Put a new token beside the one in force, in the place of one that was staged before."""
    return replace(entry, next=new)


def activated(entry: Entry, now: datetime) -> Entry:
    """Give the entry with its staged token in force. Raises UsageError where none is staged."""
    if entry.next is None:
        raise UsageError("no token is staged", "make one first: scimconf rotate --stage")
    before = replace(entry, next=None, previous=None, retired=stamp(now))
    return replace(entry.next, previous=before)


def succeeded(entry: Entry | None, new: Entry, now: datetime) -> Entry:
    """Give a token that is in force by itself, in the place of `entry`: imported, or referred to.

    A token that only the token file holds is kept as the previous one.
    """
    if entry is None:
        return new
    if entry.ciphertext is None:
        return replace(new, previous=entry.previous)
    return activated(staged(entry, new), now)


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
    return replace(entry.previous, next=replace(entry, next=None, previous=None), retired="")


def removed(entry: Entry, now: datetime) -> Removed:
    """Return the record of a realm that is gone from its servers; its token is kept for a while."""
    return Removed(stamp(now), replace(entry, next=None, previous=None))


def without_expired(record: Record, now: datetime) -> Record:
    """Return the record without a token that was replaced or removed too long ago."""
    if isinstance(record, Entry):
        return pruned(record, now)
    expired = now - _moment(record.removed) > KEPT
    return replace(record, entry=None) if expired else record


def pruned(entry: Entry, now: datetime) -> Entry:
    """Return the entry without a previous token whose time is over."""
    if entry.previous and now - _moment(entry.previous.retired) > KEPT:
        return replace(entry, previous=None)
    return entry


def older_than(entry: Entry, age: timedelta, now: datetime) -> bool:
    """Say whether the token in force was made longer ago; one without a date counts as old."""
    return now - _moment(entry.created) > age


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:  # written by hand
        return datetime.min.replace(tzinfo=timezone.utc)
