"""Bearer tokens: made, told apart, kept, and fetched from where else they are kept.

The only room that imports passlib. What is wanted is libpass, the kept-up passlib under the same
import name: passlib 1.7.4 does not work on current Pythons.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from scimconf.errors import UsageError


def _need_libpass() -> None:
    """Raise UsageError unless libpass is what `import passlib` gives."""
    try:
        found = tuple(int(part) for part in version("libpass").split(".")[:3])
    except (PackageNotFoundError, ValueError):
        found = ()
    if found < (1, 9, 4):
        raise UsageError(
            "scimconf needs libpass 1.9.4 or later, the kept-up passlib",
            "pip uninstall passlib libpass; pip install 'libpass>=1.9.4'",
        )
    try:
        version("passlib")
    except PackageNotFoundError:
        return
    raise UsageError(
        "passlib and libpass are both installed here, and both are imported as passlib",
        "pip uninstall passlib libpass; pip install 'libpass>=1.9.4'",
    )


_need_libpass()
