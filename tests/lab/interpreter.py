"""Which Python a lab server's virtual environment is made of."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

STANDINS = Path(__file__).parent / "standins"


@dataclass(frozen=True)
class Interpreter:
    """A Python, and the folder with the packages that Zulip imports."""

    python: Path
    version: str
    packages: Path
    needs: tuple[str, ...]
    """Folders that the server's user has to be able to read."""


def current() -> Interpreter:
    """Give the Python that runs this, below its virtual environment."""
    spec = importlib.util.find_spec("django")
    if spec is None or spec.origin is None:
        raise RuntimeError("Django is not installed: the lab needs the `dev` extra")
    packages = Path(spec.origin).parents[1]
    # sys._base_executable is what `venv` itself uses.
    python = Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Interpreter(python, version, packages, (sys.base_prefix, str(packages)))


def make_virtualenv(folder: Path, interpreter: Interpreter) -> None:
    """Lay out a virtual environment by hand: `venv` takes a second, and we want no pip in it."""
    (folder / "bin").mkdir(parents=True)
    for name in ("python3", "python"):
        (folder / "bin" / name).symlink_to(interpreter.python)
    (folder / "pyvenv.cfg").write_text(
        f"home = {interpreter.python.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {interpreter.version}\n"
    )
    site = folder / "lib" / f"python{interpreter.version}" / "site-packages"
    shutil.copytree(STANDINS / "site-packages", site)
    (site / "lab.pth").write_text(f"{interpreter.packages}\n")
