from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from scimconf.errors import UsageError
from scimconf.tokens import rotation
from scimconf.tokens.entries import Entry, Removed
from scimconf.tokens.rotation import (
    activated,
    created,
    older_than,
    pruned,
    removed,
    replaced_by,
    rolled_back,
    staged,
    without_expired,
)
from tests.factories import FINGERPRINT

NOW = datetime(2026, 6, 1, 10, tzinfo=timezone.utc)
OLD = Entry(FINGERPRINT, "2026-01-01T00:00:00Z", "$ANSIBLE_VAULT;old")
NEW = Entry(FINGERPRINT, "2026-06-01T09:00:00Z", "$ANSIBLE_VAULT;new")


def test_the_date_of_a_new_token_is_later_than_all_others() -> None:
    """The date tells the tokens of a realm apart."""
    assert created(None, NOW) == "2026-06-01T10:00:00Z"
    assert created(OLD, NOW) == "2026-06-01T10:00:00Z"
    assert created(NEW, NOW - timedelta(hours=1)) == "2026-06-01T09:00:01Z"
    entry = staged(OLD, NEW, NOW)
    for record in (entry, Removed("2026-06-01T09:00:00Z", entry), activated(entry, NOW)):
        assert created(record, NOW - timedelta(hours=1)) == "2026-06-01T09:00:01Z"
    never = replace(OLD, created="9999-12-31T23:59:59Z")
    assert created(never, NOW) == "2026-06-01T10:00:00Z"
    assert created(replace(OLD, created="last year"), NOW) == "2026-06-01T10:00:00Z"


def test_a_staged_token_is_not_in_force() -> None:
    entry = staged(OLD, NEW, NOW)
    assert (entry.ciphertext, entry.next) == (OLD.ciphertext, NEW)


def test_a_replaced_staged_token_is_kept_for_seven_days() -> None:
    """After an interrupted rotation the server may have it, so it must not be deleted."""
    other = replace(OLD, ciphertext="$ANSIBLE_VAULT;other")
    entry = staged(staged(OLD, other, NOW), NEW, NOW)
    before = replace(other, retired="2026-06-01T10:00:00Z")
    assert entry.next == replace(NEW, previous=before)
    assert [each.ciphertext for each in entry.tokens()] == [
        OLD.ciphertext,
        NEW.ciphertext,
        other.ciphertext,
    ]
    assert pruned(entry, NOW + timedelta(days=7)) == entry
    assert pruned(entry, NOW + timedelta(days=7, seconds=1)) == staged(OLD, NEW, NOW)
    third = staged(entry, OLD, NOW)
    assert third.next
    assert third.next.previous == replace(NEW, previous=before, retired="2026-06-01T10:00:00Z")
    now = activated(entry, NOW)
    assert [each.ciphertext for each in now.tokens()] == [
        NEW.ciphertext,
        OLD.ciphertext,
        other.ciphertext,
    ], "an undo brings back what the server had, whichever that is"


def test_a_removed_realm_keeps_its_staged_token_for_seven_days() -> None:
    """After an interrupted rotation, an undo restores the staged token on the server."""
    entry = staged(OLD, NEW, NOW)
    record = removed(entry, NOW)
    assert record == Removed("2026-06-01T10:00:00Z", entry)
    assert without_expired(record, NOW + timedelta(days=7)) == record
    late = without_expired(record, NOW + timedelta(days=7, seconds=1))
    assert late == Removed("2026-06-01T10:00:00Z")


def test_activation_keeps_the_previous_token() -> None:
    entry = activated(staged(OLD, NEW, NOW), NOW)
    assert (entry.ciphertext, entry.next) == (NEW.ciphertext, None)
    assert entry.previous == replace(OLD, retired="2026-06-01T10:00:00Z")
    again = activated(staged(entry, OLD, NOW), NOW)
    replaced = "2026-06-01T10:00:00Z"
    assert again.previous == replace(
        NEW, retired=replaced, previous=replace(OLD, retired=replaced)
    ), "a server may have any of them"


def test_a_token_that_moves_elsewhere_keeps_the_previous_token() -> None:
    elsewhere = replace(NEW, ciphertext=None)
    before = replace(OLD, retired="2026-06-01T10:00:00Z")
    assert replaced_by(None, NEW, NOW) == NEW
    gave_way = replace(NEW, retired="2026-06-01T10:00:00Z")
    assert replaced_by(staged(OLD, NEW, NOW), elsewhere, NOW) == replace(
        elsewhere, previous=replace(before, previous=gave_way)
    )
    moved = replace(elsewhere, previous=before)
    assert replaced_by(moved, elsewhere, NOW) == moved
    assert replaced_by(elsewhere, NEW, NOW) == NEW


def test_a_rotation_can_be_rolled_back_and_repeated() -> None:
    entry = activated(staged(OLD, NEW, NOW), NOW)
    back = rolled_back(entry, NOW + timedelta(days=7))
    assert back == staged(OLD, NEW, NOW)
    assert activated(back, NOW) == entry


def test_the_previous_token_is_kept_for_seven_days() -> None:
    entry = activated(staged(OLD, NEW, NOW), NOW)
    late = NOW + timedelta(days=7, seconds=1)
    assert pruned(entry, late - timedelta(seconds=1)) == entry
    assert pruned(entry, late) == NEW
    with pytest.raises(UsageError, match="no previous token is kept"):
        rolled_back(entry, late)


def test_without_a_staged_or_previous_token_nothing_is_activated() -> None:
    with pytest.raises(UsageError, match="no token is staged"):
        activated(OLD, NOW)
    with pytest.raises(UsageError, match="no previous token"):
        rolled_back(OLD, NOW)


def test_age() -> None:
    assert older_than(OLD, timedelta(days=90), NOW)
    assert not older_than(NEW, timedelta(days=90), NOW)
    assert older_than(replace(NEW, created="some day"), timedelta(days=90), NOW)


# --- notes about deliveries -----------------------------------------------------------------------


def test_a_delivery_is_noted_and_ends() -> None:
    entry = Entry("f", "2026-06-01T10:00:00Z", "c")
    begun = rotation.begun(entry, NOW, was_paused=True)
    assert begun.delivering.endswith("Z paused before")
    assert rotation.was_paused(begun.delivering)
    assert rotation.begun(begun, NOW + timedelta(days=1), was_paused=False) == begun
    assert rotation.ended(begun) == entry
    done = rotation.delivered(begun, NOW)
    assert (done.delivering, done.delivered) == ("", rotation.stamp(NOW))


def test_only_the_token_in_force_has_notes() -> None:
    old = Entry("f", "2026-06-01T10:00:00Z", "c", delivered="x")
    entry = rotation.delivered(old, NOW)
    after = rotation.activated(rotation.staged(entry, Entry("g", "", "d"), NOW), NOW)
    assert [(each.delivered, each.delivering) for each in after.tokens()] == [("", ""), ("", "")]
    back = rotation.rolled_back(rotation.delivered(after, NOW), NOW)
    assert [(each.delivered, each.delivering) for each in back.tokens()] == [("", ""), ("", "")]


def test_a_delivery_that_has_not_ended_is_not_forgotten_with_its_token() -> None:
    """The identity provider may be paused, whichever token is in force now."""
    entry = rotation.begun(Entry("f", "2026-06-01T10:00:00Z", "c"), NOW, was_paused=True)
    after = rotation.activated(rotation.staged(entry, Entry("g", "", "d"), NOW), NOW)
    assert [each.delivering for each in after.tokens()] == [entry.delivering, ""]
    back = rotation.rolled_back(after, NOW)
    assert [each.delivering for each in back.tokens()] == [entry.delivering, ""]
