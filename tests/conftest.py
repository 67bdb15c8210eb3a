"""The lab as fixtures, and what happens to a test whose parts this machine lacks.

`@pytest.mark.needs_ansible`, `needs_chromium`, `needs_fish`, `needs_zsh`, `needs_sshd`,
`needs_sudo` and `needs_root` (root, and the right to make namespaces) skip a test by that name
where the part is missing. The last line of the run counts such skips, and with SCIMCONF_NO_SKIPS=1
they fail it, all but `needs root` for an ordinary user.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest

from tests import shells
from tests.browser import chromium
from tests.lab import Lab, Server, openssh
from tests.lab.lab import can_isolate
from tests.oracle.client import COMMAND as ANSIBLE

PARTS = {
    "needs_chromium": "Chromium, and what drives it (make chromium)",
    "needs_ansible": "ansible-core in .cache/ansible (make ansible; Python 3.11 or later)",
    "needs_fish": "fish",
    "needs_zsh": "zsh",
    "needs_root": "root, and the right to make mount namespaces",
    "needs_sshd": "OpenSSH's sshd",
    "needs_sudo": "sudo, and root to set it up",
}
ABSENT = pytest.StashKey[Counter[str]]()

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# A run that a shell has put into the background ignores Ctrl-C, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One lab for the whole run of this process."""
    with Lab() as started:
        yield started


@pytest.fixture
def lab_server(lab: Lab) -> Iterator[Callable[..., Server]]:
    """A function that starts a server (the options of `Lab.server`, and optionally a name) which
    ends with the test.
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


# --- parts that a machine may lack ----------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    config.stash[ABSENT] = Counter()
    for mark, meaning in PARTS.items():
        config.addinivalue_line("markers", f"{mark}: the test needs {meaning}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, by name, what cannot run here."""
    marked = [item for item in items if any(item.get_closest_marker(mark) for mark in PARTS)]
    if not marked:
        return
    missing = _missing_parts()
    for item in marked:
        reason = next((missing[mark] for mark in missing if item.get_closest_marker(mark)), None)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _missing_parts() -> dict[str, str]:
    """Give mark -> reason. Who is not root lacks root, and not the sudo that only root needs."""
    missing = {}
    if not ANSIBLE.exists():
        missing["needs_ansible"] = "needs ansible"
    if not chromium.can_be_driven() or chromium.find() is None:
        missing["needs_chromium"] = "needs chromium"
    missing |= {f"needs_{shell}": f"needs {shell}" for shell in shells.missing()}
    root = os.geteuid() == 0 and can_isolate()
    if not root:
        missing["needs_root"] = "needs root"
    # Root without namespaces has no user whom an sshd could let in (Lab.has_ssh).
    if openssh.find() is None or (os.geteuid() == 0 and not root):
        missing["needs_sshd"] = "needs sshd"
    if not root:
        missing["needs_sudo"] = "needs root"
    elif not openssh.has_sudo():
        missing["needs_sudo"] = "needs sudo"
    return missing


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Count the skips for want of a part; refuse them where CI says so."""
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
    if sys.version_info < (3, 11):  # which the oldest ansible-core that is kept up needs
        excused.add("needs ansible")
    if set(absent) - excused and os.environ.get("SCIMCONF_NO_SKIPS") == "1":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say it in the very last line."""
    if absent := config.stash[ABSENT]:
        parts = ", ".join(f"{reason} ({count})" for reason, count in sorted(absent.items()))
        print(f"absent parts: {absent.total()} tests skipped: {parts}")
