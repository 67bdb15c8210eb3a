"""Render a realm's entry of SCIM_CONFIG, parse it back and compare it with the wanted values.

The layout is that of Zulip's manual (production/scim): double-quoted keys, four spaces per level,
one key per line, in the manual's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scimconf.errors import ScimconfError, UsageError
from scimconf.model import Realm
from scimconf.secret import Secret
from scimconf.template import render
from scimconf.zulip.bearer import why_unusable
from scimconf.zulip.expression import tree
from scimconf.zulip.keys import KEYS
from scimconf.zulip.versions import Feature, available


@dataclass(frozen=True, slots=True, repr=False)
class SecretName:
    """The name under which the token is in zulip-secrets.conf."""

    name: str

    def __repr__(self) -> str:
        """Return the Python expression for settings.py."""
        return f"get_secret({self.name!r})"


@dataclass(frozen=True, slots=True)
class Mask:
    """The text that replaces a token in everything that people read; the agent writes the same."""

    text: str


TokenPlace = Secret | SecretName | Mask


def mask(realm: Realm, length: int | None = None, short: str = "", *, new: bool = False) -> Mask:
    """Return `<token acme, 43 characters, fingerprint ab12...>`, without unknown parts."""
    facts = [f"token {realm.label}"]
    if length is not None:
        facts.append(f"{length} characters")
    if new:
        facts.append("new")
    if short:
        facts.append(f"fingerprint {short}...")
    return Mask(f"<{', '.join(facts)}>")


def entry(realm: Realm, token: TokenPlace, version: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the entry's source text, and warnings about keys that this version does not know.

    The first line has no indentation, the others have that of the file. No comma follows the
    closing bracket (docs/agent.md, "entries"). If `version` is None, all keys are kept. Raises
    UsageError for a token or text that cannot be written, and ScimconfError if the rendered text
    has wrong values.
    """
    if isinstance(token, Secret) and (reason := why_unusable(token.reveal())):
        raise UsageError(f"realm {realm.label}: the token cannot be used: {reason}")
    expected = {"bearer_token": _token_value(token), **values(realm, version)}
    text = render(
        "scim_config.py.j2",
        realm=_literal(realm.string_id),
        items=[(_literal(key), _literal(value)) for key, value in expected.items()],
    ).rstrip("\n")
    _check_values(text, realm, expected)
    return text, _warnings(realm, version)


def wanted(realm: Realm, token: Secret, version: str | None) -> dict[str, object]:
    """Return the values that Zulip will read for this realm."""
    return {"bearer_token": token, **values(realm, version)}


def values(realm: Realm, version: str | None) -> dict[str, object]:
    """Return the keys, without the token, that this realm sets and this version knows."""
    every = {key.name: key.value(realm) for key in KEYS if key.known_to(version)}
    return {name: value for name, value in every.items() if value is not None}


def keeps_empty(version: str) -> bool:
    """Return whether `SCIM_CONFIG = {}` must stay in settings.py after the last realm is removed.

    If SCIM_CONFIG is undefined, Zulip before 11.0 answers SCIM requests with status 500 and sends a
    mail to the administrators.
    """
    return not available(Feature.SCIM_CONFIG_DEFAULT, version)


def _warnings(realm: Realm, version: str | None) -> tuple[str, ...]:
    return tuple(
        f"realm {realm.label}: {key.name} is left out: Zulip {version} does not know it, "
        f"{key.since} and later do"
        for key in KEYS
        if key.value(realm) is not None and not key.known_to(version)
    )


def _token_value(token: TokenPlace) -> str | SecretName:
    if isinstance(token, Secret):
        return token.reveal()
    return token.text if isinstance(token, Mask) else token


def _literal(value: object, depth: int = 3) -> str:
    """Return a value as Python source, double-quoted and ASCII: valid in every file encoding."""
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, SecretName):
        return f"get_secret({_literal(value.name)})"
    if isinstance(value, str):
        if not value.isprintable():
            raise UsageError(f"{value!a} contains control characters: they are not allowed here")
        return '"' + value.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        indent = "    " * depth
        lines = [f"{indent}{_literal(k)}: {_literal(v, depth + 1)},\n" for k, v in value.items()]
        return "{\n" + "".join(lines) + "    " * (depth - 1) + "}"
    raise TypeError(f"no literal for {type(value).__name__}")


def _check_values(text: str, realm: Realm, expected: Mapping[str, object]) -> None:
    """Parse the entry back. Raise ScimconfError, which does not quote it, if a value is wrong.

    Compare syntax trees, key by key and in order, to find duplicate keys too.
    """
    try:
        same = tree("{" + text + "}") == tree(repr({realm.string_id: expected}))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        same = False
    if not same:
        raise ScimconfError(
            f"realm {realm.label}: the rendered entry has wrong values; nothing was written",
            "restore templates/scim_config.py.j2 if it was changed",
        )
