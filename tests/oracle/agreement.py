"""Compare the results of Ansible and scimconf. differences.py lists the exceptions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.oracle.client import Answer, Oracle
from tests.oracle.ours import Ours

_BEYOND = re.compile(r"matches '.*\[[0-9:-]+\]'")
"""A subscript without a host is always an error in scimconf (differences.py)."""

_SUBSCRIPT = re.compile(r"\[[0-9:-]+\]")

Patterns = Sequence[tuple[Sequence[str], Sequence[str]]]


def check(
    oracle: Oracle, sources: Sequence[Path], patterns: Patterns = (), extra: Sequence[str] = ()
) -> Ours:
    """Assert that hosts, groups, variables, connections and patterns are the same."""
    ours = Ours.read(sources, allow_exec=True, extra=extra)
    assert not ours.errors
    asked = oracle.inventory(sources, ours.names(), patterns, extra)
    assert "answer" in asked, asked
    assert not refused(asked), asked["said"]
    theirs = asked["answer"]
    _same_groups(ours, theirs["groups"])
    assert set(ours.layout.tree.hosts) == set(theirs["hosts"]), asked["said"]
    for name, host in theirs["hosts"].items():
        _same_variables(ours.variables(name, ours.names()), host["variables"], name)
        _same_connection(ours.connection(name), host["connection"], name)
    same_order = ours.layout.groups == theirs["groups"]
    for (pattern, limit), answer in zip(patterns, theirs["patterns"], strict=True):
        _same_hosts(ours.hosts(pattern, limit), answer, (pattern, limit), ordered=same_order)
    return ours


def refused(asked: Answer) -> bool:
    """Return True if Ansible could not read a source. It says so, and reads the others."""
    return any("Unable to parse" in words[0] for words in asked["said"])


def _same_groups(ours: Ours, theirs: dict[str, list[str]]) -> None:
    assert {name: sorted(hosts) for name, hosts in ours.layout.groups.items()} == {
        name: sorted(hosts) for name, hosts in theirs.items()
    }
    for name, group in ours.layout.tree.groups.items():
        # Ansible walks a set from the second level on, so the order there is random.
        if not any(child.children for child in group.children):
            assert ours.layout.groups[name] == theirs[name], name


def _same_variables(ours: Answer, theirs: Answer, host: str) -> None:
    assert list(ours) == list(theirs)
    for name, result in theirs.items():
        if "error" in result:
            assert "error" in ours[name], (host, name, result, ours[name])
        else:
            assert repr(ours[name]) == repr(result), (host, name)


def _same_connection(ours: Answer, theirs: Answer, host: str) -> None:
    if "error" in ours:
        return  # scimconf checks more than Ansible: tests/inventory/test_problems.py
    assert "error" not in theirs, (host, theirs, ours)
    # We decrypt an encrypted user or key file before the connection, Ansible when it uses it.
    plain = {
        name: value["plain"] if isinstance(value, dict) and "password" not in name else value
        for name, value in theirs.items()
    }
    assert ours == plain, host


def _same_hosts(ours: Answer, theirs: Answer, asked: object, *, ordered: bool) -> None:
    if "error" in ours and _BEYOND.search(ours["error"]):
        return
    assert ("error" in ours) == ("error" in theirs), (asked, ours, theirs)
    if "hosts" in theirs:
        if ordered:
            assert ours["hosts"] == theirs["hosts"], asked
        elif not _SUBSCRIPT.search(str(asked)):
            assert sorted(ours["hosts"]) == sorted(theirs["hosts"]), asked
