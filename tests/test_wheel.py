"""The wheel is whole: built from the checkout, installed elsewhere, it renders from there."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def _run(*argv: str | Path, cwd: Path) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the bin folder of an environment with nothing but the wheel and what it needs.

    What it needs comes from this environment by a .pth file: nothing is downloaded, and the
    checkout, which an editable install would put on the path, is not among it.
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
    import jinja2

    packages = Path(jinja2.__file__).parents[1]
    # Below the site-packages, and without the .pth files of the editable install there.
    (site / "needs.pth").write_text(f"{packages}\n")
    return bin_


def test_it_renders_from_the_installed_templates(installed: Path, tmp_path: Path) -> None:
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


def test_it_is_a_module_too(installed: Path, tmp_path: Path) -> None:
    said = _run(installed / "python", "-m", "scimconf", "--version", cwd=tmp_path)
    assert said.startswith("scimconf ")


def test_the_agents_program_is_in_it(installed: Path, tmp_path: Path) -> None:
    ask = "from scimconf.ssh.program import payload; print(len(payload()))"
    assert int(_run(installed / "python", "-c", ask, cwd=tmp_path)) > 10_000
