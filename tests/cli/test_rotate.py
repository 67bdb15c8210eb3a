"""Rotate, activate, roll back and remove tokens on servers of the lab."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from scimconf import vault
from scimconf.secret import Secret
from scimconf.tokens.entries import Removed
from scimconf.tokens.store import TokenFile, new_entry
from tests.cli.conftest import Run
from tests.lab import Lab, Server
from tests.lab.crossing import Crossing, until
from tests.lab.operator import VAULT, Operator
from tests.tokens.aging import age

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]
USERS = "/scim/v2/Users"


def _lets_in(server: Server, realm: str, token: str) -> bool:
    return server.request("GET", USERS, realm, token)[0] == 200


@pytest.fixture
def server(operator: Operator, one: One) -> Server:
    realms = {"scim_realms": {"acme": {}, "wiki": {}}, "scim_token_store": "secrets"}
    server = one(realms, version="9.0", realms=["acme", "wiki"])
    assert operator.apply().returncode == 0
    return server


def _rotate(operator: Operator, *arguments: str) -> str:
    done = operator.run("rotate", "--yes", *VAULT, *arguments)
    assert done.returncode == 0, done
    return done.stdout + done.stderr


def test_rotate_at_once_and_back(operator: Operator, server: Server) -> None:
    old = operator.token(server.name, "acme")
    other = operator.token(server.name, "wiki")
    said = _rotate(operator, "--realm", "acme")
    assert "locked out until it has the new token" in said
    assert re.search(r"SCIM was unavailable for at most \d+\.\d s", said)
    new = operator.token(server.name, "acme")
    assert old != new
    assert (_lets_in(server, "acme", new), _lets_in(server, "acme", old)) == (True, False)
    assert operator.token(server.name, "wiki") == other
    assert operator.run("plan").returncode == 0

    _rotate(operator, "--back")
    assert operator.token(server.name, "acme") == old
    assert (_lets_in(server, "acme", new), _lets_in(server, "acme", old)) == (False, True)
    assert operator.token(server.name, "wiki") == other
    again = operator.run("rotate", "--yes", "--back", *VAULT)
    assert (again.returncode, "no previous token" in again.stderr) == (64, True)
    _rotate(operator, "--activate")
    assert operator.token(server.name, "acme") == new, "what was gone back from is staged"
    for token in (old, new):
        assert token not in said + operator.tokens.read_text()


def test_rotate_in_two_steps(operator: Operator, server: Server) -> None:
    old = operator.token(server.name, "acme")
    before = server.secrets.read_bytes()
    refused = operator.run("rotate", "--yes", "--activate", *VAULT)
    assert (refused.returncode, "no token is staged" in refused.stderr) == (64, True)

    nothing = operator.run("handoff", "--next")
    assert (nothing.returncode, "rotate --stage" in nothing.stderr) == (64, True)
    staged = _rotate(operator, "--stage", "--realm", "acme")
    (hint,) = [line for line in staged.splitlines() if line.startswith("next: scimconf handoff ")]
    assert hint.endswith(f" --next --show-tokens {server.name} --realm acme")
    assert server.secrets.read_bytes() == before
    assert operator.token(server.name, "acme") == old
    assert operator.run("plan").returncode == 0, "what is staged is nothing to do yet"
    sheet = operator.run("handoff", "--next", "--show-tokens", *VAULT).stdout
    (next_token,) = set(re.findall(r"\b[A-Za-z0-9]{43}\b", sheet))
    assert next_token != old

    activated = _rotate(operator, "--activate")
    assert "staged token at the identity provider now, if it is not there yet; to" in activated
    assert operator.token(server.name, "acme") == next_token
    assert (_lets_in(server, "acme", next_token), _lets_in(server, "acme", old)) == (True, False)


def test_a_rotation_that_fails_leaves_the_old_token_in_force(
    operator: Operator, server: Server
) -> None:
    old = operator.token(server.name, "acme")
    script = server.deployment / "scripts/restart-server"
    whole = script.read_bytes()
    script.write_text("#!/bin/sh\nexit 1\n")
    done = operator.run("rotate", "--yes", *VAULT)
    assert done.returncode in (4, 5), done
    assert f"in force is unchanged: realm acme of {server.name}, realm wiki" in done.stderr
    script.write_bytes(whole)
    assert operator.token(server.name, "acme") == old
    server.restart()
    assert _lets_in(server, "acme", old)
    assert operator.run("plan").returncode == 0
    assert re.search("scimconf rotate .*--activate", done.stderr)
    _rotate(operator, "--activate")
    assert not _lets_in(server, "acme", old)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--realm", "nope"), "has realm nope"),
        (("--older-than", "90"), "not an age; write for example 90d"),
        (("--back",), "no previous token is kept"),
        (("--stage", "--back"), "--stage and --back exclude each other"),
    ],
)
def test_contradicting_options(
    operator: Operator, lab: Lab, arguments: tuple[str, ...], words: str
) -> None:
    operator.write_inventory({"chat.test": {"scim_realms": {"acme": {}}}})
    done = operator.run("rotate", "--yes", *VAULT, *arguments)
    assert done.returncode == 64
    assert words in done.stderr


def test_a_deployment_is_rotated_as_a_whole(operator: Operator, tmp_path: Path) -> None:
    realms = {"scim_realms": {"acme": {}}, "scim_deployment": "both"}
    operator.write_inventory({"a.test": realms, "b.test": realms})
    operator.tokens.write_text(
        "version: 2\n"
        'scimconf_tokens:\n  "both":\n    "acme":\n      fingerprint: "$pbkdf2-sha256$29000'
        '$nHOulRICwFgrhVAqBSAkRA$RanPXBfRt9fhqFhXyP15mtJ7xdVuT.MnzCfEQ7iqd4o"\n'
        '      created: ""\n      token: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        61\n'
        "...\n"
    )
    done = operator.run("rotate", "--yes", *VAULT, "a.test")
    assert done.returncode == 64
    assert "b.test also belongs to deployment both" in done.stderr


def test_realms_that_share_a_leaked_token_are_named(operator: Operator, server: Server) -> None:
    token = Secret(operator.token(server.name, "acme"))
    password = Secret((operator.folder / ".vault-password").read_text().strip())
    wiki = (server.name, "wiki")
    TokenFile.load(operator.tokens).save({wiki: new_entry(wiki, token, password)})
    assert operator.apply().returncode == 0
    done = operator.run("rotate", "--yes", "--realm", "acme", "--format", "json", *VAULT)
    says = f"the token of realm acme of {server.name} is also used by realm wiki of {server.name}"
    assert f"warning: {says}" in done.stderr
    (told,) = json.loads(done.stdout)["servers"]
    assert says in told["warnings"]


def test_the_token_of_a_removed_realm_is_kept_for_a_week(
    operator: Operator, server: Server
) -> None:
    old = operator.token(server.name, "acme")
    known = {**server.inventory_vars(), "scim_token_store": "secrets"}
    operator.write_inventory(
        {server.name: {**known, "scim_realms": {"acme": {"state": "absent"}, "wiki": {}}}}
    )
    assert operator.apply().returncode == 0
    assert isinstance(TokenFile.load(operator.tokens).records[server.name, "acme"], Removed)
    assert operator.run("plan").returncode == 0
    operator.write_inventory({server.name: {**known, "scim_realms": {"acme": {}, "wiki": {}}}})
    assert "the token of realm acme (removed on 20" in operator.run("plan").stdout
    assert operator.apply().returncode == 0
    assert operator.token(server.name, "acme") == old
    assert _lets_in(server, "acme", old)


def test_an_undo_restores_a_removed_realm_with_its_token(
    operator: Operator, server: Server
) -> None:
    """Otherwise the next apply would make a new token, and lock the identity provider out."""
    old = operator.token(server.name, "acme")
    known = {**server.inventory_vars(), "scim_token_store": "secrets"}
    absent = {"acme": {"state": "absent"}, "wiki": {}}
    operator.write_inventory({server.name: {**known, "scim_realms": absent}})
    assert operator.apply().returncode == 0
    assert not _lets_in(server, "acme", old)
    assert operator.run("undo", "--yes").returncode == 0
    assert _lets_in(server, "acme", old)
    operator.write_inventory({server.name: {**known, "scim_realms": {"acme": {}, "wiki": {}}}})
    planned = operator.run("plan", "--format", "json")
    (told,) = json.loads(planned.stdout)["servers"]
    assert [each["kind"] for each in told["actions"]] == ["record token"]
    settings = server.settings.read_bytes()
    assert operator.run("apply", "--yes", *VAULT).returncode == 0
    assert server.settings.read_bytes() == settings
    assert operator.token(server.name, "acme") == old
    assert operator.run("plan").returncode == 0


def test_an_older_token_file_is_reported(operator: Operator, server: Server) -> None:
    older, settings = operator.tokens.read_bytes(), server.secrets.read_bytes()
    _rotate(operator, "--realm", "acme")
    now = server.secrets.read_bytes()
    assert now != settings
    operator.tokens.write_bytes(older)
    planned = operator.run("plan")
    assert planned.returncode == 2, planned
    warned = [
        line for line in planned.stdout.splitlines() if "an older token file was restored" in line
    ]
    assert [("acme" in line, "wiki" in line) for line in warned] == [(True, False)]
    refused = operator.run("apply", "--yes", *VAULT)
    assert refused.returncode == 64, refused
    assert f"replace the token in force of realm acme of {server.name}" in refused.stderr
    assert server.secrets.read_bytes() == now


def test_a_token_that_an_undo_brought_back_is_never_lost(
    operator: Operator, server: Server
) -> None:
    """After two rotations, each undone, the server has a token that is not the previous one."""
    first = operator.token(server.name, "acme")
    for _ in range(2):
        _rotate(operator, "--realm", "acme")
        assert operator.run("undo", "--yes").returncode == 0
        assert _lets_in(server, "acme", first)
    password = {"default": Secret((operator.folder / ".vault-password").read_text().strip())}
    entry = TokenFile.load(operator.tokens).entry(server.name, "acme")
    assert entry
    kept = [each.ciphertext for each in entry.tokens() if each.ciphertext]
    assert len(kept) == 3
    assert Secret(first) in [vault.decrypt(each, password) for each in kept]
    assert "the server has a previous token" in operator.run("plan").stdout


def test_after_an_undo_the_token_file_follows_the_server(
    operator: Operator, server: Server
) -> None:
    """`undo` names `plan`, `plan` names `rotate --back`, and that keeps the server's token."""
    first = operator.token(server.name, "acme")
    for _ in range(2):
        _rotate(operator, "--realm", "acme")
        undone = operator.run("undo", "--yes")
        assert undone.returncode == 0, undone
    assert re.search(f"makes both match: scimconf plan .*{server.name}", undone.stdout)
    planned = operator.run("plan", server.name).stdout
    hint = re.search(r"to keep it: scimconf (rotate .*--back .*)", planned)
    assert hint, planned
    assert shlex.split(hint[1])[-3:] == [server.name, "--realm", "acme"]
    before = server.secrets.read_bytes()
    _rotate(operator, *shlex.split(hint[1])[1:])
    assert operator.token(server.name, "acme") == first, "not the one that was replaced last"
    assert server.secrets.read_bytes() == before
    assert operator.run("plan").returncode == 0


# --- an interrupted rotation ----------------------------------------------------------------------


def _begun(
    operator: Operator, server: Server, verb: str = "rotate", **acme: str
) -> tuple[Crossing, subprocess.Popen[str]]:
    """Start a change of realm acme. Return when the server's restart waits for its release."""
    crossing = Crossing(server)
    variables = {"scim_token_store": "secrets", "scim_realms": {"acme": acme, "wiki": {}}}
    operator.write_inventory({server.name: {**variables, "scim_restart": crossing.restart}})
    only = ("--realm", "acme") if verb == "rotate" else ()
    process = operator.start(verb, "--yes", *only, *VAULT)
    crossing.wait()
    return crossing, process


@pytest.mark.parametrize("forward", [True, False])
def test_after_a_dead_controller_the_rotation_is_finished_or_rolled_back(
    operator: Operator, server: Server, forward: bool
) -> None:
    old = operator.token(server.name, "acme")
    crossing, process = _begun(operator, server)
    process.kill()
    process.communicate()
    crossing.go()
    journal = server.layout.outside("home", ".scimconf", "journal.json")
    until(lambda: json.loads(journal.read_text())["state"] != "open", "it does not end")
    assert operator.token(server.name, "acme") == old, "not yet: nobody saw it come into force"
    assert not _lets_in(server, "acme", old)
    plan = operator.run("plan")
    assert plan.returncode == 2, plan
    assert "finished by itself after it lost the connection: committed" in plan.stdout
    if forward:
        _rotate(operator, "--activate")
        assert operator.token(server.name, "acme") != old
    else:
        assert operator.apply().returncode == 0
        assert operator.token(server.name, "acme") == old
    assert _lets_in(server, "acme", operator.token(server.name, "acme"))
    assert operator.run("plan").returncode == 0


def test_a_token_file_that_breaks_during_a_run_is_updated_later(
    operator: Operator, server: Server
) -> None:
    old = operator.token(server.name, "acme")
    crossing, process = _begun(operator, server)
    good = operator.tokens.read_text()
    broken = f"<<<<<<< HEAD\n{good}"
    operator.tokens.write_text(broken)
    crossing.go()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "merge conflict" in said
    assert re.search("record the tokens of the servers: scimconf rotate .*--activate", said)
    assert "SCIM was unavailable for" in said, "told all the same"
    assert operator.tokens.read_text() == broken

    operator.tokens.write_text(good)
    _rotate(operator, "--activate")
    assert _lets_in(server, "acme", operator.token(server.name, "acme"))
    assert not _lets_in(server, "acme", old)


def test_a_removed_realm_is_recorded_later_if_the_file_broke(
    operator: Operator, server: Server
) -> None:
    crossing, process = _begun(operator, server, "apply", state="absent")
    good = operator.tokens.read_text()
    operator.tokens.write_text(f"<<<<<<< HEAD\n{good}")
    crossing.go()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "record the tokens of the servers: scimconf apply" in said
    assert "realm wiki: a wrong token is refused" in said, "told all the same"
    operator.tokens.write_text(good)
    assert operator.apply().returncode == 0
    assert isinstance(TokenFile.load(operator.tokens).records[server.name, "acme"], Removed)


def test_the_servers_of_a_deployment_get_the_new_token_together_or_keep_the_old(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    first, second = lab_server(version="9.0"), lab_server(version="9.0")
    both = {"scim_deployment": "zulip", "scim_realms": {"": {}}, "scim_gate_timeout": 1}
    operator.write_inventory({first.name: both, second.name: both})
    assert operator.apply().returncode == 0
    old = operator.token("zulip", "")
    said = _rotate(operator, "--serial", "1")
    new = operator.token("zulip", "")
    for server in (first, second):
        assert (_lets_in(server, "", new), _lets_in(server, "", old)) == (True, False), said

    broken = {first.name: both, second.name: {**both, "scim_restart": ["/bin/true"]}}
    operator.write_inventory(broken)
    failed = operator.run("rotate", "--yes", "--serial", "1", *VAULT)
    assert failed.returncode == 4, failed
    assert "in force is unchanged: realm (root) of zulip\n" in failed.stderr
    assert operator.token("zulip", "") == new
    for server in (first, second):
        assert _lets_in(server, "", new)


# --- without a server -----------------------------------------------------------------------------

PASSWORD = ("--vault-password-file", "password")


@pytest.fixture
def made(scimconf: Run, tmp_path: Path) -> Path:
    """A token file with the token of the only realm of chat1."""
    done = scimconf("render", "chat1*", "--create-tokens", "--show-tokens", *PASSWORD)
    assert done.returncode == 0, done
    return tmp_path / "tokens.yaml"


def test_a_nightly_stage_keeps_the_staged_token(scimconf: Run, made: Path) -> None:
    """The administrator of the identity provider may already have the staged token."""
    age(made, made.parent / "password", "2020-01-01T00:00:00Z")
    stage = ("rotate", "--stage", *PASSWORD, "chat1*")
    assert scimconf(*stage, "--older-than", "90d").returncode == 0
    staged = made.read_bytes()
    assert b"next:" in staged
    for arguments in ((*stage, "--older-than", "90d"), stage):
        again = scimconf(*arguments)
        assert again.returncode == 0
        assert "already staged (made 20" in again.stderr
        assert made.read_bytes() == staged
    replace = re.search(r"to replace it: scimconf (.*)", again.stderr)
    assert replace

    asked_for = scimconf(*shlex.split(replace[1]), *PASSWORD)
    assert asked_for.returncode == 0
    assert "warning: the staged token of realm acme of chat1.example.com" in asked_for.stderr
    assert "hand-off sheet" in asked_for.stderr
    assert made.read_bytes() != staged
    quiet = scimconf(*stage, "--replace-staged", "-q")
    assert (quiet.returncode, "warning" in quiet.stderr) == (0, False)
    wrong = scimconf("rotate", "--yes", "--replace-staged", *PASSWORD)
    assert (wrong.returncode, "needs --stage" in wrong.stderr) == (64, True)


def test_a_second_stage_only_stages_what_is_not_staged(scimconf: Run, made: Path) -> None:
    inventory = made.parent / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("{acme: {}}", "{acme: {}, wiki: {}}"))
    stage = ("rotate", "--stage", *PASSWORD)
    assert scimconf(*stage, "--realm", "acme").returncode == 0
    sheet = scimconf("handoff", "--next", "--show-tokens", "--realm", "acme", *PASSWORD).stdout
    more = ("render", "chat1*", "--create-tokens", "--show-tokens", *PASSWORD)
    assert scimconf(*more).returncode == 0
    done = scimconf(*stage, "chat1*")
    assert "staged a new token for realm wiki of chat1.example.com;" in done.stderr
    replace = f"rotate {shlex.join(PASSWORD)} --stage --replace-staged chat1.example.com"
    assert f"{replace} --realm acme" in done.stderr
    again = scimconf("handoff", "--next", "--show-tokens", "--realm", "acme", *PASSWORD).stdout
    assert again == sheet, "the sheet that was handed over is still valid"


def test_the_hints_of_stage_name_exactly_what_was_staged(scimconf: Run, made: Path) -> None:
    """The command of a hint puts nothing in force that another colleague has staged."""
    inventory = made.parent / "inventory.yaml"
    inventory.write_text(
        inventory.read_text()
        + "    a.test: &a {scim_deployment: two, scim_realms: {'': {}}}\n    b.test: *a\n"
    )
    render = ("--create-tokens", "--show-tokens", *PASSWORD)
    for host in ("a.test", "chat2*"):
        assert scimconf("render", host, *render).returncode == 0
    done = scimconf("rotate", "--stage", *PASSWORD)
    first, second = "chat1.example.com --realm acme", "chat2.example.com a.test b.test --realm ''"
    handoff = f"next: scimconf handoff {shlex.join(PASSWORD)} --next --show-tokens"
    activate = f"then, at the planned time: scimconf rotate {shlex.join(PASSWORD)} --activate"
    assert [line for line in done.stderr.splitlines() if "scimconf" in line] == [
        f"{handoff} {first}",
        f"{handoff} {second}",
        f"{activate} {first}",
        f"{activate} {second}",
    ]
    for line in done.stderr.splitlines():
        if "next: scimconf" in line:
            sheet = scimconf(*shlex.split(line.partition("scimconf ")[2]), *PASSWORD)
            assert sheet.returncode == 0, line


def test_older_than_selects_by_age(scimconf: Run, made: Path) -> None:
    arguments = ("--create-tokens", "--show-tokens", *PASSWORD)
    assert scimconf("render", "chat2*", *arguments).returncode == 0
    before = made.read_bytes()
    nothing = scimconf("rotate", "--yes", "--older-than", "90d", *PASSWORD)
    assert (nothing.returncode, "none is older than 90 days" in nothing.stderr) == (0, True)
    assert made.read_bytes() == before
    long_ago = datetime.now(timezone.utc) - timedelta(days=91)
    acme = ("chat1.example.com", "acme")
    age(made, made.parent / "password", f"{long_ago:%Y-%m-%dT%H:%M:%SZ}", [acme])
    done = scimconf("rotate", "--stage", "--older-than", "12w", *PASSWORD)
    assert "staged a new token for realm acme of chat1.example.com;" in done.stderr
    assert made.read_text().count("next:") == 1


def test_a_token_under_another_password_does_not_block_a_rotation(
    scimconf: Run, made: Path
) -> None:
    (made.parent / "other").write_text("battery staple")
    assert scimconf(
        *("render", "chat2*", "--create-tokens", "--show-tokens"),
        *("--vault-id", "other@other", *PASSWORD),
    ).returncode == 0  # fmt: skip
    assert ";other\n" in made.read_text()
    done = scimconf("rotate", "--stage", "--realm", "acme", *PASSWORD, "chat1*")
    assert done.returncode == 0, done


def test_realms_that_share_a_token_are_named_with_their_servers(scimconf: Run, made: Path) -> None:
    inventory = made.parent / "inventory.yaml"
    inventory.write_text(
        inventory.read_text()
        + "    a.test: &a {scim_deployment: two, scim_realms: {wiki: {}}}\n    b.test: *a\n"
    )
    password = Secret((made.parent / "password").read_text().strip())
    file, wiki = TokenFile.load(made), ("two", "wiki")
    token = file.token("chat1.example.com", "acme", {"default": password})
    assert token
    file.save({wiki: new_entry(wiki, token, password)})
    done = scimconf("rotate", "--stage", "--realm", "acme", *PASSWORD, "chat1*")
    assert done.returncode == 0, done
    assert (
        "warning: the token of realm acme of chat1.example.com is also used by realm wiki of two "
        "(a.test, b.test)"
    ) in done.stderr
