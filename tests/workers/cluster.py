"""A Dask scheduler and workers as real processes on loopback, with TLS and the keys of zones.

The certificates and keys are made with the commands of docs/scale.md.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from scimconf.workers.dask import PROFILER

PAGE = Path(__file__).parents[2] / "docs/scale.md"
_START_SECONDS = 60.0


def commands(heading: str) -> list[str]:
    """Return the commands of the console block below a heading of docs/scale.md."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    block = section.partition("```console\n")[2].partition("```")[0]
    return [line[2:] for line in re.sub(r"\\\n *", "", block).splitlines() if line.startswith("$ ")]


class Cluster:
    """A context manager: `with Cluster(folder, ["default", "dmz"])` starts a worker for each."""

    def __init__(
        self,
        folder: Path,
        workers: Sequence[str] = ("default",),
        environment: Mapping[str, str] | None = None,
        threads: int = 8,
    ) -> None:
        self.folder = folder
        self._zones = workers
        self._environment = {**os.environ, **(environment or {})}
        self._threads = threads
        self._ending = ExitStack()
        self.workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        self.folder.mkdir(parents=True, exist_ok=True)
        for command in (*commands("Certificates"), *commands("Keys of the zones")):
            self._openssl(command)
        for zone in {*self._zones} - {"default"}:
            self.make_key(zone)
        with self._ending:
            self.start_scheduler()
            for zone in self._zones:
                self.start_worker(zone)
            self._wait_for_workers(len(self._zones))
            self._ending = self._ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def make_key(self, zone: str) -> None:
        """Make the key pair of another zone."""
        for command in commands("Keys of the zones")[1:]:
            self._openssl(command.replace("default", zone))

    def _openssl(self, command: str) -> None:
        words = shlex.split(command)
        assert words[0] in ("openssl", "mkdir"), command
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of scimconf for this cluster."""
        folder = self.folder
        return (
            *("--scheduler", self.address),
            *("--scheduler-ca", f"{folder}/ca.pem"),
            *("--scheduler-cert", f"{folder}/controller.pem"),
            *("--scheduler-key", f"{folder}/controller.key"),
            *("--zone-keys", f"{folder}/zones"),
        )

    def start_scheduler(self) -> None:
        """Start the scheduler on a free port."""
        log = self.folder / "scheduler.log"
        self.scheduler = self._start(
            "dask_scheduler",
            log,
            *("--protocol", "tls", "--host", "127.0.0.1", "--port", "0"),
            *("--dashboard-address", "127.0.0.1:0"),
            *self._tls("scheduler"),
        )
        found = self._read(log, r"Scheduler at: +(tls://\S+)")
        self.address = found
        self.dashboard = self._read(log, r"dashboard at: +(http://\S+)").removesuffix("/status")

    def start_worker(self, zone: str = "default", **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker; do not wait until it is ready."""
        number = len(self.workers)
        worker = self._start(
            "dask_worker",
            self.folder / f"worker-{number}.log",
            self.address,
            *("--host", "127.0.0.1", "--no-nanny", "--nthreads", str(self._threads)),
            *("--resources", f"zone-{zone}=1", "--no-dashboard"),
            *("--local-directory", str(self.folder / "spill")),
            *self._tls("worker"),
            SCIMCONF_WORKER_KEY=str(self.folder / f"{zone}.key"),
            **environment,
        )
        self.workers.append(worker)
        return worker

    def _start(
        self, module: str, log: Path, *arguments: str, **environment: str
    ) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                cwd=self.folder,
                env={**self._environment, PROFILER: "False", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._ending.callback(_stop, process)
        return process

    def _tls(self, name: str) -> tuple[str, ...]:
        return (
            *("--tls-ca-file", f"{self.folder}/ca.pem"),
            *("--tls-cert", f"{self.folder}/{name}.pem"),
            *("--tls-key", f"{self.folder}/{name}.key"),
        )

    def _wait_for_workers(self, count: int) -> None:
        for number in range(count):
            self._read(self.folder / f"worker-{number}.log", r"Registered to: +(\S+)")

    def wait_for(self, number: int) -> None:
        """Wait until a worker is ready."""
        self._read(self.folder / f"worker-{number}.log", r"Registered to: +(\S+)")

    def _read(self, log: Path, pattern: str) -> str:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if found := re.search(pattern, log.read_text(errors="replace")):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(log.read_text(errors="replace"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process of this cluster, also one that was stopped with SIGSTOP."""
    if process.poll() is None:
        process.kill()
        process.send_signal(signal.SIGCONT)
    process.wait()
