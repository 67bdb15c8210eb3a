"""Write what Zulip's installer writes: /etc/zulip and a small deployment."""

from __future__ import annotations

import dataclasses
import json
import secrets
import shlex
import shutil
from pathlib import Path
from typing import Any

from tests.lab.interpreter import Interpreter, make_virtualenv
from tests.lab.layout import RELEASE, Layout
from tests.lab.options import Identity, Options
from tests.lab.profiles import Profile

HERE = Path(__file__).parent
SCRIPTS = ("manage.py", "scripts/restart-server", "scripts/get-django-setting")
# /bin/sh runs the second line; Python ignores it. A `#!` line cannot have a path with spaces.
_LAUNCHER = "#!/bin/sh\n''':'\nexec {python} \"$0\" \"$@\"\n'''\n"
_VERSION = """\
import os

ZULIP_VERSION = "{version}"

# A deployment from git has a more exact version.
_git = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zulip-git-version")
if os.path.exists(_git):
    with open(_git) as _file:
        ZULIP_VERSION = _file.read().strip()
"""


def write_etc(layout: Layout, identity: Identity, options: Options) -> None:
    """Write settings.py, zulip-secrets.conf and zulip.conf."""
    text = options.settings
    if text is None:
        text = (HERE / "settings.py.template").read_text()
    if options.realm_hosts:
        text += f"\nREALM_HOSTS = {dict(options.realm_hosts)!r}\n"
    text = text.replace("@EXTERNAL_HOST@", identity.external_host) + options.extra_settings
    write_file(layout.outside("etc", "settings.py"), text, 0o644)
    values = {
        "secret_key": secrets.token_hex(25),
        "avatar_salt": secrets.token_hex(16),
        "rabbitmq_password": secrets.token_hex(16),
        "shared_secret": secrets.token_hex(16),
        **options.secrets,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in values.items())
    write_file(layout.outside("etc", "zulip-secrets.conf"), f"[secrets]\n{lines}", 0o640)
    write_file(
        layout.outside("etc", "zulip.conf"),
        "[machine]\npuppet_classes = zulip::profile::standalone\ndeploy_type = production\n",
        0o644,
    )


def write_deployment(
    layout: Layout,
    identity: Identity,
    options: Options,
    profile: Profile,
    interpreter: Interpreter,
) -> str:
    """Write the deployment. Return its folder as the server sees it; `current` links to it."""
    root = layout.outside("home", "deployments", RELEASE)
    shutil.copytree(
        HERE / "deployment", root, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True
    )
    (root.parent / "current").symlink_to(RELEASE)
    inside = layout.inside("home", "deployments", RELEASE)
    commands = {"add_scim_client": profile.registers_clients, "checkconfig": profile.checkconfig}
    for command, present in commands.items():
        if not present:
            (root / "zerver/management/commands" / f"{command}.py").unlink()
    make_virtualenv(root / profile.virtualenv, interpreter)
    (root / "version.py").write_text(_VERSION.format(version=profile.version))
    (root / "zproject/prod_settings.py").symlink_to(layout.inside("etc", "settings.py"))
    lab: dict[str, Any] = {
        "name": identity.name,
        "user": layout.user,
        "secrets": layout.inside("etc", "zulip-secrets.conf"),
        "log": layout.inside("log"),
        "supervisorctl": layout.inside("run", "bin", "supervisorctl"),
        "database": layout.inside("run", "var", "zulip.sqlite3"),
        "realms": [
            {
                "string_id": realm,
                "deactivated": realm in options.deactivated,
                "custom_profile_fields": list(options.custom_profile_fields),
            }
            for realm in options.realms
        ],
        "profile": dataclasses.asdict(profile),
    }
    (root / "lab.json").write_text(json.dumps(lab, indent=1))
    for script in SCRIPTS:
        make_program(root / script, f"{inside}/{profile.virtualenv}/bin/python3")
    return inside


def make_program(path: Path, python: str) -> None:
    """Make a script of the deployment executable with this Python."""
    text = path.read_text()
    path.write_text(_LAUNCHER.format(python=shlex.quote(python)) + text)
    path.chmod(0o755)


def write_file(path: Path, content: str | bytes, mode: int) -> None:
    """Write a file with exactly this mode. The umask has no effect."""
    path.touch(mode)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
