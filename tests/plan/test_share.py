"""A plan that changes more than a third of the existing realms needs --allow-many."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from scimconf.model import Action, ActionKind, Observed, Plan, Server
from scimconf.plan import plan
from scimconf.plan.share import Share, share
from tests.factories import desired, found, observed, realm, server

SET, REMOVE = ActionKind.SET_REALM, ActionKind.REMOVE_REALM
Looked = tuple[Server, Observed, Plan]


def _looked(
    existing: list[str], kinds: dict[str, ActionKind], deployment: str = "chat1", **more: object
) -> Looked:
    """Return a server with these realms and a plan with one action for each realm of `kinds`."""
    actions = tuple(Action(kind, name, "") for name, kind in kinds.items())
    made = Plan("chat1", "9.0", actions)
    return server(deployment=deployment, **more), observed(*map(found, existing)), made


@pytest.mark.parametrize(
    ("changed", "existing", "is_many"),
    [
        (7, 12, True),
        (5, 14, True),
        (5, 15, False),  # a third, not more
        (4, 4, False),  # fewer than five are never many
        (5, 5, True),
        (8, 11, True),
        (104, 261, True),
        (0, 0, False),
    ],
)
def test_more_than_a_third_and_at_least_five(changed: int, existing: int, is_many: bool) -> None:
    assert Share(changed, existing).is_many is is_many
    assert Share(changed, existing).text == (
        f"{changed} of {existing} existing realms would change"
    )


def test_new_realms_do_not_count() -> None:
    new = {f"new{number}": SET for number in range(20)}
    assert share([_looked(["a", "b"], {**new, "a": SET})]) == Share(1, 2)


def test_removed_realms_count_once_with_their_secrets() -> None:
    one = (
        server(),
        observed(found("a"), found("b")),
        Plan(
            "chat1",
            "9.0",
            (Action(REMOVE, "a", ""), Action(ActionKind.REMOVE_SECRET, "a", "")),
        ),
    )
    assert share([one]) == Share(1, 2)


@pytest.mark.parametrize(
    "kind",
    [ActionKind.RESTART, ActionKind.RECORD_TOKEN, ActionKind.REGISTER_CLIENT, ActionKind.RECOVER],
)
def test_actions_that_leave_the_realm_as_it_is_do_not_count(kind: ActionKind) -> None:
    assert share([_looked(["a"], {"a": kind})]) == Share(0, 1)


def test_servers_of_one_deployment_have_the_same_realms() -> None:
    """Three web servers of one Zulip with two realms are two changes, not six."""
    three = [_looked(["a", "b"], {"a": SET, "b": SET}, "zulip") for _ in range(3)]
    assert share(three) == Share(2, 2)
    assert share([*three, _looked(["a", "b"], {}, "other")]) == Share(2, 4)


def test_a_realm_that_one_server_of_a_deployment_lacks_is_not_a_change_of_the_others() -> None:
    two = [_looked(["a"], {}, "zulip"), _looked([], {"a": SET}, "zulip")]
    assert share(two) == Share(0, 1)


def test_unmanaged_realms_exist_and_left_out_realms_do_not_count() -> None:
    left = _looked(["a", "b", "stranger"], {"a": SET}, left_alone=frozenset({"b"}))
    assert share([left]) == Share(1, 2)


def test_a_real_plan_after_a_change_of_a_group_variable() -> None:
    names = [f"r{number}" for number in range(6)]
    wanted = desired(*(realm(name, client="entra") for name in names))
    seen = observed(*map(found, names))
    part = share([(wanted.server, seen, plan(wanted, seen))])
    assert (part, part.is_many) == (Share(6, 6), True)


def test_a_real_plan_that_only_adds() -> None:
    wanted = desired(*(realm(f"r{number}") for number in range(9)))
    seen = observed(found("r0"))
    assert share([(wanted.server, seen, plan(wanted, seen))]) == Share(0, 1)


_NAMES = st.sampled_from(["", "a", "b", "c", "d", "e", "f"])


@hypothesis.given(
    st.lists(
        st.tuples(
            st.sampled_from(["x", "y"]),
            st.lists(_NAMES, unique=True),
            st.dictionaries(_NAMES, st.sampled_from(list(ActionKind))),
        )
    )
)
def test_any_plans(fleet: list[tuple[str, list[str], dict[str, ActionKind]]]) -> None:
    looked = [_looked(existing, kinds, deployment) for deployment, existing, kinds in fleet]
    part = share(looked)
    everything = {(deployment, name) for deployment, existing, _ in fleet for name in existing}
    assert 0 <= part.changed <= part.existing == len(everything)
    assert share(reversed(looked)) == share([*looked, *looked]) == part
    if part.is_many:
        assert part.changed >= 5
        assert part.changed / part.existing > 1 / 3
