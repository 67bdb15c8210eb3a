"""Plan a simulated fleet on Dask workers: `python -m bench.scale [SERVERS [WORKERS ...]]`.

The servers answer at once (`bench.resources`), so the figures are those of scimconf and Dask alone:
controller, scheduler and workers share the processors of this machine. The first line is a run
without workers; with 0 workers, it is the only one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scimconf.workers.dask import PROFILER

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
THREADS = 16

SIMULATED = """
from bench.resources import _simulated
from scimconf.ssh import session
session.open_agent = _simulated
"""
CONTROLLER = """
import json, re, resource, sys, time
from pathlib import Path
from bench.resources import _simulated
from scimconf import cli, startup
from scimconf.ssh import session
session.open_agent = _simulated
begun = time.monotonic()
startup.collect_rarely()
code = cli.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
status = Path("/proc/self/status").read_text()
most = re.search(r"VmHWM:\\s+(\\d+)", status)[1]  # ru_maxrss counts the parent process, too
found = {"code": code, "wall": time.monotonic() - begun, "memory": int(most) * 1024,
         "cpu": used.ru_utime + used.ru_stime}
print("\\n" + json.dumps(found), file=sys.stderr)
"""


def main(arguments: Sequence[str]) -> None:
    """Run and print one line for each number of workers."""
    count = int(arguments[0]) if arguments else 100_000
    workers = [int(each) for each in arguments[1:]] or [1, 2, 4]
    with tempfile.TemporaryDirectory(prefix="scimconf-scale-") as name:
        folder = Path(name)
        _lay_out(folder, count)
        print(f"{count} servers; seconds of wall time and of CPU time, MB of memory")
        _print("no worker", _plan(folder, ()), [], [])
        for number in filter(None, workers):
            with _cluster(folder, number) as (options, scheduler, running):
                done = _plan(folder, options)
                _print(f"{number} workers", done, [_cpu(scheduler)], [_cpu(e) for e in running])


def _print(what: str, done: Any, scheduler: Sequence[float], workers: Sequence[float]) -> None:
    print(
        f"{what:10}  {done['wall']:7.1f} s   controller {done['cpu']:6.1f} s CPU "
        f"{done['memory'] / 1e6:6.0f} MB   scheduler {sum(scheduler):6.1f} s CPU   "
        f"workers {sum(workers):6.1f} s CPU   exit {done['code']}",
        flush=True,
    )


def _lay_out(folder: Path, count: int) -> None:
    hosts = {f"h[0:{count - 1}]": {}}
    variables = {
        "scim_idp": "okta",
        "scim_verify": False,
        "scim_restart": ["true"],
        "scim_realms": {"": {"token": "env:NO_TOKEN"}},
    }
    (folder / "inventory.yaml").write_text(json.dumps({"all": {"vars": variables, "hosts": hosts}}))
    (folder / "zones").mkdir()
    for words in (
        ["genpkey", "-algorithm", "X25519", "-out", "default.key"],
        ["pkey", "-in", "default.key", "-pubout", "-out", "zones/default.pub"],
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    (folder / "simulated.py").write_text(SIMULATED)


def _plan(folder: Path, options: Sequence[str]) -> Any:
    verb = ("plan", "-q", "--format", "json", "--forks", "64")
    done = subprocess.run(
        [sys.executable, "-c", CONTROLLER, *verb, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,  # the report of 100,000 servers has 500 MB
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return json.loads(done.stderr.strip().splitlines()[-1])


@contextmanager
def _cluster(folder: Path, number: int) -> Iterator[tuple[tuple[str, ...], int, list[int]]]:
    """Start a scheduler and workers; yield the options of scimconf, and the process ids."""
    started: list[subprocess.Popen[bytes]] = []

    def start(module: str, *arguments: str) -> int:
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "SCIMCONF_WORKER_KEY": str(folder / "default.key"),
                    PROFILER: "False",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process.pid

    file = folder / f"scheduler-{number}.json"
    try:
        scheduler = start(
            "dask_scheduler",
            *("--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--scheduler-file", str(file)),
        )
        while not file.exists() or not file.read_text().strip():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        workers = [
            start(
                "dask_worker",
                address,
                *("--no-nanny", "--no-dashboard", "--nthreads", str(THREADS)),
                *("--resources", "zone-default=1", "--preload", str(folder / "simulated.py")),
            )
            for _ in range(number)
        ]
        registered = re.compile(rf"Registered to: +{re.escape(address)}")
        while len(registered.findall((folder / "log").read_text())) < number:
            time.sleep(0.1)
            if any(each.poll() is not None for each in started):
                raise SystemExit((folder / "log").read_text())
        yield ("--scheduler", address, "--zone-keys", str(folder / "zones")), scheduler, workers
    finally:
        for each in started:
            each.kill()
            each.wait()


def _cpu(pid: int) -> float:
    """Return the seconds of CPU time that a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main(sys.argv[1:])
