"""A server of the lab, a token file, runs with faults, and the checks of what must be true then.

Each case of `test_tokens.py` checks that every token that the server accepts is in the token file.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scimconf import vault
from scimconf.secret import Secret
from scimconf.tokens.entries import Entry, Record, Removed, entries_of
from scimconf.tokens.generate import generate
from scimconf.yamlfile import parse
from tests.faults.process import until
from tests.lab import Server
from tests.lab.operator import VAULT, Operator

REALMS = ("acme", "wiki", "news")
BASE = "base.yaml"
INVENTORIES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    BASE: {"acme": {}, "wiki": {}, "news": {"state": "absent"}},
    "replaced.yaml": {"acme": {"state": "absent"}, "wiki": {}, "news": {}},
    "added.yaml": {"acme": {}, "wiki": {}, "news": {}},
    "absent.yaml": {"acme": {}, "wiki": {"state": "absent"}, "news": {"state": "absent"}},
    "elsewhere.yaml": {
        "acme": {},
        "wiki": {"token": "file:wiki.token"},
        "news": {"state": "absent"},
    },
}
"""The realms of each inventory. A server starts with BASE."""

APPLY = ("apply", "--yes", "--create-tokens", *VAULT)
ROTATE = ("rotate", "--yes", *VAULT)


class Hold(NamedTuple):
    """A point where a run waits, and the sign file that lets it continue."""

    begun: Any
    sign: Any

    def go(self, answer: str = "go") -> None:
        """Let the run continue; `fail`: let the step fail."""
        beside = self.sign.with_suffix(".new")
        beside.write_text(answer)
        os.replace(beside, self.sign)


class Scene:
    """One server with realms acme and wiki, as BASE says."""

    def __init__(self, operator: Operator, server: Server) -> None:
        self.operator, self.server = operator, server
        self.elsewhere = generate().reveal()
        (operator.folder / "wiki.token").write_text(self.elsewhere)
        self._versions = operator.folder / "versions"
        self._versions.mkdir()
        self._holds = server.layout.outside("home", "holds")
        self._holds.mkdir()
        self._holds.chmod(0o777)
        self._numbers = itertools.count()
        self._opened: dict[str, str] = {}
        self._passwords: dict[str, str] = {}
        """The vault passwords so far, with a name for each."""
        self._started: list[subprocess.Popen[str]] = []
        for name, realms in INVENTORIES.items():
            self.write_inventory(name, {"scim_realms": realms})
        self.must(*APPLY, inventory=BASE)

    def write_inventory(self, name: str, variables: Mapping[str, Any]) -> None:
        """Write an inventory of this server beside the others."""
        self.operator.inventory = self.operator.folder / name
        fixed = {"scim_token_store": "secrets", "scim_gate_timeout": 5}
        self.operator.write_inventory({self.server.name: {**fixed, **variables}})

    # --- runs -----------------------------------------------------------------------------------

    def start(self, *arguments: str, inventory: str = BASE, **struck: Any) -> subprocess.Popen[str]:
        """Start scimconf, with a fault or held (see `controller.py`)."""
        config = json.dumps({"versions": str(self._versions), **struck})
        verb, *rest = arguments
        source = () if verb == "token" else ("-i", inventory)
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.controller", config, verb, *source, *rest],
            cwd=self.operator.folder,
            env=self.operator.lab.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(started)
        return started

    def close(self) -> None:
        """End the processes that a failed test has left."""
        for each in self._started:
            if each.poll() is None:
                each.kill()
                each.communicate()

    def run(
        self, *arguments: str, inventory: str = BASE, **struck: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run scimconf to its end. Its stderr goes to stdout."""
        return ended(self.start(*arguments, inventory=inventory, **struck))

    def must(self, *arguments: str, inventory: str = BASE) -> str:
        """Run scimconf, which must succeed. Return its output."""
        done = self.run(*arguments, inventory=inventory)
        assert done.returncode == 0, done
        return done.stdout

    def holding(self, *at: str) -> tuple[Hold, dict[str, Any]]:
        """Return a point where the agent waits, and the arguments of `start` for it."""
        name = f"hold-{next(self._numbers)}"
        inside = self.server.layout.inside("home", "holds", name)
        told = {"at": at, "begun": f"{inside}.begun", "sign": f"{inside}.sign"}
        return self._hold(name), {"agent": told}

    def holding_before_save(self, number: int) -> tuple[Hold, dict[str, Any]]:
        """Return the same for a controller, before its n-th change of the token file."""
        hold = self._hold(f"hold-{next(self._numbers)}")
        told = {"number": number, "begun": str(hold.begun), "sign": str(hold.sign)}
        return hold, {"save": told}

    def _hold(self, name: str) -> Hold:
        return Hold(self._holds / f"{name}.begun", self._holds / f"{name}.sign")

    # --- what must be true ----------------------------------------------------------------------

    def judge(self, *, undone: bool = False) -> None:
        """Check that every token that the server accepts is in the token file.

        Also check that no accepted realm is recorded as removed, unless an undo or a later run has
        restored it (`undone`). A token that is kept elsewhere must be there.
        """
        records = self.records()
        for realm in REALMS:
            record = records.get((self.server.name, realm))
            kept = set(self._tokens_of(record)) | {self.elsewhere}
            for token in self.ever():
                if not self.lets_in(realm, token):
                    continue
                assert token in kept, f"the accepted token of {realm} is lost: {record}"
                assert undone or not isinstance(record, Removed), f"{realm} is there: {record}"

    def lets_in(self, realm: str, token: str) -> bool:
        """Return whether the server accepts this token."""
        status, _, _ = self.server.request("GET", "/scim/v2/Users?count=1", realm, token)
        return status == 200

    def in_force(self, realm: str) -> str:
        """Return a realm's token in force, from the token file."""
        record = self.records()[self.server.name, realm]
        assert isinstance(record, Entry), record
        return self._open(record.ciphertext) if record.ciphertext else self.elsewhere

    def records(self) -> Mapping[Any, Record]:
        """Return the content of the token file; empty if there is none."""
        path = self.operator.tokens
        return _read(path.read_text()) if path.exists() else {}

    def ever(self) -> set[str]:
        """Return every token that was in any version of the token file, or is on the server."""
        texts = (path.read_text() for path in self._versions.iterdir())
        known = {self.elsewhere}
        for text in texts:
            for record in _read(text).values():
                known |= set(self._tokens_of(record))
        for path in (self.server.settings, self.server.secrets):
            known |= set(re.findall(r"\b[A-Za-z0-9]{43}\b", path.read_text()))
        return known

    def fingerprints(self) -> Iterator[tuple[str, str]]:
        """Return each fingerprint of the token file with its token."""
        for record in self.records().values():
            for each in _entries(record):
                if each.ciphertext:
                    yield each.fingerprint, self._open(each.ciphertext)

    def _tokens_of(self, record: Record | None) -> Iterator[str]:
        for each in _entries(record):
            if each.ciphertext:
                yield self._open(each.ciphertext)

    def remember_password(self, file: Path) -> None:
        """Remember a vault password: other versions of the token file may need it."""
        self._passwords.setdefault(file.read_text().strip(), f"p{len(self._passwords)}")

    def _open(self, ciphertext: str) -> str:
        if ciphertext not in self._opened:
            self.remember_password(self.operator.folder / ".vault-password")
            known = {name: Secret(each) for each, name in self._passwords.items()}
            token = vault.decrypt(ciphertext, known)
            self._opened[ciphertext] = token.reveal()
        return self._opened[ciphertext]

    # --- the next runs --------------------------------------------------------------------------

    def converge(self, inventory: str = BASE, *, locks_out: bool = False) -> None:
        """Run the next commands of an operator, and check the result.

        `locks_out`: the inventory itself gives a realm another token.
        """
        if self._staged():
            self.must(*ROTATE, "--activate", inventory=inventory)
        planned = self.run("plan", inventory=inventory)
        assert planned.returncode in (0, 2), planned
        assert locks_out or "locked out" not in planned.stdout, planned
        self.must(*APPLY, inventory=inventory)
        self.must("plan", inventory=inventory)
        self.judge()
        for realm, words in INVENTORIES[inventory].items():
            if "state" not in words:
                assert self.lets_in(realm, self.in_force(realm)), realm
        assert self.litter() == []

    def litter(self) -> list[str]:
        """Return unfinished files on the server, and any token in clear on this machine."""
        folders = [self.server.settings.parent, self.server.layout.outside("home", ".scimconf")]
        left = [str(path) for each in folders for path in each.rglob("*.scimconf-*")]
        tokens = self.ever() - {self.elsewhere}  # which has its own store
        for path in self.operator.folder.rglob("*"):
            if path.is_file() and any(token in path.read_text() for token in tokens):
                left.append(str(path))
        return left

    def _staged(self) -> bool:
        records = self.records().values()
        return any(isinstance(each, Entry) and each.next for each in records)


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a run."""
    said, _ = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, said)


def held(process: subprocess.Popen[str], hold: Hold) -> None:
    """Wait until a run waits for its sign file."""
    until(lambda: hold.begun.exists() or process.poll() is not None, "the run comes to its place")
    assert process.poll() is None, ended(process)


def _read(text: str) -> Mapping[Any, Record]:
    document = parse(text, "tokens.yaml")
    return entries_of(document, 2 if "\nversion: 2\n" in f"\n{text}" else 1)


def _entries(record: Record | None) -> Iterator[Entry]:
    entry = record.entry if isinstance(record, Removed) else record
    return entry.tokens() if entry else iter(())
