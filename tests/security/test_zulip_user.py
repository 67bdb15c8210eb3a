"""The user zulip on a server is hostile and writes any text where scimconf reads.

It wants to run a program on the operator's machine or as root, or to get tokens of others.
tests/ssh/test_sshd.py tests that root runs none of its programs. test_hostile_server.py tests its
invalid answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

TOKEN = "gR7bQ2mXv9LkPz4TnW8s3JfH6dYc1BaE5uVt0iKoMnQ"


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path / "operator")


def _write(server: Server, realm: str, more: str = "") -> None:
    """Append an entry for one realm to settings.py, as a person would."""
    entry = (
        f'{{"bearer_token": "{TOKEN}", "scim_client_name": "okta", '
        f'"name_formatted_included": False{more}}}'
    )
    with server.settings.open("a") as file:
        file.write(f"SCIM_CONFIG = {{{realm!r}: {entry}}}\n")


@pytest.mark.parametrize(
    "more",
    [
        ', "custom_profile_field_map": {"{{ lookup(\'pipe\', \'touch ran\') }}": "x"}',
        ', "custom_profile_field_map": {"x": "{{ lookup(\'pipe\', \'touch ran\') }}"}',
        ', "custom_profile_field_map": {"!!python/object/apply:os.system [touch ran]": "x"}',
    ],
)
def test_imported_text_runs_no_program(
    more: str, operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="12.1", realms=["acme"])
    _write(server, "acme", more)
    known = ("ansible_", "zulip_", "scim_probe", "scim_ca")
    host = {k: v for k, v in server.inventory_vars().items() if k.startswith(known)}
    operator.inventory.write_text(json.dumps({"all": {"hosts": {server.name: host}}}))
    done = operator.run("import", *VAULT)
    written = "".join(path.read_text() for path in (operator.folder / "host_vars").glob("*"))
    assert "'{{" not in written, done
    assert all("!unsafe" in line for line in written.splitlines() if "{{" in line)
    assert not any(
        "!!python" in line.split(":")[0].strip(' "')[:2] for line in written.splitlines()
    )
    assert operator.run("plan").returncode in (0, 1, 2, 64)
    assert not (operator.folder / "ran").exists()
    assert TOKEN not in done.stdout + done.stderr


def test_a_token_that_the_zulip_user_made_is_not_imported(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    """It can set any token in its realm anyway, but scimconf must not treat it as its own."""
    server = lab_server(version="9.0", realms=["acme"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    assert operator.apply().returncode == 0
    text = server.settings.read_text().replace(operator.token(server.name, "acme"), TOKEN)
    server.settings.write_text(text)
    assert "the server does not have the wanted token" in operator.run("plan").stdout
    operator.tokens.unlink()
    assert operator.run("import", *VAULT).returncode == 1
    assert not operator.tokens.exists()


def test_a_realm_that_the_zulip_user_added_is_reported(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="9.0", realms=["acme", "wiki"])
    _write(server, "wiki")
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    done = operator.apply()
    assert done.returncode == 2, done
    assert "realm wiki" in done.stdout
    assert operator.run("plan").returncode == 2
