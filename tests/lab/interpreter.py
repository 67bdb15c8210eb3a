"""Find the Python for the virtual environment of a lab server."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

STANDINS = Path(__file__).parent / "standins"
# The packages that Zulip's SCIM needs, by their names in site-packages.
PACKAGES = (
    "django",
    "django_scim",
    "scim2_filter_parser",
    "sly",
    "asgiref",
    "sqlparse",
    "typing_extensions.py",
)


@dataclass(frozen=True)
class Interpreter:
    """A Python, and the folder with the packages that Zulip imports."""

    python: Path
    version: str
    packages: Path
    needs: tuple[str, ...]
    """Folders that the server's user must be able to read."""


def current() -> Interpreter:
    """Return the Python that this virtual environment was made from."""
    spec = importlib.util.find_spec("django")
    if spec is None or spec.origin is None:
        raise RuntimeError("Django is not installed: the lab needs the `dev` extra")
    packages = Path(spec.origin).parents[1]
    # sys._base_executable is what `venv` itself uses.
    python = Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Interpreter(python, version, packages, (sys.base_prefix, str(packages)))


def usable_by(uid: int, copies: Path) -> Interpreter:
    """Return a Python that this user can start without a mount namespace.

    Other users may have no access to root's Python, or to its packages, which are then copied to
    `copies`. Raise RuntimeError if there is no such Python.
    """
    here = current()
    packages = here.packages
    if not _runs(uid, ["test", "-r", str(packages / "django/__init__.py")]):
        packages = copies
        if not packages.exists():
            packages.mkdir()
            for name in filter(lambda name: (here.packages / name).exists(), PACKAGES):
                source = here.packages / name
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, packages / name)
    imports = f"import sys; sys.path.append({str(packages)!r}); import django_scim.constants"
    report = f"{imports}; print('%d.%d' % sys.version_info[:2])"
    for python in (here.python, Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        if version := _runs(uid, [str(python), "-c", report]):
            return Interpreter(python, version, packages, ())
    raise RuntimeError("no Python here can be started by another user than root")


def _runs(uid: int, argv: list[str]) -> str:
    """Return the output of the program, "ok" if it is empty, or "" if the program fails."""
    try:
        done = subprocess.run(
            argv, user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip() or "ok"


def make_virtualenv(folder: Path, interpreter: Interpreter) -> None:
    """Create a virtual environment without pip. `venv` would take a second."""
    (folder / "bin").mkdir(parents=True)
    for name in ("python3", "python"):
        (folder / "bin" / name).symlink_to(interpreter.python)
    (folder / "pyvenv.cfg").write_text(
        f"home = {interpreter.python.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {interpreter.version}\n"
    )
    site = folder / "lib" / f"python{interpreter.version}" / "site-packages"
    shutil.copytree(STANDINS / "site-packages", site, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "lab.pth").write_text(f"{interpreter.packages}\n")
