"""Run apt-get without questions. Wait while another apt-get is running."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def apt_get(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run apt-get. The caller checks the result."""
    return subprocess.run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *words],
        env={**os.environ, **QUIET},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
