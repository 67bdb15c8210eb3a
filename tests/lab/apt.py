"""apt-get, without questions, and patient where another one is at work."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def apt_get(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it; whoever calls looks at what came of it."""
    return subprocess.run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *words],
        env={**os.environ, **QUIET},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
