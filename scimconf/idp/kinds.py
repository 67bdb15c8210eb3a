"""The kinds of `deliver` and their settings: the only table of them. Pure: nothing is read or sent.

The inventory's schema and reference page, the plan, saved plans and the listing follow this table.
To add a kind: add a `Kind` here, and its class to `scimconf.idp.providers`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from scimconf.model import Deliver, Reference

Form = Literal["text", "id", "number", "https", "credential", "file", "choice"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a kind."""

    name: str
    form: Form
    meaning: str
    """One sentence of documentation, without a full stop."""
    default: str = ""
    """In words: what happens without it. "" for a setting that is required."""
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether the inventory must set it."""
        return not self.default


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a token would go."""

    host: str
    """The entry of the operator's list that allows it (`scimconf.idp.hosts`); "": a program, which
    needs consent instead."""
    text: str
    """The host and the object there, for people; not sanitized."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of `deliver`."""

    name: str
    title: str
    destination: Callable[[Deliver], Destination]
    settings: tuple[Setting, ...] = ()
    """Empty: its value is a command, not a mapping."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud of Microsoft: where to sign in, and where Graph is."""

    login: str
    graph: str
    has_jobs: bool = True
    """Whether Graph can pause, start and test there."""


CLOUDS: Mapping[str, Cloud] = MappingProxyType(
    {
        "global": Cloud("login.microsoftonline.com", "graph.microsoft.com"),
        "us": Cloud("login.microsoftonline.us", "graph.microsoft.us"),
        "us-dod": Cloud("login.microsoftonline.us", "dod-graph.microsoft.us"),
        "china": Cloud("login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn", has_jobs=False),
    }
)
"""Microsoft's page "National cloud deployments". In China, Graph has no calls for jobs."""

SIGN_INS = ("credential", "certificate", "federated_token")
"""The ways to sign in to Entra, of which one is used."""


def _entra(deliver: Deliver) -> Destination:
    """Return the tenant, too: a host that all customers of Microsoft share allows nothing."""
    cloud = CLOUDS[str(deliver.settings.get("cloud", "global"))]
    host = f"{cloud.graph}/{str(deliver.settings['tenant']).lower()}"
    app = deliver.settings["service_principal"]
    job = deliver.settings.get("job")
    which = f", job {job}" if job else ""
    return Destination(host, f"Microsoft Entra ID at {host}: service principal {app}{which}")


def _authentik(deliver: Deliver) -> Destination:
    host = urlsplit(str(deliver.settings["url"])).netloc
    return Destination(host, f"authentik at {host}: provider {deliver.settings['provider']}")


def _okta(deliver: Deliver) -> Destination:
    host = urlsplit(str(deliver.settings["url"])).netloc
    return Destination(host, f"Okta at {host}: app {deliver.settings['app']}")


def _command(deliver: Deliver) -> Destination:
    return Destination("", f"the program {shlex.join(words(deliver))}")


def words(deliver: Deliver) -> tuple[str, ...]:
    """Return the words of a command."""
    found = deliver.settings["words"]
    return tuple(map(str, found)) if isinstance(found, tuple) else ()


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                "entra",
                "Microsoft Entra ID",
                _entra,
                (
                    Setting("tenant", "id", "The tenant: its domain or its id"),
                    Setting("client_id", "id", "The application (client) id that signs in"),
                    Setting(
                        "service_principal",
                        "id",
                        "The object id of the enterprise application that provisions the realm",
                    ),
                    Setting(
                        "credential",
                        "credential",
                        "The client secret",
                        "`env:SCIMCONF_IDP_ENTRA`",
                    ),
                    Setting(
                        "certificate",
                        "credential",
                        "Instead of `credential`: a private key and its certificate (PEM)",
                        "not used",
                    ),
                    Setting(
                        "federated_token",
                        "credential",
                        "Instead of `credential`: a token of the pipeline (workload identity "
                        "federation)",
                        "not used",
                    ),
                    Setting(
                        "cloud",
                        "choice",
                        "The cloud of the tenant",
                        "`global`",
                        choices=tuple(CLOUDS),
                    ),
                    Setting("job", "id", "The id of the provisioning job", "the only job"),
                ),
            ),
            Kind(
                "authentik",
                "authentik",
                _authentik,
                (
                    Setting("url", "https", "The URL of authentik, without a path"),
                    Setting("provider", "number", "The id of the SCIM provider"),
                    Setting(
                        "credential",
                        "credential",
                        "An API token of authentik",
                        "`env:SCIMCONF_IDP_AUTHENTIK`",
                    ),
                    Setting(
                        "ca",
                        "file",
                        "A file on this machine with CA certificates for `url`, relative to the "
                        "inventory file",
                        "the system's",
                    ),
                ),
            ),
            Kind(
                "okta",
                "Okta",
                _okta,
                (
                    Setting("url", "https", "The URL of the Okta organization, without `-admin`"),
                    Setting("app", "id", "The id of the app that provisions the realm"),
                    Setting(
                        "credential",
                        "credential",
                        "An API token of Okta",
                        "`env:SCIMCONF_IDP_OKTA`",
                    ),
                ),
            ),
            Kind("command", "a program", _command),
        )
    }
)
"""By the key below `deliver`."""


def destination(deliver: Deliver) -> Destination:
    """Return where a token would go."""
    return KINDS[deliver.kind].destination(deliver)


def credentials(deliver: Deliver) -> list[Reference]:
    """Return the references of the credentials that a delivery reads."""
    found = [each for each in deliver.settings.values() if isinstance(each, Reference)]
    if found or deliver.kind == "command":
        return found
    return [default_credential(deliver)]


def default_credential(deliver: Deliver) -> Reference:
    """Return the credential of a kind if the inventory names none."""
    return Reference("env", (f"SCIMCONF_IDP_{deliver.kind.upper()}",), deliver.folder)
