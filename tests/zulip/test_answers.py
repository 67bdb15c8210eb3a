from __future__ import annotations

import json

import pytest

from scimconf.zulip.answers import LIST_RESPONSE, explain, list_response


@pytest.mark.parametrize("status", [*range(300, 309), *range(400, 600), 204])
def test_every_status_has_a_meaning_and_a_hint(status: int) -> None:
    meaning, hint = explain(status)
    assert meaning
    assert hint


def test_a_redirect_names_its_target() -> None:
    assert "https://login.example.com" in explain(301, "https://login.example.com")[0]


@pytest.mark.parametrize("total", [0, 2])
def test_a_list_response_is_counted(total: int) -> None:
    body = {"schemas": [LIST_RESPONSE], "totalResults": total, "Resources": []}
    assert list_response(json.dumps(body).encode()) == total


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"schemas": "' + LIST_RESPONSE.encode() + b'", "totalResults": 1}',
        b'{"schemas": ["' + LIST_RESPONSE.encode() + b'"]}',
        b'{"schemas": ["' + LIST_RESPONSE.encode() + b'"], "totalResults": true}',
        b'{"schemas": ["' + LIST_RESPONSE.encode() + b'"], "totalResults": "1"}',
        b'{"schemas": [{}], "totalResults": 1}',
    ],
)
def test_any_other_body_is_not_a_list_response(body: bytes) -> None:
    assert list_response(body) is None
