"""Rollbacks that are repeated, interrupted, on a full disk, or after another edit."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import durable, journal, steps, transaction
from scimconf.agent.errors import AgentError
from scimconf.agent.journal import State
from scimconf.agent.steps import STEPS
from scimconf.agent.undo import FileChange
from tests.agent.fake import Zulip

OLD, NEW = "old-token-of-acme", "new-token-of-acme"


def apply(request: dict[str, Any]) -> dict[str, Any]:
    return transaction.apply(request, lambda message: None, "a test")


def swap(zulip: Zulip) -> dict[str, Any]:
    """Return a change that removes acme's token from the secrets file and adds beta's."""
    assert apply(zulip.apply(store="secrets", acme=OLD))["result"] == "committed"
    request = zulip.apply(store="secrets", beta=NEW, acme=None)
    request["secrets"]["remove"] = ["scim_bearer_token_acme"]
    return request


def before(monkeypatch: pytest.MonkeyPatch, name: str, do: Callable[[], None]) -> None:
    """Do something just before a step."""

    def first(change: steps.Change) -> str:
        do()
        return step.do(change)

    step = next(step for step in STEPS if step.name == name)
    changed = tuple(step._replace(do=first) if each is step else each for each in STEPS)
    monkeypatch.setattr(transaction, "STEPS", changed)


def edit(zulip: Zulip) -> None:
    with zulip.settings.open("a") as file:
        file.write("# by hand\n")


def test_a_rollback_can_be_repeated_after_the_files_are_restored(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies in its rollback leaves an open journal beside the old files."""
    request = swap(zulip)
    pair = zulip.pair()
    closed = journal.Journal.close
    zulip.behave(restart_exit=1, only_with="beta")
    with monkeypatch.context() as dying:
        dying.setattr(journal.Journal, "close", lambda *_: (_ for _ in ()).throw(OSError(5, "no")))
        assert apply(request)["result"] == "roll-back failed"
    assert closed is journal.Journal.close
    assert zulip.pair() == pair
    zulip.behave()
    answer = transaction.recover({"paths": zulip.paths()}, lambda message: None, "a test")
    assert answer["result"] == "recovered", answer
    assert apply(request)["result"] == "committed"


def test_a_file_that_changed_before_its_write_is_not_rolled_back(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = swap(zulip)
    settings, secrets = zulip.pair()
    before(monkeypatch, "write settings", lambda: edit(zulip))
    answer = apply(request)
    assert answer["result"] == "failed", answer
    assert "something else changed" in answer["message"]
    assert zulip.pair() == (settings + b"# by hand\n", secrets)
    last = journal.read(str(zulip.state))
    assert last is not None
    assert last.state is State.ROLLED_BACK


def test_a_file_that_was_unreadable_before_its_write_is_not_rolled_back(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = swap(zulip)
    _, secrets = zulip.pair()
    before(monkeypatch, "write settings", zulip.settings.unlink)
    answer = apply(request)
    assert answer["result"] == "failed", answer
    assert "there is no" in answer["message"]
    assert zulip.secrets.read_bytes() == secrets
    assert journal.interrupted(str(zulip.state)) is None


def test_secrets_stay_if_settings_cannot_be_restored(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a missing secret, Zulip reads None, and would accept "Bearer None"."""
    request = swap(zulip)
    zulip.behave(restart_exit=1, only_with="beta")
    before(monkeypatch, "restart", lambda: edit(zulip))
    answer = apply(request)
    assert answer["result"] == "roll-back failed"
    assert "something else changed" in answer["message"]
    assert 'get_secret("scim_bearer_token_beta")' in zulip.settings.read_text()
    assert f"scim_bearer_token_beta = {NEW}" in zulip.secrets.read_text()


def test_a_change_after_the_file_was_restored_is_no_failure(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = swap(zulip)
    settings, secrets = zulip.pair()
    script = zulip.root / "restart"
    script.write_text(
        f"#!/bin/sh\ngrep -q beta '{zulip.settings}' && exit 1\n"
        f"echo '# by hand' >> '{zulip.settings}'\n"
    )
    script.chmod(0o755)
    answer = apply({**request, "restart": [str(script)]})
    assert answer["result"] == "rolled back", answer
    assert zulip.pair() == (settings + b"# by hand\n", secrets)
    assert journal.interrupted(str(zulip.state)) is None


@pytest.mark.parametrize("old", [b"A = 1\n", b"A = 1, and longer than the new one\n"])
def test_any_mix_that_a_write_in_place_can_leave_is_rolled_back(tmp_path: Path, old: bytes) -> None:
    """In both directions, and with any of the blocks on the disk."""
    path = tmp_path / "settings.py"
    new = b"B = 2, quite new\n"
    change = FileChange(str(path), old, new)
    for length in (len(old), len(new)):
        for cut in range(length + 1):
            for first, second in ((old, new), (new, old)):
                left = (first[:cut].ljust(cut) + second[cut:])[:length]
                if len(first) < cut or len(left) < length:
                    continue
                path.write_bytes(left)
                change.roll_back()
                assert path.read_bytes() == old
    for strange in (b"C" + new[1:], new + b"# by hand, at some length\n" * 2, b""):
        path.write_bytes(strange)
        with pytest.raises(AgentError, match="something else changed"):
            change.roll_back()


def test_a_rollback_works_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a rollback writes in place on a full disk."""
    path = tmp_path / "settings.py"
    change = FileChange(str(path), b"A = 1\n", b"B = 2\n")
    path.write_bytes(change.after)
    os.sync()  # a block is allocated only when it is written
    opened = os.open

    def full(name: str, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(name, flags, *mode)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(AgentError, match="No space left"):
        durable.replace(str(path), b"C = 3\n")
    change.roll_back()
    assert path.read_bytes() == change.before
    path.write_bytes(change.after)
    with pytest.raises(AgentError, match="No space left"):
        FileChange(str(path), b"A" * 1_000_000, change.after).roll_back()
    assert path.read_bytes() == change.after


def test_a_client_stays_while_the_old_configuration_may_need_it(
    old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_zulip.register([["acme", "okta"]])
    request = swap(old_zulip)
    request["clients"] = {"add": [["beta", "okta"]], "remove": [["acme", "okta"]]}
    seen: list[list[list[str]]] = []
    before(monkeypatch, "gate", lambda: seen.append(old_zulip.clients()))
    assert apply(request)["result"] == "committed"
    assert seen == [[["acme", "okta"], ["beta", "okta"]]]
    assert old_zulip.clients() == [["beta", "okta"]]


def test_if_a_file_cannot_be_restored_everything_it_needs_stays(
    old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_zulip.register([["acme", "okta"]])
    request = swap(old_zulip)
    request["clients"] = {"add": [["beta", "okta"]], "remove": [["acme", "okta"]]}
    replace = durable.replace

    def no_rollback(path: str, data: bytes, even_if_full: bool = False) -> None:
        if even_if_full:
            raise AgentError("no")
        replace(path, data)

    monkeypatch.setattr(durable, "replace", no_rollback)
    before(monkeypatch, "remove client", lambda: (_ for _ in ()).throw(AgentError("stop")))
    answer = apply(request)
    assert answer["result"] == "roll-back failed", answer
    assert old_zulip.running() == {"beta": NEW}
    assert ["beta", "okta"] in old_zulip.clients()
    assert f"scim_bearer_token_beta = {NEW}" in old_zulip.secrets.read_text()


def test_if_the_journal_cannot_be_closed_only_that_is_reported(
    zulip: Zulip, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = swap(zulip)
    pair = zulip.pair()
    zulip.behave(restart_exit=1, only_with="beta")
    monkeypatch.setattr(
        journal.Journal, "close", lambda *_: (_ for _ in ()).throw(OSError(5, "no"))
    )
    answer = apply(request)
    assert answer["result"] == "roll-back failed"
    assert answer["hint"].startswith("the server has its old configuration; ")
    assert zulip.pair() == pair
