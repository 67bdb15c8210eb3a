"""Sign in to Microsoft Entra ID with msal: a client secret, a certificate, or a pipeline's token.

msal speaks the protocol. Its requests go through `Https`, with our limits, and it keeps no cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from scimconf.errors import UsageError
from scimconf.idp.base import IdpError, shown
from scimconf.idp.https import Answer, Https
from scimconf.idp.kinds import Cloud
from scimconf.secret import Secret


def sign_in(
    how: str, secret: Secret, *, client_id: str, tenant: str, cloud: Cloud, https: Https
) -> Secret:
    """Return an access token for Graph.

    `how`: the setting that names the secret, one of `kinds.SIGN_INS`. Raises IdpError, and
    UsageError if msal is not installed.
    """
    try:
        import msal  # type: ignore[import-untyped]
    except ImportError:
        raise UsageError(
            "to deliver a token to Microsoft Entra ID, scimconf needs the package msal",
            "pip install 'scimconf[entra]'",
        ) from None
    try:
        application = msal.ConfidentialClientApplication(
            client_id,
            authority=f"https://{cloud.login}/{tenant}",
            client_credential=_credential(how, secret),
            http_client=_Client(https),
            instance_discovery=False,
        )
        found = application.acquire_token_for_client([f"https://{cloud.graph}/.default"])
    except IdpError:
        raise
    except Exception as error:  # msal has no class of its own for errors
        said = shown(error)
        # `from None`: a traceback could lead to the secret.
        raise IdpError(f"{https.name} failed: {said}", _hint(how), final=True) from None
    token = found.get("access_token")
    if isinstance(token, str) and token:
        return Secret(token)
    said = shown(found.get("error_description") or found.get("error"))
    raise IdpError(f"{https.name} refused {client_id}: {said}", _hint(how), final=True)


def _hint(how: str) -> str:
    return f"check tenant, client_id and {how} of deliver, and that the {how} has not expired"


def _credential(how: str, secret: Secret) -> Any:
    if how == "certificate":
        return {"private_key": secret.reveal(), "public_certificate": secret.reveal()}
    if how == "federated_token":
        return {"client_assertion": secret.reveal}  # msal discourages text
    return secret.reveal()


@dataclass(frozen=True)
class _Response:
    """An answer in the form that msal reads."""

    status_code: int
    text: str
    headers: dict[str, str]

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise ValueError(f"it answered {self.status_code}")


class _Client:
    """The HTTP client that msal uses."""

    def __init__(self, https: Https) -> None:
        self._https = https

    def get(self, url: str, params: Any = None, **_: Any) -> _Response:
        return self._ask("GET", url, params)

    def post(self, url: str, params: Any = None, data: Any = None, **_: Any) -> _Response:
        return self._ask("POST", url, params, data or {})

    def close(self) -> None:
        """Do nothing: each request has its own connection."""

    def _ask(self, method: str, url: str, params: Any, form: Any = None) -> _Response:
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.netloc != self._https.host:
            raise IdpError(f"{self._https.name} names another host, which is not asked", final=True)
        query = "&".join(filter(None, (parts.query, urlencode(params or {}))))
        path = f"{parts.path}?{query}" if query else parts.path
        # 400 and 401 are msal's to explain.
        answer: Answer = self._https.ask(method, path, form=form, good=(200, 400, 401))
        return _Response(
            answer.status, answer.body.decode("utf-8", "replace"), dict(answer.headers)
        )
