"""Okta, by its API for applications: `/api/v1/apps/ID/connections/default`.

Okta documents this call for a few apps. For any other app it answers 200 with the status UNKNOWN
and keeps nothing. So the connection is read before the token is sent, and its state is compared
after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from scimconf.idp.base import Idp, IdpError, NotSupportedError, Target, shown
from scimconf.idp.https import Https, as_json
from scimconf.idp.kinds import credentials, destination
from scimconf.model import Deliver
from scimconf.secret import Secret
from scimconf.zulip.presets import PRESETS

_ON, _OFF = "ENABLED", "DISABLED"


class Okta(Idp):
    """The provisioning connection of one app of Okta."""

    def __init__(
        self,
        deliver: Deliver,
        target: Target,
        read: Callable[..., Secret],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        where = destination(deliver)
        self._https = Https(where.text, where.host, scheme="SSWS", pause=pause)
        self._path = f"/api/v1/apps/{deliver.settings['app']}/connections/default"
        self._target = target
        (self._reference,) = credentials(deliver)
        self._read = read
        self._credential: Secret | None = None
        self._was_off: bool | None = None

    def check(self) -> bool:
        """Read the connection. Refuse an app that takes no token, and one of another SCIM URL.

        Return whether the connection is off: then it stays off.
        """
        found = self._ask("GET", self._path)
        status = found.get("status")
        if found.get("authScheme") != "TOKEN" or status not in (_ON, _OFF):
            raise NotSupportedError(
                f"{self._https.name}: Okta's API takes no token for this app ({_state(found)})"
            )
        if not isinstance(found.get("baseUrl"), str):
            raise NotSupportedError(
                f"{self._https.name}: Okta does not show the app's SCIM URL, so it is not certain "
                "where the token would go"
            )
        if not self._is_url(found):
            raise IdpError(
                f"{self._https.name}: the app's SCIM URL is {shown(found['baseUrl'])}, not "
                f"{self._target.base_url}",
                "correct app in the inventory, or the SCIM URL in Okta",
            )
        if self._was_off is None:
            self._was_off = status == _OFF
        return status == _OFF

    def pause(self) -> str:
        """Refuse: Okta has no pause, and a connection that is off could lose changes."""
        raise NotSupportedError("Okta cannot be paused")

    def set(self, token: Secret) -> str:
        """Set the token, and compare the state after. A connection that was off stays off."""
        if self._was_off is None:
            self.check()
        # The field has what the hand-off sheet tells a person to enter there.
        field = Secret(PRESETS["okta"].token_field(token.reveal()))
        body = {
            "baseUrl": self._target.base_url,
            "profile": {"authScheme": "TOKEN", "token": field},
        }
        query = "" if self._was_off else "?activate=true"
        found = self._ask("POST", f"{self._path}{query}", body)
        state = found.get("authScheme"), found.get("status")
        if state != ("TOKEN", _OFF if self._was_off else _ON) or not self._is_url(found):
            raise IdpError(
                f"{self._https.name} did not take the token ({_state(found)})", unknown=True
            )
        return f"Okta accepted the token, and the connection is {'off' if self._was_off else 'on'}"

    def test(self) -> str:
        """Refuse: the API has no call for it."""
        raise NotSupportedError("Okta's API has no call that tests a token")

    def resume(self) -> str:
        """Turn the connection on, if it is off."""
        if self.check():
            self._ask("POST", f"{self._path}/lifecycle/activate")
            if self.check():
                raise IdpError(f"{self._https.name}: the connection is still off")
        return "the connection is on"

    def _is_url(self, found: Mapping[str, object]) -> bool:
        return str(found.get("baseUrl")).rstrip("/") == self._target.base_url.rstrip("/")

    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Mapping[str, object]:
        self._credential = self._credential or self._read(self._reference)
        answer = self._https.ask(method, path, bearer=self._credential, body=body)
        return as_json(answer, self._https.name)


def _state(found: Mapping[str, object]) -> str:
    scheme, status = found.get("authScheme"), found.get("status")
    return f"authScheme {shown(scheme, 40)}, status {shown(status, 40)}"
