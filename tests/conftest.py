"""Fixtures of the lab, and marks for tests that need a program that this machine may not have.

The marks `needs_ansible`, `needs_chromium`, `needs_fish`, `needs_zsh`, `needs_sshd`, `needs_sudo`,
`needs_scim2` and `needs_root` (root with the right to create namespaces) skip a test if that part
is missing. The last line of the run counts these skips. With SCIMCONF_NO_SKIPS=1 they fail the run,
except `needs root` for an ordinary user.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import hypothesis
import pytest

from tests import matrix, shells
from tests.browser import chromium
from tests.lab import Lab, Server, openssh
from tests.lab.lab import can_isolate
from tests.oracle.client import COMMAND as ANSIBLE

PARTS = {
    "needs_chromium": "Chromium and its driver (make chromium)",
    "needs_ansible": "ansible-core in .cache/ansible (make test; Python 3.11 or later)",
    "needs_fish": "fish",
    "needs_zsh": "zsh",
    "needs_scim2": "scim2-client (make test)",
    "needs_root": "root, and the right to create mount namespaces",
    "needs_sshd": "OpenSSH's sshd",
    "needs_sudo": "sudo, and root to configure it",
}
ABSENT = pytest.StashKey[Counter[str]]()

# The time for an example depends on the load of the machine.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# In a background job of a shell, Ctrl-C is ignored, also by the programs that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One lab for all tests of this process."""
    with Lab() as started:
        yield started


@pytest.fixture
def lab_server(lab: Lab) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server, with a name and the options of `Lab.server`.

    The server stops at the end of the test.
    """
    started = []

    def start(name: str | None = None, **options: Any) -> Server:
        server = lab.server(name or f"chat{next(_numbers)}.test", **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


_numbers = itertools.count(1)


# --- parts that may be missing --------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    config.stash[ABSENT] = Counter()
    config.addinivalue_line("markers", "matrix: only `make matrix` runs the test")
    for mark, meaning in PARTS.items():
        config.addinivalue_line("markers", f"{mark}: the test needs {meaning}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what only `make matrix` runs, and skip the tests that cannot run here."""
    if not matrix.ALL:
        left = [item for item in items if item.get_closest_marker("matrix")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    marked = [item for item in items if any(item.get_closest_marker(mark) for mark in PARTS)]
    if not marked:
        return
    missing = _missing_parts()
    for item in marked:
        reason = next((missing[mark] for mark in missing if item.get_closest_marker(mark)), None)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _missing_parts() -> dict[str, str]:
    """Return mark -> reason. Without root, the reason for `needs_sudo` is root, not sudo."""
    missing = {}
    if not ANSIBLE.exists():
        missing["needs_ansible"] = "needs ansible"
    if not chromium.can_be_driven() or chromium.find() is None:
        missing["needs_chromium"] = "needs chromium"
    missing |= {f"needs_{shell}": f"needs {shell}" for shell in shells.missing()}
    if find_spec("scim2_client") is None or find_spec("httpx2") is None:
        missing["needs_scim2"] = "needs scim2"
    root = os.geteuid() == 0 and can_isolate()
    if not root:
        missing["needs_root"] = "needs root"
    # Root without namespaces has no user who could log in (Lab.has_ssh).
    if openssh.find() is None or (os.geteuid() == 0 and not root):
        missing["needs_sshd"] = "needs sshd"
    if not root:
        missing["needs_sudo"] = "needs root"
    elif not openssh.has_sudo():
        missing["needs_sudo"] = "needs sudo"
    return missing


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Count the tests that were skipped because a part is missing. In CI, fail the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    absent = session.config.stash[ABSENT]
    for report in reporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
            if reason in {part.replace("_", " ") for part in PARTS}:
                absent[reason] += 1
    excused = {"needs root"} if os.geteuid() else set()
    if sys.version_info < (3, 11):  # the oldest supported ansible-core needs 3.11
        excused.add("needs ansible")
    if set(absent) - excused and os.environ.get("SCIMCONF_NO_SKIPS") == "1":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the count in the last line."""
    if absent := config.stash[ABSENT]:
        parts = ", ".join(f"{reason} ({count})" for reason, count in sorted(absent.items()))
        print(f"absent parts: {absent.total()} tests skipped: {parts}")
