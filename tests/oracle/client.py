"""Send questions to Ansible, which runs in one process (ansible_side.py)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache/ansible/bin/python"
COMMAND = PYTHON.with_name("ansible-inventory")
PASSWORD = "correct horse"
"""The password of the vault values in these tests."""

Answer = dict[str, Any]


def environment(home: Path) -> dict[str, str]:
    """Return a clean environment with an empty ansible.cfg that hides any other."""
    config = home / "ansible.cfg"
    config.touch()
    plain = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home)}
    return {**plain, "ANSIBLE_CONFIG": str(config)}


class Oracle:
    """The Ansible process: it answers each question with one line of JSON."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [PYTHON, ROOT / "tests/oracle/ansible_side.py", PASSWORD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(home),
            cwd=home,
        )

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def inventory(
        self,
        sources: Sequence[Path],
        names: Sequence[str] = (),
        patterns: Sequence[tuple[Sequence[str], Sequence[str]]] = (),
        extra: Sequence[str] = (),
    ) -> Answer:
        """Return groups, hosts with these variables, and the hosts of each pattern.

        `extra` are the values of -e.
        """
        return self._ask(
            kind="inventory",
            sources=[str(source) for source in sources],
            names=list(names),
            extra=list(extra),
            patterns=[[list(each) for each in pair] for pair in patterns],
        )

    def expand(self, texts: Sequence[str], variables: dict[str, object]) -> list[Answer]:
        """Expand templates; return a value or an error for each."""
        return self._ask(kind="expand", texts=list(texts), variables=variables)["answer"]

    def _ask(self, **question: object) -> Answer:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: Answer = json.loads(self._process.stdout.readline())
        return answer
