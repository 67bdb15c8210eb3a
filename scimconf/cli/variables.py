"""Read the vault password from the environment, and find misspelt SCIMCONF_ variables.

A misspelt variable has no effect, so the run could use the wrong servers or files. Therefore it is
an error, as a misspelt option is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches

import click

from scimconf.errors import UsageError
from scimconf.secret import Secret

PREFIX = "SCIMCONF_"
VAULT_PASSWORD = "SCIMCONF_VAULT_PASSWORD"  # noqa: S105
"""The variable that contains the vault password itself. There is no option for it."""

_SPACES = " \t\n\r\v\f"
"""Removed around the password, as around one in a file. Other spaces are part of it."""
_NEAR = 0.8
"""The similarity, from 0 to 1, of the parts after SCIMCONF_. LIMT and LIMIT have 0.89."""
_RESERVED = ("SCIMCONF_IDP_", "SCIMCONF_BEARER_")
"""The start of names that may contain values for an identity provider."""


OF_OPTIONS = frozenset(
    PREFIX + name
    for name in [
        "ACCEPT_NEW_HOST_KEYS",
        "ALLOW_EXEC",
        "ASK_BECOME_PASS",
        "ASK_PASS",
        "ASK_VAULT_PASS",
        "BECOME",
        "BECOME_PASSWORD_FILE",
        "BECOME_USER",
        "CANARY",
        "CHARSET",
        "CHECK",
        "CONNECTION_PASSWORD_FILE",
        "COUNT",
        "CREATE_TOKENS",
        "DIFF",
        "ENTROPY",
        "FAILED_HOSTS",
        "FOR",
        "FORKS",
        "FORMAT",
        "IDP_HOST",
        "INVENTORY",
        "KNOWN_HOSTS",
        "LENGTH",
        "LIMIT",
        "LOCK_TIMEOUT",
        "LOOK_TIMEOUT",
        "MAX_FAIL",
        "OLDER_THAN",
        "OUT",
        "PHRASE",
        "PLAN",
        "PRIVATE_KEY",
        "QUIET",
        "READ_ONLY",
        "REALM",
        "REPORT",
        "RESOLVE",
        "RETRIES",
        "SCHEDULER",
        "SCHEDULER_CA",
        "SCHEDULER_CERT",
        "SCHEDULER_KEY",
        "SECRETS",
        "SERIAL",
        "SETTINGS",
        "SHARD",
        "SILENT_FOR",
        "TOKENS",
        "USER",
        "VAULT_ID",
        "VAULT_PASSWORD_FILE",
        "VERBOSE",
        "ZONE_KEYS",
        "ZULIP_VERSION",
    ]
)
"""The variables of all options. To ask the options themselves would load every verb, 0.2 s."""

_taken: dict[str, Secret] = {}


def take_vault_password() -> None:
    """Remove the password from the environment, so that no child process inherits it."""
    _taken.clear()
    if given := os.environ.pop(VAULT_PASSWORD, "").strip(_SPACES):
        _taken[VAULT_PASSWORD] = Secret(given)


def taken_vault_password() -> Secret | None:
    """Return the password from the environment; None if it had none."""
    return _taken.get(VAULT_PASSWORD)


def check() -> None:
    """Raise UsageError for variables whose names are similar to those of options.

    Call it after the inventory is loaded: the variables of its `env:` references have then been
    removed from the environment, so they are not reported.
    """
    given = [name for name in os.environ if name.startswith(PREFIX)]
    if not given or click.get_current_context(silent=True) is None:
        return
    known = OF_OPTIONS | {VAULT_PASSWORD}
    wrong = {
        name: near
        for name in sorted(given)
        if name not in known and not name.startswith(_RESERVED) and (near := _nearest(name, known))
    }
    if wrong:
        raise UsageError(
            "; ".join(f"{name} is not a variable of scimconf" for name in wrong),
            "; ".join(f"rename {name} to {near}, or unset it" for name, near in wrong.items()),
        )


def _nearest(name: str, known: Iterable[str]) -> str | None:
    short = [each.removeprefix(PREFIX) for each in known]
    near = get_close_matches(name.removeprefix(PREFIX), short, 1, _NEAR)
    return f"{PREFIX}{near[0]}" if near else None
