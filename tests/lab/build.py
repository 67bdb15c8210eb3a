"""Lays a lab server out in its folder: /etc/zulip, the deployment, and what starts it all."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.lab import accounts
from tests.lab.interpreter import Interpreter, make_virtualenv
from tests.lab.layout import PARTS, RELEASE, Layout
from tests.lab.openssh import OpenSSH
from tests.lab.profiles import Profile

HERE = Path(__file__).parent
SCRIPTS = ("manage.py", "scripts/restart-server", "scripts/get-django-setting")
# Found by /bin/sh and passed over by Python: a `#!` line can hold no blank, our folders may.
_LAUNCHER = "#!/bin/sh\n''':'\nexec {python} \"$0\" \"$@\"\n'''\n"
_VERSION = """\
import os

ZULIP_VERSION = "{version}"

# A deployment made from git says more exactly what it is.
_git = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zulip-git-version")
if os.path.exists(_git):
    with open(_git) as _file:
        ZULIP_VERSION = _file.read().strip()
"""


@dataclass(frozen=True)
class Options:
    """What a lab server can be asked to be."""

    version: str = "9.0"
    realms: Sequence[str] = ("",)
    sshd: bool = True
    """False: no SSH, and all in sight of whoever runs the lab (`ansible_connection: local`)."""
    sudo: Literal["nopasswd", "password"] | None = "nopasswd"
    """How the user `ops` becomes zulip."""
    sudoers: str = ""
    """Lines to add to sudoers."""
    deactivated: Sequence[str] = ()
    """Those of the realms that are deactivated."""
    realm_hosts: Mapping[str, str] = field(default_factory=dict)
    """REALM_HOSTS of settings.py."""
    custom_profile_fields: Sequence[str] = ()
    """The variable names of the fields that every realm has."""
    settings: str | None = None
    """The text of settings.py instead of the usual one; `@EXTERNAL_HOST@` is filled in."""
    extra_settings: str = ""
    """Text to append to settings.py."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """More names for [secrets] of zulip-secrets.conf."""


@dataclass(frozen=True)
class Identity:
    """What a server is known by."""

    name: str
    external_host: str
    certificate: bytes
    authorized_key: str


def build(
    layout: Layout,
    identity: Identity,
    options: Options,
    profile: Profile,
    interpreter: Interpreter,
    openssh: OpenSSH | None,
) -> Path:
    """Write everything; gives the file that `inside` is started with."""
    for part in PARTS:
        layout.outside(part).mkdir(parents=True)
    layout.outside("log").chmod(0o750)
    _write_etc(layout, identity, options)
    deployment = _write_deployment(layout, identity, options, profile, interpreter)
    python = f"{deployment}/{profile.virtualenv}/bin/python3"
    _write_run(layout, identity, python)
    config = {
        "lab": str(layout.folder.parent),
        "isolated": _isolation(layout, identity, options, interpreter, openssh),
        "certificate": layout.inside("run", "certificate.pem"),
        "supervisor": layout.inside("run", "supervisor.sock"),
        "django": {
            "argv": [python, f"{deployment}/serve.py"],
            "cwd": deployment,
            "environment": environment(layout),
            "socket": layout.inside("run", "var", "django.sock"),
            "log": layout.inside("log", "django.log"),
            "uid": layout.uid,
            "gid": layout.gid,
        },
        "sshd": _sshd(layout, openssh) if openssh else None,
    }
    path = layout.folder / "init.json"
    path.write_text(json.dumps(config, indent=1))
    if os.geteuid() == 0:
        _give_to_zulip(layout)
    return path


def environment(layout: Layout) -> dict[str, str]:
    """Give the environment of a process of Zulip's user."""
    return {
        "PATH": layout.path,
        "HOME": layout.inside("home"),
        "USER": layout.user,
        "LOGNAME": layout.user,
        "LANG": "C.UTF-8",
    }


def _write_etc(layout: Layout, identity: Identity, options: Options) -> None:
    text = options.settings
    if text is None:
        text = (HERE / "settings.py.template").read_text()
    if options.realm_hosts:
        text += f"\nREALM_HOSTS = {dict(options.realm_hosts)!r}\n"
    text = text.replace("@EXTERNAL_HOST@", identity.external_host) + options.extra_settings
    _write(layout.outside("etc", "settings.py"), text, 0o644)
    values = {
        "secret_key": secrets.token_hex(25),
        "avatar_salt": secrets.token_hex(16),
        "rabbitmq_password": secrets.token_hex(16),
        "shared_secret": secrets.token_hex(16),
        **options.secrets,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in values.items())
    _write(layout.outside("etc", "zulip-secrets.conf"), f"[secrets]\n{lines}", 0o640)
    _write(
        layout.outside("etc", "zulip.conf"),
        "[machine]\npuppet_classes = zulip::profile::standalone\ndeploy_type = production\n",
        0o644,
    )


def _write_deployment(
    layout: Layout,
    identity: Identity,
    options: Options,
    profile: Profile,
    interpreter: Interpreter,
) -> str:
    """Gives the deployment's folder as the server sees it, `current` being a link to it."""
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
        _make_program(root / script, f"{inside}/{profile.virtualenv}/bin/python3")
    return inside


def _make_program(path: Path, python: str) -> None:
    text = path.read_text()
    path.write_text(_LAUNCHER.format(python=shlex.quote(python)) + text)
    path.chmod(0o755)


def _write_run(layout: Layout, identity: Identity, python: str) -> None:
    run = layout.outside("run")
    (run / "var").mkdir()
    (run / "bin").mkdir()
    shutil.copy(HERE / "standins/supervisorctl", run / "bin/supervisorctl")
    _make_program(run / "bin/supervisorctl", python)
    _write(run / "certificate.pem", identity.certificate, 0o600)
    (run / "authorized_keys").mkdir()
    users = ("zulip", "ops", "root") if layout.isolated else (layout.user,)
    for user in users:
        _write(run / "authorized_keys" / user, f"{identity.authorized_key}\n", 0o644)


def _isolation(
    layout: Layout,
    identity: Identity,
    options: Options,
    interpreter: Interpreter,
    openssh: OpenSSH | None,
) -> dict[str, Any] | None:
    if not layout.isolated:
        return None
    keep = [*interpreter.needs]
    if openssh and openssh.origin == "unpacked":
        keep.append(str(openssh.root))
    return {
        "hostname": identity.name,
        "bind": {layout.inside(part): str(layout.outside(part)) for part in PARTS},
        "etc": accounts.etc(identity.name, options.sudo, options.sudoers, layout.path),
        "keep": keep,
    }


def _sshd(layout: Layout, openssh: OpenSSH) -> dict[str, Any]:
    keys = layout.inside("run", "authorized_keys").replace("%", "%%")
    home = layout.inside("home")
    lines = [
        f'HostKey "{layout.inside("run", "host_key")}"',
        f'AuthorizedKeysFile "{keys}/%u"',
        # The temporary folder may be open to others on the way to the keys.
        "StrictModes no",
        "UsePAM no",
        "ChallengeResponseAuthentication no",
        "PasswordAuthentication yes",
        "PermitRootLogin prohibit-password",
        "UseDNS no",
        "PidFile none",
        "LogLevel VERBOSE",
        "Subsystem sftp internal-sftp",
        # HOME: an ordinary user's own one stays out of it, its start-up files too.
        f'SetEnv "PATH={layout.path}"' + ("" if layout.isolated else f' "HOME={home}"'),
        *openssh.config,
    ]
    _write(layout.outside("run", "sshd_config"), "\n".join(lines) + "\n", 0o644)
    return {
        "argv": [str(openssh.sshd), "-i", "-e", "-f", layout.inside("run", "sshd_config")],
        "environment": dict(openssh.environment),
        "log": layout.inside("log", "sshd.log"),
    }


def _write(path: Path, content: str | bytes, mode: int) -> None:
    path.touch(mode)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


def _give_to_zulip(layout: Layout) -> None:
    owned = [layout.outside(part) for part in ("etc", "home", "log")]
    for top in [*owned, layout.outside("run", "var")]:
        os.chown(top, layout.uid, layout.gid)
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                os.chown(Path(folder, name), layout.uid, layout.gid, follow_symlinks=False)
    if layout.isolated:
        os.chown(layout.outside("ops"), accounts.OPS.number, accounts.OPS.number)
