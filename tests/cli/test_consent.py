"""Nothing runs, is read or is written before the user has agreed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf.secret import Secret
from scimconf.tokens.fingerprint import matches
from scimconf.tokens.generate import generate
from scimconf.tokens.store import TokenFile
from tests.cli.terminal import Terminal
from tests.lab import Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd


class Store:
    """A program that prints a token and records each call."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.sh"
        self.calls = folder / "calls"
        self.token = ""
        self.change()

    def change(self) -> str:
        """Print another token from now on."""
        self.token = generate().reveal()
        self.path.write_text(f"#!/bin/sh\necho x >>'{self.calls}'\necho {self.token}\n")
        self.path.chmod(0o755)
        return self.token

    def was_called(self) -> bool:
        """Return whether the program was called since the last call of this method."""
        called = self.calls.exists()
        self.calls.unlink(missing_ok=True)
        return called


@pytest.fixture
def server(operator: Operator, lab_server: Callable[..., Server]) -> Server:
    """A server whose realm wiki has a token in the token file."""
    server = lab_server(version="9.0", realms=["acme", "wiki"])
    operator.write_inventory({server.name: {"scim_realms": {"wiki": {}}}})
    assert operator.apply().returncode == 0
    return server


@pytest.fixture
def store(operator: Operator) -> Store:
    return Store(operator.folder)


def _refer(operator: Operator, server: Server, store: Store) -> None:
    acme = {"token": {"command": [str(store.path)]}}
    operator.write_inventory({server.name: {"scim_realms": {"acme": acme, "wiki": {}}}})


def _lets_in(server: Server, realm: str, token: str) -> bool:
    return server.request("GET", "/scim/v2/Users?count=1", realm, token)[0] == 200


def _recorded(operator: Operator, server: Server, token: str) -> bool:
    known = TokenFile.load(operator.tokens).fingerprint(server.name, "acme")
    return bool(known and matches(Secret(token), known))


def test_an_approved_plan_is_compared_before_anything_runs(
    operator: Operator, server: Server, store: Store
) -> None:
    """A merge request adds a command reference after the plan was approved."""
    assert operator.run("plan", "--out", "approved.json").returncode == 0
    _refer(operator, server, store)
    before = operator.tokens.read_bytes()
    done = operator.run("apply", "--yes", *VAULT, "--plan", "approved.json")
    assert done.returncode == 1, done
    assert "changed since the plan was saved" in done.stdout
    assert not store.was_called()
    assert operator.tokens.read_bytes() == before


def test_the_question_comes_first_and_lists_what_will_run(
    operator: Operator, server: Server, store: Store
) -> None:
    _refer(operator, server, store)
    before, settings = operator.tokens.read_bytes(), server.settings.read_bytes()
    environment = operator.lab.environment()
    with Terminal("apply", *VAULT, cwd=operator.folder, env=environment) as terminal:
        terminal.wait_for("Change this server? [y/N]: ")
        assert f"run, in {operator.folder}: {store.path}" in terminal.text.replace("\n", "")
        assert f"(realm acme of {server.name})" in terminal.text
        terminal.type("n\n")
        assert terminal.end() == 130
    assert not store.was_called()
    assert operator.tokens.read_bytes() == before
    assert server.settings.read_bytes() == settings


def test_a_reference_is_recorded_after_the_change(
    operator: Operator, server: Server, store: Store
) -> None:
    _refer(operator, server, store)
    plan = operator.run("plan")
    assert plan.returncode == 2
    assert "record the fingerprint of the token of realm acme" in plan.stdout
    assert not store.was_called()
    done = operator.run("apply", "--yes", *VAULT)
    assert done.returncode == 0, done
    assert store.was_called()
    assert _lets_in(server, "acme", store.token)
    assert _recorded(operator, server, store.token)
    assert operator.run("plan").returncode == 0

    old = store.token
    new = store.change()
    assert operator.run("plan").returncode == 0, "not asked, so not known"
    before = operator.tokens.read_bytes()
    looked = operator.run("plan", "--resolve")
    assert looked.returncode == 2, looked
    assert "change realm acme in SCIM_CONFIG: bearer_token" in looked.stdout
    assert operator.tokens.read_bytes() == before
    refused = operator.run("apply", "--yes", *VAULT)
    assert refused.returncode == 64, refused
    assert f"replace the token in force of realm acme of {server.name}" in refused.stderr
    assert operator.tokens.read_bytes() == before
    assert operator.apply().returncode == 0
    assert _lets_in(server, "acme", new)
    assert not _lets_in(server, "acme", old)
    assert _recorded(operator, server, new)


def test_a_token_that_the_server_already_has_is_only_recorded(
    operator: Operator, server: Server, store: Store
) -> None:
    _refer(operator, server, store)
    assert operator.run("apply", "--yes", *VAULT).returncode == 0
    settings = server.settings.read_bytes()
    file = TokenFile.load(operator.tokens)
    kept = {key: entry for key, entry in file.entries.items() if key[1] == "wiki"}
    operator.tokens.unlink()
    TokenFile.load(operator.tokens).save(kept)
    done = operator.run("apply", "--yes", *VAULT, "--format", "json")
    assert done.returncode == 0, done
    (told,) = json.loads(done.stdout)["servers"]
    assert [each["kind"] for each in told["actions"]] == ["record token"]
    assert told["steps"] == []
    assert server.settings.read_bytes() == settings
    assert _recorded(operator, server, store.token)


def test_reading_verbs_do_not_write_the_token_file(
    operator: Operator, server: Server, store: Store
) -> None:
    _refer(operator, server, store)
    assert operator.run("apply", "--yes", *VAULT).returncode == 0
    store.change()
    before = operator.tokens.read_bytes()
    for words in (
        ("plan",),
        ("plan", "--resolve"),
        ("verify", *VAULT),
        ("handoff", "--show-tokens", *VAULT),
        ("render", server.name, "--show-tokens", *VAULT),
        ("apply", "--check"),
    ):
        done = operator.run(*words)
        assert done.returncode in (0, 1, 2), done
        assert operator.tokens.read_bytes() == before, words


def test_an_approved_plan_is_bound_to_the_text_of_a_reference(
    operator: Operator, server: Server, store: Store
) -> None:
    _refer(operator, server, store)
    refused = operator.run("plan", "--resolve", "--out", "approved.json")
    assert refused.returncode == 64
    assert "exclude each other" in refused.stderr
    assert operator.run("plan", "--out", "approved.json").returncode == 2
    store.change()
    done = operator.run("apply", "--yes", *VAULT, "--plan", "approved.json")
    assert done.returncode == 0, done
    assert _lets_in(server, "acme", store.token)

    # The approved plan had nothing to do. Since then, the store has another token.
    assert operator.run("plan", "--out", "approved.json").returncode == 0
    old = store.token
    store.change()
    before = operator.tokens.read_bytes()
    moved = operator.run("apply", "--yes", *VAULT, "--plan", "approved.json")
    assert moved.returncode == 1, moved
    assert "bearer_token" in moved.stdout
    assert _lets_in(server, "acme", old)
    assert operator.tokens.read_bytes() == before


def test_replacing_a_token_in_use_needs_a_second_answer(operator: Operator, server: Server) -> None:
    token = operator.token(server.name, "wiki")
    operator.tokens.unlink()
    environment = operator.lab.environment()
    for answers in (["n"], ["y", "n"]):
        with Terminal("apply", *VAULT, cwd=operator.folder, env=environment) as terminal:
            for number, answer in enumerate(answers):
                terminal.wait_for(["Change this server?", "Replace the token in force?"][number])
                terminal.wait_for("[y/N]: ")
                terminal.type(f"{answer}\n")
            assert terminal.end() == 130
        assert _lets_in(server, "wiki", token)
        assert not operator.tokens.exists()
    with Terminal("apply", "--yes", *VAULT, cwd=operator.folder, env=environment) as terminal:
        terminal.wait_for("Replace the token in force? [y/N]: ")
        assert f"realm wiki of {server.name}" in terminal.text.replace("\n", " ")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert not _lets_in(server, "wiki", token)


def test_a_vault_value_of_the_token_file_is_not_used_as_a_password(
    operator: Operator, server: Server
) -> None:
    """Otherwise that host would receive the token of another server as a password."""
    entry = TokenFile.load(operator.tokens).entry(server.name, "wiki")
    assert entry
    assert entry.ciphertext
    _, *body = entry.ciphertext.splitlines()
    lines = [
        "$ANSIBLE_VAULT;1.2;AES256;ssh",
        *("".join(body).upper()[at : at + 30] for at in range(0, 2000, 30)),
    ]
    for variable in (
        "ansible_password",
        "ansible_become_password",
        "ansible_ssh_private_key_passphrase",
    ):
        value = "\n".join(f"          {line}" for line in lines if line)
        operator.inventory.write_text(
            f"all:\n  hosts:\n    evil.test:\n      ansible_host: 127.0.0.1\n      {variable}: "
            f"!vault |\n{value}\n      scim_realms: {{'': {{}}}}\n"
        )
        done = operator.run("plan", *VAULT)
        assert done.returncode == 64, done
        assert f"is the token of realm wiki of {server.name}" in done.stderr
        assert "inventory.yaml:5:" in done.stderr
        done = operator.run("undo", "--yes", *VAULT)
        assert done.returncode == 64, done
