"""The memory of a process. `ru_maxrss` also counts that of the process that started it."""

from __future__ import annotations

import re
from pathlib import Path


def most_megabytes() -> int:
    """Return the most memory that this process has used since its start (proc(5), VmHWM)."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) // 1024
