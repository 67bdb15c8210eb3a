"""Bearer tokens: made, told apart, kept, and fetched from where else they are kept.

The only room that imports passlib. What is wanted is libpass, the kept-up passlib under the same
import name: passlib 1.7.4 does not work on current Pythons.
"""

from __future__ import annotations

from scimconf.errors import UsageError


def _need_libpass() -> None:
    """Raise UsageError unless libpass is what `import passlib` gives.

    Its own word for its version: importlib.metadata would take a seventh of a start.
    """
    try:
        from passlib import __version__ as found  # type: ignore[import-untyped]
    except ImportError:
        found = ""
    try:
        fits = tuple(int(part) for part in found.split(".")[:3]) >= (1, 9, 4)
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(
            "scimconf needs libpass 1.9.4 or later, the kept-up passlib under the same name; "
            f"here is {f'passlib {found}' if found else 'none'}",
            "pip uninstall passlib libpass; pip install 'libpass>=1.9.4'",
        )


_need_libpass()
