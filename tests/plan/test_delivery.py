"""A delivery that has not ended is reported; a URL of another server is not delivered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scimconf.model import Deliver, Desired
from scimconf.plan import plan
from tests.factories import desired, found, observed, realm

HOOK = Deliver("command", {"words": ("./hook",)}, ".")


def _reported(wanted: Desired) -> str:
    """Return the hint. The plan warns, and is not proved."""
    made = plan(replace(wanted, delivering={"acme": "2026-06-01T10:00:00Z"}), observed(found()))
    (warning,) = (each for each in made.warnings if each.id == "unfinished-delivery")
    assert "the delivery that began at 2026-06-01T10:00:00Z has not ended" in warning.text
    assert made.unproved
    assert made.unproved.hint in warning.text
    return made.unproved.hint


@pytest.mark.parametrize("staged", [{}, {"acme": "2026-06-01T09:00:00Z"}])
def test_the_hint_names_the_commands_that_finish_it(staged: dict[str, str]) -> None:
    hint = _reported(replace(desired(realm(deliver=HOOK)), staged=staged))
    assert ("scimconf rotate --activate" in hint) is bool(staged)
    assert "scimconf deliver" in hint


def test_a_realm_whose_deliver_was_removed_from_the_inventory() -> None:
    hint = _reported(desired(realm()))
    assert "put deliver back and run: scimconf deliver" in hint
    assert "the line delivering: of this realm in the token file, and deliveries.json" in hint


def test_a_note_that_only_the_server_has() -> None:
    """A pipeline that was killed has lost its copy of the token file."""
    wanted = desired(realm(deliver=HOOK), realm("wiki", present=False))
    notes = dict.fromkeys(("acme", "wiki", "unnamed"), "2026-06-01T10:00:00Z paused before")
    seen = replace(observed(found()), deliveries=notes)
    made = plan(wanted, seen)
    (warning,) = (each for each in made.warnings if each.id == "unfinished-delivery")
    assert "realm acme: the delivery that began at 2026-06-01T10:00:00Z has not ended" in (
        warning.text
    )
    assert made.unproved
    assert "to finish it: scimconf deliver" in made.unproved.hint
    finishing = plan(replace(wanted, turned=True), seen)
    assert not [each for each in finishing.warnings if each.id == "unfinished-delivery"]


EVIL = "https://acme.evil.example"


def test_the_url_of_another_server_blocks_the_delivery() -> None:
    """The identity provider would send the token there."""
    known = observed(found())
    assert plan(desired(realm(url=EVIL)), known).blocked is None, "nothing is delivered"
    blocked = plan(desired(realm(url=EVIL, deliver=HOOK)), known).blocked
    assert blocked
    assert "acme.evil.example is not 'chat.example.com'" in blocked
    hosts = {"acme": "scim.example.org"}
    own = realm(url="https://scim.example.org", deliver=HOOK)
    assert plan(desired(own), replace(known, realm_hosts=hosts)).blocked is None


def test_without_a_known_host_nothing_is_delivered() -> None:
    unknown = observed(found(), external_host=None)
    assert plan(desired(realm()), unknown).blocked is None
    blocked = plan(desired(realm(deliver=HOOK)), unknown).blocked
    assert blocked
    assert "EXTERNAL_HOST is not a plain value" in blocked


def test_a_token_that_no_run_has_delivered() -> None:
    """A failed first delivery would be forgotten: there is nothing to change on the server."""
    wanted = replace(desired(realm(deliver=HOOK)), undelivered=frozenset({"acme"}))
    (warning,) = plan(wanted, observed(found())).warnings
    assert warning.id == "not-delivered"
    assert warning.text.startswith("realm acme: no run has delivered the token in force")
    assert "to deliver it: scimconf deliver" in warning.text
    for other in (
        plan(wanted, observed()),  # the delivery is planned
        plan(replace(wanted, delivering={"acme": "2026-06-01T10:00:00Z"}), observed(found())),
        plan(replace(wanted, turned=True), observed(found())),
    ):
        assert not [each for each in other.warnings if each.id == "not-delivered"]
