"""Which deliveries a run has, and what their results mean for the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scimconf.errors import UsageError
from scimconf.idp.base import Idp, NotSupportedError, Target
from scimconf.model import Check, Deliver, Outcome, Status
from scimconf.run import delivery
from scimconf.secret import Secret
from tests.factories import realm, server

HOOK = Deliver("command", {"words": ("./hook",)}, ".")


def test_a_realm_of_two_servers_is_delivered_once() -> None:
    acme = realm("acme", deliver=HOOK)
    both = [server(acme, name="a", deployment="d"), server(acme, name="b", deployment="d")]
    (found,) = delivery.deliveries(both)
    assert (found.key, found.server.name) == (("d", "acme"), "a")
    assert found.target.base_url == "https://acme.chat.example.com/scim/v2"


def test_two_places_for_one_token_are_refused() -> None:
    other = Deliver("command", {"words": ("./other",)}, ".")
    both = [
        server(realm("acme", deliver=each), name=name, deployment="d")
        for name, each in (("a", HOOK), ("b", other))
    ]
    with pytest.raises(UsageError, match="a and b are one deployment"):
        delivery.deliveries(both)


def test_realms_that_are_absent_or_have_no_deliver_are_left_out() -> None:
    one = server(realm("acme"), realm("old", deliver=HOOK, present=False))
    assert delivery.deliveries([one]) == []


def test_the_url_is_what_the_provider_needs() -> None:
    settings = {"tenant": "t", "client_id": "c", "service_principal": "p"}
    one = server(realm("acme", idp="okta", deliver=Deliver("entra", settings, ".")))
    (found,) = delivery.deliveries([one])
    assert found.target.base_url == "https://acme.chat.example.com/scim/v2/?aadOptscim062020"


def _outcome(*checks: Check) -> Outcome:
    changed = Outcome("chat1", Status.CHANGED, checks=(Check("acme", "right token", "ok", "good"),))
    return delivery.with_deliveries(changed, checks, Status.CHANGED)


def test_a_failed_step_fails_the_server_and_a_warning_does_not() -> None:
    good = Check("acme", "deliver: set", "ok", "the token is set")
    assert _outcome(good).status is Status.CHANGED
    assert _outcome(good, Check("acme", "deliver: test", "warning", "-")).status is Status.CHANGED
    bad = _outcome(good, Check("acme", "deliver: test", "failed", "-"))
    assert (bad.status, bad.message) == (
        Status.FAILED,
        "the token was not delivered to the identity provider",
    )
    assert not delivery.was_delivered(bad, "acme")


def test_a_test_alone_delivers_nothing() -> None:
    bad = Check("acme", "deliver: test", "failed", "-")
    outcome = delivery.with_deliveries(
        Outcome("chat1", Status.OK), [bad], Status.OK, only_test=True
    )
    assert (outcome.status, outcome.message) == (
        Status.FAILED,
        "the test at the identity provider failed",
    )


def test_after_a_failed_delivery_the_next_step_is_named() -> None:
    (one,) = delivery.deliveries([server(realm("acme", deliver=HOOK))])
    failed = Check("acme", "deliver: set", "failed", "-")
    again = "the token is in force in Zulip; to deliver it again: scimconf deliver"
    assert one.to_repeat(failed).hint.startswith(again)
    assert one.to_repeat(replace(failed, hint="set it")).hint.startswith(f"set it; {again}")
    by_hand = one.failed("set", NotSupportedError("it takes no token"))
    assert one.to_repeat(by_hand) == by_hand, "to deliver it again does not help"


class _Partial(Idp):
    """A provider that handles only some steps."""

    def __init__(self, *handled: str) -> None:
        self._handled = handled

    def _do(self, step: str) -> str:
        if step not in self._handled:
            raise NotSupportedError(f"it cannot {step}")
        return step

    def check(self) -> bool:
        return False

    def pause(self) -> str:
        return self._do("pause")

    def set(self, token: Secret) -> str:
        return self._do("set")

    def test(self) -> str:
        return self._do("test")

    def resume(self) -> str:
        return self._do("resume")


@pytest.mark.parametrize(
    ("handled", "results"),
    [
        (("set", "test", "resume"), ["ok", "ok", "ok"]),
        (("set", "resume"), ["ok", "warning", "ok"]),
        (("test", "resume"), ["failed"]),
    ],
)
def test_only_the_test_may_be_left_out(handled: tuple[str, ...], results: list[str]) -> None:
    """A program that does not handle `set` has not delivered the token."""

    class One(delivery.Delivery):
        def idp(self) -> Idp:
            return _Partial(*handled)

    one = One(("d", "acme"), server(), HOOK, Target("d", "acme", "https://x/scim/v2"))
    found = [*delivery.delivered(one, Secret("a-token-of-acme"), resume=True)]
    assert [each.result for each in found] == results
    for each in found:
        if each.result == "failed":
            assert each.message == "cannot set the token: it cannot set", "it names the step"


def test_a_provider_that_takes_no_token_leaves_it_to_a_person() -> None:
    class NoToken(_Partial):
        def check(self) -> bool:
            raise NotSupportedError("no token for this app")

    class One(delivery.Delivery):
        def idp(self) -> Idp:
            return NoToken("set", "test")

    one = One(("d", "acme"), server(), HOOK, Target("d", "acme", "https://x/scim/v2"))
    (check,) = delivery.delivered(one, Secret("a-token-of-acme"))
    assert (check.result, check.message) == ("failed", "no token for this app")
    assert "by hand; to print it: scimconf handoff --show-tokens" in check.hint


def test_steps_at_the_provider_prove_nothing_about_the_public_url() -> None:
    good = Check("acme", "deliver: set", "ok", "the token is set")
    bad = Check("acme", "deliver: test", "failed", "-")
    assert _outcome(bad).verified == "yes"
    assert Outcome("chat1", Status.CHANGED, checks=(good,)).verified == "not asked"


def test_the_question_lists_what_is_read_run_and_sent() -> None:
    settings = {"url": "https://sso.example.com", "provider": 12}
    one = server(
        realm("acme", deliver=Deliver("command", {"words": ("./hook", "a b")}, "/etc/scim")),
        realm("wiki", deliver=Deliver("authentik", settings, "/etc/scim")),
    )
    assert list(delivery.described(delivery.deliveries([one]))) == [
        "run, in /etc/scim: ./hook 'a b'  (realm acme of chat1)",
        "read the environment variable SCIMCONF_IDP_AUTHENTIK  (realm wiki of chat1)",
        "send its token to authentik at sso.example.com: provider 12  (realm wiki of chat1)",
    ]
    tested = list(delivery.described(delivery.deliveries([one]), only_test=True))
    assert tested[-1] == (
        "ask authentik at sso.example.com: provider 12 to test its token  (realm wiki of chat1)"
    )
