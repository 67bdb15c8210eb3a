"""A saved plan is applied only if nothing changed since it was saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd


def test_a_saved_plan_is_applied_or_refused(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server, other = lab_server(version="9.0"), lab_server(version="12.1")
    hosts = {each.name: {"scim_realms": {"": {}}} for each in (server, other)}
    operator.write_inventory(hosts)
    assert operator.run("plan", "--out", "plan.json", server.name).returncode == 2
    before = server.settings.read_bytes()

    # Another selection, another file, another state: each is refused and changes nothing.
    wide = operator.apply("--plan", "plan.json")
    assert (wide.returncode, f"{other.name} is not in the plan" in wide.stderr) == (64, True)
    nothing = operator.apply("--plan", "inventory.yaml", server.name)
    assert (nothing.returncode, "is not a plan" in nothing.stderr) == (64, True)
    server.settings.write_bytes(before + b"\n# by hand\n")
    moved = operator.apply("--plan", "plan.json", server.name, "--format", "json")
    assert moved.returncode == 1, moved
    (said,) = json.loads(moved.stdout)["servers"]
    assert said["message"] == "changed since the plan was saved: settings.py was changed"
    assert server.settings.read_bytes() == before + b"\n# by hand\n"
    assert not operator.tokens.exists()

    server.settings.write_bytes(before)
    done = operator.apply("--plan", "plan.json", server.name)
    assert done.returncode == 0, done
    again = operator.run("apply", "--yes", *VAULT, "--plan", "plan.json", server.name)
    assert (again.returncode, "changed since" in again.stdout) == (1, True)


TOKEN = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm"
COMMAND = "command: ./get-token root"


def _realms(token: str, **more: str) -> dict[str, Any]:
    return {"scim_realms": {"": {"token": token, **more}}}


def test_a_changed_connection_is_refused_before_any_server_is_contacted(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="9.0")
    ran = operator.folder / "ran"
    script = operator.folder / "get-token"
    script.write_text(f"#!/bin/sh\ntouch {ran}\necho {TOKEN}\n")
    script.chmod(0o700)
    shared = operator.folder / "group_vars"
    shared.mkdir()
    (shared / "all.yaml").write_text(json.dumps({"ansible_timeout": 9}))
    operator.write_inventory({server.name: _realms(COMMAND)})
    planned = operator.run("plan", "-v", "--out", "plan.json", "--report", "plan.md")
    assert planned.returncode == 2, planned
    runs = 'runs on this machine: command: ./get-token root, in the folder . (scim_realms."".token)'
    assert f"\n  {runs}\n" in planned.stdout
    assert f"- `{runs}`\n" in (operator.folder / "plan.md").read_text()
    before = server.settings.read_bytes()
    (operator.folder / "nobody").touch()

    def refused(variable: str, *options: str) -> str:
        done = operator.apply("--plan", "plan.json", "--format", "json", *options)
        assert done.returncode == 1, (variable, done)
        (said,) = json.loads(done.stdout)["servers"]
        assert said["status"] == "failed", variable
        start = f"the inventory was changed: {variable} of {server.name} was "
        assert start in said["message"], variable
        assert server.settings.read_bytes() == before
        assert not operator.tokens.exists()
        assert not ran.exists()
        message: str = said["message"]
        return message

    changes: list[tuple[str, dict[str, Any]]] = [
        ("ansible_ssh_common_args", {"ansible_ssh_common_args": "-o HostName=127.0.0.2"}),
        ("ansible_ssh_common_args", {"ansible_ssh_common_args": "-o ConnectTimeout=7"}),
        ("ansible_ssh_args", {"ansible_ssh_args": "-o Port=1"}),
        ("ansible_ssh_extra_args", {"ansible_ssh_extra_args": "-J 127.0.0.2"}),
        ("ansible_host", {"ansible_host": "127.0.0.2"}),
        ("ansible_port", {"ansible_port": 1}),
        ("ansible_user", {"ansible_user": "ops"}),
        ("ansible_python_interpreter", {"ansible_python_interpreter": "/home/ops/python3"}),
        ("ansible_become_user", {"ansible_become_user": "ops"}),
        ("scim_restart", {"scim_restart": ["/home/ops/restart"]}),
        ("scim_probe", {"scim_probe": "http://127.0.0.1:1"}),
        ("scim_ca", {"scim_ca": "other.pem"}),
        ("zulip_secrets", {"zulip_secrets": "/home/ops/secrets.conf"}),
        ('scim_realms."".token', _realms("command: ./get-token other")),
        ('scim_realms."".token', _realms("file:get-token")),
        ('scim_realms."".url', _realms(COMMAND, url="https://elsewhere.test")),
    ]
    for variable, changed in changes:
        (operator.folder / "other.pem").touch()
        operator.write_inventory({server.name: {**_realms(COMMAND), **changed}})
        # Without a known host key, every contacted server would be reported as unreachable.
        refused(variable, "--known-hosts", "nobody")
    operator.write_inventory({server.name: _realms(COMMAND)})
    (shared / "all.yaml").write_text(json.dumps({"ansible_ssh_args": "-o HostName=127.0.0.2"}))
    message = refused("ansible_timeout")
    assert f"ansible_ssh_args of {server.name} was not set, is now -o HostName=127.0.0.2" in message


def test_a_plan_from_another_user_and_another_checkout_is_applied(
    operator: Operator, lab_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = lab_server(version="9.0")
    own = {**server.inventory_vars(), "scim_realms": {"": {}}, "scim_ca": "ca.pem"}
    shutil.copy(server.inventory_vars()["scim_ca"], operator.folder / "ca.pem")
    user, key = own.pop("ansible_user"), own.pop("ansible_ssh_private_key_file")
    own["ansible_ssh_common_args"] = "-o CertificateFile={{ inventory_dir }}/none"
    hosts = {"all": {"hosts": {server.name: own}}}
    operator.inventory.write_text(json.dumps(hosts))
    known = ("-u", user, "--private-key", key)
    planned = operator.run("plan", "-v", "--out", "plan.json", *known)
    assert planned.returncode == 2, planned
    for line in (
        "connects to: 127.0.0.1 (ansible_host)",
        f"logs in as: {user} (from the command line)",
        'reads on this machine: the token file (scim_realms."".token)',
    ):
        assert f"\n  {line}\n" in planned.stdout

    other = Operator(operator.lab, tmp_path / "other")
    for file in ("inventory.yaml", "ca.pem"):
        shutil.copy2(operator.folder / file, other.folder / file)
    (other.folder / "key").touch(0o600)
    (other.folder / "key").write_text(Path(key).read_text())
    done = operator.apply(
        *("--plan", "plan.json", "-i", str(other.inventory)),
        *("-u", user, "--private-key", str(other.folder / "key"), "--become-user", user),
    )
    assert done.returncode == 0, done
    assert other.tokens.exists()
