"""The login names that ssh accepts and that are safe."""

from __future__ import annotations

import re

_NAME = re.compile(r"[\w.+](?:[\w.@+,=~-]|\\(?=[\w.+]))*\$?")


def is_valid(name: str) -> bool:
    r"""Return True for a login name such as `alice`, `CORP\\alice`, `alice@corp.example`, `host$`.

    ssh itself refuses only a `-` at the start, and shell characters. This check is stricter: a name
    is not an option, is one word for a shell, and cannot lead to another folder in a path (`%r`).
    """
    return name not in (".", "..") and _NAME.fullmatch(name) is not None
