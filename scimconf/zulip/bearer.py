"""What Zulip takes for a bearer token, and the name of one in zulip-secrets.conf."""

from __future__ import annotations


def unfit(token: str) -> str:
    """Say why this text cannot work as a bearer token, "" if it can.

    Zulip compares the header with `Bearer <token>` exactly (zerver/lib/scim.py); an empty token
    is a 500 for every request. Blanks and control characters do not survive an HTTP header,
    and non-ASCII text is decoded differently on the two sides of it.
    """
    if not token:
        return "it is empty"
    if not token.isascii():
        return "it holds characters outside ASCII, which Zulip cannot compare with a header"
    if "\0" in token:
        return "it holds a NUL character"
    if "\n" in token or "\r" in token:
        return "it holds a line break"
    if not token.isprintable():
        return "it holds control characters"
    if " " in token:
        hint = ' (leave the word "Bearer" out)' if token.lower().startswith("bearer ") else ""
        return f"it holds a blank{hint}"
    return ""


def secret_name(string_id: str) -> str:
    """Give the name of a realm's token in zulip-secrets.conf.

    `scim_bearer_token_acme`; the root domain's is `scim_bearer_token`. A hyphen becomes `_`, which
    no string_id has: docker-zulip takes the name from an environment variable's, where bash passes
    over one with a hyphen. Zulip reads the file with RawConfigParser, which lower-cases names.
    """
    suffix = string_id.replace("-", "_")
    return f"scim_bearer_token_{suffix}" if string_id else "scim_bearer_token"
