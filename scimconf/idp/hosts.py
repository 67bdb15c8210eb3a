"""The hosts that tokens may be delivered to. The operator lists them, not the inventory.

Whoever may write the inventory could otherwise have every token sent to a host of their own. An
entry is the host of authentik or Okta (`sso.example.com`), or Graph's host with the tenant
(`graph.microsoft.com/contoso.onmicrosoft.com`), because all tenants share Graph's host.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.idp.kinds import destination
from scimconf.model import Deliver
from scimconf.password_file import read_own_list

NAME = ".idp-hosts"
"""The file with one entry on each line, beside the token file."""
_ENTRY = re.compile(r"[A-Za-z0-9_.\[\]:-]+(?:/[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True)
class Hosts:
    """What the operator allows."""

    allowed: frozenset[str]
    file: Path

    def check(self, wanted: Iterable[tuple[Deliver, str]]) -> None:
        """Raise UsageError unless each token may go where `deliver` says, with all missing hosts.

        `wanted`: pairs of `deliver` and which token. A program is not checked here: apply's
        question and --yes consent to it.
        """
        missing: dict[str, str] = {}
        for deliver, what in wanted:
            host = destination(deliver).host
            if host and host.lower() not in self.allowed:
                missing.setdefault(host, what)
        if missing:
            places = " and ".join(f"{what} to {host}" for host, what in missing.items())
            options = " ".join(f"--idp-host {shlex.quote(host)}" for host in missing)
            one = len(missing) == 1
            raise UsageError(
                f"the inventory says to deliver {places}, which {'is' if one else 'are'} not in "
                "your list of identity providers",
                f"if {'it is' if one else 'they are'} yours, add {options} to this command, or a "
                f"line with {'it' if one else 'each'} to {shlex.quote(str(self.file))}",
            )


def load(given: Iterable[str], folder: Path) -> Hosts:
    """Return the hosts of --idp-host and of the file in `folder`. Raises UsageError.

    The file counts only if nobody else could have written it (`read_own_list`): a checkout of an
    unread branch could contain one.
    """
    file = folder / NAME
    found = [_entry(each, "--idp-host") for each in given]
    if os.path.lexists(file):
        lines = (line.partition("#")[0].strip() for line in read_own_list(file).splitlines())
        found += [_entry(line, str(file)) for line in lines if line]
    return Hosts(frozenset(found), file)


def _entry(text: str, where: str) -> str:
    if not _ENTRY.fullmatch(text):
        raise UsageError(
            f"{where}: {text!a} is not a host",
            "write sso.example.com, or graph.microsoft.com/TENANT for Microsoft Entra ID",
        )
    return text.lower()
