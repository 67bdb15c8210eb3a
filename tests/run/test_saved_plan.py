from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scimconf.errors import UsageError
from scimconf.fleet.look import Looked, planned
from scimconf.model import Desired, Observed, Position, Reference, Status, VaultValue
from scimconf.run.saved_plan import VERSION, load, save
from scimconf.secret import Secret
from tests.factories import FINGERPRINT, connection, desired, found, observed, realm

TOKEN = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF"


class _Silent:
    def ask(self, request: object, seconds: float = 0) -> list[dict[str, object]]:
        return []


def _looked(wanted: Desired, seen: Observed, monkeypatch: pytest.MonkeyPatch) -> Looked:
    monkeypatch.setattr("scimconf.fleet.look.observe", lambda agent, desired, read_only: seen)
    outcome, _ = planned(_Silent(), wanted)
    return Looked(wanted, outcome, seen)


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda wanted, seen: _looked(wanted, seen, monkeypatch)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


NEW = {"running": {"acme": 401}}


def _refused(path: Path, *looked: Looked) -> list[str]:
    return [outcome.message for outcome in load(path).refusal(looked)]


def test_an_equal_plan_is_not_refused(plan: Path, look: Any) -> None:
    save(plan, [look(desired(realm()), observed(**NEW))])
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    saved = load(plan)
    saved.check_selection([desired(realm()).server])
    assert saved.refusal([look(desired(realm()), observed(**NEW))]) == []


@pytest.mark.parametrize(
    ("wanted", "seen", "why"),
    [
        ({}, {"settings_sha256": "7" * 64}, "settings.py was changed"),
        ({}, {"secrets_sha256": None}, "zulip-secrets.conf was changed"),
        ({}, {"version": "12.1"}, "the Zulip version was 9.0, is now 12.1"),
        (
            {"restart": ("reboot", "\x1b[2J")},
            {},
            "scim_restart of chat1 was server, is now command: reboot '\\x1b[2J'",
        ),
        ({"fingerprints": {}}, {}, "now also planned: make a token for realm acme"),
        ({"fingerprints": {}}, {}, "the token is different: realm acme"),
        ({"probe": "http://[::1]"}, {}, "the inventory was changed: scim_probe of chat1"),
    ],
)
def test_every_change_since_the_plan_is_reported(
    plan: Path, look: Any, wanted: dict[str, Any], seen: dict[str, Any], why: str
) -> None:
    save(plan, [look(desired(realm()), observed(**NEW))])
    (outcome,) = load(plan).refusal([look(desired(realm(), **wanted), observed(**{**NEW, **seen}))])
    assert outcome.status is Status.FAILED
    assert outcome.message.startswith("changed since the plan was saved: ")
    assert why in outcome.message
    assert "plan --out" in outcome.hint


def test_a_changed_realm_of_the_inventory_is_reported(plan: Path, look: Any) -> None:
    save(plan, [look(desired(realm()), observed(**NEW))])
    elsewhere = realm(token=Reference("env", ("TOKEN",), "/home"))
    (message,) = _refused(plan, look(desired(elsewhere), observed(**NEW)))
    assert "scim_realms.acme.token of chat1 was the token file, is now env: TOKEN" in message


def test_an_action_that_is_no_longer_needed_is_reported(plan: Path, look: Any) -> None:
    save(plan, [look(desired(realm()), observed(**NEW))])
    (message,) = _refused(plan, look(desired(realm()), observed(found())))
    assert "no longer planned: restart Zulip" in message
    assert "its status is" not in message
    assert "is different" not in message, "what follows from that is not said, too"


def test_another_checkout_and_another_user_are_accepted(plan: Path, look: Any) -> None:
    def at(folder: str, **way: Any) -> Desired:
        here = Position(f"{folder}/inventory.yaml", 3, 1)
        known = connection(user=None)
        return desired(
            realm(position=here),
            position=here,
            ca=f"{folder}/ca.pem",
            connection=replace(known, **way),
        )

    save(plan, [look(at("/builds/one"), observed(**NEW))])
    moved = at("/builds/two", user="ops", private_key="/home/ops/key", become=True)
    assert load(plan).other_way([moved.server]) == []
    assert _refused(plan, look(moved, observed(**NEW))) == []


def test_a_changed_connection_is_refused_without_contacting_a_server(plan: Path, look: Any) -> None:
    both = [desired(realm(), name=name) for name in "ab"]
    save(plan, [look(each, observed(**NEW)) for each in both])
    arguments = ("-o", "HostName=127.0.0.2")
    said = frozenset({"ansible_ssh_common_args"})
    elsewhere = connection(ssh_arguments=arguments, said=said)
    servers = [both[0].server, replace(both[1].server, connection=elsewhere)]
    skipped, failed = load(plan).other_way(servers)
    assert (skipped.status, failed.status) == (Status.SKIPPED, Status.FAILED)
    assert failed.message == (
        "changed since the plan was saved: the inventory was changed: "
        "ansible_ssh_common_args of b was not set, is now -o HostName=127.0.0.2"
    )
    assert "plan --out" in failed.hint


def test_a_difference_in_long_values_is_shown(plan: Path, look: Any) -> None:
    def restarted(last: str) -> Desired:
        return desired(realm(), restart=("x" * 1000 + last,))

    save(plan, [look(restarted("before"), observed(**NEW))])
    (outcome,) = load(plan).other_way([restarted("after").server])
    assert "before, is" in outcome.message
    assert outcome.message.endswith("xafter")
    assert len(outcome.message) < 400


def test_a_token_that_a_reference_returns_is_not_compared(plan: Path, look: Any) -> None:
    elsewhere = realm(token=Reference("env", ("TOKEN",), "/home"))
    save(plan, [look(desired(elsewhere, fingerprints={}), observed(found()))])
    again = look(desired(elsewhere), observed(found()))
    assert not [m for m in _refused(plan, again) if "token is different" in m]


def test_if_one_server_changed_the_others_are_skipped(plan: Path, look: Any) -> None:
    def both(**moved: Any) -> list[Looked]:
        return [
            look(desired(realm(), name="a"), observed(**NEW)),
            look(desired(realm(), name="b"), observed(**{**NEW, **moved})),
            look(desired(realm(), name="c"), observed(found())),
        ]

    save(plan, both())
    outcomes = load(plan).refusal(both(settings_sha256="7"))
    assert [each.status for each in outcomes] == [Status.SKIPPED, Status.FAILED, Status.OK]
    assert outcomes[0].message == "not started: the saved plan is no longer valid for b"


def test_a_blocked_server_keeps_its_message(plan: Path, look: Any) -> None:
    save(plan, [look(desired(realm()), observed(**NEW))])
    (outcome,) = load(plan).refusal([look(desired(realm()), observed(blocked="no Zulip here"))])
    assert (outcome.status, outcome.message) == (Status.FAILED, "no Zulip here")


def test_a_saved_plan_contains_no_token(plan: Path, look: Any) -> None:
    in_clear = realm(token=Secret(TOKEN))
    in_vault = realm("wiki", token=VaultValue("$ANSIBLE_VAULT;1.1;AES256\n6162"))
    save(plan, [look(desired(in_clear, in_vault), observed(**NEW))])
    text = plan.read_text()
    for secret in (TOKEN, "ANSIBLE_VAULT", FINGERPRINT):
        assert secret not in text
    said = json.loads(text)["servers"][0]["way"]
    assert said["scim_realms.acme.token"].endswith("in clear text in the inventory")


def test_another_selection_of_servers_is_refused(plan: Path, look: Any) -> None:
    save(plan, [look(desired(realm(), name="a"), observed(**NEW))])
    a, b = (desired(realm(), name=name).server for name in "ab")
    with pytest.raises(UsageError, match="b is not in the plan"):
        load(plan).check_selection([a, b])
    with pytest.raises(UsageError, match="a is not selected"):
        load(plan).check_selection([])


@pytest.mark.parametrize(
    "content",
    [
        b"", b"nonsense", b"\xff\xfe", b"[" * 100_000, b"[]", b"{}", b'{"servers": []}',
        b'{"scimconf_plan": 2}', b'{"scimconf_plan": 2, "servers": [1]}',
        b'{"scimconf_plan": 2, "servers": [{"server": 1}]}',
        b'{"scimconf_plan": 2, "servers": [{"server": "a"}, {"server": "a"}]}',
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_plan_is_refused(plan: Path, content: bytes) -> None:
    plan.write_bytes(content)
    with pytest.raises(UsageError, match="is not a plan of scimconf"):
        load(plan)


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_a_plan_of_another_version_is_refused(plan: Path, version: int) -> None:
    plan.write_text(json.dumps({"scimconf_plan": version, "servers": []}))
    with pytest.raises(UsageError, match="another version") as refused:
        load(plan)
    assert "plan again" in refused.value.hint


def test_a_file_that_cannot_be_read_or_written(plan: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(plan)
    with pytest.raises(UsageError, match="cannot write"):
        save(plan / "x", [])


def test_a_damaged_plan_is_reported_as_changed(plan: Path, look: Any) -> None:
    save(plan, [look(desired(realm()), observed(**NEW))])
    document = json.loads(plan.read_text())
    for spoilt in ({}, {"actions": 1, "way": 2}, {"way": {"x": []}, "zulip_version": {}}):
        plan.write_text(json.dumps({**document, "servers": [{"server": "chat1", **spoilt}]}))
        (message,) = _refused(plan, look(desired(realm()), observed(**NEW)))
        (early,) = load(plan).other_way([desired(realm()).server])
        for said in (message, early.message):
            assert said.startswith("changed since the plan was saved: ")
