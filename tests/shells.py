"""Install zsh and fish for the tests of shell completion: `python -m tests.shells`.

Works as root, with apt-get. bash is installed everywhere.
"""

from __future__ import annotations

import os
import shutil
import sys

from tests.lab.apt import apt_get

SHELLS = ("zsh", "fish")


def missing() -> list[str]:
    """Return the shells that this machine lacks."""
    return [shell for shell in SHELLS if shutil.which(shell) is None]


def main() -> int:
    """Install the missing shells, and print which ones are installed. None is not an error."""
    if missing() and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ("install", "--yes", "--no-install-recommends")
        if apt_get(*install, *missing()).returncode != 0:
            apt_get("update")
            apt_get(*install, *missing())
    print(f"shells: {', '.join(each for each in ('bash', *SHELLS) if each not in missing())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
