"""Finds Chromium, or provides it: `python -m tests.browser.chromium`.

The order: the system's, Chrome too; as root on Debian, installed by apt; none. What drives it,
playwright, is of PyPI (pyproject's extra `browser`) and is told to take this one.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

from tests.lab.apt import apt_get

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find() -> str | None:
    """Give the path of one that starts; Ubuntu has a `chromium-browser` that only names a snap."""
    for name in NAMES:
        path = shutil.which(name)
        if path and _version(path):
            return path
    return None


def can_be_driven() -> bool:
    """Whether playwright and axe-core are installed."""
    return importlib.util.find_spec("axe_playwright_python") is not None


def _version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def provide() -> str | None:
    """Find it, or as root install Debian's. None where that fails."""
    if (ready := find()) or os.geteuid() != 0 or not shutil.which("apt-get"):
        return ready
    install = ("install", "--yes", "--no-install-recommends", "chromium")
    if apt_get(*install).returncode != 0:
        apt_get("update")
        apt_get(*install)
    return find()


def main() -> int:
    """Provide it and say in one line what was found. To find none is no failure of this step."""
    path = provide()
    if path:
        print(f"chromium: {_version(path)} ({path})")
    else:
        print("chromium: none, and it could not be installed here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
