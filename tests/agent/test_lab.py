"""The agent on the lab's servers: as user zulip, with Zulip's real settings and scripts."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.agent import program
from tests.agent.fake import entry
from tests.lab import Server

TOKEN = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v"
OTHER = "Z" + TOKEN[1:]
Start = Callable[..., Server]


class Agent:
    """An agent on one server, which returns the answer to each request."""

    def __init__(self, server: Server, python: str = "zulip-py3-venv/bin/python3") -> None:
        self.server = server
        self.python = f"{server.paths.deployment}/{python}"
        self.common = {
            "paths": vars(server.paths),
            "probe": f"https://127.0.0.1:{server.web_port}",
        }

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        stdin = base64.b64encode(program.stdin([{**self.common, **request}])).decode()
        argv = program.argv(self.server.user, self.python)
        done = self.server.run(["/bin/sh", "-c", 'base64 -d | exec "$0" "$@"', *argv], input=stdin)
        assert (done.returncode, done.stderr) == (0, "")
        assert TOKEN not in done.stdout
        assert OTHER not in done.stdout
        return program.answers(done.stdout.encode())[-1]

    def observe(self, *realms: str) -> dict[str, Any]:
        asked = {
            realm: {"host": self.server.host(realm), "client": "okta", "fingerprint": None}
            for realm in realms
        }
        return self.ask({"do": "observe", "ask": True, "realms": asked})

    def apply(self, realm: str, token: str, **changes: Any) -> dict[str, Any]:
        facts = self.observe(realm)
        text = entry(realm, f'"{token}"').replace(
            '"okta",', '"okta",\n        "name_formatted_included": False,'
        )
        wanted = {
            "bearer_token": token,
            "scim_client_name": "okta",
            "name_formatted_included": False,
        }
        return self.ask(
            {
                "do": "apply",
                "expect": {key: facts[key] for key in ("settings_sha256", "secrets_sha256")},
                "entries": {realm: text},
                "wanted": {realm: wanted},
                "secrets": {"set": {}, "remove": []},
                "clients": {"add": [], "remove": []},
                "restart": [f"{self.server.paths.deployment}/scripts/restart-server"],
                "restart_timeout": 120,
                "gate": {realm: {"host": self.server.host(realm), "token": token}},
                "gate_timeout": 1,
                **changes,
            }
        )

    def lets_in(self, realm: str, token: str) -> bool:
        path = "/scim/v2/Users?count=1"
        return self.server.request("GET", path, realm=realm, token=token)[0] == 200


def test_a_zulip_5_server_registers_its_client(lab_server: Start) -> None:
    server = lab_server(version="5.6", realms=("", "acme"), sshd=False)
    agent = Agent(server)
    facts = agent.observe("acme", "nosuch")
    assert (facts["version"], facts["has_client_command"]) == ("5.6", True)
    assert (facts["clients"], facts["blocked"]) == ([], "")
    assert {name: site["status"] for name, site in facts["sites"].items()} == {
        "acme": 200,
        "nosuch": 404,
    }
    assert (facts["running"], server.mailed()) == ({}, 0)
    before = server.settings.read_bytes()

    # Without the client, the right token gets a 500, and the gate fails.
    answer = agent.apply("acme", TOKEN)
    assert answer["result"] == "rolled back"
    assert "the server fails (500)" in answer["message"]
    assert server.settings.read_bytes() == before

    answer = agent.apply("acme", TOKEN, clients={"add": [["acme", "okta"]], "remove": []})
    assert (answer["result"], answer["message"]) == ("committed", "")
    assert agent.lets_in("acme", TOKEN)
    facts = agent.observe("acme")
    assert facts["clients"] == facts["own_clients"] == [["acme", "okta"]]
    logs = [path.read_text(errors="replace") for path in server.logs.iterdir()]
    assert not any(TOKEN in log for log in logs)


def test_an_error_in_settings_of_zulip_5_is_reported_with_its_line(lab_server: Start) -> None:
    server = lab_server(version="5.6", realms=("acme",), sshd=False)
    with server.settings.open("a") as file:
        file.write("LATER = nosuch\n")
    lines = len(server.settings.read_text().splitlines())
    blocked = Agent(server).observe("acme")["blocked"]
    assert f"cannot be loaded: NameError in line {lines}" in blocked
    assert "clients" not in blocked


def test_a_rotation_of_the_same_length_is_in_force_at_once(lab_server: Start) -> None:
    agent = Agent(lab_server(version="9.0", realms=("acme",), sshd=False))
    assert agent.apply("acme", TOKEN)["result"] == "committed"
    assert agent.apply("acme", OTHER)["result"] == "committed"
    assert agent.lets_in("acme", OTHER)
    assert not agent.lets_in("acme", TOKEN)


def test_a_change_that_breaks_the_restart_is_rolled_back(lab_server: Start) -> None:
    server = lab_server(version="9.0", realms=("acme",), sshd=False)
    agent = Agent(server)
    assert agent.apply("acme", TOKEN)["result"] == "committed"
    before = server.settings.read_bytes()
    answer = agent.apply("acme", OTHER, restart=["/bin/sh", "-c", "exit 7"])
    assert answer["result"] == "rolled back"
    assert server.settings.read_bytes() == before
    assert agent.lets_in("acme", TOKEN)


def test_tokens_in_the_secrets_file_of_a_new_server(lab_server: Start) -> None:
    server = lab_server(version="12.1", realms=("",), sshd=False)
    agent = Agent(server, ".venv/bin/python3")
    answer = agent.apply(
        "",
        TOKEN,
        entries={
            "": '"": {\n        "bearer_token": get_secret("scim_bearer_token"),\n'
            '        "scim_client_name": "okta",\n        "name_formatted_included": False,\n    }'
        },
        secrets={"set": {"scim_bearer_token": TOKEN}, "remove": []},
    )
    assert answer["result"] == "committed", answer
    assert agent.lets_in("", TOKEN)
    assert TOKEN not in server.settings.read_text()
    assert server.secrets.stat().st_mode & 0o777 == 0o640


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_files_keep_zulip_as_their_owner(lab_server: Start) -> None:
    server = lab_server(version="9.0", realms=("acme",))
    before = server.settings.stat()
    assert Agent(server).apply("acme", TOKEN)["result"] == "committed"
    after = server.settings.stat()
    assert before.st_uid != 0
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    answer = server.run(
        ["/bin/sh", "-c", "ls -ld /home/zulip/.scimconf; ls -A /etc/zulip"], user="zulip"
    )
    assert answer.stdout.startswith("drwx------")
    assert "scimconf-" not in answer.stdout
