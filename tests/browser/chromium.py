"""Find Chromium, or install it: `python -m tests.browser.chromium`.

It uses the Chromium or Chrome of the system. As root on Debian, it installs Chromium with apt. The
browser driver, playwright, comes from PyPI (the extra `browser` of pyproject.toml).
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
    """Return a Chromium that starts. On Ubuntu, `chromium-browser` may only point to a snap."""
    for name in NAMES:
        path = shutil.which(name)
        if path and _version(path):
            return path
    return None


def can_be_driven() -> bool:
    """Return whether playwright and axe-core are installed."""
    return importlib.util.find_spec("axe_playwright_python") is not None


def _version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def provide() -> str | None:
    """Find Chromium, or as root install it with apt. Return None if that fails."""
    if (ready := find()) or os.geteuid() != 0 or not shutil.which("apt-get"):
        return ready
    install = ("install", "--yes", "--no-install-recommends", "chromium")
    if apt_get(*install).returncode != 0:
        apt_get("update")
        apt_get(*install)
    return find()


def main() -> int:
    """Find or install Chromium, and print one line about it. A missing Chromium is not an error."""
    path = provide()
    if path:
        print(f"chromium: {_version(path)} ({path})")
    else:
        print("chromium: none, and it could not be installed here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
