"""Write the folder of a lab server: Zulip, its users, sshd, and the start configuration."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.lab import accounts
from tests.lab.interpreter import STANDINS, Interpreter
from tests.lab.layout import PARTS, Layout
from tests.lab.openssh import OpenSSH
from tests.lab.options import Identity, Options
from tests.lab.profiles import Profile
from tests.lab.zulip import make_program, write_deployment, write_etc, write_file


def build(
    layout: Layout,
    identity: Identity,
    options: Options,
    profile: Profile,
    interpreter: Interpreter,
    openssh: OpenSSH | None,
) -> Path:
    """Write all files. Return the configuration file for `tests/lab/inside`."""
    for part in PARTS:
        layout.outside(part).mkdir(parents=True)
    layout.outside("log").chmod(0o750)
    write_etc(layout, identity, options)
    deployment = write_deployment(layout, identity, options, profile, interpreter)
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
    """Return the environment for a process of Zulip's user."""
    return {
        "PATH": layout.path,
        "HOME": layout.inside("home"),
        "USER": layout.user,
        "LOGNAME": layout.user,
        "LANG": "C.UTF-8",
    }


def _write_run(layout: Layout, identity: Identity, python: str) -> None:
    run = layout.outside("run")
    (run / "var").mkdir()
    (run / "bin").mkdir()
    shutil.copy(STANDINS / "supervisorctl", run / "bin/supervisorctl")
    make_program(run / "bin/supervisorctl", python)
    write_file(run / "certificate.pem", identity.certificate, 0o600)
    (run / "authorized_keys").mkdir()
    users = ("zulip", "ops", "root") if layout.isolated else (layout.user,)
    for user in users:
        write_file(run / "authorized_keys" / user, f"{identity.authorized_key}\n", 0o644)


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
        # Other users may have access to the temporary folder above the keys.
        "StrictModes no",
        "UsePAM no",
        "ChallengeResponseAuthentication no",
        "PasswordAuthentication yes",
        "PermitRootLogin prohibit-password",
        "UseDNS no",
        "PidFile none",
        "LogLevel VERBOSE",
        "Subsystem sftp internal-sftp",
        # HOME: keeps the real home and its start-up files of an ordinary user out of the lab.
        f'SetEnv "PATH={layout.path}"' + ("" if layout.isolated else f' "HOME={home}"'),
        *openssh.config,
    ]
    write_file(layout.outside("run", "sshd_config"), "\n".join(lines) + "\n", 0o644)
    return {
        "argv": [str(openssh.sshd), "-i", "-e", "-f", layout.inside("run", "sshd_config")],
        "environment": dict(openssh.environment),
        "log": layout.inside("log", "sshd.log"),
    }


def _give_to_zulip(layout: Layout) -> None:
    owned = [layout.outside(part) for part in ("etc", "home", "log")]
    for top in [*owned, layout.outside("run", "var")]:
        os.chown(top, layout.uid, layout.gid)
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                os.chown(Path(folder, name), layout.uid, layout.gid, follow_symlinks=False)
    if layout.isolated:
        os.chown(layout.outside("ops"), accounts.OPS.number, accounts.OPS.number)
