"""The facts that the agent reports, with a small Zulip."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import pytest
from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]

from scimconf.agent import durable, files, journal, lock, own_clients
from scimconf.agent import observe as observe_module
from scimconf.agent.observe import observe
from scimconf.agent.probe import Answer, WebServer
from scimconf.agent.transaction import acknowledge, apply
from tests.agent.fake import SECRETS, SETTINGS, Zulip, entry, web_server

TOKEN = "hunter2hunter2hunter2hunter2"
KNOWN = {"hash": pbkdf2_sha256.using(rounds=10).hash(f"{TOKEN}\nhere"), "place": "here"}
OTHER = {"hash": pbkdf2_sha256.using(rounds=10).hash("another\nhere"), "place": "here"}


def look(request: dict[str, Any]) -> dict[str, Any]:
    facts = observe(request)
    assert TOKEN not in json.dumps(facts)
    assert (facts["final"], facts["result"]) == (True, "observed")
    return facts


def configured(zulip: Zulip, *entries: str, more: str = "") -> None:
    inside = "".join(f"    {each},\n" for each in entries)
    zulip.settings.write_text(f"{SETTINGS}SCIM_CONFIG = {{\n{inside}}}\n{more}")


def test_a_server_without_scim(zulip: Zulip) -> None:
    facts = look(zulip.observe(acme=None))
    assert facts["version"] == "9.0"
    assert facts["has_client_command"] is False
    assert facts["external_host"] == "chat.test"
    assert facts["has_get_secret"] is True
    assert facts["block"] is None
    assert facts["realms"] == {}
    assert facts["clients"] is None
    assert facts["running"] == {}, "SCIM_CONFIG is undefined: each question would be a traceback"
    assert facts["sites"] == {"acme": {"status": 200, "location": ""}}
    assert facts["blocked"] == facts["interrupted"] == facts["unknown_secrets"] == ""
    assert len(facts["settings_sha256"]) == len(facts["secrets_sha256"]) == 64


_ONLY_SOMETIMES = (
    *("candidate", "child", "clients", "docker", "durable", "gate", "journal", "layout_edit"),
    *("own_clients", "probe", "request", "secrets_edit", "settings_edit", "transaction", "undo"),
)
"""Modules of the agent that an observation of an ordinary server does not need."""


def test_an_observation_loads_only_the_modules_that_it_needs(zulip: Zulip) -> None:
    """Compiling the rest would take as long as the observation itself."""
    configured(zulip, entry("acme", f'"{TOKEN}"'))
    apply(zulip.apply(acme=TOKEN), lambda message: None, "a test")
    request = {**zulip.observe(acme=KNOWN), "ask": False}
    code = (
        "import json, sys\nfrom scimconf.agent import main, observe\n"
        "facts = observe.observe(json.load(sys.stdin))\n"
        "print(json.dumps([facts, sorted(sys.modules)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(request), capture_output=True, text=True
    )
    facts, loaded = json.loads(done.stdout)
    assert facts["realms"]["acme"]["token"]["matches"] is True
    assert facts["finished_alone"] is not None, "it has read the journal"
    of_agent = {f"scimconf.agent.{name}" for name in _ONLY_SOMETIMES}
    assert not {*of_agent, "base64", "subprocess", "ssl", "http.client"}.intersection(loaded)


def test_tokens_are_compared_here_and_sent_as_fingerprints(zulip: Zulip) -> None:
    configured(zulip, entry("acme", f'"{TOKEN}"'), entry("beta", f'"{TOKEN}"'))
    zulip.run_with(acme=TOKEN)
    facts = look(zulip.observe(acme=KNOWN, beta=OTHER))
    short = pbkdf2_sha256.from_string(KNOWN["hash"]).checksum.hex()[:4]
    acme, beta = facts["realms"]["acme"], facts["realms"]["beta"]
    assert acme["token"] == {
        "length": 28,
        "short": short,
        "matches": True,
        "other": None,
        "created": "",
    }
    assert acme["values"] == {"scim_client_name": "okta"}
    assert (acme["line"], acme["column"]) == (8, 5)
    assert (beta["token"]["matches"], beta["token"]["short"]) == (False, "")
    assert '"<token beta, 28 characters>"' in facts["block"]
    assert facts["running"] == {"acme": 200, "beta": 401}
    assert f'"<token acme, 28 characters, fingerprint {short}...>"' in facts["block"]
    unknown = look(zulip.observe())
    assert unknown["realms"]["acme"]["token"]["matches"] is None
    assert "fingerprint" not in unknown["block"]


def test_tokens_in_the_secrets_file(zulip: Zulip) -> None:
    configured(zulip, entry("acme", 'get_secret("scim_bearer_token_acme")'))
    zulip.secrets.write_text(f"{SECRETS}scim_bearer_token_acme = {TOKEN}\n")
    facts = look(zulip.observe(acme=KNOWN))
    assert facts["secret_names"] == ["scim_bearer_token_acme"]
    assert facts["realms"]["acme"]["secret_name"] == "scim_bearer_token_acme"
    assert facts["realms"]["acme"]["token"]["matches"] is True
    zulip.secrets.write_text(SECRETS)
    assert look(zulip.observe(acme=KNOWN))["realms"]["acme"]["token"] is None


def test_a_right_secret_is_reported_even_if_no_entry_refers_to_it(zulip: Zulip) -> None:
    name = "scim_bearer_token_acme"
    zulip.secrets.write_text(f"{SECRETS}{name} = {TOKEN}\nother = {TOKEN}\n")
    asked = zulip.observe(acme=KNOWN, beta=OTHER)
    assert look(asked)["right_secrets"] == []
    for realm in ("acme", "beta"):
        asked["realms"][realm]["secret"] = name
    assert look(asked)["right_secrets"] == ["acme"]
    configured(zulip, entry("acme", f'get_secret("{name}")'))
    assert look(asked)["right_secrets"] == ["acme"]
    configured(zulip, entry("acme", 'get_secret("other")'))
    assert look(asked)["right_secrets"] == ["acme"]


def test_an_unreadable_entry_is_named_without_its_text(zulip: Zulip) -> None:
    configured(zulip, f'"acme": {{"bearer_token": str("{TOKEN}")}}')
    acme = look(zulip.observe(acme=KNOWN))["realms"]["acme"]
    assert acme["unreadable"] == "a value is computed, not a literal"
    assert (acme["line"], acme["column"], acme["token"]) == (8, 30, None)


def test_a_secrets_file_that_cannot_be_used_is_unknown(zulip: Zulip) -> None:
    zulip.secrets.write_text("[secrets]\na = 1\na = 2\n")
    facts = look(zulip.observe(acme=None))
    assert facts["unknown_secrets"].startswith(f"{zulip.secrets}:3:1: a name appears twice")
    assert facts["blocked"] == ""
    zulip.secrets.unlink()
    facts = look(zulip.observe(acme=None))
    assert (facts["secrets_sha256"], facts["unknown_secrets"]) == (None, "")
    zulip.secrets.mkdir()
    assert "not a regular file" in look(zulip.observe(acme=None))["unknown_secrets"]


def test_an_unreadable_secrets_file_is_unknown(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def may_not(path: str, mode: str) -> BinaryIO:
        if path == str(zulip.secrets):
            raise PermissionError
        return open(path, "rb")

    monkeypatch.setattr(files, "open", may_not, raising=False)  # root may read everything
    facts = look(zulip.observe(acme=None))
    assert "may not read" in facts["unknown_secrets"]
    assert "NOPASSWD" in facts["unknown_secrets"]


# --- SCIM clients -----------------------------------------------------------------------------


def test_clients_are_listed_and_own_clients_are_marked(old_zulip: Zulip) -> None:
    configured(old_zulip, entry("acme", f'"{TOKEN}"'))
    everything = [["", "entra"], ["acme", "okta"]]
    old_zulip.register(everything)
    for request in (old_zulip.observe(acme=KNOWN), old_zulip.observe(ask=False, acme=KNOWN)):
        facts = look(request)
        assert (facts["clients"], facts["own_clients"]) == (everything, [])
    durable.make_private(str(old_zulip.state))
    own_clients.add(str(old_zulip.state), [("acme", "okta"), ("gone", "okta")])
    assert look(old_zulip.observe(acme=KNOWN))["own_clients"] == [["acme", "okta"]]


def test_clients_that_cannot_be_listed_block_unless_a_200_proves_them(old_zulip: Zulip) -> None:
    configured(old_zulip, entry("acme", f'"{TOKEN}"'))
    old_zulip.register([["acme", "okta"]])
    old_zulip.run_with(acme=TOKEN)
    old_zulip.behave(manage_exit=1)
    facts = look(old_zulip.observe(acme=KNOWN))
    assert (facts["clients"], facts["blocked"]) == (None, "")
    old_zulip.run_with(acme="another")
    facts = look(old_zulip.observe(acme=KNOWN))
    assert facts["blocked"].startswith("the registered SCIM clients cannot be listed: manage.py")
    assert facts["clients"] is None


def test_an_error_in_settings_is_reported_with_its_line_without_its_text(old_zulip: Zulip) -> None:
    configured(old_zulip, entry("acme", f'"{TOKEN}"'), more="# more\nX = hunter2_is_not_a_name\n")
    old_zulip.run_with(acme=TOKEN)  # Zulip still runs with the settings that it has loaded
    old_zulip.behave(manage_exit=1)
    facts = look(old_zulip.observe(acme=KNOWN))
    assert facts["blocked"].startswith(f"{old_zulip.settings}: ")
    line = len(old_zulip.settings.read_text().splitlines())
    assert f"cannot be loaded: NameError in line {line}" in facts["blocked"]
    assert "hunter2" not in facts["blocked"]
    assert "clients" not in facts["blocked"]


# --- the web server ---------------------------------------------------------------------------


def test_the_web_server_is_not_asked_if_ask_is_false(zulip: Zulip) -> None:
    assert look(zulip.observe(ask=False, acme=None))["running"] == {}


def test_a_server_that_does_not_answer_is_asked_once(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(zulip, entry("beta", f'"{TOKEN}"'))
    asked = []

    def silent(self: WebServer, host: str, *_: object) -> Answer:
        asked.append(host)
        return Answer(None)

    monkeypatch.setattr(WebServer, "answer", silent)
    facts = look(zulip.observe(acme=None, beta=None))
    assert facts["running"] == {"beta": None}
    assert {name: site["status"] for name, site in facts["sites"].items()} == {
        "acme": None,
        "beta": None,
    }
    assert asked == ["acme.chat.test"]


def test_scim_is_only_asked_for_realms_with_a_token(zulip: Zulip) -> None:
    with web_server(None, script=[404]) as (base, seen):
        facts = look({**zulip.observe(acme=None), "probe": base})
    assert facts["sites"] == {"acme": {"status": 404, "location": ""}}
    assert facts["running"] == {}
    assert [(each["path"], each["host"]) for each in seen] == [("/login/", "acme.chat.test")]
    assert "authorization" not in seen[0]


def test_a_redirect_of_the_login_page_is_reported(zulip: Zulip) -> None:
    configured(zulip, entry("acme", f'"{TOKEN}"'))
    with web_server(None, script=[302]) as (base, _):
        facts = look({**zulip.observe(acme=None), "probe": base})
    assert facts["sites"] == {"acme": {"status": 302, "location": "/elsewhere"}}
    assert facts["running"] == {"acme": 302}


def test_a_zulip_that_is_down_is_only_asked_for_the_login_page(zulip: Zulip) -> None:
    configured(zulip, entry("acme", f'"{TOKEN}"'))
    with web_server(None, script=[502]) as (base, seen):
        facts = look({**zulip.observe(acme=None), "probe": base})
    assert (facts["sites"]["acme"]["status"], facts["running"]) == (502, {"acme": 502})
    assert len(seen) == 1


# --- blocked ----------------------------------------------------------------------------------


def _blocked(zulip: Zulip) -> str:
    facts = look(zulip.observe(acme=None))
    assert facts["running"] == {}
    return str(facts["blocked"])


def test_settings_that_cannot_be_edited_block_with_their_place(zulip: Zulip) -> None:
    zulip.settings.write_text("A = 1\nSCIM_CONFIG = f()\n")
    assert _blocked(zulip).startswith(f"{zulip.settings}:2:15: SCIM_CONFIG is computed")
    assert 'one `SCIM_CONFIG = {"realm": {...}}` at the top level' in _blocked(zulip)
    assert look(zulip.observe())["version"] == "9.0"
    zulip.settings.write_text("A = (\n")
    assert f"{zulip.settings}:1:" in _blocked(zulip)
    zulip.settings.unlink()
    assert _blocked(zulip).startswith(f"there is no {zulip.settings}")


def test_a_file_that_cannot_be_replaced_blocks(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert "cannot be replaced by 4711: it belongs to" in _blocked(zulip)
    assert look({**zulip.observe(), "read_only": True})["blocked"] == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('ZULIP_VERSION = "4.11"\n', "Zulip 4.11 has no SCIM: Zulip 5.0 added it"),
        ("", "the version of this Zulip cannot be read"),
        (None, "there is no Zulip at "),
    ],
)
def test_no_zulip_or_one_without_scim(zulip: Zulip, text: str | None, why: str) -> None:
    path = zulip.deployment / "version.py"
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert _blocked(zulip).startswith(why)
    assert look(zulip.observe())["external_host"] == "chat.test"


def test_a_git_deployments_version_overrides(zulip: Zulip) -> None:
    (zulip.deployment / "zulip-git-version").write_text("10.0-beta1-12-gabc\nmore\n")
    assert look(zulip.observe())["version"] == "10.0-beta1-12-gabc"


# --- interrupted ------------------------------------------------------------------------------


def test_another_run_and_a_dead_run_are_reported(zulip: Zulip) -> None:
    with lock.held(str(zulip.state), "somebody"):
        found = look(zulip.observe())
    assert found["at_work"].startswith("somebody (process ")
    apply(zulip.apply(acme=TOKEN), lambda message: None, "a test")
    found = look(zulip.observe())
    assert (found["interrupted"], found["at_work"]) == ("", "")
    last = journal.read(str(zulip.state))
    assert last is not None
    journal.begin(str(zulip.state), last.kind, last.undo, "restart")
    found = look(zulip.observe())
    assert found["interrupted"] == f"{last.title}, at 'restart'"
    assert found["finished_alone"] is None
    durable.write_private(str(zulip.state / "journal.json"), b"nonsense")
    assert "cannot be read" in look(zulip.observe())["blocked"]


def test_two_observations_at_once_do_not_look_like_a_run(zulip: Zulip) -> None:
    with lock.held(str(zulip.state), "somebody"):
        pass
    descriptor = os.open(zulip.state / "lock", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # as another observation does
        assert look(zulip.observe())["at_work"] == ""
    finally:
        os.close(descriptor)


class TestARunThatEndsDuringAnObservation:
    """The run may have rolled back what was read before its end."""

    @pytest.fixture
    def during(self, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
        """Return a list of actions, one for the middle of each observation to come."""
        todo: list[Callable[[], object]] = []
        real = observe_module._zulip

        def interposed(*given: Any) -> Any:
            if todo:
                todo.pop(0)()
            return real(*given)

        monkeypatch.setattr(observe_module, "_zulip", interposed)
        return todo

    def test_the_observation_is_repeated(
        self, zulip: Zulip, during: list[Callable[[], object]]
    ) -> None:
        """The run began before the observation, and rolls back what was read."""
        before = zulip.settings.read_bytes()
        configured(zulip, entry("acme", f'"{TOKEN}"'))
        running = contextlib.ExitStack()
        running.enter_context(lock.held(str(zulip.state), "somebody"))

        def roll_back() -> None:
            zulip.settings.write_bytes(before)
            running.close()

        during.append(roll_back)
        facts = look(zulip.observe(acme=KNOWN))
        assert (facts["at_work"], facts["realms"], facts["block"]) == ("", {}, None)

    def test_the_observation_is_repeated_after_a_complete_run(
        self, zulip: Zulip, during: list[Callable[[], object]]
    ) -> None:
        during.append(lambda: apply(zulip.apply(acme=TOKEN), lambda message: None, "a test"))
        facts = look(zulip.observe(acme=KNOWN))
        assert facts["at_work"] == ""
        assert facts["realms"]["acme"]["token"]["matches"] is True

    def test_after_three_attempts_a_run_counts_as_at_work(
        self, zulip: Zulip, during: list[Callable[[], object]]
    ) -> None:
        during += [
            lambda: apply(zulip.apply(acme=TOKEN), lambda message: None, "a test"),
            lambda: apply(zulip.apply(acme=TOKEN), lambda message: None, "a test"),
            lambda: apply(zulip.apply(acme=TOKEN), lambda message: None, "a test"),
        ]
        facts = look(zulip.observe(acme=KNOWN))
        assert not during
        assert facts["at_work"]


def test_an_unreadable_state_folder_is_not_treated_as_empty(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user of the group zulip cannot read ~zulip/.scimconf, which has mode 0700."""
    assert look({**zulip.observe(), "read_only": True})["unseen"] == ""
    listdir = os.listdir

    def refuse(path: Any = ".") -> list[str]:
        if str(path) == str(zulip.state):
            raise PermissionError(errno.EACCES, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    facts = look({**zulip.observe(), "read_only": True})
    assert "whether a run was interrupted" in facts["unseen"]
    assert facts["blocked"] == ""
    assert str(zulip.state) in look(zulip.observe())["blocked"]


def test_a_result_is_reported_until_it_is_acknowledged(zulip: Zulip) -> None:
    final = apply(zulip.apply(acme=TOKEN), lambda message: None, "ops from 192.0.2.1")
    for _ in range(2):
        told = look(zulip.observe())["finished_alone"]
        assert told["run"] == final["run"]
        assert "by ops from 192.0.2.1) finished by itself" in told["text"]
        assert told["text"].endswith(": committed")
    assert acknowledge({"paths": zulip.paths(), "run": final["run"]})["result"] == "acknowledged"
    assert look(zulip.observe())["finished_alone"] is None

    zulip.behave(restart_exit=1)
    final = apply(zulip.apply(beta=TOKEN), lambda message: None, "a test")
    told = look(zulip.observe())["finished_alone"]
    assert told["text"].endswith(f": rolled back ({final['message']})")
