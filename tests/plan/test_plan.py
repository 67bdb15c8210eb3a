from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from scimconf.agent import settings_file
from scimconf.fleet.change import change
from scimconf.fleet.look import judge
from scimconf.fleet.observe import Message
from scimconf.model import (
    ActionKind,
    Desired,
    FinishedAlone,
    Observed,
    ObservedToken,
    Plan,
    Position,
    Realm,
    Reference,
    Site,
    Status,
    Unmanaged,
)
from scimconf.plan import plan
from scimconf.plan.proof import proved
from scimconf.server_warning import ServerWarning
from tests.factories import block, desired, found, known, observed, realm

OTHER = ObservedToken(20, "", False)
SECRET = "scim_bearer_token_acme"
ABSENT = realm(present=False)


def _kinds(made: Plan) -> list[ActionKind]:
    return [action.kind for action in made.actions]


def test_nothing_to_do() -> None:
    made = plan(desired(realm()), observed(found()))
    assert made == Plan("chat1", "9.0", settings_sha256="5" * 64, secrets_sha256="6" * 64)
    assert not made.pending


def test_a_new_server_needs_a_token_a_realm_and_a_restart_in_this_order() -> None:
    made = plan(desired(realm(), fingerprints={}), observed(running={"acme": 500}))
    assert _kinds(made) == [ActionKind.MAKE_TOKEN, ActionKind.SET_REALM, ActionKind.RESTART]
    assert made.makes_tokens
    assert '+        "bearer_token": "<token acme, new>",\n' in made.diff


def test_plans_share_equal_actions() -> None:
    one, other = (plan(desired(realm(), fingerprints={}), observed()) for _ in range(2))
    assert one.actions
    assert all(a is b for a, b in zip(one.actions, other.actions, strict=True))


def test_a_token_that_is_kept_elsewhere_is_recorded_and_not_made() -> None:
    elsewhere = Reference("env", ("TOKEN",), "/")
    made = plan(desired(realm(token=elsewhere), fingerprints={}), observed(running={"acme": 401}))
    assert _kinds(made)[0] is ActionKind.RECORD_TOKEN
    assert not made.makes_tokens


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({"scim_client_name": "entra", "name_formatted_included": False}, "scim_client_name"),
        ({"scim_client_name": "okta"}, "name_formatted_included"),
        (
            {"scim_client_name": "okta", "name_formatted_included": False, "extra": 1},
            "extra",
        ),
    ],
)
def test_a_manual_change_is_named_by_its_key(values: dict[str, object], keys: str) -> None:
    made = plan(desired(realm()), observed(found(values=values)))
    assert [a.text for a in made.actions] == [
        f"change realm acme in SCIM_CONFIG: {keys}",
        "restart Zulip",
    ]


def test_a_different_token_in_the_file_is_shown_without_its_hash() -> None:
    made = plan(desired(realm()), observed(found(token=OTHER), running={"acme": 200}))
    assert _kinds(made) == [ActionKind.SET_REALM, ActionKind.RESTART]
    assert "bearer_token" in made.actions[0].text
    assert '-        "bearer_token": "<token acme, 20 characters>",' in made.diff
    assert '+        "bearer_token": "<token acme, fingerprint 45a9...>",' in made.diff


def test_a_server_that_still_runs_with_another_token_needs_only_a_restart() -> None:
    made = plan(desired(realm()), observed(found(), running={"acme": 401}))
    assert [a.text for a in made.actions] == [
        "restart Zulip: Zulip still uses another token for realm acme"
    ]
    assert made.diff == ""


@pytest.mark.parametrize(("status", "says"), [(401, "restart-server"), (500, "errors.log")])
def test_with_restart_none_a_plan_has_no_restart(status: int, says: str) -> None:
    """It is not proved either that the token is accepted."""
    made = plan(desired(realm(), restart="none"), observed(found(), running={"acme": status}))
    assert not made.pending
    assert made.unproved
    assert str(status) in made.unproved.message
    assert says in made.unproved.hint
    assert any("restart Zulip by hand" in warning.text for warning in made.warnings)


class TestTokensInTheSecretsFile:
    def test_moving_to_the_secrets_file_adds_the_secret_and_changes_the_block(self) -> None:
        made = plan(desired(realm(), token_store="secrets"), observed(found()))
        assert _kinds(made) == [
            ActionKind.SET_SECRET,
            ActionKind.SET_REALM,
            ActionKind.RESTART,
        ]
        assert f'+        "bearer_token": get_secret("{SECRET}"),' in made.diff
        assert f"+{SECRET} = <token acme, 43 characters, fingerprint 45a9...>" in made.diff

    def test_moving_to_settings_removes_the_secret(self) -> None:
        made = plan(desired(realm()), observed(found(secret_name=SECRET)))
        assert _kinds(made) == [
            ActionKind.SET_REALM,
            ActionKind.REMOVE_SECRET,
            ActionKind.RESTART,
        ]

    def test_a_new_token_changes_only_the_secret(self) -> None:
        made = plan(
            desired(realm(), token_store="secrets"),
            observed(found(secret_name=SECRET, token=OTHER)),
        )
        assert [a.text for a in made.actions] == [
            f"change {SECRET} in zulip-secrets.conf",
            "restart Zulip",
        ]
        assert "SCIM_CONFIG" not in made.diff

    @pytest.mark.parametrize("entries", [(), (found(),), (found(token=OTHER),)])
    def test_an_existing_right_secret_is_used(self, entries: tuple[Any, ...]) -> None:
        there = {"secret_names": frozenset({SECRET}), "right_secrets": frozenset({"acme"})}
        made = plan(desired(realm(), token_store="secrets"), observed(*entries, **there))
        assert _kinds(made) == [ActionKind.SET_REALM, ActionKind.RESTART]
        assert "zulip-secrets.conf" not in made.diff

    def test_a_secret_under_another_name_is_removed_if_the_right_one_exists(self) -> None:
        there = {"secret_names": frozenset({SECRET}), "right_secrets": frozenset({"acme"})}
        old = found(secret_name="my_scim", token=OTHER)
        made = plan(desired(realm(), token_store="secrets"), observed(old, **there))
        assert _kinds(made) == [
            ActionKind.SET_REALM,
            ActionKind.REMOVE_SECRET,
            ActionKind.RESTART,
        ]
        assert "-my_scim = " in made.diff
        assert f"+{SECRET}" not in made.diff

    def test_a_missing_secret_is_added(self) -> None:
        made = plan(
            desired(realm(), token_store="secrets"),
            observed(found(secret_name=SECRET, token=None), secret_names=frozenset()),
        )
        assert _kinds(made) == [ActionKind.SET_SECRET, ActionKind.RESTART]

    def test_a_secret_under_an_operators_name_is_replaced(self) -> None:
        made = plan(desired(realm(), token_store="secrets"), observed(found(secret_name="my_scim")))
        assert _kinds(made) == [
            ActionKind.SET_SECRET,
            ActionKind.SET_REALM,
            ActionKind.REMOVE_SECRET,
            ActionKind.RESTART,
        ]

    def test_an_unreadable_secrets_file_blocks_the_plan(self) -> None:
        why = "zulip-secrets.conf: permission denied"
        made = plan(
            desired(realm(), token_store="secrets"),
            observed(found(secret_name=SECRET, token=None), unknown_secrets=why),
        )
        assert made.blocked == why
        assert not made.pending


OLD: dict[str, Any] = {"version": "5.6", "has_client_command": True}


class TestClientsOf5x:
    def test_a_new_realm_is_registered(self) -> None:
        made = plan(desired(realm()), observed(running={"acme": 500}, clients=frozenset(), **OLD))
        assert _kinds(made) == [
            ActionKind.SET_REALM,
            ActionKind.REGISTER_CLIENT,
            ActionKind.RESTART,
        ]

    def test_a_200_proves_that_the_client_is_registered(self) -> None:
        assert not plan(desired(realm()), observed(found(), **OLD)).pending

    def test_a_missing_client_needs_no_restart(self) -> None:
        made = plan(
            desired(realm()),
            observed(found(), running={"acme": 500}, clients=frozenset(), **OLD),
        )
        assert _kinds(made) == [ActionKind.REGISTER_CLIENT]

    def test_a_changed_client_name_is_registered(self) -> None:
        made = plan(desired(realm(client="okta-emea")), observed(found(), **OLD))
        assert ActionKind.REGISTER_CLIENT in _kinds(made)

    def test_an_absent_realm_loses_its_client(self) -> None:
        made = plan(desired(ABSENT), observed(found(), **OLD))
        assert _kinds(made) == [
            ActionKind.REMOVE_REALM,
            ActionKind.REMOVE_CLIENT,
            ActionKind.RESTART,
        ]

    def test_the_clients_that_the_server_has_are_removed(self) -> None:
        there = frozenset({("acme", "zz"), ("acme", "okta"), ("wiki", "okta")})
        entry = found(values={"scim_client_name": "zz"})
        made = plan(desired(ABSENT), observed(entry, clients=there, **OLD))
        gone = [a.client for a in made.actions if a.kind is ActionKind.REMOVE_CLIENT]
        assert gone == ["zz", "okta"]
        left = there - {("acme", client) for client in gone}
        assert not plan(desired(ABSENT), observed(clients=left, **OLD)).pending

    THREE = frozenset({("acme", "old"), ("acme", "okta"), ("wiki", "okta")})

    @pytest.mark.parametrize("ours", [False, True])
    def test_a_replaced_client_is_removed_if_scimconf_registered_it(self, ours: bool) -> None:
        there = frozenset({("acme", "okta")})
        made = plan(
            desired(realm(client="okta-emea")),
            observed(found(), clients=there, own_clients=there if ours else frozenset(), **OLD),
        )
        assert [a.client for a in made.actions if a.client] == ["okta-emea", *["okta"] * ours]
        named = any("okta of realm acme is unused" in w.text for w in made.warnings)
        assert named is not ours

    def test_unused_clients_are_reported_and_those_of_scimconf_are_removed(self) -> None:
        made = plan(
            desired(realm()),
            observed(found(), clients=self.THREE, own_clients={("acme", "old")}, **OLD),
        )
        assert [(a.kind, a.realm, a.client) for a in made.actions] == [
            (ActionKind.REMOVE_CLIENT, "acme", "old")
        ]
        assert [w.text for w in made.warnings if "client" in w.text] == [
            "SCIM client okta of realm wiki is unused, but stays registered: "
            "it was not registered by scimconf"
        ]

    @pytest.mark.parametrize("unmanaged", ["report", "keep"])
    def test_the_client_of_an_unmanaged_realm_is_kept(self, unmanaged: str) -> None:
        made = plan(
            desired(realm(), unmanaged=unmanaged),
            observed(found(), found("wiki"), clients=self.THREE, own_clients=self.THREE, **OLD),
        )
        assert [a.client for a in made.actions] == ["old"]

    @pytest.mark.parametrize("changes", [{"left_alone": frozenset({"acme"})}, {}])
    def test_clients_that_may_be_in_use_are_not_reported(self, changes: Any) -> None:
        entry = found() if changes else found(unreadable="a computed value")
        wanted = replace(desired().server, unmanaged="keep", **changes)
        made = plan(
            replace(desired(), server=wanted),
            observed(entry, clients=self.THREE, own_clients=self.THREE, **OLD),
        )
        assert [(a.realm, a.client) for a in made.actions] == [("wiki", "okta")]

    def test_the_client_of_a_removed_unmanaged_realm_is_removed(self) -> None:
        there = frozenset({("wiki", "okta")})
        made = plan(
            desired(unmanaged="remove"),
            observed(found("wiki"), clients=there, own_clients=there, **OLD),
        )
        assert _kinds(made) == [
            ActionKind.REMOVE_REALM,
            ActionKind.REMOVE_CLIENT,
            ActionKind.RESTART,
        ]

    def test_a_failed_listing_of_clients_is_a_warning(self) -> None:
        made = plan(desired(realm()), observed(found(), **OLD))
        assert any("could not be listed" in warning.text for warning in made.warnings)


class TestAbsentAndUnmanagedRealms:
    def test_an_absent_realm_that_is_not_on_the_server_needs_nothing(self) -> None:
        assert not plan(desired(ABSENT), observed()).pending

    MARKED = f"{settings_file.BEGIN}\n{block(found())}{settings_file.END}\n"

    def test_before_11_removing_the_last_realm_leaves_an_empty_block(self) -> None:
        """Without a block, each request of the identity provider causes a 500 and a mail."""
        made = plan(desired(ABSENT), observed(found(), block=self.MARKED, version="10.4"))
        assert "+SCIM_CONFIG = {}" in made.diff.splitlines()
        assert any("SCIM_CONFIG = {} stays" in warning.text for warning in made.warnings)
        both = observed(found(), found("wiki"), version="10.4")
        made = plan(desired(ABSENT, realm("wiki")), both)
        assert not any("stays" in warning.text for warning in made.warnings)

    def test_removing_the_last_realm_removes_the_block(self) -> None:
        made = plan(desired(ABSENT), observed(found(), block=self.MARKED, version="11.0"))
        assert made.warnings == ()
        lines = made.diff.splitlines()[3:]
        assert lines
        assert all(line.startswith("-") for line in lines)

    def test_the_secret_of_an_absent_realm_is_removed(self) -> None:
        made = plan(desired(ABSENT), observed(found(secret_name=SECRET)))
        assert _kinds(made) == [
            ActionKind.REMOVE_REALM,
            ActionKind.REMOVE_SECRET,
            ActionKind.RESTART,
        ]
        assert f"-{SECRET} = <token>" in made.diff

    STRANGE = found("other", unreadable="a computed value")

    def test_an_unmanaged_realm_is_reported_with_its_place_and_not_changed(self) -> None:
        made = plan(desired(realm()), observed(found(), self.STRANGE))
        assert (made.pending, made.warnings, made.diff) == (False, (), "")
        place = Position("/etc/zulip/settings.py", 800, 5)
        assert made.unmanaged == (Unmanaged("other", place),)
        assert "realm other at /etc/zulip/settings.py:800:5" in made.unmanaged[0].text

    def test_an_unmanaged_realm_that_is_kept_is_a_warning(self) -> None:
        made = plan(desired(realm(), unmanaged="keep"), observed(found(), self.STRANGE))
        assert (made.pending, made.unmanaged) == (False, ())
        (warning,) = made.warnings
        assert "realm other at /etc/zulip/settings.py:800:5: unmanaged" in warning.text

    @pytest.mark.parametrize("unmanaged", ["report", "keep", "remove"])
    def test_a_realm_outside_of_the_selection_is_ignored(self, unmanaged: str) -> None:
        there = observed(found(), found("other"))
        rest = frozenset({"other"})
        made = plan(desired(realm(), left_alone=rest, unmanaged=unmanaged), there)
        assert (made.actions, made.warnings, made.unmanaged) == ((), (), ())

    def test_an_unmanaged_realm_is_removed_on_request(self) -> None:
        made = plan(desired(realm(), unmanaged="remove"), observed(found(), found("other")))
        assert made.unmanaged == ()
        assert [a.text for a in made.actions] == [
            "remove realm other from SCIM_CONFIG",
            "restart Zulip",
        ]


class TestBlocked:
    def test_a_plan_is_blocked_by_the_agent(self) -> None:
        made = plan(desired(realm()), observed(found(), blocked="/s.py:3:1: twice"))
        assert (made.blocked, made.actions) == ("/s.py:3:1: twice", ())

    def test_a_plan_is_blocked_by_a_computed_value(self) -> None:
        made = plan(desired(realm()), observed(found(unreadable="bearer_token is computed")))
        assert made.blocked.startswith("/etc/zulip/settings.py:800:5: realm acme: bearer_token")

    def test_a_plan_is_blocked_by_a_computed_entry_that_it_must_remove(self) -> None:
        strange = found("other", unreadable="bearer_token is computed")
        made = plan(desired(realm(), unmanaged="remove"), observed(found(), strange))
        assert made.blocked.startswith("/etc/zulip/settings.py:800:5: realm other: bearer_token")
        assert "scim_unmanaged" in made.blocked
        assert made.actions == ()

    def test_a_plan_is_blocked_by_another_external_host(self) -> None:
        made = plan(desired(realm()), observed(found(), external_host="other.example.com"))
        assert "zulip_external_host" in made.blocked

    @pytest.mark.parametrize(
        ("status", "url", "word"),
        [
            (404, "https://acme.chat.example.com", "no organisation"),
            (400, "https://acme.example.net", "ALLOWED_HOSTS"),
            (400, "https://acme.chat.example.com", "if settings.py was changed, restart Zulip"),
            (404, "https://own.example.org", "if settings.py was changed, restart Zulip"),
            (400, "https://own.example.org:8443", "if settings.py was changed, restart Zulip"),
        ],
    )
    def test_a_plan_is_blocked_by_a_realm_that_zulip_does_not_have(
        self, status: int, url: str, word: str
    ) -> None:
        """`own.example.org` is in REALM_HOSTS of settings.py."""
        hosts = {"acme": "own.example.org"} if "own" in url else {}
        wanted = desired(realm(url=url))
        for seen in (
            observed(sites={"acme": Site(status)}, running={}, realm_hosts=hosts),
            observed(found(), running={"acme": status}, realm_hosts=hosts),
        ):
            assert word in plan(wanted, seen).blocked

    @pytest.mark.parametrize(
        ("version", "location", "hosts", "url"),
        [
            ("9.0", "https://own.example.org/login/", {}, "https://own.example.org"),
            ("9.0", "https://own.example.org:8443/login/", {}, "https://own.example.org:8443"),
            ("9.0", "", {"acme": "own.example.org"}, "https://own.example.org"),
            ("6.0", "", {"acme": "own.example.org"}, ""),
            ("9.0", "", {"acme": "acme.chat.example.com"}, ""),
            ("9.0", "https://acme.chat.example.com/login/", {}, ""),
            ("9.0", "/accounts/login/sso/", {}, ""),
            ("9.0", "https://idp.example.net/sso?next=/login/", {}, ""),
            ("9.0", "https://[x/login/", {}, ""),
            ("9.0", "https://evil;rm/login/", {}, ""),
        ],
    )
    def test_a_plan_is_blocked_by_a_realm_with_another_host(
        self, version: str, location: str, hosts: dict[str, str], url: str
    ) -> None:
        """From 7.0 on, Zulip redirects a request to a host that is not the one in REALM_HOSTS."""
        site = Site(302, location) if location else Site(200)
        seen = observed(
            found(), version=version, sites={"acme": site}, realm_hosts=hosts, running={"acme": 200}
        )
        made = plan(desired(realm()), seen)
        assert bool(made.blocked) == bool(url)
        assert not url or f"url: {url}" in str(made.blocked)
        assert bool(plan(desired(ABSENT), seen).blocked) == bool(url), (
            "its token is asked about too"
        )
        gone = observed(sites={"acme": site}, version=version, realm_hosts=hosts)
        assert not plan(desired(ABSENT), gone).blocked

    def test_an_absent_realm_need_not_exist(self) -> None:
        assert not plan(desired(ABSENT), observed(running={"acme": 404})).blocked


def test_a_key_that_the_version_does_not_know_is_left_out_with_a_warning() -> None:
    wanted: Realm = realm(create_guests_without_streams=True)
    made = plan(desired(wanted), observed(found(), version="8.4"))
    assert not made.pending
    assert any("create_guests_without_streams" in warning.text for warning in made.warnings)
    assert "create_guests_without_streams" in plan(desired(wanted), observed(found())).diff


class TestASilentWebServer:
    """`running` is None: nobody has seen whether the right token is accepted."""

    SILENT: ClassVar[dict[str, Any]] = {"running": {"acme": None}}

    def test_without_changes_nothing_is_proved(self) -> None:
        made = plan(
            desired(realm(), probe="https://127.0.0.1:8443"), observed(found(), **self.SILENT)
        )
        assert not made.pending
        assert made.unproved
        assert "realm acme: the local web server did not answer" in made.unproved.message
        assert "https://127.0.0.1:8443" in made.unproved.message
        assert "supervisorctl status" in made.unproved.hint

    def test_one_silent_realm_of_two_leaves_the_plan_unproved(self) -> None:
        both = desired(realm(), realm("wiki"))
        seen = observed(found(), found("wiki"), running={"acme": 200, "wiki": None})
        made = plan(both, seen)
        assert made.unproved
        assert "realm wiki" in made.unproved.message
        seen = observed(found(), found("wiki"), running={"acme": 200})
        assert plan(both, seen).unproved, "an answer that is missing is none"

    def test_with_pending_changes_it_is_a_warning(self) -> None:
        made = plan(desired(realm()), observed(**self.SILENT))
        assert made.pending
        assert made.unproved is None
        assert any("did not answer" in warning.text for warning in made.warnings)

    @pytest.mark.parametrize(
        "seen",
        [
            {"running": {}, "sites": {"acme": Site(502)}},
            {"running": {"acme": 502}, "sites": {"acme": Site(502)}},
            {"running": {}, "sites": {"acme": Site(500)}},
        ],
    )
    def test_with_pending_changes_a_site_that_is_down_is_a_warning(
        self, seen: dict[str, Any]
    ) -> None:
        made = plan(desired(realm()), observed(**seen))
        assert made.pending
        assert any("the site is down" in warning.text for warning in made.warnings)

    def test_a_500_of_scim_alone_does_not_mean_that_the_site_is_down(self) -> None:
        seen = observed(found(), running={"acme": 500}, sites={"acme": Site(200)})
        assert not any(
            "is down" in warning.text for warning in plan(desired(realm()), seen).warnings
        )

    @pytest.mark.parametrize(
        "seen",
        [
            {"running": {}, "sites": {"acme": Site(200)}},
            {"running": {"acme": None}, "sites": {"acme": Site(200)}},
        ],
    )
    def test_a_login_page_does_not_prove_the_token(self, seen: dict[str, Any]) -> None:
        assert plan(desired(realm()), observed(found(), **seen)).unproved

    def test_a_deactivated_realm_is_a_warning(self) -> None:
        seen = observed(found(), sites={"acme": Site(302, "/accounts/deactivated/")})
        made = plan(desired(realm()), seen)
        assert (made.pending, made.blocked, made.unproved) == (False, None, None)
        assert any("realm acme is deactivated" in warning.text for warning in made.warnings)
        assert plan(desired(ABSENT), seen).warnings != made.warnings

    def test_with_verify_false_there_is_nothing_to_prove(self) -> None:
        made = plan(desired(realm(), verify=False), observed(found(), running={}))
        assert (made.unproved, made.warnings) == (None, ())


def test_a_fingerprint_that_was_not_asked_about_proves_nothing() -> None:
    made = plan(
        desired(realm(), fingerprints={"acme": known()}),
        observed(found(token=ObservedToken(43, "45a9", None))),
    )
    assert ActionKind.SET_REALM in _kinds(made)


# --- earlier runs, and runs at the same time --------------------------------------------------


def test_after_an_interrupted_run_the_only_action_is_recover() -> None:
    made = plan(desired(realm()), observed(interrupted="2026, by ops, at 'restart'", blocked="x"))
    (action,) = made.actions
    assert action.kind is ActionKind.RECOVER
    assert action.text == (
        "roll back an interrupted run (2026, by ops, at 'restart'), then plan again"
    )
    assert (made.blocked, made.diff) == (None, "")


def test_a_run_that_finished_alone_is_reported() -> None:
    alone = FinishedAlone("0123", "the last run finished by itself: committed")
    assert plan(desired(realm()), observed(found(), finished_alone=alone)).warnings == (
        ServerWarning("earlier-run", alone.text),
    )


def test_while_another_run_is_at_work_nothing_is_planned() -> None:
    made = plan(desired(realm()), observed(at_work="ops, since 7", blocked="x"))
    assert (made.busy, made.blocked, made.actions) == ("ops, since 7", None, ())


class TestDocker:
    """docker-zulip: a change that the next start of the container would undo is not started."""

    LOST = "docker-zulip writes settings.py anew at every start of the container"

    def test_an_edit_that_would_be_lost_blocks_with_a_hint(self) -> None:
        made = plan(desired(realm(), name="chat1"), observed(lost=self.LOST))
        assert made.blocked.startswith(f"{self.LOST}; ")
        assert "`scimconf render chat1 --for docker-env`" in made.blocked
        assert made.actions == ()

    def test_the_removal_of_a_realm_blocks_too(self) -> None:
        made = plan(desired(realm(present=False)), observed(found(), lost=self.LOST))
        assert made.blocked.startswith(self.LOST)

    def test_a_server_with_nothing_to_do_is_not_blocked(self) -> None:
        assert plan(desired(realm()), observed(found(), lost=self.LOST)).blocked is None

    def test_a_restart_and_a_registration_are_not_blocked(self) -> None:
        """A registration (5.x) is in the database, which survives a new start of the container."""
        seen = observed(
            found(),
            version="5.6",
            has_client_command=True,
            clients=frozenset(),
            running={"acme": 401},
            lost=self.LOST,
        )
        made = plan(desired(realm()), seen)
        assert (made.blocked, made.pending) == (None, True)

    def test_a_token_that_the_container_does_not_set_is_changed(self) -> None:
        """zulip-secrets.conf is on the container's volume; settings.py may not be."""
        made = plan(self._in_secrets(), self._other_token())
        assert [action.kind for action in made.actions] == [
            ActionKind.SET_SECRET,
            ActionKind.RESTART,
        ]

    def test_a_token_that_the_container_sets_at_every_start_blocks(self) -> None:
        given = frozenset({"scim_bearer_token_acme"})
        made = plan(self._in_secrets(), self._other_token(given_secrets=given))
        assert made.blocked.startswith("docker-zulip writes scim_bearer_token_acme into ")
        gone = plan(
            desired(realm(present=False)),
            replace(self._other_token(given_secrets=given), lost=""),
        )
        assert gone.blocked == made.blocked

    def _in_secrets(self) -> Desired:
        return desired(realm(), token_store="secrets")

    def _other_token(self, **changes: Any) -> Observed:
        entry = found(token=ObservedToken(43, "0000", False), secret_name="scim_bearer_token_acme")
        return observed(entry, lost=self.LOST, **changes)


class TestAnotherTokenOnTheServer:
    """The warnings about a token on the server that the plan would replace."""

    def _warnings(self, wanted: Desired, created: str) -> str:
        there = ObservedToken(43, "ffff", False, created)
        return " ".join(w.text for w in plan(wanted, observed(found(token=there))).warnings)

    def test_a_newer_token_on_the_server_hints_at_an_old_token_file(self) -> None:
        said = self._warnings(desired(realm()), "2026-09-01T10:00:00Z")
        assert "a newer one (2026-09-01T10:00:00Z" in said
        assert "If an older token file was restored" in said

    def test_a_staged_or_previous_token_hints_at_rotate(self) -> None:
        for created, verb in (
            ("2026-07-01T10:00:00Z", "--activate"),
            ("2026-05-01T10:00:00Z", "--back"),
        ):
            other = known(created=created)
            wanted = replace(desired(realm()), others={"acme": (other,)})
            assert f"scimconf rotate {verb}" in self._warnings(wanted, created)

    def test_an_unknown_token_hints_at_a_lockout(self) -> None:
        assert "apply locks out an identity provider" in self._warnings(desired(realm()), "")

    def test_a_rotation_gives_no_warning(self) -> None:
        wanted = replace(desired(realm()), others={})
        assert self._warnings(wanted, "2026-09-01T10:00:00Z") == ""

    def test_replacing_a_token_that_is_not_in_the_token_file_is_a_lockout(self) -> None:
        made = plan(desired(realm(), fingerprints={}), observed(found(token=OTHER)))
        assert made.locks_out == ("acme",)
        assert "locked out until it has the new token" in made.actions[0].text
        assert plan(desired(realm(), fingerprints={}), observed()).locks_out == ()


class _NoAgent:
    def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
        raise AssertionError("nobody asks it")


class TestTokensThatOnlyNeedRecording:
    ELSEWHERE = realm(token=Reference("env", ("TOKEN",), "/"))

    def test_a_removed_token_that_is_on_the_server_again_is_recorded(self) -> None:
        wanted = replace(desired(realm()), unrecorded={"acme": "2026-07-01T10:00:00Z"})
        made = plan(wanted, observed(found()))
        assert _kinds(made) == [ActionKind.RECORD_TOKEN]
        assert "removed on 2026-07-01" in made.actions[0].text
        assert not made.touches_server
        assert made.diff == ""

    def test_the_salt_of_a_new_fingerprint_is_not_in_the_diff(self) -> None:
        wanted = replace(desired(self.ELSEWHERE), unrecorded={"acme": ""})
        made = plan(wanted, observed(found(token=OTHER)))
        assert _kinds(made)[:2] == [ActionKind.RECORD_TOKEN, ActionKind.SET_REALM]
        assert "<token acme, new>" in made.diff

    def test_a_web_server_that_does_not_answer_is_no_proof(self) -> None:
        wanted = replace(desired(self.ELSEWHERE), unrecorded={"acme": ""})
        seen = observed(found(), running={"acme": None})
        made = plan(wanted, seen)
        assert _kinds(made) == [ActionKind.RECORD_TOKEN]
        assert made.unproved
        outcome = judge("chat1", made)
        assert outcome.status is Status.PENDING
        assert ServerWarning("no-answer", made.unproved.message) in outcome.warnings
        done = change(_NoAgent(), wanted, made, seen, {})
        assert proved(wanted.server, done).status is Status.FAILED

    def test_a_necessary_restart_is_still_planned(self) -> None:
        wanted = replace(desired(self.ELSEWHERE), unrecorded={"acme": ""})
        made = plan(wanted, observed(found(), running={"acme": 401}))
        assert _kinds(made) == [ActionKind.RECORD_TOKEN, ActionKind.RESTART]
        assert made.touches_server


# --- custom profile fields --------------------------------------------------------------------


class TestCustomProfileFields:
    WANTED = realm(custom_profile_field_map={"phoneNumber": "phone", "team": "team"})

    def _blocked(self, **seen: Any) -> str | None:
        return plan(desired(self.WANTED), observed(**{"version": "12.1", **seen})).blocked

    def test_a_missing_field_blocks_the_server(self) -> None:
        found = self._blocked(fields={"acme": {"team": 1, "room": 2}})
        assert found is not None
        assert "realm acme: custom_profile_field_map needs" in found
        assert "does not have: phone (it has: room, team)" in found
        assert "phone, team (it has none)" in (self._blocked(fields={"acme": {}}) or "")

    def test_all_fields_are_there(self) -> None:
        assert self._blocked(fields={"acme": {"team": 1, "phone": 1}}) is None

    def test_fields_that_cannot_be_listed_block_the_server(self) -> None:
        found = self._blocked(unknown_fields="its custom profile fields cannot be listed: x")
        assert found == "realm acme: its custom profile fields cannot be listed: x"

    def test_an_older_zulip_and_an_absent_realm_need_no_field(self) -> None:
        assert self._blocked(version="11.0") is None
        gone = replace(self.WANTED, present=False)
        assert plan(desired(gone), observed(found(), version="12.1")).blocked is None
