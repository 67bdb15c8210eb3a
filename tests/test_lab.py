"""The lab itself: that it starts, is in its place, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import Server

SCIM = """
SCIM_CONFIG = {
    "acme": {
        "bearer_token": "right",
        "scim_client_name": "okta",
        "name_formatted_included": True,
    },
}
"""


def test_a_server_answers_the_right_token_only(lab_server: Callable[..., Server]) -> None:
    server = lab_server(realms=["", "acme"], extra_settings=SCIM)
    assert server.request("GET", "/scim/v2/Users?count=1", "acme", "right")[0] == 200
    assert server.request("GET", "/scim/v2/Users?count=1", "acme", "wrong")[0] == 401
