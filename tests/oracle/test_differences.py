"""Each difference in docs/from-ansible.md is real, and the page lists every difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import by_hand
from tests.oracle.client import ROOT, Answer, Oracle
from tests.oracle.differences import DIFFERENCES, Difference
from tests.oracle.ours import Ours

pytestmark = pytest.mark.needs_ansible


def _theirs(oracle: Oracle, sources: list[Path], case: Difference) -> tuple[object, ...]:
    answer = oracle.inventory(sources, [case.variable], [([case.pattern], [])])["answer"]
    hosts = answer["hosts"]
    return (answer["patterns"][0].get("hosts"), *(_seen(hosts[name], case) for name in hosts))


def _ours(sources: list[Path], case: Difference) -> tuple[object, ...]:
    ours = Ours.read(sources)
    if ours.errors:
        return ("error",)
    found = []
    for name in ours.layout.tree.hosts:
        known: Answer = {"variables": ours.variables(name, [case.variable])}
        found.append(_seen({**known, "connection": ours.connection(name)}, case))
    return (ours.hosts([case.pattern], []).get("hosts"), *found)


def _seen(host: Answer, case: Difference) -> object:
    if case.variable in host["connection"] or "error" in host["connection"]:
        return host["connection"].get(case.variable)
    return host["variables"].get(case.variable, {}).get("value")


@pytest.mark.parametrize("name", DIFFERENCES)
def test_each_listed_difference_is_real(name: str, oracle: Oracle, tmp_path: Path) -> None:
    case = DIFFERENCES[name]
    sources = by_hand.lay_out(case.inventory, tmp_path)
    theirs, ours = _theirs(oracle, sources, case), _ours(sources, case)
    if case.pattern in ("all:!typo",):  # the oracle itself is set to refuse it
        assert theirs[0] is None
        assert ours[0] is None
    else:
        assert ours != theirs


def test_the_page_lists_every_difference() -> None:
    page = " ".join((ROOT / "docs/from-ansible.md").read_text().split())
    for case in DIFFERENCES.values():
        assert f"- {case.why} " in page
