from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("program", "loads"),
    [
        ("from scimconf.inventory import schema; schema.ServerVariables", False),
        ("import pydantic; type('M', (pydantic.BaseModel,), {})", True),
    ],
)
def test_pydantic_plugins_see_no_values(tmp_path: Path, program: str, loads: bool) -> None:
    about = tmp_path / "nosy-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nosy\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[pydantic]\nnosy = nosy:plugin\n")
    (tmp_path / "nosy.py").write_text("raise SystemExit(7)\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}
    environment.pop("PYDANTIC_DISABLE_PLUGINS", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert done.returncode == (7 if loads else 0)
