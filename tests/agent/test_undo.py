"""Undo the last transaction, and recover from a dead run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scimconf.agent import difference, journal, lock
from scimconf.agent.errors import AgentError
from scimconf.agent.journal import State
from scimconf.agent.transaction import apply, recover, undo
from tests.agent.fake import SETTINGS, Zulip

OLD, NEW = "old-token-of-acme", "new-token-of-acme"
Ask = Callable[[dict[str, Any], Any, str], dict[str, Any]]


def told(
    ask: Ask, request: dict[str, Any], who: str = "a test"
) -> tuple[dict[str, Any], list[str]]:
    """Return the final message and the successful steps. Check that they have no token."""
    said: list[dict[str, Any]] = []
    final = ask(request, said.append, who)
    text = json.dumps([said, final])
    assert OLD not in text
    assert NEW not in text
    return final, [each["step"] for each in said if each.get("ok")]


def given(zulip: Zulip, request: dict[str, Any]) -> dict[str, Any]:
    final, _ = told(apply, request)
    assert final["result"] == "committed", final
    return final


def asked(zulip: Zulip, **more: Any) -> dict[str, Any]:
    return {"paths": zulip.paths(), **more}


@pytest.mark.parametrize("store", ["settings", "secrets"])
def test_a_rotation_is_undone(zulip: Zulip, store: str) -> None:
    given(zulip, zulip.apply(store=store, acme=OLD))
    pair = zulip.pair()
    given(zulip, zulip.apply(store=store, acme=NEW))
    look, steps = told(undo, asked(zulip, look=True))
    assert (look["result"], steps) == ("pending", [])
    assert "another value" in look["diff"]
    assert "fingerprint" not in look["diff"]
    assert zulip.running() == {"acme": NEW}

    final, steps = told(undo, asked(zulip, run=look["run"]))
    assert (final["result"], final["message"], final["changed"]) == ("committed", "", True)
    assert zulip.pair() == pair
    assert zulip.running() == {"acme": OLD}
    written = "write settings" if store == "settings" else "write secrets"
    assert steps == [
        "lock", "look again", "journal", "back up", written, "check candidate", "restart", "gate",
        "commit",
    ] if store == "secrets" else [
        "lock", "look again", "journal", "back up", "check candidate", written, "restart", "gate",
        "commit",
    ]  # fmt: skip
    assert zulip.litter() == []


def test_everything_is_undone_in_the_right_order(old_zulip: Zulip) -> None:
    first = old_zulip.apply(store="secrets", acme=OLD)
    first["clients"]["add"] = [["acme", "okta"]]
    given(old_zulip, first)
    pair = old_zulip.pair()
    second = old_zulip.apply(store="secrets", beta=NEW, acme=None)
    second["secrets"]["remove"] = ["scim_bearer_token_acme"]
    second["clients"] = {"add": [["beta", "okta"]], "remove": [["acme", "okta"]]}
    given(old_zulip, second)

    final, steps = told(undo, asked(old_zulip))
    assert final["result"] == "committed", final
    assert steps == [
        "lock", "look again", "journal", "back up", "write secrets", "check candidate",
        "register client", "write settings", "remove secrets", "restart", "gate",
        "remove client", "commit",
    ]  # fmt: skip
    assert old_zulip.pair() == pair
    assert old_zulip.running() == {"acme": OLD}
    assert old_zulip.clients() == [["acme", "okta"]]


def test_a_client_that_was_there_before_stays(old_zulip: Zulip) -> None:
    old_zulip.register([["acme", "okta"]])
    request = old_zulip.apply(acme=NEW, beta=OLD)
    request["clients"]["add"] = [["acme", "okta"], ["beta", "okta"]]
    given(old_zulip, request)
    assert told(undo, asked(old_zulip))[0]["result"] == "committed"
    assert old_zulip.clients() == [["acme", "okta"]]


def test_the_first_change_of_all_is_undone(zulip: Zulip) -> None:
    given(zulip, zulip.apply(store="secrets", acme=NEW))
    assert told(undo, asked(zulip))[0]["result"] == "committed"
    assert zulip.settings.read_text() == SETTINGS
    assert zulip.running() == {}


def test_an_undo_cannot_be_undone(zulip: Zulip) -> None:
    given(zulip, zulip.apply(acme=NEW))
    assert told(undo, asked(zulip))[0]["result"] == "committed"
    for look in (True, False):
        final, _ = told(undo, asked(zulip, look=look))
        assert final["result"] == "nothing"
        assert "was an undo" in final["message"]
        assert "run apply for this server" in final["hint"]
    assert zulip.settings.read_text() == SETTINGS


def test_there_is_nothing_to_undo(zulip: Zulip) -> None:
    assert "nothing on this server yet" in told(undo, asked(zulip))[0]["message"]
    given(zulip, zulip.apply(acme=OLD))
    given(zulip, {**zulip.apply(acme=OLD), "entries": {}, "wanted": {}})
    assert "only restarted" in told(undo, asked(zulip))[0]["message"]
    zulip.behave(restart_exit=1)
    told(apply, zulip.apply(acme=NEW))
    final, _ = told(undo, asked(zulip))
    assert final["result"] == "nothing"
    assert "was rolled back" in final["message"]


def test_only_the_given_run_is_undone(zulip: Zulip) -> None:
    first = given(zulip, zulip.apply(acme=OLD))
    given(zulip, zulip.apply(acme=NEW))
    final, _ = told(undo, asked(zulip, run=first["run"]))
    assert final["result"] == "stale"
    assert zulip.running() == {"acme": NEW}


def test_files_that_changed_since_are_refused_with_a_diff(zulip: Zulip) -> None:
    given(zulip, zulip.apply(store="secrets", acme=NEW))
    secret = "an LDAP password"
    text = zulip.settings.read_text().replace('"okta"', '"entra"')
    zulip.settings.write_text(text.replace("ODD =", f"LDAP = {secret!r}\nODD ="))
    zulip.secrets.write_text(f"{zulip.secrets.read_text()}salt2 = {secret}\n")
    pair = zulip.pair()
    for look in (True, False):
        final, _ = told(undo, asked(zulip, look=look))
        assert final["result"] == "touched"
        assert '-        "scim_client_name": "okta",\n' in final["diff"]
        assert '+        "scim_client_name": "entra",\n' in final["diff"]
        assert "around SCIM_CONFIG (not shown): new or changed: line 6 @@" in final["diff"]
        assert "+salt2 = <masked>\n" in final["diff"]
        assert secret not in json.dumps(final)
        assert str(zulip.state / "backups") in final["hint"]
    assert zulip.pair() == pair


def test_a_file_that_the_run_did_not_change_may_differ(zulip: Zulip) -> None:
    given(zulip, zulip.apply(acme=NEW))
    zulip.secrets.write_text(f"{zulip.secrets.read_text()}more = x\n")
    assert told(undo, asked(zulip))[0]["result"] == "committed"
    assert "more = x" in zulip.secrets.read_text()


def test_an_undo_that_fails_its_gate_is_rolled_back(zulip: Zulip) -> None:
    given(zulip, zulip.apply(acme=OLD))
    given(zulip, zulip.apply(acme=NEW))
    pair = zulip.pair()
    zulip.behave(restart_exit=1)
    final, _ = told(undo, asked(zulip))
    assert final["result"] == "rolled back"
    assert zulip.pair() == pair
    assert zulip.running() == {"acme": NEW}


def test_the_gate_does_not_check_an_old_token_that_was_refused_before(zulip: Zulip) -> None:
    """A token that was refused before the change need not be accepted after the undo."""
    given(zulip, {**zulip.apply(acme=OLD), "restart": None, "gate": None})
    given(zulip, zulip.apply(acme=NEW))
    assert told(undo, asked(zulip))[0]["result"] == "committed"
    assert OLD in zulip.settings.read_text()


def test_an_undo_has_no_restart_and_gate_if_the_change_had_none(zulip: Zulip) -> None:
    given(zulip, {**zulip.apply(acme=NEW), "restart": None, "gate": None})
    final, steps = told(undo, asked(zulip))
    assert final["message"].startswith("not restarted")
    assert "restart" not in steps


# --- recover ----------------------------------------------------------------------------------


def interrupted(zulip: Zulip) -> tuple[bytes, bytes]:
    """Leave the state of a run that died at its restart. Return the two files as before the run."""
    given(zulip, zulip.apply(acme=OLD))
    pair = zulip.pair()
    given(zulip, zulip.apply(acme=NEW))
    last = journal.read(str(zulip.state))
    assert last is not None
    journal.begin(str(zulip.state), last.kind, last.undo, "restart")
    return pair


def test_recover_finds_nothing(zulip: Zulip) -> None:
    assert told(recover, asked(zulip, look=True))[0]["result"] == "nothing"
    assert told(recover, asked(zulip))[0]["result"] == "nothing"


@pytest.mark.parametrize("ask", [recover, undo])
def test_an_interrupted_run_is_rolled_back(zulip: Zulip, ask: Ask) -> None:
    pair = interrupted(zulip)
    look, steps = told(ask, asked(zulip, look=True))
    assert (look["result"], steps) == ("pending", [])
    assert "roll back an interrupted run" in look["message"]
    final, steps = told(ask, asked(zulip))
    assert (final["result"], final["changed"]) == ("recovered", True)
    assert "was interrupted at 'restart'" in final["message"]
    assert steps == ["lock", "put back", "restart", "gate"]
    assert zulip.pair() == pair
    assert zulip.running() == {"acme": OLD}
    last = journal.read(str(zulip.state))
    assert last is not None
    assert last.state is State.ROLLED_BACK
    assert told(ask, asked(zulip))[0]["result"] == "nothing"


def test_a_rollback_that_cannot_be_finished_is_reported(zulip: Zulip) -> None:
    interrupted(zulip)
    zulip.settings.write_text("# by hand\n")
    final, _ = told(recover, asked(zulip))
    assert final["result"] == "roll-back failed"
    assert zulip.settings.read_text() == "# by hand\n"


def test_a_rollback_whose_restart_fails_is_no_success(zulip: Zulip) -> None:
    """The dead run may have restarted Zulip, so Zulip may run with the new settings."""
    pair = interrupted(zulip)
    zulip.run_with(acme=OLD)
    zulip.behave(restart_exit=7)
    final, _ = told(recover, asked(zulip))
    assert final["result"] == "roll-back failed"
    assert "restart: restart-server exited with status 7" in final["message"]
    assert "restart Zulip by hand" in final["hint"]
    assert zulip.pair() == pair


def test_a_journal_that_cannot_be_read(zulip: Zulip) -> None:
    given(zulip, zulip.apply(acme=NEW))
    (zulip.state / "journal.json").write_text("[" * 5000)
    for look in (True, False):
        final, _ = told(recover, asked(zulip, look=look))
        assert final["result"] == "failed"
        assert "cannot be read" in final["message"]


def test_a_large_file_has_a_journal_that_can_be_read(zulip: Zulip) -> None:
    zulip.settings.write_text(f"{zulip.settings.read_text()}#{' ' * 3_000_000}\n")
    pair = zulip.pair()
    given(zulip, zulip.apply(acme=NEW))
    assert told(undo, asked(zulip))[0]["result"] == "committed"
    assert zulip.pair() == pair


def test_a_recovery_is_reported_with_the_run_that_died(zulip: Zulip) -> None:
    interrupted(zulip)
    last = journal.read(str(zulip.state))
    assert last is not None
    request = zulip.apply(beta=NEW)
    request["expect"]["settings_sha256"] = "that of the half state"
    final, _ = told(apply, request)
    assert (final["result"], final["run"], final["changed"]) == ("stale", last.run, True)
    assert "was interrupted at 'restart', and was rolled back first; " in final["message"]


# --- another run is at work -------------------------------------------------------------------


@pytest.mark.parametrize("ask", [recover, undo])
@pytest.mark.parametrize("look", [True, False])
def test_another_run_is_named(zulip: Zulip, ask: Ask, look: bool) -> None:
    with lock.held(str(zulip.state), "ops from 192.0.2.1"):
        final, _ = told(ask, asked(zulip, look=look))
    assert final["result"] == "busy"
    assert "ops from 192.0.2.1 (process " in final["message"]
    assert "since 2" in final["message"]


def test_a_malformed_request_is_refused(zulip: Zulip) -> None:
    for ask in (undo, recover):
        with pytest.raises(AgentError, match="format"):
            ask({"paths": {}}, print, "a test")
        with pytest.raises(AgentError, match="format"):
            ask(asked(zulip, lock_timeout="long"), print, "a test")


# --- masked differences -----------------------------------------------------------------------


def test_a_difference_of_unreadable_files_shows_nothing() -> None:
    assert difference.of_settings("s", b"A = 1\n", b"A = = 1\n").startswith("@@ s:1:5: ")
    assert difference.of_secrets("s", b"[secrets]\n", b"").startswith("@@ s: ")
    assert "comments or spaces" in difference.of_secrets("s", b"[secrets]\n", b"[secrets]\n#\n")
    assert difference.of_settings("s", b"x", b"x") == difference.of_secrets("s", b"x", b"x") == ""


def test_removed_lines_are_counted() -> None:
    shown = difference.of_settings("s", b"A = 1\nB = 2\n\nC = 3\n", b"A = 1\n\nC = 4\n")
    assert shown == (
        "@@ s, around SCIM_CONFIG (not shown): new or changed: line 3; "
        "lines removed or changed: 2 @@\n"
    )


def test_a_changed_secret_is_reported_but_not_shown() -> None:
    shown = difference.of_secrets("s", b"[secrets]\na = 1\n", b"[secrets]\na = 2\n")
    assert "-a = <masked>\n+a = <masked, another value>\n" in shown
