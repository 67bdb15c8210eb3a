"""Microsoft Entra ID, by Microsoft Graph v1.0: secrets and jobs of an application's provisioning.

Graph's reference: "synchronization" of servicePrincipal: `secrets` (PUT), `jobs`, and of a job:
pause, start, validateCredentials. Reads mask the values of secrets, so every key is sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from scimconf.idp import entra_login
from scimconf.idp.base import Idp, IdpError, NotSupportedError, Target, shown
from scimconf.idp.https import Https, as_json
from scimconf.idp.kinds import CLOUDS, SIGN_INS, credentials, destination
from scimconf.model import Deliver
from scimconf.secret import Secret

_OURS = ("BaseAddress", "SecretToken")
_CYCLE_ENDS = 300.0
"""Seconds until a paused job must have stopped."""
_POLL = 1.0
"""Seconds between two questions for the state of a job."""


class Entra(Idp):
    """One enterprise application and its provisioning job."""

    def __init__(
        self,
        deliver: Deliver,
        target: Target,
        read: Callable[..., Secret],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        settings = deliver.settings
        self._cloud = CLOUDS[str(settings.get("cloud", "global"))]
        self._deliver = deliver
        self._target = target
        self._read = read
        self._sleep = pause
        self._graph = Https(destination(deliver).text, self._cloud.graph, pause=pause)
        app = settings["service_principal"]
        self._path = f"/v1.0/servicePrincipals/{app}/synchronization"
        self._job = ""
        self._token: Secret | None = None

    def check(self) -> bool:
        """Sign in, find the job, and read the names of the secrets."""
        self._token = None
        self._ask("GET", "/secrets")
        if not self._cloud.has_jobs:
            return False
        return self._code(self._find_job()) == "Paused"

    def pause(self) -> str:
        """Pause the job, and wait until Graph reports that it is paused."""
        job = self._known_job("pause")
        self._ask("POST", f"/jobs/{job}/pause")
        until = time.monotonic() + _CYCLE_ENDS
        while (code := self._code(self._ask("GET", f"/jobs/{job}"))) != "Paused":
            if time.monotonic() > until:
                raise IdpError(
                    f"the job is not paused after {_CYCLE_ENDS:g} s; its state is {code}",
                    "a long cycle is running: try again later",
                    unknown=True,
                )
            self._sleep(_POLL)
        return "provisioning is paused"

    def set(self, token: Secret) -> str:
        """Set `BaseAddress` and `SecretToken`, and send all other readable keys again."""
        kept = {
            str(each["key"]): each["value"]
            for each in self._list(self._ask("GET", "/secrets"))
            if isinstance(each.get("key"), str) and _is_readable(each.get("value"))
        }
        values = {**kept, "BaseAddress": self._target.base_url, "SecretToken": token}
        pairs = [{"key": key, "value": value} for key, value in values.items()]
        self._ask("PUT", "/secrets", {"value": pairs})
        return "the token is set"

    def test(self) -> str:
        """Let Entra validate the saved URL and token: it sends a request to Zulip."""
        job = self._known_job("test the token")
        path = f"/jobs/{job}/validateCredentials"
        self._ask("POST", path, {"useSavedCredentials": True})
        return "its connection test succeeded"

    def resume(self) -> str:
        """Start the job, which also ends a quarantine. Without jobs, nothing was paused."""
        if not self._cloud.has_jobs:
            return "provisioning is running"
        job = self._known_job("start a job")
        self._ask("POST", f"/jobs/{job}/start")
        return "provisioning is running"

    def _known_job(self, what: str) -> str:
        if not self._cloud.has_jobs:
            raise NotSupportedError(f"Microsoft Graph cannot {what} in this cloud")
        if not self._job:
            self._find_job()
        return self._job

    def _find_job(self) -> Mapping[str, object]:
        wanted = self._deliver.settings.get("job")
        jobs = self._list(self._ask("GET", "/jobs"))
        found = [each for each in jobs if wanted is None or each.get("id") == wanted]
        ids = [each["id"] for each in found if isinstance(each.get("id"), str)]
        if len(ids) != 1:
            names = ", ".join(shown(each.get("id"), 80) for each in jobs[:5]) or "none"
            raise IdpError(
                f"{self._graph.name}: expected one provisioning job; its jobs: {names}",
                "name one as job below deliver, or create it: Provisioning > Automatic",
            )
        self._job = _as_part_of_path(str(ids[0]))
        return found[0]

    @staticmethod
    def _code(job: Mapping[str, object]) -> str:
        status = job.get("status")
        return shown(status.get("code"), 40) if isinstance(status, dict) else "unknown"

    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Mapping[str, object]:
        token = self._token = self._token or self._sign_in()
        answer = self._graph.ask(method, f"{self._path}{path}", bearer=token, body=body)
        return as_json(answer, self._graph.name)

    def _sign_in(self) -> Secret:
        settings = self._deliver.settings
        (reference,) = credentials(self._deliver)
        how = next((name for name in SIGN_INS if name in settings), SIGN_INS[0])
        return entra_login.sign_in(
            how,
            self._read(reference),
            client_id=str(settings["client_id"]),
            tenant=str(settings["tenant"]),
            cloud=self._cloud,
            https=Https("the sign-in of Microsoft Entra ID", self._cloud.login, pause=self._sleep),
        )

    def _list(self, found: Mapping[str, object]) -> list[Mapping[str, object]]:
        values = found.get("value")
        if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
            raise IdpError(f"{self._graph.name} sent an invalid answer; it was ignored")
        return values


def _is_readable(value: object) -> bool:
    """Return whether a value is not masked. Sending a mask back would destroy it."""
    return isinstance(value, str) and bool(value) and value.strip("*") != ""


def _as_part_of_path(job: str) -> str:
    """Return the id of a job, which the server chose, quoted for a path."""
    return urlencode({"": job})[1:]
