"""Configure SCIM on new servers of the lab, then make the changes that an operator makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]
USERS = "/scim/v2/Users"
_DOCS = Path(__file__).parents[2] / "docs"


def _block(server: Server) -> str:
    found = re.search(r"^SCIM_CONFIG = \{$.*?^\}$", server.settings.read_text(), re.M | re.S)
    return found[0] if found else ""


def test_a_new_5x_server_is_configured_completely(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, version="5.6", realms=["acme"])
    before = server.settings.read_bytes()
    plan = operator.run("plan")
    assert plan.returncode == 2, plan
    assert "register SCIM client okta for realm acme" in plan.stdout
    assert server.settings.read_bytes() == before
    assert not operator.tokens.exists()

    done = operator.apply()
    assert done.returncode == 0, done
    token = operator.token(server.name, "acme")
    assert server.settings.read_bytes().startswith(before)
    assert _block(server) == (
        "SCIM_CONFIG = {\n"
        '    "acme": {\n'
        f'        "bearer_token": "{token}",\n'
        '        "scim_client_name": "okta",\n'
        '        "name_formatted_included": False,\n'
        "    }\n"
        "}"
    )
    assert server.request("GET", USERS, "acme", token)[0] == 200
    assert server.request("GET", USERS, "acme", "wrong")[0] == 401
    assert operator.run("verify", *VAULT).returncode == 0
    again = operator.apply()
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True)


def test_tokens_in_the_secrets_file_and_back(operator: Operator, one: One) -> None:
    realms = {"": {"idp": "entra"}, "acme": {}}
    server = one({"scim_realms": realms}, version="9.0", realms=["", "acme"])
    assert operator.apply().returncode == 0
    token = operator.token(server.name, "acme")
    assert token in server.settings.read_text()

    operator.write_inventory({server.name: {"scim_realms": realms, "scim_token_store": "secrets"}})
    assert operator.run("plan").returncode == 2
    moved = operator.apply()
    assert moved.returncode == 0, moved
    assert token not in server.settings.read_text()
    assert f"scim_bearer_token_acme = {token}\n" in server.secrets.read_text()
    assert server.request("GET", USERS, "acme", token)[0] == 200
    assert operator.run("plan").returncode == 0

    operator.write_inventory({server.name: {"scim_realms": realms}})
    assert operator.apply().returncode == 0
    assert "scim_bearer_token" not in server.secrets.read_text()
    assert server.request("GET", USERS, "acme", token)[0] == 200


def test_a_removed_realm_is_locked_out_and_an_unmanaged_one_stays(
    operator: Operator, one: One
) -> None:
    strange = '"wiki": {  # by hand\n        "bearer_token": "t" * 40,\n    }'
    server = one(
        {"scim_realms": {"acme": {}}},
        version="5.6",
        realms=["acme", "wiki"],
        extra_settings=f"\nSCIM_CONFIG = {{\n    {strange},\n}}\n",
    )
    assert operator.apply().returncode == 2
    token = operator.token(server.name, "acme")
    assert strange in server.settings.read_text()

    operator.write_inventory({server.name: {"scim_realms": {"acme": {"state": "absent"}}}})
    gone = operator.apply()
    assert gone.returncode == 2, gone
    assert "remove SCIM client okta of realm acme" in gone.stdout
    assert server.request("GET", USERS, "acme", token)[0] == 401
    assert strange in server.settings.read_text()
    assert re.search(r"unmanaged realm wiki at \S+settings\.py:\d+:\d+", gone.stdout)


def test_a_server_that_runs_with_another_token_is_restarted(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    assert operator.apply().returncode == 0
    right = server.settings.read_text()
    token = operator.token(server.name, "")
    server.settings.write_text(right.replace(token, "y" * 44))
    server.restart()
    server.settings.write_text(right)

    plan = operator.run("plan")
    assert plan.returncode == 2
    assert "restart Zulip: Zulip still uses another token for realm (root)" in plan.stdout
    assert operator.apply().returncode == 0
    assert server.request("GET", USERS, "", token)[0] == 200
    assert server.settings.read_text() == right


def test_a_change_that_fails_its_gate_is_rolled_back(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    assert operator.apply().returncode == 0
    before = server.settings.read_bytes()
    token = operator.token(server.name, "")
    # A "restart" that restarts nothing: the running server keeps the old token.
    operator.write_inventory(
        {
            server.name: {
                "scim_realms": {"": {"token": "env:NEW_TOKEN"}},
                "scim_restart": ["/bin/true"],
                "scim_gate_timeout": 1,
            }
        }
    )
    env = {**operator.lab.environment(), "NEW_TOKEN": "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm"}
    done = operator.run("apply", "--yes", "--create-tokens", env=env)
    assert done.returncode == 4, done
    assert "rolled back" in done.stdout
    assert server.settings.read_bytes() == before
    assert server.request("GET", USERS, "", token)[0] == 200
    assert "NEW_TOKEN" not in server.settings.read_text()


def test_a_change_whose_restart_fails_is_rolled_back(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}, "scim_restart": ["/bin/false"]}, version="9.0")
    before = server.settings.read_bytes()
    done = operator.apply()
    assert done.returncode in (4, 5), done
    assert server.settings.read_bytes() == before
    assert "failed: restart" in done.stdout


def test_a_broken_server_does_not_stop_the_others(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    good = lab_server(version="9.0")
    bad = lab_server(version="8.4", extra_settings="\nSCIM_CONFIG = dict(acme={})\n")
    hosts = {each.name: {"scim_realms": {"": {}}} for each in (good, bad)}
    hosts["gone.test"] = {
        **good.inventory_vars(),
        "ansible_port": 1,
        "scim_realms": {"": {}},
        "zulip_external_host": "gone.test",
    }
    operator.write_inventory(hosts)
    broken = bad.settings.read_bytes()
    done = operator.apply("--format", "json")
    assert done.returncode == 1, done
    by_name = {each["server"]: each for each in json.loads(done.stdout)["servers"]}
    assert by_name[good.name]["status"] == "changed"
    assert by_name[bad.name]["status"] == "failed"
    assert re.search(r"settings\.py:\d+:\d+: ", by_name[bad.name]["message"])
    assert by_name["gone.test"]["status"] == "unreachable"
    assert bad.settings.read_bytes() == broken
    assert operator.run("apply", "--yes", *VAULT, "--limit", good.name).returncode == 0


def test_json_has_the_documented_shape_and_no_token(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="12.1")
    planned = json.loads(operator.run("plan", "--format", "json").stdout)
    applied = json.loads(operator.apply("--format", "json").stdout)
    verified = json.loads(operator.run("verify", "--format", "json", *VAULT).stdout)
    documented = json.loads(
        re.search(r"```json\n(.*?)```", (_DOCS / "json.md").read_text(), re.S)[1]  # type: ignore[index]
    )
    for verb, said in (("plan", planned), ("apply", applied), ("verify", verified)):
        assert said["verb"] == verb
        assert set(said) == set(documented)
        assert set(said["servers"][0]) == set(documented["servers"][0])
    assert (planned["exit_code"], applied["exit_code"]) == (2, 0)
    assert {check["result"] for check in verified["servers"][0]["checks"]} == {"ok"}
    token = operator.token(server.name, "")
    assert token not in json.dumps([planned, applied, verified])


def test_a_plan_needs_no_secret(operator: Operator, one: One) -> None:
    one({"scim_realms": {"": {}}}, version="9.0")
    assert operator.apply().returncode == 0
    (operator.folder / ".vault-password").unlink()
    plan = operator.run("plan", env=operator.bare_environment())
    assert plan.returncode == 0, plan


def test_a_plan_resolves_no_reference_and_runs_no_program(operator: Operator, one: One) -> None:
    trace = operator.folder / "trace"
    one({"scim_realms": {"": {"token": ["command:", "touch", str(trace)]}}}, version="9.0")
    # The list form may be refused or not. In both cases no program may run.
    operator.run("plan")
    server = next(iter(operator.lab.servers))
    operator.write_inventory({server: {"scim_realms": {"": {"token": f"command: touch {trace}"}}}})
    operator.run("plan")
    assert not trace.exists()


def test_without_a_terminal_no_token_is_created_by_default(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    before = server.settings.read_bytes()
    done = operator.run("apply", "--yes", *VAULT)
    assert done.returncode == 64
    assert "--create-tokens" in done.stderr
    done = operator.run("apply", "--yes", "--create-tokens")
    assert done.returncode == 64
    assert "vault password" in done.stderr
    assert server.settings.read_bytes() == before
    assert not operator.tokens.exists()


def test_a_hundred_hosts_with_twenty_forks(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    """A hundred connections to three servers, twenty at a time."""
    servers = [lab_server(version=version) for version in ("8.4", "9.0", "12.1")]
    hosts = {
        f"h{number}": {
            **servers[number % 3].inventory_vars(),
            "scim_deployment": servers[number % 3].name,
            "scim_realms": {"": {}},
        }
        for number in range(100)
    }
    operator.write_inventory(hosts)
    done = operator.run("plan", "--forks", "20", "--format", "json")
    assert done.returncode == 2, done
    assert json.loads(done.stdout)["summary"] == {"changes pending": 100}


@pytest.mark.needs_root
def test_a_root_login_runs_no_program_of_zulip_as_root(operator: Operator, one: One) -> None:
    """The user zulip owns Zulip's Python and could replace it with any program."""
    server = one({"scim_realms": {"": {}}, "ansible_user": "root"}, version="9.0")
    home = server.deployment.parents[1]
    python = server.deployment / "zulip-py3-venv/bin/python3"
    real = python.rename(python.with_name("python3.real"))
    inside = f"{server.paths.deployment}/zulip-py3-venv/bin/{real.name}"
    python.write_text(f'#!/bin/sh\nid -u >> /home/zulip/ran\nexec {inside} "$@"\n')
    python.chmod(0o755)
    (home / "ran").touch()
    (home / "ran").chmod(0o666)
    assert operator.run("plan").returncode == 2
    ran_as = set((home / "ran").read_text().split())
    assert ran_as
    assert "0" not in ran_as
