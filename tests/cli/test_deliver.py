"""`deliver` and `apply` on the lab: the token reaches identity providers that then get in."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Server
from tests.lab.idp import Authentik, Fault, Graph, Mini
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]

PROGRAM = """\
#!/bin/sh
# Answers as a program of the operator's: it records what it got.
read message
echo "$message" >> {log}
env > environment
echo "$message" | {python} {script}
"""
SCRIPT = """\
import json, ssl, sys, urllib.request
got = json.load(sys.stdin)
body = {"url": got["scim_url"], "token": got.get("token")}
request = urllib.request.Request(
    "%(url)s/" + got["event"], json.dumps(body).encode(), method="POST",
    headers={"Authorization": "Bearer %(credential)s", "Content-Type": "application/json"})
try:
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile="%(ca)s")):
        print(got["event"] + " done")
except urllib.error.HTTPError as error:
    print("the provider answered", error.code)
    sys.exit(1)
"""


@dataclass
class Company:
    """One server with three realms, each with an identity provider of another kind."""

    operator: Operator
    server: Server
    graph: Graph
    authentik: Authentik
    mini: Mini
    env: Mapping[str, str]

    @property
    def providers(self) -> dict[str, Mini]:
        return {"acme": self.graph, "wiki": self.authentik, "legacy": self.mini}

    def run(self, *arguments: str, hosts: bool = True) -> Any:
        """Run scimconf with the credentials, and with the hosts that the operator allows."""
        listed = [self.graph.entry, self.authentik.entry] if hosts else []
        options = [word for each in listed for word in ("--idp-host", each)]
        return self.operator.run(*arguments, *options, env=self.env)

    def token(self, realm: str) -> str:
        return self.operator.token(self.server.name, realm)


def program(folder: Path, mini: Mini, ca: Path) -> list[str]:
    """Write the program of `deliver: {command: ...}`; return its words."""
    values = {"url": mini.url, "credential": mini.credential, "ca": ca}
    script = folder / "hook.py"
    script.write_text(SCRIPT % values)
    hook = folder / "deliver-legacy"
    words = {"log": folder / "hook.log", "python": sys.executable, "script": script}
    hook.write_text(PROGRAM.format(**{name: shlex.quote(str(w)) for name, w in words.items()}))
    hook.chmod(0o755)
    return ["./deliver-legacy"]


@pytest.fixture
def company(lab: Lab, lab_server: One, operator: Operator) -> Iterator[Company]:
    server = lab_server(version="9.0", realms=["acme", "wiki", "legacy"])
    with ExitStack() as stack:
        graph = stack.enter_context(lab.identity_provider(Graph))
        authentik = stack.enter_context(lab.identity_provider(Authentik))
        mini = stack.enter_context(lab.identity_provider(Mini))
        env = {**lab.environment(), **graph.environment(lab.ca), **authentik.environment(lab.ca)}
        words = program(operator.folder, mini, lab.ca)
        realms = {
            "acme": {"idp": "entra", "deliver": graph.settings()},
            "wiki": {"idp": "authentik", "deliver": authentik.settings(lab.ca)},
            "legacy": {"idp": "entra", "deliver": {"command": words}},
        }
        operator.write_inventory({server.name: {"scim_realms": realms}})
        for idp in (graph, authentik, mini):
            idp.client.users = {"ada@example.com": "Ada Lovelace", "bob@example.com": "Bob"}
        yield Company(operator, server, graph, authentik, mini, env)


def _apply(company: Company) -> Any:
    return company.run("apply", "--yes", "--create-tokens", *VAULT)


def test_apply_delivers_the_first_token(company: Company) -> None:
    planned = company.operator.run("plan")
    assert planned.returncode == 2, planned
    for text in (
        f"deliver the token of realm acme to Microsoft Entra ID at {company.graph.entry}: service "
        f"principal {company.graph.app}",
        f"deliver the token of realm wiki to authentik at {company.authentik.entry}: provider 12",
        "deliver the token of realm legacy to the program ./deliver-legacy",
    ):
        assert f"  * {text}\n" in planned.stdout
    for idp in company.providers.values():
        assert idp.asked == [], "plan sends nothing"
    assert not (company.operator.folder / "hook.log").exists(), "plan runs nothing"

    # Whoever may write the inventory must not choose where tokens go.
    refused = company.run("apply", "--yes", "--create-tokens", *VAULT, hosts=False)
    assert refused.returncode == 64, refused
    assert "not in your list of identity providers" in refused.stderr
    for idp in (company.graph, company.authentik):
        assert f"--idp-host {idp.entry}" in refused.stderr, "it names all hosts at once"
    assert not company.operator.tokens.exists()
    for idp in company.providers.values():
        assert idp.asked == []
    listed = company.operator.folder / ".idp-hosts"
    listed.touch(0o600)
    listed.write_text(f"{company.graph.entry}\n{company.authentik.entry}\n")

    empty = {name: "" if "IDP" in name else value for name, value in company.env.items()}
    refused = company.operator.run("apply", "--yes", "--create-tokens", *VAULT, env=empty)
    assert refused.returncode == 64, refused
    assert "SCIMCONF_IDP_" in refused.stderr
    assert not company.operator.tokens.exists(), "the credentials are read before any change"

    done = company.run("apply", "--yes", "--create-tokens", *VAULT, hosts=False)
    assert done.returncode == 0, done
    for realm, idp in company.providers.items():
        assert idp.client.token == company.token(realm)
        assert idp.client.cycle()
        assert idp.client.wrong() == []
        assert f"realm {realm}: the token is set" in done.stdout or realm == "legacy"
    assert "realm legacy: set done; test done" in done.stdout
    assert "handoff" not in done.stderr, "nobody has to enter a token"
    inherited = (company.operator.folder / "environment").read_text()
    assert "PATH=" in inherited
    assert "SCIMCONF_IDP_" not in inherited, "no program inherits a credential"
    tokens = company.operator.tokens.read_text()
    assert tokens.count("delivered: ") == 3
    assert "delivering" not in tokens
    assert company.operator.run("plan").returncode == 0
    for realm in company.providers:
        assert company.token(realm) not in done.stdout + done.stderr


def test_a_provider_that_is_down_does_not_hide_the_change(company: Company) -> None:
    company.graph.faults.append(Fault("PUT", status=403, times=100))
    done = _apply(company)
    assert done.returncode == 1, done
    assert "the token was not delivered to the identity provider" in done.stdout
    assert "answered 403: the credential has no permission for this" in done.stdout
    assert company.authentik.client.token == company.token("wiki")
    assert "handoff" not in done.stderr, "the next step is to deliver it, not to enter it"
    planned = company.operator.run("plan")
    assert planned.returncode == 0, planned
    assert "[not-delivered] realm acme: no run has delivered the token" in planned.stdout
    company.graph.faults.clear()
    (hint,) = [
        line.partition("to deliver it again: ")[2]
        for line in done.stdout.splitlines()
        if "to deliver it again: " in line
    ]
    assert hint.startswith("scimconf deliver ")
    assert hint.endswith("--realm acme")
    assert f"--idp-host {company.graph.entry}" in hint
    again = company.operator.run(*shlex.split(hint)[1:], "--yes", env=company.env)
    assert again.returncode == 0, again
    assert company.graph.client.cycle()
    assert "not-delivered" not in company.operator.run("plan").stdout


def test_deliver_sends_the_tokens_in_force_again(company: Company) -> None:
    assert _apply(company).returncode == 0
    company.graph.client.token = company.mini.client.token = "lost"
    tested = company.run("deliver", "--test", "--yes", *VAULT)
    assert tested.returncode == 1, tested
    assert company.graph.client.token == "lost"
    assert "the test at the identity provider failed" in tested.stdout
    before = company.operator.tokens.read_bytes()
    done = company.run("deliver", "--yes", "--format", "json", *VAULT)
    assert done.returncode == 0, done
    (server,) = json.loads(done.stdout)["servers"]
    assert server["status"] == "changed"
    names = [(each["realm"], each["name"], each["result"]) for each in server["checks"]]
    assert ("acme", "deliver: set", "ok") in names
    assert ("wiki", "deliver: test", "ok") in names
    for realm, idp in company.providers.items():
        assert idp.client.token == company.token(realm)
        assert idp.client.cycle()
    tested = company.run("deliver", "--test", "--yes", *VAULT)
    assert tested.returncode == 0, tested
    assert f"{company.server.name}  Zulip" not in tested.stdout
    assert f"{company.server.name}  tested" in tested.stdout
    assert len(company.operator.tokens.read_bytes()) == len(before)

    # A token that is not in force is not sent.
    text = company.server.settings.read_text()
    company.server.settings.write_text(text.replace(company.token("acme"), "y" * 43))
    company.graph.asked.clear()
    done = company.run("deliver", "--yes", "--realm", "acme", *VAULT)
    assert done.returncode == 1, done
    assert "nothing was sent: the server does not have the wanted token" in done.stdout
    assert company.graph.asked == []


def test_deliver_asks_first(operator: Operator) -> None:
    operator.write_inventory({"chat.test": {"scim_realms": {"acme": {}}}})
    done = operator.run("deliver", *VAULT)
    assert (done.returncode, "add --yes to this command" in done.stderr) == (64, True)
    assert "changes a server" not in done.stderr


def test_without_deliver_there_is_nothing_to_deliver(operator: Operator) -> None:
    operator.write_inventory({"chat.test": {"scim_realms": {"acme": {}}}})
    done = operator.run("deliver", "--yes", *VAULT)
    assert done.returncode == 64, done
    assert "no selected realm has deliver in the inventory" in done.stderr


def test_a_saved_plan_binds_where_a_token_goes(company: Company) -> None:
    saved = company.operator.folder / "plan.json"
    assert company.operator.run("plan", "--out", "plan.json").returncode == 2
    assert company.graph.app in saved.read_text()
    inventory = company.operator.inventory
    inventory.write_text(inventory.read_text().replace(company.graph.app, "evil-app"))
    refused = company.run("apply", "--plan", "plan.json", "--yes", *VAULT)
    assert refused.returncode == 1, refused
    assert "scim_realms.acme.deliver" in refused.stdout
    assert "evil-app" in refused.stdout
    assert company.graph.asked == []


def test_no_provider_gets_the_url_of_another_server(company: Company) -> None:
    """It would send the token there, whoever answers."""
    assert _apply(company).returncode == 0
    before = company.graph.client.base_url
    tree = json.loads(company.operator.inventory.read_text())
    realms = tree["all"]["hosts"][company.server.name]["scim_realms"]
    realms["acme"]["url"] = "https://acme.evil.example"
    company.operator.inventory.write_text(json.dumps(tree))
    company.graph.asked.clear()
    done = company.run("deliver", "--yes", *VAULT)
    assert done.returncode == 1, done
    assert "acme.evil.example is not" in done.stdout
    assert company.graph.client.base_url == before
    assert company.graph.asked == []
    assert "realm wiki: the token is set" in done.stdout
