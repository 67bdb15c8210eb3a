"""The miniature identity providers behave as the real ones are documented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scimconf.idp.https import Https, as_json
from scimconf.secret import Secret
from tests.idp.conftest import TARGET
from tests.lab.idp import QUARANTINE_AFTER, Graph

Start = Callable[..., Any]


@pytest.fixture
def graph(start: Start) -> Graph:
    """Graph, with a user and with the URL of a Zulip that is not there."""
    idp: Graph = start(Graph)
    idp.client.base_url = TARGET.base_url
    idp.client.token = "the-token-of-the-provider"
    idp.client.users = {"ada@example.com": "Ada"}
    return idp


def _ask(graph: Graph, method: str, path: str) -> Any:
    https = Https("Graph", graph.host, pause=lambda _: None)
    whole = f"/v1.0/servicePrincipals/{graph.app}/synchronization{path}"
    return as_json(https.ask(method, whole, bearer=Secret(graph.credential)), "Graph")


def _state(graph: Graph) -> str:
    (job,) = _ask(graph, "GET", "/jobs")["value"]
    return str(job["status"]["code"])


def test_failed_cycles_lead_to_quarantine_which_start_ends(graph: Graph) -> None:
    for number in range(QUARANTINE_AFTER):
        assert _state(graph) == "Active", number
        assert graph.client.cycle() is False
    assert _state(graph) == "Quarantine"
    assert graph.client.refused == QUARANTINE_AFTER
    _ask(graph, "POST", f"/jobs/{graph.job}/start")
    assert _state(graph) == "Active"


def test_a_job_is_paused_only_when_its_cycle_has_ended(graph: Graph) -> None:
    with graph.client._cycle:
        _ask(graph, "POST", f"/jobs/{graph.job}/pause")
        assert _state(graph) == "Active"
    assert _state(graph) == "Paused"


def test_secrets_are_masked(graph: Graph) -> None:
    values = {each["key"]: each["value"] for each in _ask(graph, "GET", "/secrets")["value"]}
    assert values == {"BaseAddress": TARGET.base_url, "SecretToken": "*", "SyncAll": "false"}
