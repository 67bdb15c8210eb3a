"""Transactions with a small Zulip: what is in force afterwards, and every rollback."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import (
    files,
    journal,
    lock,
    own_clients,
    settings_edit,
    steps,
    transaction,
    undo,
)
from scimconf.agent.errors import AgentError
from scimconf.agent.journal import State
from scimconf.agent.steps import STEPS, Step
from scimconf.agent.transaction import apply
from tests.agent.fake import SETTINGS, Zulip
from tests.matrix import sample

OLD, NEW = "old-token-of-acme", "new-token-of-acme"


class Run:
    """One apply, with all its messages."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.said: list[dict[str, Any]] = []
        self.final = apply(request, self.said.append, "a test")
        text = json.dumps([self.said, self.final])
        assert OLD not in text
        assert NEW not in text

    @property
    def result(self) -> str:
        return str(self.final["result"])

    @property
    def steps(self) -> list[str]:
        return [each["step"] for each in self.said if each.get("ok")]

    @property
    def failed(self) -> list[str]:
        return [each["step"] for each in self.said if each.get("ok") is False]


def given(zulip: Zulip, store: str = "settings", **tokens: str) -> None:
    """Bring a server to a known state with an apply."""
    run = Run(zulip.apply(store=store, **(tokens or {"acme": OLD})))
    assert run.result == "committed"


# --- what it does -----------------------------------------------------------------------------


def test_a_realm_is_added(zulip: Zulip) -> None:
    run = Run(zulip.apply(acme=NEW))
    assert run.final == {
        "final": True,
        "result": "committed",
        "message": "",
        "hint": "",
        "changed": True,
        "run": run.final["run"],
        "diff": "",
        "unproved": "",
        "outage": None,
    }
    assert run.steps == [
        "lock", "look again", "journal", "back up", "check candidate", "write settings",
        "restart", "gate", "commit",
    ]  # fmt: skip
    begun = [each["step"] for each in run.said if each.get("doing")]
    assert begun == run.steps
    assert zulip.running() == {"acme": NEW}
    assert zulip.settings.read_text().startswith(SETTINGS)
    assert zulip.litter() == []
    assert NEW not in zulip.argv()


def test_tokens_in_the_secrets_file_need_every_step(old_zulip: Zulip) -> None:
    given_request = old_zulip.apply(store="secrets", acme=OLD)
    given_request["clients"]["add"] = [["acme", "okta"]]
    assert Run(given_request).result == "committed"
    folder = files.state_folder(str(old_zulip.deployment))
    assert own_clients.read(folder) == {("acme", "okta")}
    request = old_zulip.apply(store="secrets", beta=NEW, acme=None)
    request["secrets"]["remove"] = ["scim_bearer_token_acme"]
    request["clients"] = {"add": [["beta", "okta"]], "remove": [["acme", "okta"]]}
    run = Run(request)
    assert run.result == "committed", run.final
    assert run.steps == [
        "lock", "look again", "journal", "back up", "write secrets", "check candidate",
        "register client", "write settings", "remove secrets", "restart", "gate",
        "remove client", "commit",
    ]  # fmt: skip
    assert old_zulip.running() == {"beta": NEW}
    assert old_zulip.clients() == [["beta", "okta"]]
    assert own_clients.read(folder) == {("beta", "okta")}
    assert old_zulip.secrets.read_text() == f"[secrets]\nsalt = x\nscim_bearer_token_beta = {NEW}\n"
    assert old_zulip.secrets.stat().st_mode & 0o777 == 0o640
    assert '["add_scim_client", "okta", "-r", "4"]' in old_zulip.argv()


def test_a_realm_of_digits_is_registered_by_its_own_id(old_zulip: Zulip) -> None:
    request = old_zulip.apply(**{"4": NEW})
    request["clients"]["add"] = [["4", "okta"]]
    assert Run(request).result == "committed"
    assert old_zulip.clients() == [["4", "okta"]]
    assert '"-r", "5"' in old_zulip.argv()


def test_a_client_that_was_registered_in_between_is_no_error(
    old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = steps.STEPS[0].do

    def meanwhile(change: steps.Change) -> str:
        old_zulip.register([["acme", "okta"]])
        return look(change)

    monkeypatch.setattr(transaction, "STEPS", (STEPS[0]._replace(do=meanwhile), *STEPS[1:]))
    request = old_zulip.apply(acme=NEW)
    request["clients"]["add"] = [["acme", "okta"]]
    assert Run(request).result == "committed"


def test_a_client_that_was_registered_by_hand_is_not_recorded(old_zulip: Zulip) -> None:
    old_zulip.register([["acme", "okta"]])
    request = old_zulip.apply(acme=NEW)
    request["clients"]["add"] = [["acme", "okta"]]
    assert Run(request).result == "committed"
    assert own_clients.read(files.state_folder(str(old_zulip.deployment))) == set()


def test_only_a_restart(zulip: Zulip) -> None:
    given(zulip)
    zulip.run_with(acme="something else")
    request = {**zulip.apply(acme=OLD), "entries": {}, "wanted": {}}
    run = Run(request)
    assert run.result == "committed"
    assert run.steps == ["lock", "look again", "journal", "restart", "gate", "commit"]
    assert zulip.running() == {"acme": OLD}


def test_a_realm_is_removed_and_its_token_is_refused(zulip: Zulip) -> None:
    given(zulip)
    assert Run(zulip.apply(acme=None)).result == "committed"
    assert zulip.settings.read_text() == SETTINGS
    assert zulip.running() == {}


def test_without_restart_and_gate_it_reports_what_is_not_proved(zulip: Zulip) -> None:
    run = Run({**zulip.apply(acme=NEW), "restart": None, "gate": None})
    assert run.result == "committed"
    assert run.final["unproved"].startswith("not restarted")
    run = Run({**zulip.apply(acme=OLD), "gate": None})
    assert run.final["message"].startswith("not verified")
    assert zulip.running() == {"acme": OLD}


def test_the_second_token_of_the_same_length_gets_another_second(zulip: Zulip) -> None:
    given(zulip)
    before = zulip.settings.stat()
    assert Run(zulip.apply(acme=NEW)).result == "committed"
    after = zulip.settings.stat()
    assert after.st_size == before.st_size
    assert int(after.st_mtime) > int(before.st_mtime)


def test_a_site_that_was_down_before_is_reported_not_rolled_back(zulip: Zulip) -> None:
    zulip.behave(down=True)
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "committed"
    assert run.final["message"].startswith("not verified: realm acme: the server fails (502)")
    assert run.final["unproved"] == run.final["message"]
    assert NEW in zulip.settings.read_text()


def test_backups_and_journal_are_private(zulip: Zulip) -> None:
    given(zulip)
    for path in [zulip.state, *zulip.state.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0
    backups = list((zulip.state / "backups").iterdir())
    assert [each.read_text() for each in backups] == [SETTINGS]
    last = journal.read(str(zulip.state))
    assert last is not None
    assert last.state is State.COMMITTED
    assert last.undo.settings.before == SETTINGS.encode()


# --- errors before any change -----------------------------------------------------------------


@pytest.mark.parametrize("which", ["settings", "secrets"])
def test_stale(zulip: Zulip, which: str) -> None:
    request = zulip.apply(acme=NEW)
    path = zulip.settings if which == "settings" else zulip.secrets
    path.write_text(path.read_text() + "# by hand\n")
    pair = zulip.pair()
    run = Run(request)
    assert (run.result, run.final["changed"]) == ("stale", False)
    assert str(path) in run.final["message"]
    assert zulip.pair() == pair
    assert run.failed == ["look again"]


def test_busy_names_the_other_run(zulip: Zulip) -> None:
    with lock.held(str(zulip.state), "somebody from 192.0.2.1"):
        run = Run(zulip.apply(acme=NEW))
    assert run.result == "busy"
    assert "somebody from 192.0.2.1" in run.final["message"]
    assert "since" in run.final["message"]
    assert Run(zulip.apply(acme=NEW)).result == "committed"


def _computed(zulip: Zulip) -> str:
    zulip.settings.write_text("SCIM_CONFIG = dict()\n")
    return f"{zulip.settings}:1:15"


def _missing(zulip: Zulip) -> str:
    zulip.secrets.write_text("")
    return "no section [secrets]"


def _duplicate(zulip: Zulip) -> str:
    zulip.secrets.write_text("[secrets]\na = 1\na = 2\n")
    return f"{zulip.secrets}:3:1"


def _broken(zulip: Zulip) -> str:
    zulip.settings.write_text("A = 1\nB = C\n")
    return "the current settings.py cannot be loaded: NameError in line 2"


def _hidden(zulip: Zulip) -> str:
    (zulip.deployment / "zproject/settings.py").write_text("SCIM_CONFIG = {}\n")
    return "Zulip would not see"


def _defined_elsewhere(zulip: Zulip) -> str:
    (zulip.deployment / "other.py").write_text("SCIM_CONFIG = {'kept': {}}\n")
    zulip.settings.write_text("from other import *\n")
    return f"{zulip.settings}:1:1: this may set SCIM_CONFIG"


def _other_values(zulip: Zulip) -> str:
    (zulip.deployment / "zproject/config.py").write_text("def get_secret(name): return 'x'\n")
    return "realm acme would not have the wanted values"


def _new_names(zulip: Zulip) -> str:
    zulip.settings.write_text(
        "import os\nif 'SEEN' in os.environ:\n    A = 1\nos.environ['SEEN'] = 'x'\n"
    )
    return "names other than SCIM_CONFIG"


def _no_python(zulip: Zulip) -> str:
    (zulip.deployment / ".venv/bin/python3").unlink()
    return "Zulip's own Python is missing"


@pytest.mark.parametrize(
    "broken",
    [
        _computed, _missing, _duplicate, _broken, _hidden, _defined_elsewhere, _other_values,
        _new_names, _no_python,
    ],
)  # fmt: skip
def test_an_impossible_change_fails_and_keeps_both_files(
    zulip: Zulip, broken: Callable[[Zulip], str]
) -> None:
    why = broken(zulip)
    pair = zulip.pair()
    run = Run(zulip.apply(store="secrets", acme=NEW))
    assert run.result == "failed"
    assert why in run.final["message"]
    assert zulip.pair() == pair
    assert zulip.litter() == []
    assert "restart" not in run.steps


def test_no_secrets_file(zulip: Zulip) -> None:
    request = zulip.apply(store="secrets", acme=NEW)
    zulip.secrets.unlink()
    assert "there is no" in Run(request).final["message"]
    request = {**zulip_without_secrets(zulip)}
    assert Run(request).result == "committed"


def zulip_without_secrets(zulip: Zulip) -> dict[str, Any]:
    zulip.secrets.write_text("")
    request = zulip.apply(acme=NEW)
    zulip.secrets.unlink()
    request["expect"]["secrets_sha256"] = None
    return request


def test_a_broken_secrets_file_matters_only_if_it_is_needed(zulip: Zulip) -> None:
    zulip.secrets.write_text("[secrets]\na = 1\na = 2\n")
    (zulip.deployment / "zproject/config.py").write_text("def get_secret(name): return 'x'\n")
    assert Run(zulip.apply(acme=NEW)).result == "committed"
    assert Run(zulip.apply(acme=OLD)).result == "committed"


def test_a_file_that_cannot_be_replaced(zulip: Zulip, monkeypatch: pytest.MonkeyPatch) -> None:
    request = zulip.apply(acme=NEW)
    monkeypatch.setattr(os, "access", lambda *_: False)
    run = Run(request)
    assert run.result == "failed"
    assert "is not writable" in run.final["message"]


def test_clients_on_a_zulip_without_them(zulip: Zulip) -> None:
    request = zulip.apply(acme=NEW)
    request["clients"]["add"] = [["acme", "okta"]]
    assert "no SCIM clients to register" in Run(request).final["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"gate": {"acme": {}}},
        {"entries": []},
        {"wanted": {"acme": {}}},
        {"paths": {}},
        {"restart": [1]},
        {"expect": None},
        {"secrets": {"set": {"a": None}, "remove": []}},
        {"clients": {"add": [["a"]], "remove": []}},
        {"restart_timeout": "soon"},
    ],
)
def test_a_malformed_request_is_refused(zulip: Zulip, changes: dict[str, Any]) -> None:
    with pytest.raises(AgentError, match="format"):
        apply({**zulip.apply(acme=NEW), **changes}, print, "a test")
    assert not zulip.state.exists()


def test_a_state_folder_of_another_user(zulip: Zulip) -> None:
    zulip.state.write_text("")
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "failed"
    assert run.final["message"].startswith("lock: ")


# --- rollback ---------------------------------------------------------------------------------


def _restart_fails(zulip: Zulip) -> None:
    zulip.behave(restart_exit=1)


def _wrong_token_is_let_in(zulip: Zulip) -> None:
    zulip.behave(lets_all_in=True)


@pytest.mark.parametrize("store", ["settings", "secrets"])
@pytest.mark.parametrize("breaks", [_restart_fails, _wrong_token_is_let_in])
def test_a_change_that_fails_the_gate_is_rolled_back(
    zulip: Zulip, breaks: Callable[[Zulip], None], store: str
) -> None:
    given(zulip, store)
    pair = zulip.pair()
    breaks(zulip)
    run = Run(zulip.apply(store=store, acme=NEW))
    assert run.result == "rolled back", run.final
    assert zulip.pair() == pair
    assert zulip.running() == {"acme": OLD}
    assert run.said[-1]["step"] == "gate"
    assert "put back" in run.steps
    last = journal.read(str(zulip.state))
    assert last is not None
    assert last.state is State.ROLLED_BACK


def test_a_site_that_was_down_before_is_reported_as_down(zulip: Zulip) -> None:
    """A 502 is not "ok", even if the change has not caused it."""
    zulip.behave(down=True, restart_exit=1, only_with="acme")
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "rolled back"
    assert (
        "the site is down: its web server answers 502; it was already down" in run.final["message"]
    )
    assert run.failed == ["restart", "gate"]


def test_a_restart_that_fails_both_times_with_the_site_down_is_no_rollback(zulip: Zulip) -> None:
    pair = zulip.pair()
    zulip.behave(down=True, restart_exit=1)
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "roll-back failed"
    assert "answers 502" in run.final["message"]
    assert "gate" not in run.steps
    assert zulip.pair() == pair


def test_the_outage_of_a_realm_is_measured(zulip: Zulip) -> None:
    given(zulip)
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "committed"
    both = sum(
        each["seconds"]
        for each in run.said
        if each["step"] in ("restart", "gate") and "seconds" in each
    )
    assert 0 <= run.final["outage"] <= both + 0.2


def test_a_rollback_message_gives_the_reason(zulip: Zulip) -> None:
    given(zulip)
    zulip.behave(restart_exit=3)
    message = Run(zulip.apply(acme=NEW)).final["message"]
    assert message.startswith("restart: restart-server exited with status 3: restart-server: no;")
    assert "the restart failed in the rollback too" in message


def test_a_restart_that_hangs_is_killed_and_rolled_back(zulip: Zulip) -> None:
    given(zulip)
    zulip.behave(restart_hangs=True)
    run = Run({**zulip.apply(acme=NEW), "restart_timeout": 0.3})
    assert "did not end within 0.3 seconds" in run.final["message"]
    assert zulip.running() == {"acme": OLD}


def test_a_failed_registration_is_rolled_back(old_zulip: Zulip) -> None:
    pair = old_zulip.pair()
    request = old_zulip.apply(acme=NEW, gamma=OLD)
    request["clients"]["add"] = [["acme", "okta"], ["gamma", "okta"]]
    run = Run(request)
    assert run.result == "failed"
    assert "no organisation gamma" in run.final["message"]
    assert old_zulip.pair() == pair
    assert old_zulip.clients() == []
    assert "restart" not in run.steps


def test_a_client_that_was_there_before_stays(old_zulip: Zulip) -> None:
    old_zulip.register([["acme", "okta"]])
    old_zulip.behave(restart_exit=1)
    request = old_zulip.apply(acme=NEW, beta=OLD)
    request["clients"]["add"] = [["acme", "okta"], ["beta", "okta"]]
    assert Run(request).result == "rolled back"
    assert old_zulip.clients() == [["acme", "okta"]]
    assert own_clients.read(files.state_folder(str(old_zulip.deployment))) == set()


def test_a_client_that_was_removed_is_registered_again(old_zulip: Zulip) -> None:
    given_request = old_zulip.apply(acme=OLD)
    given_request["clients"]["add"] = [["acme", "okta"]]
    assert Run(given_request).result == "committed"
    old_zulip.behave(restart_exit=1, wants_clients=True)
    request = old_zulip.apply(acme=None)
    request["clients"]["remove"] = [["acme", "okta"]]
    assert Run(request).result == "rolled back"
    assert old_zulip.clients() == [["acme", "okta"]]


def test_a_client_that_a_rollback_registers_again_stays_ours(
    old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next plan would say that somebody else has registered it."""
    given_request = old_zulip.apply(acme=OLD)
    given_request["clients"]["add"] = [["acme", "okta"]]
    assert Run(given_request).result == "committed"
    remove = STEPS[-1].do

    def removed_but_failed(change: steps.Change) -> str:
        remove(change)
        raise AgentError("manage.py shell did not end within 120 seconds")

    failing = (*STEPS[:-1], STEPS[-1]._replace(do=removed_but_failed))
    monkeypatch.setattr(transaction, "STEPS", failing)
    request = old_zulip.apply(acme=None)
    request["clients"]["remove"] = [["acme", "okta"]]
    assert Run(request).result == "rolled back"
    assert old_zulip.clients() == [["acme", "okta"]]
    assert own_clients.read(str(old_zulip.state)) == {("acme", "okta")}


def test_a_client_that_was_never_registered_is_not_recorded(
    old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an administrator registers it later, it is not ours to remove."""

    def refused(change: steps.Change) -> str:
        raise AgentError("the new settings.py is not valid")

    numbers = [step.name for step in STEPS]
    checked = numbers.index("check candidate")
    failing = (*STEPS[:checked], STEPS[checked]._replace(do=refused), *STEPS[checked + 1 :])
    monkeypatch.setattr(transaction, "STEPS", failing)
    request = old_zulip.apply(acme=NEW)
    request["clients"]["add"] = [["acme", "okta"]]
    assert Run(request).result == "failed"
    assert own_clients.read(str(old_zulip.state)) == set()


def test_a_failed_gate_of_a_rollback_is_reported(zulip: Zulip) -> None:
    given(zulip)
    pair = zulip.pair()
    restart = zulip.deployment / "scripts/restart-server"
    restart.write_text(
        restart.read_text() + "json.dump({'acme': 'nobody'}, open(root + '/running.json', 'w'))\n"
    )
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "roll-back failed"
    assert (
        "in the rollback: gate: realm acme: the token is not accepted (401)" in run.final["message"]
    )
    assert "restart Zulip by hand" in run.final["hint"]
    assert zulip.pair() == pair
    assert journal.interrupted(str(zulip.state)) is None


def test_a_file_that_changed_during_the_run_is_left_unchanged(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(zulip)

    def meddle(change: steps.Change) -> str:
        zulip.settings.write_text("# by hand\n")
        raise AgentError("no")

    _replace_step(monkeypatch, "gate", do=meddle)
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "roll-back failed"
    assert "something else changed" in run.final["message"]
    assert str(zulip.state / "backups") in run.final["hint"]
    assert zulip.settings.read_text() == "# by hand\n"
    assert run.failed == ["gate", "put back"]
    # The error stays until an operator has corrected the file.
    assert Run(zulip.apply(beta=NEW)).result == "roll-back failed"


def _replace_step(monkeypatch: pytest.MonkeyPatch, name: str, **fields: Any) -> None:
    changed = tuple(step._replace(**fields) if step.name == name else step for step in STEPS)
    monkeypatch.setattr(transaction, "STEPS", changed)


@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_an_unexpected_error_in_any_step_is_rolled_back(
    old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pair, request = _everything(old_zulip)

    def mistake(change: steps.Change) -> str:
        raise KeyError(NEW)

    _replace_step(monkeypatch, name, do=mistake)
    run = Run(request)
    assert run.result in ("failed", "rolled back")
    assert run.final["message"].startswith(f"{name}: KeyError (agent, test_transaction.py:")
    _nothing_happened(old_zulip, pair)


def _everything(zulip: Zulip) -> tuple[tuple[bytes, bytes], dict[str, Any]]:
    """Return a request that needs every step, on a server where each step has an effect."""
    request = zulip.apply(store="secrets", acme=OLD)
    request["clients"]["add"] = [["acme", "okta"]]
    assert Run(request).result == "committed"
    request = zulip.apply(store="secrets", beta=NEW, acme=None)
    request["secrets"]["remove"] = ["scim_bearer_token_acme"]
    request["clients"] = {"add": [["beta", "okta"]], "remove": [["acme", "okta"]]}
    return zulip.pair(), request


def _nothing_happened(zulip: Zulip, pair: tuple[bytes, bytes]) -> None:
    assert zulip.pair() == pair
    assert zulip.running() == {"acme": OLD}
    assert zulip.clients() == [["acme", "okta"]]
    assert journal.interrupted(str(zulip.state)) is None


def test_a_journal_that_cannot_be_written_changes_nothing(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    zulip.state.mkdir(0o700)
    pair = zulip.pair()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space")))
    run = Run(zulip.apply(acme=NEW))
    assert (run.result, run.final["changed"]) == ("failed", False)
    assert run.final["message"].startswith("journal: ")
    assert zulip.pair() == pair


def test_an_error_of_the_system_is_reported_in_its_words(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(change: steps.Change) -> str:
        raise OSError(28, "No space left on device", f"/tmp/{NEW}")

    _replace_step(monkeypatch, "back up", do=full)
    assert (
        Run(zulip.apply(acme=NEW))
        .final["message"]
        .startswith("back up: No space left on device (agent, ")
    )


def test_a_journal_that_cannot_be_closed_is_reported(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: journal.Journal, state: State, message: str) -> None:
        raise AgentError("no space")

    pair = zulip.pair()
    monkeypatch.setattr(journal.Journal, "close", full)
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "roll-back failed"
    assert run.final["message"] == "commit: no space; in the rollback: journal: no space"
    assert zulip.pair() == pair


# --- a run that dies --------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "name", sample((step.name for step in STEPS), "write secrets", "write settings", "gate")
)
def test_the_next_run_finishes_the_rollback(
    old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    pair, request = _everything(old_zulip)
    step = next(step for step in STEPS if step.name == name)
    _die(monkeypatch, step, request, when)
    left = journal.interrupted(str(old_zulip.state))
    assert left is not None
    assert left.reached == name
    (old_zulip.settings.parent / ".settings.py.scimconf-0123456789abcdef").write_text(NEW)

    nothing = {**old_zulip.apply(), "gate": None, "restart": None}
    nothing["expect"]["settings_sha256"] = "planned for what was left"
    run = Run(nothing)
    assert run.result == "stale"
    assert run.final["message"].startswith("the run of ")
    _nothing_happened(old_zulip, pair)
    assert Run({**request}).result == "committed"
    assert old_zulip.litter() == []


def _die(monkeypatch: pytest.MonkeyPatch, step: Step, request: dict[str, Any], when: str) -> None:
    def dying(change: steps.Change) -> str:
        if when == "after":
            step.do(change)
        os._exit(9)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns about the web server's thread
        child = os.fork()
    if child == 0:
        with monkeypatch.context() as patch:
            _replace_step(patch, step.name, do=dying)
            apply(request, lambda message: None, "a test")
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9


def test_a_journal_that_cannot_be_read_stops_everything(zulip: Zulip) -> None:
    given(zulip)
    (zulip.state / "journal.json").write_text('{"format": 99}')
    run = Run(zulip.apply(acme=NEW))
    assert run.result == "failed"
    assert "cannot be read" in run.final["message"]


def test_the_journal_is_read_as_it_was_written(zulip: Zulip) -> None:
    given(zulip)
    last = journal.read(str(zulip.state))
    assert last is not None
    assert undo.from_json(json.loads(json.dumps(undo.to_json(last.undo)))) == last.undo
    assert OLD not in repr(last)


# --- one file ---------------------------------------------------------------------------------


def test_an_interrupted_write_in_place_is_rolled_back(tmp_path: Path) -> None:
    path = tmp_path / "settings.py"
    change = undo.FileChange(str(path), b"A = 'old, and longer than'", b"B = 'new'")
    for cut in range(len(change.after)):
        path.write_bytes(change.after[:cut] + change.before[cut:])
        change.roll_back()
        assert path.read_bytes() == change.before
    path.write_bytes(b"C = 1")
    with pytest.raises(AgentError):
        change.roll_back()
    with pytest.raises(AgentError, match="something else changed"):
        change.write()


def test_the_editors_bytes_come_into_force(zulip: Zulip) -> None:
    """The bytes in force are those that the editor returns."""
    request = zulip.apply(acme=NEW)
    expected = settings_edit.edit(zulip.settings.read_bytes(), request["entries"])
    assert Run(request).result == "committed"
    assert files.read(str(zulip.settings)) == expected
