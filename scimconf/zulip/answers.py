"""What a SCIM answer of Zulip means, in words that say what to do about it.

The statuses are those of zerver/middleware.py and zerver/lib/scim.py, and of the nginx before them.
"""

from __future__ import annotations

import json

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
"""RFC 7644, section 3.4.2."""

_MEANING = {
    400: (
        "Zulip does not know this host name",
        "it must be EXTERNAL_HOST, under it, or in REALM_HOSTS or ALLOWED_HOSTS of settings.py; "
        "or correct the realm's url in the inventory",
    ),
    401: (
        "Zulip does not accept the token",
        "run `scimconf plan`: the server has another token, has none for this realm, or was not "
        "restarted since the last change",
    ),
    403: (
        "something in front of Zulip forbids it",
        "look at the proxy, the firewall or the access list before the server",
    ),
    404: (
        "this Zulip has no organisation here",
        "create the organisation first, or correct the realm's name or url in the inventory",
    ),
    429: ("too many requests", "wait a minute and run `scimconf verify` again"),
    500: (
        "Zulip failed over its SCIM configuration",
        "see /var/log/zulip/errors.log; usual reasons: on 5.x the SCIM client is not registered, "
        "SCIM_CONFIG is not defined, a key of the realm is missing, or get_secret finds no token: "
        "`scimconf plan` names them",
    ),
    501: (
        "Zulip accepts the token but does not implement this request",
        "does a proxy in front of the server change paths or queries?",
    ),
    502: (
        "the web server is there, Zulip behind it is not",
        "is it just restarting? Else see `supervisorctl status` and /var/log/zulip/errors.log",
    ),
}
_MEANING[503] = _MEANING[504] = _MEANING[502]


def explain(status: int, location: str = "") -> tuple[str, str]:
    """Give what an HTTP status other than 200 means here, and what to do next."""
    if 300 <= status < 400:
        return (
            f"it is redirected{f' to {location}' if location else ''}, and no provider follows",
            "correct the realm's url in the inventory, or the proxy in front of the server",
        )
    return _MEANING.get(
        status,
        ("Zulip does not give this answer", "what else answers under this host name?"),
    )


def list_response(body: bytes) -> int | None:
    """Give `totalResults` of a SCIM ListResponse, or None if the body is none."""
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
