"""authentik, by its API v3: `providers/scim/ID/`, `sync/status/` and `sync/object/`.

A provider of authentik cannot be paused. Newer releases can keep the token in an object of its own,
or sign in without a static token: such a provider is refused before anything is changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from scimconf.idp.base import Idp, IdpError, NotSupportedError, Target, shown
from scimconf.idp.https import Https, as_json
from scimconf.idp.kinds import credentials, destination
from scimconf.model import Deliver
from scimconf.secret import Secret

_CYCLE_ENDS = 120.0
"""Seconds to wait for a running sync, so that the change does not fall into it."""
_POLL = 1.0
_USER = "authentik.core.models.User"
_HARMLESS = ("notset", "debug", "info")
"""Levels of log messages. Any other one, also one that is not known, is a failure."""
_STATIC = (None, "token")
"""The values of auth_mode for a static token; older releases have no such field."""


class Authentik(Idp):
    """One SCIM provider of authentik."""

    def __init__(
        self,
        deliver: Deliver,
        target: Target,
        read: Callable[..., Secret],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        settings = deliver.settings
        where = destination(deliver)
        ca = settings.get("ca")
        self._https = Https(where.text, where.host, ca=str(ca) if ca else None, pause=pause)
        self._number = settings["provider"]
        self._path = f"/api/v3/providers/scim/{self._number}/"
        self._target = target
        (self._reference,) = credentials(deliver)
        self._read = read
        self._sleep = pause
        self._credential: Secret | None = None

    def check(self) -> bool:
        """Read the provider, and refuse one whose token is kept elsewhere."""
        found = self._ask("GET", self._path)
        mode = found.get("auth_mode")
        if mode not in _STATIC:
            raise IdpError(
                f"{self._https.name}: it signs in with {shown(mode, 40)}, not with a token",
                "set its authentication mode to a static token",
            )
        strange = [name for name in found if name.startswith("token_")]
        if not isinstance(found.get("url"), str) or "token" not in found or strange:
            raise IdpError(
                f"{self._https.name}: this release of authentik keeps the token elsewhere, in a "
                "way that this scimconf does not know",
                "remove deliver and enter the token by hand, or use deliver with a command",
            )
        return False

    def pause(self) -> str:
        """Wait until a running sync has ended, and say that authentik cannot be paused."""
        until = time.monotonic() + _CYCLE_ENDS
        while self._ask("GET", f"{self._path}sync/status/").get("is_running") is True:
            if time.monotonic() > until:
                raise IdpError(
                    f"{self._https.name}: a sync is still running after {_CYCLE_ENDS:g} s",
                    "try again later",
                )
            self._sleep(_POLL)
        raise NotSupportedError("authentik cannot be paused")

    def set(self, token: Secret) -> str:
        """Set URL and token, and check the URL in the answer."""
        url = self._target.base_url
        found = self._ask("PATCH", self._path, {"url": url, "token": token})
        if found.get("url") != url:
            raise IdpError(f"{self._https.name} did not keep the new URL", unknown=True)
        return "the token is set"

    def test(self) -> str:
        """Sync one user that authentik has synced before."""
        query = f"?provider__id={self._number}&page_size=1"
        listed = self._ask("GET", f"/api/v3/providers/scim_users/{query}").get("results")
        known = listed[0] if isinstance(listed, list) and listed else None
        user = known.get("user") if isinstance(known, dict) else None
        if not isinstance(user, int):
            raise NotSupportedError("authentik has not synced a user yet, so it cannot test")
        body = {"sync_object_model": _USER, "sync_object_id": str(user)}
        messages = self._ask("POST", f"{self._path}sync/object/", body).get("messages")
        if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
            raise IdpError(f"{self._https.name} sent an invalid answer; it was ignored")
        for each in messages:
            if each.get("log_level") not in _HARMLESS:
                said = shown(each.get("event"))
                raise IdpError(f"{self._https.name} could not sync a user: {said}")
        return "it has synced a user"

    def resume(self) -> str:
        """Do nothing: it was not paused."""
        return "provisioning is running"

    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Mapping[str, object]:
        self._credential = self._credential or self._read(self._reference)
        answer = self._https.ask(method, path, bearer=self._credential, body=body)
        return as_json(answer, self._https.name)
