"""`rotate` with `deliver`: Zulip and the identity provider change together, whatever fails."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from scimconf.tokens.store import TokenFile
from tests.cli.terminal import Terminal
from tests.cli.test_deliver import Company, program
from tests.lab import Lab
from tests.lab.crossing import until
from tests.lab.idp import Authentik, Fault, Graph, Mini, Okta
from tests.lab.operator import VAULT, Operator
from tests.matrix import sample

pytestmark = pytest.mark.needs_sshd


@pytest.fixture(scope="module")
def shared(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One server for all tests of this file; each test leaves both ends with the same token."""
    operator = Operator(lab, tmp_path_factory.mktemp("both-ends") / "operator")
    server = lab.server("both-ends.test", version="9.0", realms=["acme", "wiki", "legacy"])
    with ExitStack() as stack:
        stack.callback(server.stop)
        graph = stack.enter_context(lab.identity_provider(Graph))
        authentik = stack.enter_context(lab.identity_provider(Authentik))
        mini = stack.enter_context(lab.identity_provider(Mini))
        env = {**lab.environment(), **graph.environment(lab.ca), **authentik.environment(lab.ca)}
        company = Company(operator, server, graph, authentik, mini, env)
        words = program(operator.folder, mini, lab.ca)
        write(
            company,
            acme=graph.settings(),
            wiki=authentik.settings(lab.ca),
            legacy={"command": words},
        )
        for idp in (graph, authentik, mini):
            idp.client.users = {"ada@example.com": "Ada Lovelace"}
        assert company.run("apply", "--yes", "--create-tokens", *VAULT).returncode == 0
        assert authentik.client.cycle()
        yield company


@pytest.fixture
def company(shared: Company) -> Company:
    """The company with one realm in its inventory, and providers without faults."""
    for idp in (shared.graph, shared.authentik, shared.mini):
        idp.faults.clear()
        idp.client.sent.clear()
        assert not idp.client.paused
    write(shared, acme=shared.graph.settings())
    return shared


def write(company: Company, **deliver: Any) -> None:
    """Write the inventory: realms, each with its `deliver`."""
    realms = {realm: {"idp": "entra", "deliver": each} for realm, each in deliver.items()}
    variables = {"scim_realms": realms, "scim_token_store": "secrets", "scim_unmanaged": "keep"}
    company.operator.write_inventory({company.server.name: variables})


def rotate(company: Company, *arguments: str, code: int = 0) -> str:
    done = company.run("rotate", "--yes", *VAULT, *arguments)
    assert done.returncode == code, done
    return str(done.stdout + done.stderr)


def entry(company: Company, realm: str = "acme") -> Any:
    found = TokenFile.load(company.operator.tokens).entry(company.server.name, realm)
    assert found
    return found


def lets_in(company: Company, token: str, realm: str = "acme") -> bool:
    return company.server.request("GET", "/scim/v2/Users", realm, token)[0] == 200


def agrees(company: Company, token: str) -> bool:
    """Return whether both ends and the token file have this token, and provisioning works."""
    good = company.graph.client.cycle()
    return (
        company.graph.client.token == token == company.token("acme")
        and lets_in(company, token)
        and not company.graph.client.paused
        and good
        and not entry(company).delivering
    )


def test_no_request_fails_while_a_paused_provider_gets_the_new_token(company: Company) -> None:
    old = company.token("acme")
    client = company.graph.client
    with client.always():
        said = rotate(company)
    assert client.refused == 0
    assert len(client.sent) > 4
    new = company.token("acme")
    assert new != old
    assert agrees(company, new)
    assert not lets_in(company, old)
    assert client.wrong() == []
    assert entry(company).delivered
    for words in (
        "provisioning is paused; the token is set; its connection test succeeded; provisioning is "
        "running",
        "the identity provider was paused during the change",
    ):
        assert words in said
    assert "locked out" not in said
    assert "handoff" not in said
    assert old not in said
    assert new not in said
    assert company.operator.run("plan").returncode == 0


def test_stage_activate_and_back(company: Company) -> None:
    old = company.token("acme")
    rotate(company, "--stage")
    assert company.graph.client.token == old
    rotate(company, "--activate")
    new = company.token("acme")
    assert new != old
    assert agrees(company, new)
    rotate(company, "--back")
    assert agrees(company, old)


NOT_TAKEN = [
    (Fault("PUT", status=403, times=9), "answered 403"),
    (Fault("POST", "validate", status=400, times=9), "answered 400"),
]


@pytest.mark.parametrize(("fault", "words"), sample(NOT_TAKEN, NOT_TAKEN[1]))
def test_a_provider_that_does_not_take_the_token_leaves_the_old_one_at_both_ends(
    company: Company, fault: Fault, words: str
) -> None:
    old = company.token("acme")
    company.graph.faults.append(fault)
    said = rotate(company, code=4)
    company.graph.faults.clear()
    assert words in said
    assert "so both ends have the old one" in said
    assert agrees(company, old)
    assert company.operator.run("plan").returncode == 0


def test_a_provider_that_is_not_ready_changes_nothing(company: Company) -> None:
    old = company.token("acme")
    before = company.server.secrets.read_bytes()
    company.graph.faults.append(Fault("GET", "jobs", status=403, times=9))
    said = rotate(company, code=1)
    company.graph.faults.clear()
    assert "nothing was changed, because the identity provider is not ready" in said
    assert company.server.secrets.read_bytes() == before
    assert agrees(company, old)


def test_a_change_that_zulip_rolls_back_starts_the_provider_again(company: Company) -> None:
    old = company.token("acme")
    script = company.server.deployment / "scripts/restart-server"
    whole = script.read_bytes()
    script.write_text("#!/bin/sh\n[ -e /tmp/none ] || { sleep 0; exit 1; }\n")
    done = company.run("rotate", "--yes", *VAULT)
    assert done.returncode in (4, 5), done
    script.write_bytes(whole)
    company.server.restart()
    if done.returncode == 5:
        assert company.graph.client.paused
        assert "unfinished" not in done.stdout
        assert company.run("deliver", "--yes", *VAULT).returncode == 0
    assert agrees(company, old)


def test_a_leaked_token_does_not_come_back(company: Company) -> None:
    old = company.token("acme")
    company.graph.faults.append(Fault("PUT", status=403, times=9))
    said = rotate(company, "--no-fallback", code=5)
    company.graph.faults.clear()
    new = company.token("acme")
    assert new != old
    assert not lets_in(company, old)
    assert lets_in(company, new)
    assert "Zulip has the new token, the identity provider may have another one" in said
    assert "provisioning stays paused" in said
    assert company.graph.client.paused
    assert entry(company).delivering
    planned = company.operator.run("plan")
    assert planned.returncode == 1, planned
    assert "has not ended: its identity provider may be paused" in planned.stdout
    (hint,) = [
        line.partition("run: ")[2].partition(". If")[0]
        for line in said.splitlines()
        if "when the identity provider works again" in line
    ]
    pasted = company.operator.run(*shlex.split(hint)[1:], "--yes", env=company.env)
    assert pasted.returncode == 0, pasted
    assert agrees(company, new)
    assert company.operator.run("plan").returncode == 0


def test_both_ends_differ_only_if_the_provider_stays_away(company: Company) -> None:
    old = company.token("acme")
    away = {"Retry-After": "0"}
    company.graph.faults.append(Fault("PUT", status=503, headers=away, times=99))
    done = company.run("rotate", "--yes", "--format", "json", *VAULT)
    assert done.returncode == 5, done
    (server,) = json.loads(done.stdout)["servers"]
    assert server["status"] == "split"
    assert "Zulip has the old token" in server["message"]
    assert "scimconf deliver" in server["hint"]
    assert "then run: scimconf rotate" not in done.stderr, "one next step, not two"
    assert lets_in(company, old)
    assert company.token("acme") == old
    assert entry(company).delivering
    company.graph.faults.clear()
    assert company.run("deliver", "--yes", *VAULT).returncode == 0
    assert agrees(company, old)


def test_a_provider_that_was_paused_before_stays_paused(company: Company) -> None:
    company.graph.client.paused = True
    rotate(company)
    assert company.graph.client.paused
    assert company.graph.client.token == company.token("acme")
    assert not entry(company).delivering
    company.graph.client.paused = False


@pytest.mark.matrix
def test_throttling_and_a_lost_answer_are_survived(company: Company) -> None:
    company.graph.faults.extend(
        [
            Fault("POST", "pause", loses_answer=True),
            Fault("PUT", status=429, headers={"Retry-After": "0"}, times=2),
            Fault("POST", "start", loses_answer=True),
        ]
    )
    rotate(company)
    assert agrees(company, company.token("acme"))


def test_a_provider_that_cannot_be_paused_reports_its_gap(company: Company, lab: Lab) -> None:
    write(company, wiki=company.authentik.settings(lab.ca))
    said = rotate(company, "--realm", "wiki")
    assert "cannot be paused, and was locked out for at most" in said
    assert company.authentik.client.token == company.token("wiki")
    assert company.authentik.client.cycle()


def test_a_program_at_both_ends(company: Company) -> None:
    write(company, legacy={"command": ["./deliver-legacy"]})
    client = company.mini.client
    with client.always():
        rotate(company, "--realm", "legacy")
    assert client.refused == 0
    assert client.token == company.token("legacy")
    events = [
        json.loads(line)["event"]
        for line in (company.operator.folder / "hook.log").read_text().splitlines()
    ]
    assert events[-4:] == ["pause", "set", "test", "resume"]


def test_okta_and_an_app_that_takes_no_token(company: Company, lab: Lab) -> None:
    with lab.identity_provider(Okta) as okta:
        okta.client.base_url = company.mini.client.base_url.partition("/?")[0]
        okta.client.users = {"ada@example.com": "Ada Lovelace"}
        mine = replace(company, env={**lab.environment(), **okta.environment(lab.ca)})
        write(mine, legacy=okta.settings())
        allowed = "--idp-host", okta.host

        said = rotate(mine, *allowed)
        assert "Okta accepted the token, and the connection is on" in said
        assert "not tested: Okta's API has no call that tests a token" in said
        assert "was locked out for at most" in said
        assert okta.client.token == (old := mine.token("legacy"))
        assert okta.client.cycle()

        okta.takes_tokens = False
        said = rotate(mine, *allowed, code=1)
        assert "takes no token for this app (authScheme UNKNOWN, status UNKNOWN)" in said
        assert "to enter it by hand, print it: scimconf handoff" in said
        assert lets_in(mine, old, "legacy")

        said = rotate(mine, "--activate", *allowed)
        assert "not delivered: Okta at contoso.okta.com" in said
        assert "enter the staged token at the identity provider now" in said
        assert okta.client.token == old != mine.token("legacy")
        assert lets_in(mine, mine.token("legacy"), "legacy")
        assert not entry(mine, "legacy").delivering
    company.mini.client.token = company.token("legacy")  # for the other tests


def test_one_provider_that_fails_leaves_all_realms_of_the_server_as_they_were(
    company: Company, lab: Lab
) -> None:
    write(company, acme=company.graph.settings(), wiki=company.authentik.settings(lab.ca))
    old, wiki = company.token("acme"), company.token("wiki")
    company.authentik.faults.append(Fault("PATCH", status=403, times=9))
    rotate(company, code=4)
    company.authentik.faults.clear()
    assert agrees(company, old)
    assert company.authentik.client.token == wiki == company.token("wiki")
    assert company.authentik.client.cycle()


def test_hosts_are_checked_before_anything_is_staged(company: Company) -> None:
    before = company.operator.tokens.read_bytes()
    done = company.run("rotate", "--yes", *VAULT, hosts=False)
    assert done.returncode == 64, done
    assert company.operator.tokens.read_bytes() == before


# --- a controller that dies -----------------------------------------------------------------------

KILL = """\
import os, sys
from scimconf.idp import entra
from scimconf.run import both_ends, rotate

def dies_in(owner, name, after):
    real = getattr(owner, name)
    def dying(*given, **more):
        if after:
            real(*given, **more)
        os.kill(os.getpid(), 9)
    setattr(owner, name, dying)

point, when = sys.argv.pop(1).split("/")
owner = both_ends.BothEnds if point.startswith("_") else entra.Entra
owner = rotate.Keyring if point == "keep" else owner
dies_in(owner, point, when == "after")
from scimconf.cli import main
main(sys.argv[1:])
"""
POINTS = [
    f"{step}/{when}" for step in ("pause", "set", "test", "resume") for when in ("before", "after")
]


def killed(company: Company, point: str) -> None:
    """Run a rotation whose process is killed at this point."""
    script = company.operator.folder / "kill.py"
    script.write_text(KILL)
    done = subprocess.run(
        [
            *(sys.executable, str(script), point, "rotate", "--yes", *VAULT),
            *("--idp-host", company.graph.entry),
        ],
        cwd=company.operator.folder,
        env=dict(company.env),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert done.returncode == -9, done


CHOSEN = sample(product(POINTS, [False, True]), ("set/before", False))


@pytest.mark.parametrize(("point", "back"), CHOSEN)
def test_the_next_run_mends_what_a_dead_controller_left(
    company: Company, point: str, back: bool
) -> None:
    old = company.token("acme")
    killed(company, point)
    assert company.token("acme") == old
    assert entry(company).delivering
    planned = company.operator.run("plan")
    assert planned.returncode in (1, 2), planned
    assert "has not ended: its identity provider may be paused" in planned.stdout
    zulip_is_new = not lets_in(company, old)
    if back and zulip_is_new:
        refused = company.run("deliver", "--yes", *VAULT)
        assert refused.returncode == 1, refused
        assert "nothing was sent" in refused.stdout
    if back and not zulip_is_new:
        assert company.run("deliver", "--yes", *VAULT).returncode == 0
        assert agrees(company, old)
        return
    rotate(company, "--activate")
    assert agrees(company, company.token("acme"))
    assert company.token("acme") != old


@pytest.mark.parametrize("point", ["pause/after", "set/before"])
def test_a_pipeline_that_loses_its_token_file_leaves_a_note_on_the_server(
    company: Company, point: str
) -> None:
    old, tokens = company.token("acme"), company.operator.tokens.read_bytes()
    killed(company, point)
    company.operator.tokens.write_bytes(tokens)
    assert company.graph.client.paused
    planned = company.operator.run("plan")
    assert planned.returncode in (1, 2), planned
    assert "has not ended: its identity provider may be paused" in planned.stdout
    if point == "pause/after":  # Zulip still has the old token
        assert "scimconf deliver" in planned.stdout
        assert company.run("deliver", "--yes", *VAULT).returncode == 0
        assert agrees(company, old)
    else:
        rotate(company)
        assert agrees(company, company.token("acme"))
    assert company.operator.run("plan").returncode == 0


def test_a_plain_rotate_finishes_the_rotation_that_began(company: Company) -> None:
    old = company.token("acme")
    killed(company, "set/before")
    staged = entry(company).next
    recovered = company.run("recover", "--yes", hosts=False)
    assert recovered.returncode == 0, recovered
    assert "a delivery to its identity provider has not ended; to finish it: scimconf deliver" in (
        recovered.stderr
    )
    logged = company.operator.run("status")
    assert "a delivery to its identity provider has not ended" in logged.stderr, logged
    asked = ["rotate", *VAULT, "--idp-host", company.graph.entry]
    with Terminal(*asked, cwd=company.operator.folder, env=company.env) as terminal:
        terminal.wait_for("Deliver them, and record this in the token file? [y/N]: ")
        assert "send its token to Microsoft Entra ID" in terminal.text
        terminal.type("n\n")
        assert terminal.end() == 130
    said = rotate(company)
    assert "finishing the rotation that began earlier" in said
    assert "is replaced" not in said, "the staged token is used, not replaced"
    assert entry(company).created == staged.created
    assert agrees(company, company.token("acme"))
    assert company.token("acme") != old


def test_apply_that_goes_back_starts_the_provider_again(company: Company) -> None:
    old = company.token("acme")
    killed(company, "set/before")
    assert not lets_in(company, old)
    done = company.run("apply", "--yes", "--create-tokens", *VAULT)
    assert done.returncode == 0, done
    assert agrees(company, old)


def test_after_an_undo_the_provider_follows(company: Company) -> None:
    old = company.token("acme")
    rotate(company)
    assert company.run("undo", "--yes", hosts=False).returncode == 0
    assert lets_in(company, old)
    rotate(company, "--back")
    assert agrees(company, old)


# --- each fault of the identity provider at each step ---------------------------------------------

STEPS = {
    "check": ("GET", "/secrets"),
    "pause": ("POST", "/pause"),
    "set": ("PUT", "/secrets"),
    "test": ("POST", "/validateCredentials"),
    "resume": ("POST", "/start"),
}
FAULTS: dict[str, dict[str, Any]] = {
    "down": {"status": 503, "headers": {"Retry-After": "0"}, "times": 99},
    "slow": {"seconds": 1.0},
    "401": {"status": 401, "times": 99},
    "403": {"status": 403, "times": 99},
    "wrong app": {"status": 404, "times": 99},
    "throttled once": {"status": 429, "headers": {"Retry-After": "0"}},
    "throttled for an hour": {"status": 429, "headers": {"Retry-After": "3600"}, "times": 99},
    "answer lost once": {"loses_answer": True},
    "every answer lost": {"loses_answer": True, "times": 99},
}
PASSES = ("slow", "throttled once", "answer lost once")
ALL = sample(product(STEPS, FAULTS), ("resume", "403"))


@pytest.mark.parametrize(("step", "fault"), ALL)
def test_after_each_fault_both_ends_agree_or_the_run_says_what_to_do(
    company: Company, step: str, fault: str
) -> None:
    old = company.token("acme")
    company.graph.faults.append(Fault(*STEPS[step], **FAULTS[fault]))
    done = company.run("rotate", "--yes", "--format", "json", *VAULT)
    company.graph.faults.clear()
    (server,) = json.loads(done.stdout)["servers"]
    ended = (done.returncode, server["status"])
    assert ended in ((0, "changed"), (1, "failed"), (4, "rolled back"), (5, "split")), server
    if fault in PASSES:
        assert ended == (0, "changed")
    splits = [("set", "down"), ("set", "every answer lost")]
    assert (ended[1] == "split") is ((step, fault) in splits), server
    in_force = company.token("acme")
    # Zulip's workers restart one by one, so an old one may answer for a moment.
    until(lambda: lets_in(company, in_force), f"the token file must follow Zulip: {server}")
    if ended[0] == 0:
        assert in_force != old
    if entry(company).delivering:
        assert ended[0] in (1, 5)
        planned = company.operator.run("plan")
        assert planned.returncode == 1, planned
        assert "scimconf deliver" in planned.stdout
        mended = company.run("deliver", "--yes", *VAULT)
        assert mended.returncode == 0, mended
    assert agrees(company, in_force)
    assert company.operator.run("plan").returncode == 0
