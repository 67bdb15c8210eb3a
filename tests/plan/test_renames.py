"""What a plan says about renamed realms and staged tokens."""

from __future__ import annotations

import shlex
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from scimconf.model import ActionKind, Fingerprint, ObservedToken
from scimconf.plan import plan
from scimconf.plan.commands import commands, move
from tests.factories import CREATED, FINGERPRINT, desired, found, known, observed, realm

STRAY = ObservedToken(43, "", None, CREATED, stray=("chat0", "acme"))


def test_a_token_of_a_place_that_is_not_in_the_inventory_any_more_looks_like_a_rename() -> None:
    made = plan(desired(realm(), fingerprints={}), observed(found(token=STRAY)))
    assert made.locks_out == ("acme",)
    (said,) = made.warnings
    assert "this looks like a rename" in said
    assert "the token of realm acme of chat0" in said
    assert said.endswith("to keep the token: scimconf token move chat0 chat1")


def test_a_renamed_realm_is_named_with_both_names() -> None:
    token = replace(STRAY, stray=("chat1", "old name"))
    (said,) = plan(desired(realm(), fingerprints={}), observed(found(token=token))).warnings
    assert said.endswith("scimconf token move 'chat1/old name' chat1/acme")
    assert move(("a", ""), ("a", "acme")) == "scimconf token move a/ a/acme"


def test_a_token_that_moves_changes_only_the_token_file() -> None:
    old = Fingerprint(FINGERPRINT, '["chat0", "acme", ""]', CREATED)
    wanted = desired(realm(), fingerprints={"acme": old})
    wanted = replace(wanted, moved={"acme": ("chat0", "acme")})
    made = plan(wanted, observed(found()))
    assert [(each.kind, each.text) for each in made.actions] == [
        (
            ActionKind.MOVE_TOKEN,
            "move the token of realm acme of chat0 to realm acme of chat1 in the token file",
        )
    ]
    assert not made.touches_server
    assert not made.makes_tokens
    assert made.diff == ""


def test_a_staged_token_is_mentioned_until_the_server_has_it() -> None:
    wanted = replace(desired(realm()), staged={"acme": CREATED})
    made = plan(wanted, observed(found()))
    assert not made.pending
    (said,) = made.warnings
    assert said == (
        f"realm acme: a token is staged (made {CREATED}); to put it in force: "
        "scimconf rotate --activate chat1 --realm acme"
    )
    both = replace(wanted, server=replace(wanted.server, peers=("chat1", "chat2")))
    assert "--activate chat1 chat2 --realm acme" in plan(both, observed(found())).warnings[0]
    staged = known(created="2026-06-02T10:00:00Z")
    other = ObservedToken(43, "", False, staged.created)
    wanted = replace(wanted, others={"acme": (staged,)})
    (said,) = plan(wanted, observed(found(token=other))).warnings
    assert "the server has the staged token" in said


NAMES = st.text("ab -'$\"", min_size=1, max_size=3).filter(lambda name: not name.startswith("-"))


@given(st.dictionaries(NAMES, st.sets(st.sampled_from(["", "x", "y"]), min_size=1), min_size=1))
def test_commands_select_exactly_these_realms(realms: dict[str, set[str]]) -> None:
    selected = []
    for line in commands("rotate", {(server,): names for server, names in realms.items()}):
        words = shlex.split(line)[2:]
        given = [words[n + 1] for n, word in enumerate(words) if word == "--realm"]
        servers = words[: words.index("--realm")]
        selected += [(server, realm) for server in servers for realm in given]
    assert sorted(selected) == sorted(
        (server, realm) for server, names in realms.items() for realm in names
    )


def test_commands_select_no_other_realm() -> None:
    """One line for both would also select realm y of a, and realm x of b."""
    assert commands("rotate --activate", {("a",): ["x"], ("b",): ["y"], ("c", "d"): ["x"]}) == [
        "scimconf rotate --activate a c d --realm x",
        "scimconf rotate --activate b --realm y",
    ]
