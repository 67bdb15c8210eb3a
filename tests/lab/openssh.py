"""Find OpenSSH's sshd, or install it: `python -m tests.lab.openssh`.

It tries these in order:

1. the sshd of the system;
2. as root on Debian or Ubuntu: install the package, but do not let its service start;
3. unpack the distribution's package into `.cache/`, which needs no root.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.apt import QUIET, apt_get

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "openssh"
PLACES = ("/usr/sbin", "/usr/local/sbin")
"""Folders of sshd that may be missing from the PATH of an ordinary user."""
POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class OpenSSH:
    """An sshd that works, and its options."""

    sshd: Path
    version: tuple[int, int]
    origin: str
    """ "system" or "unpacked". """
    root: Path = Path("/")
    """The folder that the package was unpacked into."""
    environment: Mapping[str, str] = field(default_factory=dict)
    config: tuple[str, ...] = ()
    """Lines for sshd_config: the programs of an unpacked package."""


def find() -> OpenSSH | None:
    """Return the sshd of this machine. Install nothing."""
    where = os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
    if found := shutil.which("sshd", path=where):
        return _asked(Path(found), "system", {}, ())
    sshd = CACHE / "usr/sbin/sshd"
    if not sshd.exists():
        return None
    libraries = sorted({str(library.parent) for library in CACHE.glob("usr/lib/*/*.so*")})
    libraries += sorted({str(library.parent) for library in CACHE.glob("lib/*/*.so*")})
    programs = {"SshdSessionPath": "sshd-session", "SshdAuthPath": "sshd-auth"}
    config = tuple(
        f'{option} "{CACHE}/usr/lib/openssh/{name}"'
        for option, name in programs.items()
        if (CACHE / "usr/lib/openssh" / name).exists()
    )
    return _asked(sshd, "unpacked", {"LD_LIBRARY_PATH": ":".join(libraries)}, config)


def _asked(
    sshd: Path, origin: str, environment: dict[str, str], config: tuple[str, ...]
) -> OpenSSH | None:
    """Return the version of the program, or None if it does not start."""
    answer = subprocess.run(
        [sshd, "-V"], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    # Before 9.2 there is no -V. sshd then prints its usage text, which starts with the version.
    match = re.search(r"OpenSSH_(\d+)\.(\d+)", answer.stdout + answer.stderr)
    if match is None:
        return None
    version = (int(match[1]), int(match[2]))
    root = CACHE if origin == "unpacked" else Path("/")
    return OpenSSH(sshd, version, origin, root, environment, config)


def has_sudo() -> bool:
    """Return whether the machine has sudo (the lab uses it as root only)."""
    return shutil.which("sudo") is not None


def provide() -> OpenSSH | None:
    """Find or install sshd, as root also sudo. Return None if that fails."""
    root = os.geteuid() == 0
    if (ready := find()) and (has_sudo() or not root):
        return ready
    CACHE.parent.mkdir(exist_ok=True)
    # Another process may do the same. Locking the folder leaves no lock file behind.
    with _locked(POLICY.parent if root else CACHE.parent):
        if shutil.which("apt-get") is None:
            return find()
        if root and (find() is None or not has_sudo()):
            _install()
        if find() is None:
            _unpack()
        return find()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _install() -> None:
    install = ("install", "--yes", "--no-install-recommends", "openssh-server", "sudo")
    with _services_denied():
        if apt_get(*install).returncode != 0:
            apt_get("update")
            apt_get(*install)


@contextlib.contextmanager
def _services_denied() -> Iterator[None]:
    """Deny starts of services with Debian's policy-rc.d. Restore the earlier file afterwards."""
    kept = POLICY.read_bytes() if POLICY.exists() else None
    mode = POLICY.stat().st_mode if kept is not None else 0
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if kept is not None:
            POLICY.write_bytes(kept)
            POLICY.chmod(mode)


def _unpack() -> None:
    """Unpack the distribution's package, and its libraries that this machine does not have."""
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as folder:
        packages = Path(folder, "packages")
        packages.mkdir()
        if not _download(packages, ()):
            # There are no package lists, and this user may not update them: download our own copy.
            lists = Path(folder, "apt")
            (lists / "lists/partial").mkdir(parents=True)
            (lists / "archives/partial").mkdir(parents=True)
            own = ("-o", f"Dir::State::Lists={lists}/lists", "-o", f"Dir::Cache={lists}")
            apt_get(*own, "update")
            if not _download(packages, own):
                return
        tree = Path(folder, "tree")
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, tree], check=True)
        shutil.rmtree(CACHE, ignore_errors=True)
        tree.rename(CACHE)


def _download(folder: Path, options: tuple[str, ...]) -> bool:
    simulated = subprocess.run(
        ["apt-get", *options, "install", "--simulate", "--no-install-recommends", "openssh-server"],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    missing = re.findall(r"^Inst (openssh-server|lib[^ ]+) ", simulated.stdout, re.MULTILINE)
    if "openssh-server" not in missing:
        return False
    return apt_get(*options, "download", *missing, cwd=folder).returncode == 0


def main() -> int:
    """Find or install sshd, and print one line about it. A missing sshd is not an error."""
    found = provide()
    if found is None:
        print("sshd: not found, and it could not be installed or unpacked")
        return 0
    sudo = ("", ", no sudo", ", with sudo")[has_sudo() + 1 if os.geteuid() == 0 else 0]
    version = ".".join(map(str, found.version))
    print(f"sshd: OpenSSH {version}, {found.origin} ({found.sshd}){sudo}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
