from __future__ import annotations

from typing import Any

import pytest

from scimconf.zulip.restart import command

CURRENT = "/home/zulip/deployments/current"
SCRIPT = f"{CURRENT}/scripts/restart-server"


@pytest.mark.parametrize(
    ("setting", "version", "argv"),
    [
        ("server", "5.6", (SCRIPT,)),
        ("server", "8.4", (SCRIPT,)),
        ("server", "9.0", (SCRIPT, "--skip-client-reloads")),
        ("server", "12.1", (SCRIPT, "--skip-client-reloads")),
        ("django", "5.6", ("supervisorctl", "restart", "zulip-django")),
        ("django", "9.0", ("supervisorctl", "restart", "zulip-django")),
        ("django", "10.0", (SCRIPT, "--only-django", "--skip-client-reloads")),
        ("none", "9.0", None),
        (("docker", "restart", "zulip"), "9.0", ("docker", "restart", "zulip")),
    ],
)
def test_each_version_has_its_restart_command(
    setting: Any, version: str, argv: tuple[str, ...] | None
) -> None:
    assert command(setting, version, CURRENT) == argv


def test_a_slash_at_the_end_of_the_deployment_is_not_doubled() -> None:
    assert command("server", "5.6", CURRENT + "/") == (SCRIPT,)
