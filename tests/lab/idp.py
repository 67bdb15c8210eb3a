"""Miniature identity providers: real SCIM clients with an API, over HTTPS, on loopback.

Each holds users and provisions them into a Zulip of the lab with the URL and the token that it was
given. It goes into quarantine after failures, and masks secrets in what it returns. `Graph` and
`Okta` behave as Microsoft Graph and Okta's API are documented, `Authentik` as authentik's source
says. `Mini` alone is driven by a program (`deliver: {command: ...}`), through a small API of its
own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
QUARANTINE_AFTER = 3
"""Failed cycles in a row."""


@dataclass
class Fault:
    """What happens to the next request of the API that matches."""

    method: str = ""
    path: str = ""
    """A regular expression for a part of the path."""
    status: int | None = None
    """Answer with this status, and do nothing."""
    headers: Mapping[str, str] = field(default_factory=dict)
    loses_answer: bool = False
    """Do what was asked, then close the connection without an answer."""
    seconds: float = 0.0
    """Answer later."""
    times: int = 1


class Provisioning:
    """The SCIM client of an identity provider."""

    def __init__(self, ca: Path) -> None:
        self._ca = ca
        self.base_url = ""
        self.token = ""
        self.users: dict[str, str] = {}
        """E-mail address -> full name."""
        self.sent: list[tuple[str, int]] = []
        """Method and status of each SCIM request."""
        self.failures = 0
        self.paused = False
        self.quarantined = False
        self._cycle = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def refused(self) -> int:
        """How many requests Zulip did not accept."""
        return sum(1 for _, status in self.sent if status >= 400 or status == 0)

    @property
    def is_running(self) -> bool:
        """Whether a cycle is running now."""
        return self._cycle.locked()

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a SCIM request to Zulip as this provider; status 0 means no answer."""
        parts = urlsplit(self.base_url)
        assert parts.port, "no URL was set"
        context = ssl.create_default_context(cafile=str(self._ca))
        connection = http.client.HTTPSConnection("127.0.0.1", parts.port, timeout=30)
        headers = {
            "Host": parts.netloc,
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/scim+json",
        }
        data = None if body is None else json.dumps(body)
        try:
            raw = socket.create_connection(("127.0.0.1", parts.port), timeout=30)
            connection.sock = context.wrap_socket(raw, server_hostname=parts.hostname)
            path_ = f"{parts.path.rstrip('/')}{path}"
            connection.request(method, path_, body=data, headers=headers)
            response = connection.getresponse()
            answer = response.read()
            status, found = response.status, json.loads(answer) if answer else None
        except (OSError, ValueError, http.client.HTTPException):
            status, found = 0, None
        finally:
            connection.close()
        self.sent.append((method, status))
        return status, found

    def cycle(self) -> bool:
        """Provision every user once. Return whether all requests were accepted."""
        with self._cycle:
            results = [self._provision(email, name) for email, name in [*self.users.items()]]
            good = all(results)
            self.failures = 0 if good else self.failures + 1
            self.quarantined = self.failures >= QUARANTINE_AFTER
            return good

    def _provision(self, email: str, name: str) -> bool:
        wanted = quote(f'userName eq "{email}"')
        status, found = self.request("GET", f"/Users?filter={wanted}")
        if status != 200:
            return False
        if not found["totalResults"]:
            user = {
                "schemas": [USER],
                "userName": email,
                "active": True,
                "emails": [{"primary": True, "type": "work", "value": email}],
                "name": {"formatted": name},
            }
            return self.request("POST", "/Users", user)[0] == 201
        rename = {"op": "Replace", "path": "name.formatted", "value": name}
        body = {"schemas": [PATCH], "Operations": [rename]}
        path = f"/Users/{found['Resources'][0]['id']}"
        return self.request("PATCH", path, body)[0] in (200, 204)

    def wrong(self) -> list[str]:
        """Return the users that Zulip does not have as this provider does."""
        wrong = []
        for email, name in self.users.items():
            wanted = quote(f'userName eq "{email}"')
            _, found = self.request("GET", f"/Users?filter={wanted}")
            have = [each["name"]["formatted"] for each in (found or {}).get("Resources", ())]
            if have != [name]:
                wrong.append(email)
        return wrong

    @contextlib.contextmanager
    def always(self) -> Iterator[None]:
        """Run cycles without a pause between them, in a thread, while the block runs."""
        self._stop.clear()

        def work() -> None:
            while not self._stop.is_set():
                if self.paused or self.quarantined:
                    time.sleep(0.01)
                    continue
                self.cycle()

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(60)


class Mini:
    """An identity provider with an API. Use it as a context manager."""

    host = "idp.test"
    names: tuple[str, ...] = ("idp.test",)
    """The names in its certificate."""
    scheme = "Bearer"
    """Of the Authorization header."""

    def __init__(self, ca: Path, certificate: bytes, folder: Path) -> None:
        self.client = Provisioning(ca)
        self.faults: deque[Fault] = deque()
        self.asked: list[tuple[str, str]] = []
        """Method and path of each request of the API."""
        self.credential = uuid.uuid4().hex * 2
        """What a caller must send in the Authorization header."""
        pem = folder / f"{uuid.uuid4().hex}.pem"
        pem.touch(0o600)
        pem.write_bytes(certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server = _HttpServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def __enter__(self) -> Any:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The URL of its API."""
        return f"https://{self.host}:{self.port}"

    def environment(self, ca: Path) -> dict[str, str]:
        """Return the variables for a process that uses its API."""
        return {}

    def fault(self, method: str, path: str, host: str) -> Fault | None:
        """Return the fault for this request, if there is one."""
        for each in list(self.faults):
            if each.method in ("", method) and re.search(each.path, path):
                each.times -= 1
                if each.times <= 0:
                    self.faults.remove(each)
                return each
        return None

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, bearer: str, host: str
    ) -> tuple[int, Any]:
        """Return status and JSON for a request of the API."""
        if bearer != self.credential:
            return 401, {"detail": "Authentication credentials were not provided."}
        if path == "/pause":
            self.client.paused = True
            return 200, {"running": self.client.is_running}
        if path == "/set":
            self.client.base_url, self.client.token = body["url"], body["token"]
            return 200, {}
        if path == "/test":
            status, _ = self.client.request("GET", "/Users?startIndex=1&count=1")
            return (200 if status == 200 else 400), {"status": status}
        if path == "/resume":
            self.client.paused = self.client.quarantined = False
            return 200, {}
        return 404, {}


class Graph(Mini):
    """Microsoft Graph and its sign-in, for one service principal with one provisioning job."""

    host = "graph.microsoft.com"
    login = "login.microsoftonline.com"
    names = ("graph.microsoft.com", "login.microsoftonline.com")
    tenant = "contoso.onmicrosoft.com"
    app = "7d3a1f0e-0000-4000-8000-0000000000aa"
    client_id = "11111111-2222-4333-8444-555555555555"
    job = "scim.7d3a.1"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.secret = f"Graph~{uuid.uuid4().hex}"
        self.secrets = {"SyncAll": "false"}
        self.grants: list[dict[str, list[str]]] = []
        """The forms that were sent to sign in."""

    def environment(self, ca: Path) -> dict[str, str]:
        """Return the variables that lead Microsoft's names to this server."""
        hosts = " ".join(f"{name}={self.port}" for name in self.names)
        return {"LAB_HOSTS": hosts, "SSL_CERT_FILE": str(ca), "SCIMCONF_IDP_ENTRA": self.secret}

    def settings(self) -> dict[str, Any]:
        """Return `deliver` for an inventory."""
        return {
            "entra": {
                "tenant": self.tenant,
                "client_id": self.client_id,
                "service_principal": self.app,
            }
        }

    @property
    def entry(self) -> str:
        """The entry of the operator's list."""
        return f"{self.host}/{self.tenant}"

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, bearer: str, host: str
    ) -> tuple[int, Any]:
        if host == self.login:
            return self._login(method, path, body)
        if bearer != self.credential:
            return 401, {"error": {"code": "InvalidAuthenticationToken", "message": "expired"}}
        base = "/v1.0/servicePrincipals/"
        app, _, rest = path.removeprefix(base).partition("/synchronization")
        if not path.startswith(base) or app != self.app:
            return 404, {"error": {"code": "Request_ResourceNotFound", "message": "no resource"}}
        jobs = f"/jobs/{self.job}"
        if (method, rest) == ("GET", "/secrets"):
            return 200, {"value": [{"key": k, "value": _masked(k, v)} for k, v in self._all()]}
        if (method, rest) == ("PUT", "/secrets"):
            given = {each["key"]: each["value"] for each in body["value"]}
            self.secrets = {k: v for k, v in given.items() if k not in ("BaseAddress",)}
            self.client.base_url = given["BaseAddress"].partition("/?")[0]
            self.client.token = self.secrets.pop("SecretToken")
            return 204, None
        if (method, rest) == ("GET", "/jobs"):
            return 200, {"value": [self._job()]}
        if (method, rest) == ("GET", jobs):
            return 200, self._job()
        if (method, rest) == ("POST", f"{jobs}/pause"):
            self.client.paused = True
            return 204, None
        if (method, rest) == ("POST", f"{jobs}/start"):
            self.client.paused = self.client.quarantined = False
            self.client.failures = 0
            return 204, None
        if (method, rest) == ("POST", f"{jobs}/validateCredentials"):
            assert body == {"useSavedCredentials": True}
            nobody = quote(f'userName eq "{uuid.uuid4()}"')
            status, _ = self.client.request("GET", f"/Users?filter={nobody}")
            if status == 200:
                return 204, None
            message = f"The remote server answered {status}."
            return 400, {"error": {"code": "CredentialValidationFailure", "message": message}}
        return 404, {"error": {"code": "ResourceNotFound", "message": rest}}

    def _all(self) -> list[tuple[str, str]]:
        return [
            ("BaseAddress", self.client.base_url),
            ("SecretToken", self.client.token),
            *self.secrets.items(),
        ]

    def _job(self) -> dict[str, Any]:
        code = "Quarantine" if self.client.quarantined else "Active"
        # A job that runs is paused when its cycle has ended.
        if self.client.paused and not self.client.is_running:
            code = "Paused"
        return {"id": self.job, "templateId": "scim", "status": {"code": code}}

    def _login(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        base = f"https://{self.login}/{self.tenant}"
        if path == f"/{self.tenant}/v2.0/.well-known/openid-configuration":
            return 200, {
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "issuer": f"{base}/v2.0",
            }
        if (method, path) != ("POST", f"/{self.tenant}/oauth2/v2.0/token"):
            return 404, {}
        self.grants.append(body)
        right = body.get("client_secret") == [self.secret] or body.get("client_assertion")
        if body.get("client_id") != [self.client_id] or not right:
            text = "AADSTS7000215: Invalid client secret provided."
            return 401, {"error": "invalid_client", "error_description": text}
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": self.credential}


class Authentik(Mini):
    """authentik's API for one SCIM provider."""

    host = "sso.test"
    names = ("sso.test",)
    number = 12

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.more: dict[str, Any] = {}
        """Fields of other releases."""
        self.hides_token = False

    def environment(self, ca: Path) -> dict[str, str]:
        """Return the variable with the credential."""
        return {"SCIMCONF_IDP_AUTHENTIK": self.credential}

    def settings(self, ca: Path) -> dict[str, Any]:
        """Return `deliver` for an inventory."""
        return {"authentik": {"url": self.url, "provider": self.number, "ca": str(ca)}}

    @property
    def entry(self) -> str:
        """The entry of the operator's list."""
        return f"{self.host}:{self.port}"

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, bearer: str, host: str
    ) -> tuple[int, Any]:
        if bearer != self.credential:
            return 403, {"detail": "Authentication credentials were not provided."}
        base = f"/api/v3/providers/scim/{self.number}/"
        if path == base and method in ("GET", "PATCH"):
            if method == "PATCH":
                self.client.base_url, self.client.token = body["url"], body["token"]
            return 200, self._provider()
        if (method, path) == ("GET", f"{base}sync/status/"):
            return 200, {"is_running": self.client.is_running}
        if (method, path) == ("GET", "/api/v3/providers/scim_users/"):
            assert query["provider__id"] == [str(self.number)]
            known = [{"id": "a", "user": 5}] if self.client.users else []
            return 200, {"results": known}
        if (method, path) == ("POST", f"{base}sync/object/"):
            assert body["sync_object_id"] == "5"
            email, name = next(iter(self.client.users.items()))
            good = self.client._provision(email, name)
            failed = {"log_level": "error", "event": "Failed to sync object"}
            return 200, {"messages": [] if good else [failed]}
        return 404, {"detail": "No SCIMProvider matches the given query."}

    def _provider(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "pk": self.number,
            "name": "zulip",
            "component": "ak-provider-scim-form",
            "url": self.client.base_url,
            "token": self.client.token,
            **self.more,
        }
        if self.hides_token:
            del found["token"]
        return found


class Okta(Mini):
    """Okta's API for the provisioning connection of one app ("SCIM 2.0 Test App (Header Auth)")."""

    host = "contoso.okta.com"
    names = ("contoso.okta.com",)
    scheme = "SSWS"
    app = "0oa1example"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.takes_tokens = True
        """Otherwise it answers 200 with UNKNOWN and changes nothing, as for most apps."""
        self.refuses_token = False
        """It keeps a token, and turns the connection off."""
        self.is_on = True
        self.more: dict[str, Any] = {}
        """Other values in its answers."""

    def environment(self, ca: Path) -> dict[str, str]:
        """Return the variables that lead its name to this server, and the credential."""
        hosts = f"{self.host}={self.port}"
        return {"LAB_HOSTS": hosts, "SSL_CERT_FILE": str(ca), "SCIMCONF_IDP_OKTA": self.credential}

    def settings(self) -> dict[str, Any]:
        """Return `deliver` for an inventory."""
        return {"okta": {"url": f"https://{self.host}", "app": self.app}}

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, bearer: str, host: str
    ) -> tuple[int, Any]:
        if bearer != self.credential:
            return 401, {"errorCode": "E0000011", "errorSummary": "Invalid token provided"}
        base = f"/api/v1/apps/{self.app}/connections/default"
        if (method, path) == ("POST", base):
            if self.takes_tokens:
                field = body["profile"]["token"]
                assert body["profile"]["authScheme"] == "TOKEN"
                assert field.startswith("Bearer "), "the field is the whole header"
                self.client.base_url = body["baseUrl"]
                self.client.token = field.removeprefix("Bearer ")
                if query.get("activate") == ["true"]:
                    self.is_on = not self.refuses_token
            return 200, self._connection()
        if (method, path) == ("POST", f"{base}/lifecycle/activate"):
            self.is_on = not self.refuses_token
            return 204, None
        if (method, path) == ("GET", base):
            return 200, self._connection()
        summary = "Not found: Resource not found: 0oa (AppInstance)"
        return 404, {"errorCode": "E0000007", "errorSummary": summary}

    def _connection(self) -> dict[str, Any]:
        """Return the connection: never the token."""
        if not self.takes_tokens:
            return {"authScheme": "UNKNOWN", "status": "UNKNOWN"}
        return {
            "authScheme": "TOKEN",
            "baseUrl": self.client.base_url,
            "profile": {"authScheme": "TOKEN"},
            "status": "ENABLED" if self.is_on else "DISABLED",
            **self.more,
        }


def _masked(key: str, value: str) -> str:
    """Return a secret as Graph shows it."""
    return "*" if key == "SecretToken" and value else value


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Print nothing: tests close connections on purpose."""


def _handler(idp: Mini) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            parts = urlsplit(self.path)
            host = self.headers.get("Host", "").partition(":")[0]
            idp.asked.append((self.command, parts.path))
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            is_form = "form" in self.headers.get("Content-Type", "")
            body: Any = parse_qs(raw.decode()) if is_form else json.loads(raw or b"null")
            fault = idp.fault(self.command, parts.path, host)
            if fault and fault.seconds:
                time.sleep(fault.seconds)
            if fault and fault.status:
                self._send(fault.status, {"detail": "a fault of the lab"}, fault.headers)
                return
            bearer = self.headers.get("Authorization", "").removeprefix(f"{idp.scheme} ")
            status, answer = idp.answer(
                self.command, parts.path, parse_qs(parts.query), body, bearer, host
            )
            if fault and fault.loses_answer:
                self.close_connection = True
                return
            self._send(status, answer, {})

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def do_PUT(self) -> None:
            self._handle()

        def do_PATCH(self) -> None:
            self._handle()

        def _send(self, status: int, answer: Any, headers: Mapping[str, str]) -> None:
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
