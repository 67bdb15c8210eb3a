"""zsh and fish, for the tests of what they complete: `python -m tests.shells` installs them.

Only as root, where there is apt-get. bash is everywhere.
"""

from __future__ import annotations

import os
import shutil
import sys

from tests.lab.apt import apt_get

SHELLS = ("zsh", "fish")


def missing() -> list[str]:
    """Give those that this machine lacks."""
    return [shell for shell in SHELLS if shutil.which(shell) is None]


def main() -> int:
    """Install what is missing, and say what is there. To have none is no failure of this step."""
    if missing() and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ("install", "--yes", "--no-install-recommends")
        if apt_get(*install, *missing()).returncode != 0:
            apt_get("update")
            apt_get(*install, *missing())
    print(f"shells: {', '.join(each for each in ('bash', *SHELLS) if each not in missing())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
