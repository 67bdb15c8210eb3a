"""Explain Zulip's answers to SCIM requests: what they mean and what to do next.

The statuses come from zerver/middleware.py and zerver/lib/scim.py, and from nginx in front of them.
"""

from __future__ import annotations

import json

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
"""RFC 7644, section 3.4.2."""

_MEANING = {
    400: (
        "Zulip does not know this host name",
        "correct the realm's url in the inventory. A host that is not EXTERNAL_HOST or below it "
        "must be in REALM_HOSTS or ALLOWED_HOSTS of settings.py",
    ),
    401: (
        "Zulip does not accept the token",
        "run plan for this server: it has another token or none for this realm, or was not "
        "restarted after the last change",
    ),
    403: (
        "something in front of Zulip forbids it",
        "check the proxy, the firewall or the access list in front of the server",
    ),
    404: (
        "this Zulip has no organisation here",
        "create the organisation first, or correct the realm's name or url in the inventory",
    ),
    429: ("too many requests", "wait a minute, then verify this server again"),
    500: (
        "Zulip failed because of its SCIM configuration",
        "run plan for this server, which names the usual reasons: on 5.x the SCIM client is not "
        "registered, SCIM_CONFIG is not defined, a key of the realm is missing, or get_secret "
        "finds no token. Else see /var/log/zulip/errors.log",
    ),
    501: (
        "Zulip accepts the token but does not implement this request",
        "check whether a proxy in front of the server changes paths or queries",
    ),
    502: (
        "the web server answers, but Zulip behind it does not",
        "wait if Zulip restarts; else see `supervisorctl status` and /var/log/zulip/errors.log",
    ),
}
_MEANING[503] = _MEANING[504] = _MEANING[502]


def explain(status: int, location: str = "") -> tuple[str, str]:
    """Return what an HTTP status other than 200 means here, and what to do next."""
    if 300 <= status < 400:
        return (
            f"it is redirected{f' to {location}' if location else ''}, and providers do not follow",
            "correct the realm's url in the inventory, or the proxy in front of the server",
        )
    return _MEANING.get(
        status,
        ("Zulip never sends this status", "check which program answers at this host name"),
    )


def list_response(body: bytes) -> int | None:
    """Return `totalResults` of a SCIM ListResponse; None for any other body."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    schemas, total = answer.get("schemas"), answer.get("totalResults")
    if not isinstance(schemas, list) or LIST_RESPONSE not in schemas:
        return None
    return total if isinstance(total, int) and not isinstance(total, bool) else None
