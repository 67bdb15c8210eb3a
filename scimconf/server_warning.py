"""Warnings about a server: their ids, by which `scim_silence` names them, and what each means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerWarning:
    """A warning about one server."""

    id: str
    """A key of SILENCEABLE or of ALWAYS_SHOWN."""
    text: str
    """The sentence that people read."""

    def __str__(self) -> str:
        """Return the text; the id is in front only if `scim_silence` may name it.

        Many texts end with a command to paste.
        """
        return f"[{self.id}] {self.text}" if self.id in SILENCEABLE else self.text


SILENCEABLE: Mapping[str, str] = {
    "CVE-2022-41914": "Zulip before 5.7 leaks the token through its timing",
    "case-sensitive-username": "Zulip before 6.0 finds a user only if the email address has the "
    "same case",
    "computed-external-host": "EXTERNAL_HOST in settings.py is not a plain value, so it is not "
    "compared with the inventory",
    "deactivated-realm": "a realm is deactivated in Zulip, although SCIM still answers",
    "deletion-refused": "the identity provider removes users in a way that Zulip refuses, so their "
    "accounts stay active",
    "empty-scim-config": "the last realm is removed, and `SCIM_CONFIG = {}` stays",
    "entra-custom-fields": "Microsoft Entra ID cannot write custom profile fields or roles",
    "ignored-become-option": "the inventory gives sudo or su an option that scimconf ignores",
    "ignored-ssh-option": "the inventory or ssh_config gives ssh an option that scimconf ignores",
    "no-deactivation": "Zulip before 5.2 does not deactivate users through SCIM",
    "no-restart": "`scim_restart: none`: somebody must restart Zulip after a change",
    "not-delivered": "the inventory has `deliver`, but no run has delivered the token in force",
    "plaintext-token": "the inventory has a token in plain text",
    "read-only": "the user of `plan --read-only` could not check everything",
    "secrets-unreadable": "zulip-secrets.conf could not be read",
    "shared-token": "another realm has the same token",
    "staged-token": "a new token is staged, and not in force yet",
    "unknown-clients": "the SCIM clients of Zulip 5.x could not be listed",
    "unknown-key": "this version of Zulip does not know a key of SCIM_CONFIG, so it is left out",
    "unmanaged-realm": "`scim_unmanaged: keep`: a realm that the inventory does not name stays",
    "unused-client": "a SCIM client of Zulip 5.x is unused; scimconf did not register it",
    "username-as-email": "the identity provider may send usernames where Zulip needs email "
    "addresses",
    "weak-token": "an imported token is weak",
}
"""The warnings that `scim_silence` may name, with their meanings."""

ALWAYS_SHOWN: Mapping[str, str] = {
    "earlier-run": "the result of an earlier run that lost its connection",
    "lock-out": "the change can lock out an identity provider, because its token is replaced",
    "no-answer": "the server's web server did not answer, or Zulip is down",
    "not-imported": "`import` leaves something out, or `apply` will change it",
    "rolled-back": "an interrupted run was rolled back first",
    "unfinished-delivery": "a delivery to an identity provider has begun and not ended",
}
"""The warnings that report a failed check or a change. They cannot be silenced."""
