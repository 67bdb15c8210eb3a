"""Run scimconf with a fault at a given point: `python -m tests.faults.controller CONFIG VERB ...`.

CONFIG is JSON. `versions` is a folder that gets every version of the token file. `write` is the
number of a write to this machine's disk (from 1) and the fault. `save` is the number of a change
of the token file (from 1) before which the run waits. `agent` says where the agent waits
(`holding.py`).
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from scimconf import agent, files
from scimconf.cli import main
from scimconf.ssh import program
from scimconf.tokens.store import TokenFile

_HOLDING = (Path(__file__).parent / "holding.py").read_text()
_writes, _saves = itertools.count(1), itertools.count(1)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _struck(moment: str) -> Iterator[None]:
    """Cause the fault at a write of a file: before it, during it, or after it."""
    rename = os.replace

    def renames(*arguments: Any) -> None:
        if moment == "written":
            _kill()
        rename(*arguments)
        if moment == "renamed":
            _kill()

    if moment == "before":
        _kill()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if moment == "full":  # the kernel's error is EFBIG, which is handled like a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    os.replace = renames  # type: ignore[assignment]
    try:
        yield
    finally:
        os.replace = rename
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    if moment == "after":
        _kill()


def _striking(write: Callable[..., None], config: dict[str, Any]) -> Any:
    number, moment = config.get("write") or (0, "")

    def strikes(path: Path, text: str, *, shared: bool = False) -> None:
        at = next(_writes)
        if not shared:  # files of host_vars are shared
            (Path(config["versions"]) / f"{time.time_ns()}-{os.getpid()}").write_text(text)
        with _struck(moment if at == number else ""):
            write(path, text, shared=shared)

    return strikes


def _holding(save: Callable[..., TokenFile], config: dict[str, Any]) -> Any:
    hold = config.get("save") or {"number": 0}

    def holds(*arguments: Any) -> TokenFile:
        if next(_saves) == hold["number"]:
            Path(hold["begun"]).touch()
            while not Path(hold["sign"]).exists():
                time.sleep(0.02)
        return save(*arguments)

    return holds


def _payload(config: dict[str, Any]) -> bytes:
    folder = resources.files(agent)
    pairs = [(name, folder.joinpath(f"{name}.py").read_text()) for name in agent.MODULES]
    pairs.append(("holding", f"CONFIG = {config!r}\n{_HOLDING}"))
    # A module is loaded when it is first imported. This import loads it together with main.
    return program.framed(
        [
            (name, text + ("\nfrom scimconf.agent import holding\n" if name == "main" else ""))
            for name, text in pairs
        ]
    )


if __name__ == "__main__":
    _config = json.loads(sys.argv[1])
    files.write_atomically = _striking(files.write_atomically, _config)
    TokenFile.save = _holding(TokenFile.save, _config)  # type: ignore[method-assign]
    if "agent" in _config:
        _program = _payload(_config["agent"])
        program._payload = lambda: _program  # type: ignore[assignment]
    main(sys.argv[2:])
