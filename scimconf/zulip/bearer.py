"""Bearer tokens: what Zulip accepts as one, and its name in zulip-secrets.conf."""

from __future__ import annotations


def why_unusable(token: str) -> str | None:
    """Return why this text cannot work as a bearer token, or None if it can.

    Zulip compares the header with `Bearer <token>` exactly (zerver/lib/scim.py). With an empty
    token, Zulip answers every request with status 500. Spaces and control characters do not survive
    an HTTP header. Client and server decode non-ASCII text in a header differently.
    """
    if not token:
        return "it is empty"
    if not token.isascii():
        return "it contains characters outside ASCII, which Zulip cannot compare with a header"
    if "\0" in token:
        return "it contains a NUL character"
    if "\n" in token or "\r" in token:
        return "it contains a line break"
    if not token.isprintable():
        return "it contains control characters"
    if " " in token:
        hint = ' (leave the word "Bearer" out)' if token.lower().startswith("bearer ") else ""
        return f"it contains a space{hint}"
    return None


def secret_name(string_id: str) -> str:
    """Return the name of a realm's token in zulip-secrets.conf.

    The name is `scim_bearer_token_acme`, or `scim_bearer_token` for the root realm. A hyphen
    becomes `_`, which is in no string_id: docker-zulip takes the names from environment variables,
    and bash skips those with a hyphen. Zulip reads the file with RawConfigParser, which lower-cases
    the names.
    """
    suffix = string_id.replace("-", "_")
    return f"scim_bearer_token_{suffix}" if string_id else "scim_bearer_token"
