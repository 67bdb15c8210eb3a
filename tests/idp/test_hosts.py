"""The operator, not the inventory, decides where tokens may go."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from scimconf.errors import UsageError
from scimconf.idp import hosts
from scimconf.model import Deliver

AUTHENTIK = Deliver("authentik", {"url": "https://sso.example.com:8443", "provider": 1}, ".")
APP: dict[str, Any] = {"client_id": "a", "service_principal": "b"}


def _entra(tenant: str) -> Deliver:
    return Deliver("entra", {"tenant": tenant, **APP}, ".")


def test_a_host_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    allowed = hosts.load(["sso.example.com"], tmp_path)
    with pytest.raises(UsageError, match=r"sso\.example\.com:8443, which is not in") as error:
        allowed.check([(AUTHENTIK, "the token of realm acme")])
    assert "--idp-host sso.example.com:8443" in error.value.hint
    hosts.load(["SSO.example.com:8443"], tmp_path).check([(AUTHENTIK, "it")])


def test_a_tenant_is_part_of_the_entry(tmp_path: Path) -> None:
    """All tenants share Graph's host, so the host alone would allow a stranger's tenant."""
    allowed = hosts.load(["graph.microsoft.com/contoso.onmicrosoft.com"], tmp_path)
    allowed.check([(_entra("Contoso.onmicrosoft.com"), "it")])
    for entry in (allowed, hosts.load(["graph.microsoft.com"], tmp_path)):
        with pytest.raises(UsageError):
            entry.check([(_entra("evil.onmicrosoft.com"), "it")])


def test_all_hosts_that_are_not_listed_are_named(tmp_path: Path) -> None:
    wanted = [(AUTHENTIK, "the token of acme"), (_entra("a.example.com"), "the token of wiki")]
    with pytest.raises(
        UsageError, match=r"the token of acme to sso\..* and the token of wiki to"
    ) as e:
        hosts.load([], tmp_path).check(wanted)
    for entry in ("sso.example.com:8443", "graph.microsoft.com/a.example.com"):
        assert f"--idp-host {entry}" in e.value.hint


def test_a_program_has_no_host(tmp_path: Path) -> None:
    hosts.load([], tmp_path).check([(Deliver("command", {"words": ("./x",)}, "."), "it")])


def test_the_file(tmp_path: Path) -> None:
    file = tmp_path / hosts.NAME
    file.touch(0o600)
    file.write_text("# ours\n\nsso.example.com:8443   # authentik\n")
    hosts.load([], tmp_path).check([(AUTHENTIK, "it")])
    file.chmod(0o644)
    with pytest.raises(UsageError, match="its mode is 0644, not 0600"):
        hosts.load([], tmp_path)


def test_a_file_of_somebody_elses_branch_is_refused(tmp_path: Path) -> None:
    """With umask 077, git makes files with mode 0600."""
    file = tmp_path / hosts.NAME
    file.touch(0o600)
    file.write_text("sso.example.com:8443\n")
    subprocess.run(["git", "init"], cwd=tmp_path, check=True, capture_output=True)
    hosts.load([], tmp_path).check([(AUTHENTIK, "it")])
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(UsageError, match="git may track it") as error:
        hosts.load([], tmp_path)
    assert "git rm --cached" in error.value.hint


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch(0o600)
    (tmp_path / hosts.NAME).symlink_to("elsewhere")
    with pytest.raises(UsageError, match="it is a link"):
        hosts.load([], tmp_path)


@pytest.mark.parametrize("entry", ["https://sso.example.com", "", "a b", "*"])
def test_an_entry_is_a_host(tmp_path: Path, entry: str) -> None:
    with pytest.raises(UsageError, match="is not a host"):
        hosts.load([entry], tmp_path)
