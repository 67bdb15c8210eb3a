"""Bearer tokens: generate them, compare them, keep them, fetch them from other stores.

Only this package imports passlib. It needs libpass, the maintained passlib with the same import
name: passlib 1.7.4 does not work on current Pythons.
"""

from __future__ import annotations

from scimconf.errors import UsageError

try:
    import passlib  # type: ignore[import-untyped]
except ImportError:
    passlib = None


def _need_libpass() -> None:
    """Raise UsageError unless `import passlib` loads libpass.

    Read the package's own version: importlib.metadata takes a seventh of the start-up time.
    """
    found = "" if passlib is None else passlib.__version__
    try:
        fits = tuple(int(part) for part in found.split(".")[:3]) >= (1, 9, 4)
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(
            "scimconf needs libpass 1.9.4 or later, the maintained passlib with the same name, but "
            f"{f'passlib {found}' if found else 'none'} is installed",
            "pip uninstall passlib libpass; pip install 'libpass>=1.9.4'",
        )


_need_libpass()
