"""A CI job plans an inventory that came in a stranger's merge request.

On this machine, a plan starts only ssh (to read ssh_config). It decrypts and sends no secret. On
the servers, it starts only their own programs, as the user zulip (docs/security.md).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Server
from tests.lab.lab import Lab
from tests.lab.operator import VAULT, Operator
from tests.security import recorder

TOKEN = "gR7bQ2mXv9LkPz4TnW8s3JfH6dYc1BaE5uVt0iKoMnQ"


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path / "operator")


def planned(operator: Operator, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Plan under the recorder. Return the result and all processes that were started."""
    record = operator.folder.parent / "record"
    done = subprocess.run(
        [
            *(sys.executable, recorder.__file__, record),
            *(sys.executable, "-m", "scimconf", "plan", *arguments),
        ],
        cwd=operator.folder,
        env={**operator.lab.environment(), "STOLEN": TOKEN},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done, [json.loads(line) for line in record.read_text().splitlines()]


@pytest.mark.needs_sshd
def test_a_plan_starts_no_program_and_reveals_no_secret(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="12.1", realms=["", "acme", "wiki"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    assert operator.apply().returncode == 0  # makes a token that could be stolen

    evil = _program(operator.folder / "evil/.venv/bin/python3", operator.folder / "ran")
    fifo = operator.folder / "fifo"
    os.mkfifo(fifo)  # reading it would wait forever
    with socket.create_server(("127.0.0.1", 0)) as listener:
        elsewhere = f"https://127.0.0.1:{listener.getsockname()[1]}"
        operator.write_inventory(
            {
                server.name: {
                    "scim_realms": {
                        "acme": {"url": elsewhere},
                        "": {"token": f"command: {evil}", "url": "https://chat.evil.test"},
                        "wiki": {"token": "file:fifo", "client": "{{ 'ok' ~ 'ta' }}"},
                    },
                    "scim_restart": [str(evil)],
                    "ansible_python_interpreter": str(evil),
                    "unused": "{{ lookup('pipe', 'touch ran') }}",
                },
                "here.test": {
                    "ansible_connection": "local",
                    "zulip_deployment": str(operator.folder / "evil"),
                    "scim_realms": {"": {"token": "env:STOLEN"}},
                },
                "thief.test": {
                    "ansible_host": "127.0.0.1",
                    "ansible_port": listener.getsockname()[1],
                    "ansible_user": "ops",
                    "ansible_become": True,
                    "ansible_become_exe": str(evil),
                    "ansible_become_password": "the password of ops",
                    "scim_realms": {"": {}},
                },
                "there.test": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": str(evil),
                    "scim_realms": {"": {}},
                },
            }
        )
        done, processes = planned(operator, "--format", "json", "-vvv")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert done.returncode in (1, 2), done.stderr
    by_name = {each["server"]: each for each in json.loads(done.stdout)["servers"]}
    for name in ("here.test", "there.test"):
        assert "runs a program on this machine" in by_name[name]["message"]
    assert "ansible_become_exe is" in by_name["thief.test"]["message"]
    assert "--allow-exec=become" in by_name["thief.test"]["hint"]
    started = {each["argv"][0] for each in processes if each["event"] == "exec"}
    assert {os.path.basename(each) for each in started} <= {os.path.basename(sys.executable), "ssh"}
    assert not (operator.folder / "ran").exists()
    assert TOKEN not in done.stdout + done.stderr


def test_an_inventory_that_is_a_program_is_not_started(operator: Operator) -> None:
    program = _program(operator.folder / "inventory.sh", operator.folder / "ran")
    done, processes = planned(operator, "-i", str(program))
    assert done.returncode == 64
    assert not (operator.folder / "ran").exists()
    assert {each["argv"][0] for each in processes} == {sys.executable}


def test_no_file_outside_of_the_inventory_becomes_a_variable(operator: Operator) -> None:
    folder = operator.folder
    (folder / "ci-secrets.yaml").write_text(f"deploy_password: {TOKEN}\n")
    (folder / "group_vars/all").mkdir(parents=True)
    (folder / "group_vars/all/zz.yaml").symlink_to("../../ci-secrets.yaml")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        operator.write_inventory(
            {
                "evil.test": {
                    "ansible_host": "127.0.0.1",
                    "ansible_port": listener.getsockname()[1],
                    "ansible_user": "{{ deploy_password }}",
                    "scim_realms": {"": {}},
                }
            }
        )
        done, _ = planned(operator, "--allow-exec=local,proxy")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert done.returncode == 64
    assert "zz.yaml:1:1" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.needs_sshd
def test_verify_sends_no_token_to_another_host(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="12.1", realms=["acme"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    assert operator.apply().returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for url in (f"https://127.0.0.1:{port}", f"https://evil{server.name}:{port}"):
            operator.write_inventory({server.name: {"scim_realms": {"acme": {"url": url}}}})
            done = operator.run("verify", *VAULT)
            assert done.returncode == 1, done
            assert url in done.stdout
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def _program(path: Path, trace: Path) -> Path:
    """Write a program that creates a file when it runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch '{trace}'\necho {TOKEN}\n")
    path.chmod(0o755)
    return path
