"""docs/exit-codes.md, statement by statement: each has a test, and those that no other file has."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Server
from tests.lab.crossing import Crossing
from tests.lab.lab import DNS, PROJECT
from tests.lab.operator import VAULT, Operator

PAGE = PROJECT / "docs/exit-codes.md"
One = Callable[..., Server]
ROOT: dict[str, Any] = {"scim_realms": {"": {}}}
NOBODY = "http://127.0.0.1:1"
"""Where no web server listens."""

PROOFS: Mapping[str, tuple[str, ...]] = {
    # the table
    "| 0 |": ("tests/cli/test_main_job.py::test_a_5x_server_from_nothing_to_working",),
    "| 1 |": (
        "tests/cli/test_main_job.py::test_one_broken_server_of_two_stops_not_the_other",
        "tests/cli/test_saved_plan.py::test_a_saved_plan_is_carried_out_or_refused",
        "test_a_web_server_that_does_not_answer",
        "test_a_certificate_that_a_provider_would_refuse",
    ),
    "| 2 |": (
        "tests/cli/test_main_job.py::test_a_5x_server_from_nothing_to_working",
        "tests/cli/test_undo.py::test_recover_and_apply_finish_the_way_back_first",
        "test_an_unmanaged_realm_is_reported",
    ),
    "| 3 |": (
        "tests/cli/test_rollout.py::test_hosts_that_are_not_reached_are_tried_again_and_noted",
        "tests/cli/test_dead_controller.py::test_the_server_finishes_alone_and_the_next_plan_tells",
    ),
    "| 4 |": ("tests/cli/test_main_job.py::test_a_change_that_does_not_prove_good_is_put_back",),
    "| 5 |": ("test_a_rollback_that_fails",),
    "| 64 |": (
        "tests/cli/test_wrong_input.py::test_wrong_usage",
        "tests/cli/test_wrong_input.py::test_an_inventory_that_cannot_be_used",
    ),
    "| 130 |": (
        "tests/cli/test_terminal.py::test_anything_but_yes_changes_nothing",
        "tests/cli/test_terminal.py"
        "::test_ctrl_c_lets_the_server_under_way_finish_and_begins_no_other",
    ),
    "One code speaks for all": ("tests/test_rollout.py::test_the_worst_speaks_for_all",),
    "was skipped because others failed": (
        "tests/cli/test_rollout.py::test_a_canary_that_fails_then_the_hosts_that_failed",
    ),
    "cannot be written": (
        "tests/cli/test_report.py::test_a_page_that_cannot_be_written_is_a_failure",
        "tests/cli/test_rollout.py::test_a_file_that_cannot_be_written_fails_a_run_that_was_well",
    ),
    # what 0 proves
    "`apply` with nothing to do": ("test_a_web_server_that_does_not_answer",),
    "may be the cure": ("test_a_web_server_that_does_not_answer",),
    "the gate on the server passed": (
        "test_a_change_that_nobody_saw_proved",
        "tests/test_rollout.py::TestExitZeroMeansProven"
        "::test_a_change_that_only_the_public_side_proved_is_good",
    ),
    "a certificate that an identity": (
        "test_a_certificate_that_a_provider_would_refuse",
        "tests/test_verify.py::test_over_tls_with_a_ca_of_ones_own",
        "tests/test_verify.py::test_an_expired_certificate_is_refused",
    ),
    "cannot be reached from this machine": ("test_a_public_url_that_is_not_reached_from_here",),
    "`verify`: every realm": (
        "test_a_public_url_that_is_not_reached_from_here",
        "tests/test_rollout.py::TestExitZeroMeansProven"
        "::test_verify_wants_every_realm_to_be_reached",
    ),
    "A site that is down": (
        "tests/cli/test_real_zulip.py::test_a_site_that_is_down_is_said_to_be",
        "tests/test_rollout.py::TestExitZeroMeansProven"
        "::test_a_server_that_does_not_let_it_in_has_failed",
    ),
    "A realm that is deactivated": (
        "tests/cli/test_real_zulip.py::test_a_realm_that_is_deactivated_is_said_to_be",
    ),
    "redirects to another host": (
        "tests/cli/test_real_zulip.py::test_a_realm_with_a_host_of_its_own",
    ),
    "`scim_verify: false`": ("test_where_nobody_is_to_be_asked",),
    "`scim_restart: none`": ("test_a_change_that_waits_for_a_restart_by_hand",),
    "`plan --read-only`": ("test_what_a_user_who_may_only_read_cannot_see",),
    # other runs
    "nothing is planned, changed or verified": (
        "tests/cli/test_dead_controller.py::test_the_server_finishes_alone_and_the_next_plan_tells",
    ),
    "restart of an interrupted run": (
        "tests/agent/test_lock.py::test_it_waits_no_longer_than_a_restart_may_take",
    ),
    "`--lock-timeout SECONDS`": (
        "test_apply_waits_for_another_run_and_looks_again",
        "tests/cli/test_real_zulip.py::test_who_waits_for_a_run_that_rolls_back_looks_again",
    ),
    # unmanaged realms
    "`scim_unmanaged: report`": ("test_an_unmanaged_realm_is_reported",),
    "`scim_unmanaged: keep`": ("test_an_unmanaged_realm_is_kept_or_removed",),
    "`scim_unmanaged: remove`": ("test_an_unmanaged_realm_is_kept_or_removed",),
    "are not about unmanaged realms": ("test_verbs_that_are_not_about_unmanaged_realms",),
    "`import` exits with 2": (
        "tests/cli/test_import.py::test_a_weak_token_and_an_entry_that_is_left_out",
    ),
    # undo and recover
    "- 0: what was there": (
        "tests/cli/test_undo.py::test_undo_puts_back_what_the_last_apply_replaced",
        "tests/cli/test_undo.py::test_recover_and_apply_finish_the_way_back_first",
    ),
    "- 1: refused": (
        "tests/cli/test_undo.py::test_undo_is_refused_where_somebody_else_was_at_it",
        "test_an_undo_that_nobody_saw_proved",
    ),
    "- 4: the undo itself": ("test_an_undo_that_does_not_pass_its_gate",),
    "- 5: `recover`": (
        "tests/agent/test_undo.py::test_a_rollback_whose_restart_fails_is_no_success",
        "tests/agent/test_undo.py::test_a_rollback_that_cannot_be_finished_is_reported",
    ),
}


def _statements() -> Iterator[str]:
    """Return the rows of the page's table and the items of its lists."""
    text = PAGE.read_text().replace("\n  ", " ")
    for line in text.splitlines():
        if re.match(r"\| \d", line) or line.startswith("- "):
            yield line


def test_every_statement_of_the_page_has_a_test() -> None:
    statements = list(_statements())
    found = {key: [each for each in statements if key in each] for key in PROOFS}
    assert {key: len(each) for key, each in found.items() if len(each) != 1} == {}
    proved = [each for (each,) in found.values()]
    assert [each for each in statements if proved.count(each) != 1] == []


def test_every_test_that_is_named_exists() -> None:
    for name in {name for names in PROOFS.values() for name in names}:
        file, _, test = name.rpartition("::") if "::" in name else (__file__, "", name)
        file, _, inside = file.partition("::")
        names = _functions(PROJECT / file, inside)
        assert test in names, name


def _functions(file: Path, inside: str) -> set[str]:
    body: list[ast.stmt] = ast.parse(file.read_text()).body
    if inside:
        body = next(
            each.body for each in body if isinstance(each, ast.ClassDef) and each.name == inside
        )
    return {each.name for each in body if isinstance(each, ast.FunctionDef)}


def _server(said: str) -> dict[str, Any]:
    (server,) = json.loads(said)["servers"]
    return dict(server)


# --- what 0 proves ----------------------------------------------------------------------------


@pytest.mark.needs_sshd
def test_a_web_server_that_does_not_answer(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    operator.write_inventory({server.name: {**ROOT, "scim_probe": NOBODY}})
    for done in (operator.run("plan"), operator.apply()):
        assert done.returncode == 1, done
        assert f"did not answer (asked: {NOBODY})" in done.stdout
        assert "supervisorctl status" in done.stdout

    changed = {**ROOT, "scim_probe": NOBODY, "scim_client": "okta-emea"}
    operator.write_inventory({server.name: changed})
    plan = operator.run("plan", "--format", "json")
    assert plan.returncode == 2, plan
    assert any("did not answer" in said for said in _server(plan.stdout)["warnings"])


@pytest.mark.needs_sshd
def test_a_change_that_nobody_saw_proved(operator: Operator, one: One) -> None:
    """The web server did not answer before or after; then only the public URL can prove it."""
    server = one({**ROOT, "scim_probe": NOBODY, "scim_gate_timeout": 1}, version="9.0")
    seen = operator.apply("--format", "json")
    assert (seen.returncode, _server(seen.stdout)["verified"]) == (0, "yes"), seen

    changed = {**ROOT, "scim_probe": NOBODY, "scim_gate_timeout": 1, "scim_client": "okta-emea"}
    operator.write_inventory({server.name: changed})
    unseen = operator.run("apply", "--yes", *VAULT, env=_without_names(operator))
    assert unseen.returncode == 1, unseen
    assert "not proved" in unseen.stdout
    assert '"okta-emea"' in server.settings.read_text(), "the change stays"


@pytest.mark.needs_sshd
def test_an_undo_that_nobody_saw_proved(operator: Operator, one: One) -> None:
    silent = {**ROOT, "scim_probe": NOBODY, "scim_gate_timeout": 1}
    server = one(silent, version="9.0")
    before = server.settings.read_bytes()
    assert operator.apply().returncode == 0
    done = operator.run("undo", "--yes")
    assert done.returncode == 1, done
    assert "not proved" in done.stdout
    assert server.settings.read_bytes() == before


@pytest.mark.needs_sshd
def test_a_certificate_that_a_provider_would_refuse(operator: Operator, one: One) -> None:
    server = one({**ROOT, "scim_ca": None}, version="9.0")
    done = operator.apply("--format", "json")
    assert done.returncode == 1, done
    said = _server(done.stdout)
    assert (said["status"], said["verified"]) == ("failed", "no")
    (check,) = said["checks"]
    assert (check["result"], "scim_ca" in check["hint"]) == ("failed", True)
    assert "SCIM_CONFIG" in server.settings.read_text(), "the change stays"
    assert operator.run("verify", *VAULT).returncode == 1


NO_NAMES = """
import socket

_system = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    if host != "127.0.0.1":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _system(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
"""


def _without_names(operator: Operator) -> dict[str, str]:
    """Return an environment in which the servers' public names have no address."""
    environment = operator.lab.environment()
    away = operator.folder / "no-names"
    away.mkdir(exist_ok=True)
    (away / "sitecustomize.py").write_text(NO_NAMES)
    path = [
        str(away) if each == str(DNS) else each
        for each in environment["PYTHONPATH"].split(os.pathsep)
    ]
    return {**environment, "PYTHONPATH": os.pathsep.join(path)}


@pytest.mark.needs_sshd
def test_a_public_url_that_is_not_reached_from_here(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    away = _without_names(operator)
    done = operator.run("apply", "--yes", "--create-tokens", *VAULT, env=away)
    assert done.returncode == 0, done
    assert f"{server.name}  Zulip 9.0  changed, not verified from outside\n" in done.stdout
    operator.write_inventory({server.name: {**ROOT, "scim_client": "okta-emea"}})
    done = operator.run("apply", "--yes", *VAULT, "--format", "json", env=away)
    said = _server(done.stdout)
    assert (done.returncode, said["status"], said["verified"]) == (0, "changed", "no")
    verified = operator.run("verify", *VAULT, env=away)
    assert verified.returncode == 3, verified
    assert "not verified: realm (root)" in verified.stdout


@pytest.mark.needs_sshd
def test_where_nobody_is_to_be_asked(operator: Operator, one: One) -> None:
    one({**ROOT, "scim_verify": False, "scim_probe": NOBODY}, version="9.0")
    done = operator.apply("--format", "json")
    said = _server(done.stdout)
    assert (done.returncode, said["status"], said["verified"]) == (0, "changed", "not asked")
    assert operator.run("plan").returncode == 0
    verified = operator.run("verify", *VAULT)
    assert (verified.returncode, "not asked" in verified.stdout) == (0, True)


@pytest.mark.needs_sshd
def test_a_change_that_waits_for_a_restart_by_hand(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    token = {"token": "env:NEW_TOKEN"}
    operator.write_inventory({server.name: {"scim_realms": {"": token}, "scim_restart": "none"}})
    env = {**operator.lab.environment(), "NEW_TOKEN": "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm"}
    done = operator.run("apply", "--yes", "--create-tokens", *VAULT, env=env)
    assert done.returncode == 1, done
    plan = operator.run("plan", env=env)
    assert plan.returncode == 1, plan
    assert "restart Zulip by hand" in plan.stdout
    server.restart()
    assert operator.run("plan", env=env).returncode == 0


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_what_a_user_who_may_only_read_cannot_see(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    members = "all=$(sed 's/^zulip:.*/&ops/' /etc/group); printf '%s\\n' \"$all\" > /etc/group"
    assert server.run(["sh", "-c", members], user="root").returncode == 0
    operator.write_inventory({server.name: {**ROOT, "ansible_user": "ops"}})
    plan = operator.run("plan", "--read-only")
    assert plan.returncode == 0, plan
    assert "not seen: whether a run was interrupted" in plan.stdout
    operator.write_inventory({server.name: ROOT})
    assert "not seen" not in operator.run("plan", "--read-only").stdout


@pytest.mark.needs_sshd
def test_a_rotation_that_is_not_proved_from_outside_is_in_force_all_the_same(
    operator: Operator, one: One
) -> None:
    """Else the next apply would put the old token back."""
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    old = operator.token(server.name, "")
    operator.write_inventory({server.name: {**ROOT, "scim_ca": None}})
    done = operator.run("rotate", "--yes", *VAULT)
    assert done.returncode == 1, done
    assert "stays in force" not in done.stderr
    new = operator.token(server.name, "")
    assert (new == old, new in server.settings.read_text()) == (False, True)
    assert operator.run("plan").returncode == 0


# --- other runs -------------------------------------------------------------------------------


@pytest.mark.needs_sshd
def test_apply_waits_for_another_run_and_looks_again(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    crossing = Crossing(server)
    operator.write_inventory({server.name: {**ROOT, "scim_restart": crossing.restart}})
    first = operator.start("apply", "--yes", "--create-tokens", *VAULT)
    crossing.wait()
    second = operator.start("apply", "--yes", "--lock-timeout", "60", *VAULT)
    assert second.stdout
    for line in second.stdout:
        if "waiting for" in line:
            crossing.go()
            break
    said, _ = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "nothing to do" in said


# --- 5, and unmanaged realms ------------------------------------------------------------------


@pytest.mark.needs_sshd
def test_a_rollback_that_fails(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    before = server.settings.read_bytes()
    broken = ["/bin/sh", "-c", "supervisorctl stop zulip-django; exit 1"]
    changed = {**ROOT, "scim_client": "okta-emea", "scim_gate_timeout": 1}
    operator.write_inventory({server.name: {**changed, "scim_restart": broken}})
    done = operator.apply()
    assert done.returncode == 5, done
    assert "roll-back failed" in done.stdout
    assert server.settings.read_bytes() == before


@pytest.mark.needs_sshd
def test_an_undo_that_does_not_pass_its_gate(operator: Operator, one: One) -> None:
    """The journal has the restart of the change that is undone: one that works only once."""
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    script = f"{server.paths.deployment}/scripts/restart-server"
    once = f"{server.layout.inside('log')}/restarted"
    restart = ["/bin/sh", "-c", f"test ! -e {once} || exit 1; touch {once}; exec {script}"]
    changed = {**ROOT, "scim_client": "okta-emea", "scim_restart": restart}
    operator.write_inventory({server.name: {**changed, "scim_gate_timeout": 1}})
    assert operator.apply().returncode == 0
    now = server.settings.read_bytes()
    done = operator.run("undo", "--yes")
    assert done.returncode == 4, done
    assert server.settings.read_bytes() == now


STRANGE = f'"wiki": {{  # by hand\n        "bearer_token": "{"t" * 40}",\n    }}'


@pytest.fixture
def strange(operator: Operator, one: One) -> Server:
    """A server that is right, but for a realm that somebody has added by hand."""
    server = one(
        ROOT, version="9.0", realms=["", "wiki"], extra_settings=f"\nSCIM_CONFIG = {{{STRANGE}}}\n"
    )
    done = operator.apply("--format", "json")
    said = _server(done.stdout)
    assert (done.returncode, said["status"]) == (2, "changed"), done
    assert [each["realm"] for each in said["unmanaged"]] == ["wiki"]
    return server


@pytest.mark.needs_sshd
def test_an_unmanaged_realm_is_reported(operator: Operator, strange: Server) -> None:
    before = strange.settings.read_bytes()
    line = 1 + before[: before.index(b'"wiki"')].count(b"\n")
    for done in (operator.run("plan"), operator.apply()):
        assert done.returncode == 2, done
        assert "nothing to do, with an unmanaged realm" in done.stdout
        assert f"unmanaged realm wiki at {strange.paths.settings}:{line}:" in done.stdout
    said = _server(operator.apply("--format", "json").stdout)
    assert (said["actions"], said["steps"]) == ([], [])
    assert strange.settings.read_bytes() == before


@pytest.mark.needs_sshd
def test_an_unmanaged_realm_is_kept_or_removed(operator: Operator, strange: Server) -> None:
    operator.write_inventory({strange.name: {**ROOT, "scim_unmanaged": "keep"}})
    kept = operator.run("plan")
    assert kept.returncode == 0, kept
    assert re.search(r"! realm wiki at \S+:\d+:\d+: unmanaged, left unchanged", kept.stdout)

    operator.write_inventory({strange.name: {**ROOT, "scim_unmanaged": "remove"}})
    assert operator.run("plan").returncode == 2
    assert operator.apply().returncode == 0
    assert '"wiki"' not in strange.settings.read_text()


@pytest.mark.needs_sshd
def test_verbs_that_are_not_about_unmanaged_realms(operator: Operator, strange: Server) -> None:
    for verb in (("verify",), ("rotate", "--yes")):
        done = operator.run(*verb, *VAULT)
        assert done.returncode == 0, done
    assert operator.run("undo", "--yes").returncode == 0
    assert operator.run("recover", "--yes").returncode == 0
    assert STRANGE in strange.settings.read_text()
