"""Import servers that another operator configured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

Run = Callable[..., Any]


@pytest.fixture
def successor(lab: Lab, tmp_path: Path) -> Operator:
    """Another operator, with an empty folder."""
    return Operator(lab, tmp_path / "successor")


def _bare(operator: Operator, *servers: Server) -> str:
    """Return an inventory with hosts and connections, without SCIM variables."""
    known = ("ansible_", "zulip_", "scim_probe", "scim_ca")
    hosts = {
        server.name: {k: v for k, v in server.inventory_vars().items() if k.startswith(known)}
        for server in servers
    }
    text = "# ours\n" + json.dumps({"all": {"hosts": hosts}}, indent=1) + "\n# the end\n"
    operator.inventory.write_text(text)
    return text


def test_after_an_import_there_is_nothing_to_do(
    operator: Operator, successor: Operator, lab_server: Callable[..., Server]
) -> None:
    old = lab_server(version="5.6", realms=["acme"])
    new = lab_server(version="12.1", realms=["", "wiki"])
    operator.write_inventory(
        {
            old.name: {"scim_realms": {"acme": {}}},
            new.name: {
                "scim_realms": {"": {"idp": "entra"}, "wiki": {"client": "okta-emea"}},
                "scim_token_store": "secrets",
            },
        }
    )
    assert operator.apply().returncode == 0
    files = [
        each.read_bytes() for server in (old, new) for each in (server.settings, server.secrets)
    ]
    text = _bare(successor, old, new)

    refused = successor.run("import")
    assert refused.returncode == 64
    assert "a vault password is needed" in refused.stderr
    done = successor.run("import", *VAULT)
    assert done.returncode == 0, done
    assert "2 servers: 2 imported" in done.stdout
    for server, realm in ((old, "acme"), (new, ""), (new, "wiki")):
        token = operator.token(server.name, realm)
        assert successor.token(server.name, realm) == token
        assert token not in done.stdout + done.stderr + successor.tokens.read_text()
    assert successor.inventory.read_text() == text
    host_vars = (successor.folder / f"host_vars/{new.name}.yaml").read_text()
    assert '"wiki":\n    "idp": "other"\n    "client": "okta-emea"\n' in host_vars
    assert successor.run("plan").returncode == 0
    assert successor.run("verify", *VAULT).returncode == 0
    assert files == [
        each.read_bytes() for server in (old, new) for each in (server.settings, server.secrets)
    ]

    again = successor.run("import", *VAULT)
    assert again.returncode == 64
    assert (
        f"{old.name} is left unchanged: it has scim_realms, and the token file has their tokens"
        in again.stderr
    )


def test_a_weak_token_and_a_computed_entry_are_left_out(
    successor: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="9.0", realms=["acme", "wiki"])
    with server.settings.open("a") as file:
        file.write(
            "import os\nSCIM_CONFIG = {\n"
            '    "acme": {"bearer_token": "hunter2hunter2", "scim_client_name": "okta", '
            '"name_formatted_included": False},\n'
            '    "wiki": {"bearer_token": os.environ["X"]},\n}\n'
        )
    _bare(successor, server)
    done = successor.run("import", *VAULT)
    assert done.returncode == 2, done
    assert ", with an unmanaged realm" in done.stdout
    assert "realm acme: its token is weak" in done.stdout
    assert "realm wiki is left out, and stays unchanged: a value is computed" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr + successor.tokens.read_text()
    assert "hunter2hunter2" in successor.run("handoff", "--show-tokens", *VAULT).stdout


def test_a_server_without_scim_and_an_unreachable_server(
    successor: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="9.0", realms=["acme"])
    hosts = {server.name: server.inventory_vars(), "gone": {"ansible_host": "127.0.0.1"}}
    hosts["gone"]["ansible_port"] = 9
    successor.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    done = successor.run("import", *VAULT)
    assert done.returncode == 1, done
    assert "there is nothing to import: SCIM_CONFIG is missing or empty" in done.stdout
    assert "127.0.0.1 port 9 refused the connection" in done.stdout
    assert not (successor.folder / "host_vars").exists()
    assert not successor.tokens.exists()


def test_a_duplicate_url_does_not_break_the_inventory(
    successor: Operator, lab_server: Callable[..., Server]
) -> None:
    """Two realms with one URL make the inventory invalid: nothing is written."""
    server = lab_server(version="9.0", realms=["acme"])
    text = server.settings.read_text()
    text = re.sub(r"(?m)^EXTERNAL_HOST = .*$", 'EXTERNAL_HOST = "chat.test"', text)
    server.settings.write_text(
        text + 'SCIM_CONFIG = {"acme": {"bearer_token": "gR7bQ2mXv9LkPz4TnW8s", '
        '"scim_client_name": "okta", "name_formatted_included": False}}\n'
    )
    known = {"scim_realms": {"acme": {}}, "zulip_external_host": "chat.test"}
    hosts = {server.name: server.inventory_vars(), "chat.test": known}
    hosts[server.name].pop("scim_realms", None)
    hosts[server.name].pop("zulip_external_host", None)
    successor.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    done = successor.run("import", *VAULT, server.name)
    assert done.returncode == 64, done
    assert "https://acme.chat.test is already the URL of realm acme of " in done.stderr
    assert "host_vars is unchanged" in done.stderr
    assert not (successor.folder / "host_vars").exists()
    assert successor.run("inventory", "check").returncode == 0


# --- after the loss of tokens.yaml --------------------------------------------------------------


def test_missing_tokens_of_known_realms_are_imported(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    """Without them, the next apply would lock both identity providers out."""
    server = lab_server(version="9.0", realms=["acme", "wiki"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}, "wiki": {}}}})
    assert operator.apply().returncode == 0
    tokens = {realm: operator.token(server.name, realm) for realm in ("acme", "wiki")}
    inventory = operator.inventory.read_text()
    operator.tokens.unlink()

    planned = operator.run("plan")
    assert planned.returncode == 2
    assert planned.stdout.count("the identity provider is locked out until it has the new") == 2
    refused = operator.run("apply", "--yes", *VAULT)
    assert refused.returncode == 64
    assert f"realm acme of {server.name}, realm wiki of {server.name}" in refused.stderr
    assert "scimconf import" in refused.stderr
    assert not operator.tokens.exists()

    done = operator.run("import", *VAULT, "--realm", "acme")
    assert done.returncode == 2, done
    assert operator.token(server.name, "acme") == tokens["acme"]
    assert operator.run("import", *VAULT).returncode == 0
    assert operator.token(server.name, "wiki") == tokens["wiki"]
    assert operator.inventory.read_text() == inventory
    assert not (operator.folder / "host_vars").exists()
    assert operator.run("plan").returncode == 0


def test_a_token_that_scimconf_did_not_write_is_not_imported(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="9.0", realms=["acme"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    assert operator.apply().returncode == 0
    token = operator.token(server.name, "acme")
    text = server.settings.read_text().replace(token, "kT4wZ8pQ2nXc6VbM9sLr")
    server.settings.write_text(text)
    operator.tokens.unlink()
    done = operator.run("import", *VAULT)
    assert done.returncode == 1, done
    assert "its token was changed by somebody else" in done.stdout
    assert "--create-tokens" in done.stdout
    assert not operator.tokens.exists()
