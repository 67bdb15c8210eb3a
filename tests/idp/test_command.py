"""A program that delivers the token: what it gets, and how its answers are understood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimconf.idp.base import IdpError, NotSupportedError
from scimconf.idp.command import Command
from scimconf.model import Deliver
from scimconf.secret import MASK, Secret
from tests.idp.conftest import TARGET

TOKEN = Secret("a-new-token-of-acme-with-43-characters")


def _command(tmp_path: Path, script: str, **options: float) -> Command:
    program = tmp_path / "deliver"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    deliver = Deliver("command", {"words": ("./deliver", "a b")}, str(tmp_path))
    return Command(deliver, TARGET, **options)


def test_it_gets_one_json_object_and_the_token_only_for_set(tmp_path: Path) -> None:
    command = _command(tmp_path, 'cat >> log; echo "$1" done')
    assert command.check() is False
    assert command.pause() == "a b done"
    command.set(TOKEN)
    command.test()
    command.resume()
    said = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [each["event"] for each in said] == ["pause", "set", "test", "resume"]
    assert [each.get("token") for each in said] == [None, TOKEN.reveal(), None, None]
    for each in said:
        each.pop("token", None)
        each.pop("event")
        assert each == {
            "version": 1,
            "deployment": "chat1",
            "realm": "acme",
            "scim_url": TARGET.base_url,
        }


def test_status_10_means_that_it_cannot(tmp_path: Path) -> None:
    command = _command(tmp_path, "exit 10")
    with pytest.raises(NotSupportedError, match=r"does not handle pause \(exit status 10\)$"):
        command.pause()
    with pytest.raises(NotSupportedError) as error:
        command.set(TOKEN)
    assert "every program must handle set" in error.value.hint
    assert command.resume() == "provisioning is running"


def test_any_other_status_is_a_failure_with_its_first_line(tmp_path: Path) -> None:
    command = _command(tmp_path, "cat > /dev/null; echo 'no such app'; echo more; exit 3")
    with pytest.raises(IdpError, match=r"exited with status 3 for set: no such app$") as error:
        command.set(TOKEN)
    assert error.value.unknown
    assert "to see its stderr" in error.value.hint


@pytest.mark.parametrize("mode", [None, 0o600])
def test_a_program_that_cannot_be_started_is_found_before_the_change(
    tmp_path: Path, mode: int | None
) -> None:
    command = _command(tmp_path, "true")
    program = tmp_path / "deliver"
    program.unlink() if mode is None else program.chmod(mode)
    with pytest.raises(IdpError, match="does not exist, or is not executable") as error:
        command.check()
    assert "chmod +x" in error.value.hint


def test_where_a_program_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a slash in PATH, else in the inventory's folder, which may be relative."""
    _command(tmp_path, "true")
    monkeypatch.chdir(tmp_path)
    for words in (("true",), ("./deliver",)):
        assert Command(Deliver("command", {"words": words}, "."), TARGET).check() is False


def test_an_answer_that_repeats_the_token_is_masked(tmp_path: Path) -> None:
    command = _command(tmp_path, r"sed 's/.*\"token\": \"\([^\"]*\)\".*/\1/'")
    assert command.set(TOKEN) == MASK


def test_a_program_may_leave_its_input_unread(tmp_path: Path) -> None:
    assert _command(tmp_path, "exec true").set(TOKEN) == "set: done"


def test_a_program_that_does_not_end_is_killed(tmp_path: Path) -> None:
    command = _command(tmp_path, "sleep 60", timeout=0.2)
    with pytest.raises(IdpError, match="did not end within") as error:
        command.set(TOKEN)
    assert error.value.unknown


def test_a_program_that_does_not_exist() -> None:
    command = Command(Deliver("command", {"words": ("./nothing",)}, "."), TARGET)
    with pytest.raises(IdpError, match="cannot be started"):
        command.pause()
