"""Runs with --shard on servers of the lab, and the report that is merged from theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scimconf.run.shard import Shard
from tests.lab import Server
from tests.lab.operator import VAULT, Operator

from .conftest import Run

PLAIN: dict[str, Any] = {"scim_realms": {"": {}}}
CHANGED: dict[str, Any] = {"scim_realms": {"": {"name_formatted_included": True}}}
COUNT = 3


@pytest.mark.needs_sshd
def test_the_shards_of_a_run_are_the_whole_run(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    servers = [lab_server(version="12.1") for _ in range(2)]
    names = [server.name for server in servers]
    operator.write_inventory(dict.fromkeys(names, PLAIN))
    of = {
        name: next(n for n in range(1, COUNT + 1) if Shard(n, COUNT).holds(name)) for name in names
    }

    # A shard creates no tokens: its copy of the token file may be lost.
    first = of[names[0]]
    refused = operator.run("apply", "--yes", "--create-tokens", f"--shard={first}/{COUNT}", *VAULT)
    assert (refused.returncode, "creates none" in refused.stderr) == (64, True), refused
    assert operator.apply().returncode == 0

    operator.write_inventory(dict.fromkeys(names, CHANGED))
    files = _shards(operator, "plan", codes={0, 2})
    merged = operator.run("report", "merge", *files, "--format", "json", "--report", "all.md")
    whole = operator.run("plan", "--format", "json")
    assert (merged.returncode, whole.returncode) == (2, 2)
    assert _same(merged.stdout) == _same(whole.stdout)
    assert all(name in (operator.folder / "all.md").read_text() for name in names)

    missing = operator.run("report", "merge", *files[1:])
    assert (missing.returncode, missing.stdout) == (64, "")
    assert f"the report of shard 1 of {COUNT} is missing" in missing.stderr

    _shards(operator, "apply", "--yes", *VAULT, codes={0})
    assert operator.run("plan").returncode == 0
    files = _shards(operator, "verify", *VAULT, codes={0})
    assert operator.run("report", "merge", *files).returncode == 0


@pytest.mark.needs_sshd
def test_a_staged_rotation_in_shards(operator: Operator, lab_server: Callable[..., Server]) -> None:
    servers = [lab_server(version="12.1") for _ in range(2)]
    operator.write_inventory({server.name: PLAIN for server in servers})
    assert operator.apply().returncode == 0
    for mode in ((), ("--stage",)):
        refused = operator.run("rotate", "--yes", *mode, "--shard", "1/2", *VAULT)
        assert (refused.returncode, "creates no tokens" in refused.stderr) == (64, True)
    assert operator.run("rotate", "--stage", *VAULT).returncode == 0
    staged = operator.tokens.read_bytes()

    for index in (1, 2):
        operator.tokens.write_bytes(staged)  # each shard has a checkout of its own
        done = operator.run("rotate", "--activate", "--yes", f"--shard={index}/2", *VAULT)
        assert done.returncode == 0, done
    operator.tokens.write_bytes(staged)

    # One run without --shard records in the kept token file what the shards have done.
    done = operator.run("rotate", "--activate", "--yes", "--format", "json", *VAULT)
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["summary"] == {"ok": 2}, "no server is changed again"
    assert operator.run("plan").returncode == 0
    assert operator.run("verify", *VAULT).returncode == 0


def _shards(operator: Operator, verb: str, *options: str, codes: set[int]) -> list[str]:
    """Run a verb in all shards, one after the other. Return the files with their reports."""
    files = []
    for index in range(1, COUNT + 1):
        done = operator.run(verb, *options, f"--shard={index}/{COUNT}", "--format", "json")
        assert done.returncode in codes, done
        assert json.loads(done.stdout)["shard"] == {"index": index, "count": COUNT}
        files.append(f"{verb}-{index}.json")
        (operator.folder / files[-1]).write_text(done.stdout)
    return files


def _same(text: str) -> Any:
    """Return a JSON report without times, its servers sorted."""
    report = json.loads(text)
    servers = sorted(report["servers"], key=lambda each: str(each["server"]))
    for each in servers:
        each["seconds"] = 0
    return {**report, "servers": servers, "notes": [], "shard": None}


def test_an_empty_shard_succeeds_and_says_so(scimconf: Run) -> None:
    empty = next(
        n for n in range(1, 9) if not any(Shard(n, 8).holds(f"chat{i}.example.com") for i in (1, 2))
    )
    for verb in ("plan", "verify", "apply"):
        yes = ("--yes",) if verb == "apply" else ()
        done = scimconf(verb, *yes, f"--shard={empty}/8", "--vault-password-file", "password")
        assert done.returncode == 0, done
        assert f"shard {empty}/8 has none of the selected servers" in done.stdout


@pytest.mark.parametrize("verb", ["apply", "rotate"])
def test_a_shard_takes_no_canary(scimconf: Run, verb: str) -> None:
    done = scimconf(verb, "--yes", "--shard", "1/2", "--canary", "1")
    assert (done.returncode, "--canary and --shard exclude each other" in done.stderr) == (64, True)


def test_a_share_that_is_none_is_named(scimconf: Run) -> None:
    done = scimconf("plan", "--shard", "3/2")
    assert (done.returncode, "there is no shard 3 of 2" in done.stderr) == (64, True), done
    other = scimconf("undo", "--shard", "1/2")
    assert (other.returncode, "no such option" in other.stderr) == (64, True)


def test_a_realm_that_only_another_shard_has_is_no_error(scimconf: Run) -> None:
    other = next(
        n
        for n in range(1, 9)
        if Shard(n, 8).holds("chat2.example.com") and not Shard(n, 8).holds("chat1.example.com")
    )
    done = scimconf("plan", "--realm", "acme", f"--shard={other}/8")
    assert done.returncode == 0, done
    wrong = scimconf("plan", "--realm", "acmee", f"--shard={other}/8")
    assert (wrong.returncode, "did you mean acme?" in wrong.stderr) == (64, True), wrong
