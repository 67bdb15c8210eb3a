"""The wheel is complete: it is built from the checkout and works when installed elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import jinja2
import pytest

import scimconf

PROJECT = Path(__file__).parents[1]


def _run(*argv: str | Path, cwd: Path) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of a virtual environment that has the wheel and its dependencies.

    The dependencies come from this environment through a .pth file, so nothing is downloaded. The
    checkout is not on the path.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    _run(*build, folder, PROJECT, cwd=folder)
    (wheel,) = folder.glob("scimconf-*.whl")
    venv.create(folder / "venv", with_pip=True)
    bin_ = folder / "venv/bin"
    pip = [bin_ / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
    (site,) = (folder / "venv/lib").glob("python3.*/site-packages")
    packages = Path(jinja2.__file__).parents[1]
    # The .pth files of that folder, the editable install's among them, are not loaded.
    (site / "needs.pth").write_text(f"{packages}\n")
    return bin_


def test_the_wheel_renders_from_its_templates(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "all: {hosts: {chat1.example.com: {scim_idp: okta, scim_realms: {acme: {}}}}}\n"
    )
    ask = "import scimconf; print(scimconf.__file__)"
    where = _run(installed / "python", "-c", ask, cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    block = _run(installed / "scimconf", "render", "chat1.example.com", cwd=tmp_path)
    assert '    "acme": {\n        "bearer_token": "<token acme>",\n' in block
    sheet = _run(installed / "scimconf", "handoff", cwd=tmp_path)
    assert "https://acme.chat1.example.com/scim/v2" in sheet


def test_the_package_and_the_program_have_the_same_version(installed: Path, tmp_path: Path) -> None:
    ask = "from importlib.metadata import version; print(version('scimconf'))"
    assert _run(installed / "python", "-c", ask, cwd=tmp_path).strip() == scimconf.__version__
    for program in ([installed / "scimconf"], [installed / "python", "-m", "scimconf"]):
        shown = _run(*program, "--version", cwd=tmp_path)
        assert shown == f"scimconf {scimconf.__version__}\n"


def test_the_wheel_is_marked_as_typed(installed: Path, tmp_path: Path) -> None:
    ask = "import scimconf; print(scimconf.__file__)"
    where = _run(installed / "python", "-c", ask, cwd=tmp_path)
    assert Path(where.strip()).with_name("py.typed").is_file()


def test_the_wheel_contains_the_agent(installed: Path, tmp_path: Path) -> None:
    ask = "from scimconf.ssh.program import payload; print(len(payload()))"
    assert int(_run(installed / "python", "-c", ask, cwd=tmp_path)) > 10_000
