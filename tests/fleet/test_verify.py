from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from scimconf.fleet.verify import Hosts, certificate_hint, verify
from scimconf.model import Check, Realm
from scimconf.secret import Secret
from scimconf.zulip.answers import LIST_RESPONSE
from tests.factories import realm, server
from tests.lab.certificates import Authority

TOKEN = Secret("gR7bQ2mXv9LkPz4TnW8s")
LOOPBACK = Hosts("127.0.0.1", {})


@dataclass
class Question:
    """One request that the web server received."""

    path: str
    headers: Mapping[str, str]

    @property
    def token(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer ")


@dataclass
class Answer:
    """The answer that the web server sends."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def listing(total: int = 0) -> Answer:
    body = {"schemas": [LIST_RESPONSE], "totalResults": total, "Resources": []}
    return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/scim+json"})


def zulip(question: Question) -> Answer:
    """Answer like a healthy Zulip."""
    return listing() if question.token == TOKEN.reveal() else Answer(401)


class Web:
    """A web server on loopback with scripted answers. Records the requests."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answer: Callable[[Question], Answer] = zulip
        self.asked: list[Question] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                question = Question(self.path, dict(self.headers))
                web.asked.append(question)
                answer = web.answer(question)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # in some tests, the client disconnects

        self._server = Server(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.stop()


def _ask(
    url: str,
    hosts: Hosts | None = LOOPBACK,
    *,
    idp: str = "okta",
    token: Secret = TOKEN,
    answers: int = 1,
    ca: Path | str | None = None,
    timeout: float = 15.0,
) -> tuple[Check, ...]:
    asked: Realm = realm("acme", idp=idp, url=url)
    return verify(
        server(asked, ca=ca and str(ca), external_host="127.0.0.1"),
        asked,
        token,
        hosts,
        answers,
        timeout,
    )


def _only(checks: tuple[Check, ...], name: str, result: str) -> Check:
    assert [(check.name, check.result) for check in checks] == [(name, result)]
    assert checks[0].realm == "acme"
    return checks[0]


# --- a healthy server -------------------------------------------------------------------------


def test_it_sends_a_wrong_token_first_and_then_the_test_of_okta(web: Web) -> None:
    checks = _ask(f"http://127.0.0.1:{web.port}")
    assert [(check.name, check.result, check.status) for check in checks] == [
        ("wrong token", "ok", 401),
        ("right token", "ok", 200),
    ]
    assert "Okta" in checks[1].message
    wrong, right = web.asked
    assert wrong.path == right.path == "/scim/v2/Users?startIndex=1&count=2"
    assert wrong.token != right.token == TOKEN.reveal()
    assert right.headers["Accept"] == "application/scim+json"
    assert right.headers["User-Agent"].startswith("scimconf/")


def test_it_sends_the_test_of_entra(web: Web) -> None:
    assert _ask(f"http://127.0.0.1:{web.port}", idp="entra")[-1].result == "ok"
    filters = [parse_qs(urlsplit(question.path).query)["filter"][0] for question in web.asked]
    assert all(text.startswith('userName eq "') and len(text) == 50 for text in filters)
    assert len(set(filters)) == 2, "a new name each time"


def test_after_a_restart_several_good_answers_in_a_row_are_required(web: Web) -> None:
    checks = _ask(f"http://127.0.0.1:{web.port}", answers=5)
    assert len(web.asked) == 6
    assert "5 times in a row" in checks[1].message


def test_one_old_worker_is_enough_to_fail(web: Web) -> None:
    web.answer = lambda question: Answer(401) if len(web.asked) == 4 else zulip(question)
    checks = _ask(f"http://127.0.0.1:{web.port}", answers=5)
    assert (checks[1].result, checks[1].status) == ("failed", 401)
    assert "after 2 good answers" in checks[1].message
    assert len(web.asked) == 4


def test_a_private_ca_is_accepted(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    (tmp_path / "server.pem").write_bytes(authority.issue(["localhost"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    web = Web(context)
    try:
        url, hosts = f"https://localhost:{web.port}", Hosts("localhost", {})
        assert [check.result for check in _ask(url, hosts, ca=tmp_path / "ca.pem")] == ["ok", "ok"]
        unknown = _only(_ask(url, hosts), "wrong token", "failed")
        assert "certificate is not accepted" in unknown.message
        assert "scim_ca" in unknown.hint
        other = _ask(
            f"https://127.0.0.1:{web.port}", Hosts("127.0.0.1", {}), ca=tmp_path / "ca.pem"
        )
        other_name = _only(other, "wrong token", "failed")
        assert "127.0.0.1" in other_name.message
        assert "names this host" in other_name.hint
        assert len(web.asked) == 2, "nothing was asked over a connection that was not proved"
    finally:
        web.stop()


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        *((each, "scim_ca") for each in (18, 19, 20, 21)),
        (10, "renew"),
        (62, "names this host"),
        (64, "names this host"),
        (1, "openssl s_client"),
    ],
)
def test_each_reason_to_refuse_a_certificate_has_its_hint(code: int, advice: str) -> None:
    assert advice in certificate_hint(code)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    expired = authority.issue(["localhost"], expired=True)
    (tmp_path / "server.pem").write_bytes(expired)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    web = Web(context)
    try:
        url = f"https://localhost:{web.port}"
        checks = _ask(url, Hosts("localhost", {}), ca=tmp_path / "ca.pem")
        check = _only(checks, "wrong token", "failed")
        assert "expired" in check.message
        assert "renew" in check.hint
        assert not web.asked
    finally:
        web.stop()


# --- hosts that must not get a token ----------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost", "evil127.0.0.1"])
def test_a_host_of_another_server_gets_no_request(web: Web, host: str) -> None:
    check = _only(_ask(f"https://{host}:{web.port}"), "address", "failed")
    assert host in check.message
    assert "127.0.0.1" in check.message.replace(host, "")
    assert check.hint
    assert not web.asked


def test_without_observed_hosts_the_inventory_decides(web: Web) -> None:
    assert _ask(f"http://127.0.0.1:{web.port}", None)[-1].result == "ok"
    assert _ask(f"http://localhost:{web.port}", None)[-1].result == "failed"


def test_hosts_in_realm_hosts_are_accepted(web: Web) -> None:
    hosts = Hosts("chat.example.com", {"acme": f"localhost:{web.port}"})
    assert _ask(f"http://localhost:{web.port}", hosts)[-1].result == "ok"


def test_http_is_refused_beyond_loopback() -> None:
    hosts = Hosts("chat.example.com", {})
    check = _only(_ask("http://chat.example.com", hosts), "address", "failed")
    assert "unencrypted" in check.message


def test_an_invalid_token_is_not_sent(web: Web) -> None:
    url = f"http://127.0.0.1:{web.port}"
    check = _only(_ask(url, token=Secret("a\r\nX-Evil: 1")), "right token", "failed")
    assert "line break" in check.message
    assert "Evil" not in check.message
    assert check.hint.startswith("replace the token: scimconf rotate ")
    assert not web.asked


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(web: Web, status: int) -> None:
    target = f"http://user:secret@127.0.0.1:{web.port}/elsewhere?x=\x1b"
    web.answer = lambda _: Answer(status, headers={"Location": target})
    check = _only(_ask(f"http://127.0.0.1:{web.port}"), "wrong token", "failed")
    assert check.status == status
    assert "http://127.0.0.1" in check.message
    assert "secret" not in check.message
    assert "elsewhere" not in check.message
    assert len(web.asked) == 1


def test_a_redirect_with_the_token_does_not_print_it(web: Web) -> None:
    web.answer = lambda question: (
        Answer(302, headers={"Location": f"https://{question.token}.example.com/"})
        if len(web.asked) > 1
        else Answer(401)
    )
    checks = _ask(f"http://127.0.0.1:{web.port}")
    assert checks[1].status == 302
    assert TOKEN.reveal().lower() not in repr(checks).lower()


def test_proxy_variables_are_ignored(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert _ask(f"http://127.0.0.1:{web.port}")[-1].result == "ok"


def test_a_server_that_accepts_any_token_never_gets_the_right_one(web: Web) -> None:
    web.answer = lambda _: listing()
    check = _only(_ask(f"http://127.0.0.1:{web.port}"), "wrong token", "failed")
    assert "a wrong token is accepted" in check.message
    assert [question.token == TOKEN.reveal() for question in web.asked] == [False]


# --- each status ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words", "advice"),
    [
        (400, "does not know this host name", "REALM_HOSTS"),
        (403, "in front of Zulip", "proxy"),
        (404, "no organisation", "create the organisation"),
        (429, "too many", "wait"),
        (500, "SCIM configuration", "on 5.x the SCIM client is not registered"),
        (501, "does not implement", "proxy"),
        (502, "Zulip behind it does not", "supervisorctl"),
        (503, "Zulip behind it does not", "supervisorctl"),
        (418, "never sends this status", "which program"),
    ],
)
def test_each_status_has_a_hint(web: Web, status: int, words: str, advice: str) -> None:
    web.answer = lambda _: Answer(status, b"<html>\x1b]0;evil\x07</html>")
    for answer_wrong in (True, False):
        web.asked.clear()
        if not answer_wrong:
            web.answer = lambda _: Answer(401) if len(web.asked) == 1 else Answer(status)
        check = _ask(f"http://127.0.0.1:{web.port}")[-1]
        assert (check.result, check.status) == ("failed", status)
        assert words in check.message
        assert advice in check.hint
        assert check.message.isprintable()


def test_the_hint_for_a_refused_right_token_is_plan(web: Web) -> None:
    web.answer = lambda _: Answer(401)
    check = _ask(f"http://127.0.0.1:{web.port}")[-1]
    assert (check.name, check.result, check.status) == ("right token", "failed", 401)
    assert "run plan for this server" in check.hint


@pytest.mark.parametrize("body", [b"", b"<html>Log in</html>", b"{}", b"[" * 300_000])
def test_a_200_without_a_scim_list_is_a_failure(web: Web, body: bytes) -> None:
    web.answer = lambda question: (
        Answer(200, body) if question.token == TOKEN.reveal() else Answer(401)
    )
    check = _ask(f"http://127.0.0.1:{web.port}")[-1]
    assert check.result == "failed"
    assert "not a SCIM list" in check.message


def test_a_lost_filter_is_a_failure_for_entra(web: Web) -> None:
    web.answer = lambda question: listing(7) if question.token == TOKEN.reveal() else Answer(401)
    assert "the filter is ignored" in _ask(f"http://127.0.0.1:{web.port}", idp="entra")[-1].message
    assert _ask(f"http://127.0.0.1:{web.port}", idp="okta")[-1].result == "ok"


# --- not reached: a warning -------------------------------------------------------------------


@contextmanager
def _raw(behave: Callable[[socket.socket], object]) -> Iterator[int]:
    """Listen on loopback and call `behave` for each connection. Yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_port_without_a_listener() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        check = _only(_ask(url), "wrong token", "warning")
    assert f"did not reach {url}: connection refused" in check.message
    assert check.status is None


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    hosts = Hosts("chat.invalid", {})
    check = _only(_ask("https://chat.invalid", hosts), "wrong token", "warning")
    assert "no address" in check.message
    assert "DNS" in check.hint


@pytest.mark.parametrize("label", ["a" * 64, "a" * 300])
def test_a_name_that_is_invalid_in_dns(label: str) -> None:
    check = _ask(f"https://{label}.chat.invalid", Hosts("chat.invalid", {}))[-1]
    assert check.result == "warning"
    assert "did not reach" in check.message


def test_a_web_server_without_tls(web: Web) -> None:
    check = _only(_ask(f"https://127.0.0.1:{web.port}"), "wrong token", "warning")
    assert "no TLS connection" in check.message


@pytest.mark.parametrize("nonsense", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nConte"])
def test_something_that_does_not_speak_http(nonsense: bytes) -> None:
    with _raw(lambda connection: connection.sendall(nonsense)) as port:
        check = _ask(f"http://127.0.0.1:{port}")[-1]
    assert check.result in ("warning", "failed")
    assert check.message.isprintable()


def test_an_endless_answer_is_cut_off() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not stop.wait(0.02):
            connection.sendall(b"X: y\r\n")

    stop = threading.Event()
    with _raw(drip) as port:
        check = _only(_ask(f"http://127.0.0.1:{port}", timeout=0.3), "wrong token", "warning")
        stop.set()
    assert "no complete answer in time" in check.message


def test_a_silent_server_times_out() -> None:
    with _raw(lambda connection: stop.wait(30)) as port:
        stop = threading.Event()
        check = _only(_ask(f"http://127.0.0.1:{port}", timeout=0.2), "wrong token", "warning")
        stop.set()
    assert "no complete answer in time" in check.message


@pytest.mark.parametrize("what", ["device", "pipe"])
def test_an_endless_ca_file_is_not_read(tmp_path: Path, what: str) -> None:
    file = tmp_path / "ca.pem"
    if what == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    check = _only(_ask("https://127.0.0.1", ca=file), "address", "failed")
    assert "it is not a regular file" in check.message


def test_an_invalid_ca_file(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    for name in ("missing.pem", "empty.pem"):
        check = _only(_ask("https://127.0.0.1", ca=tmp_path / name), "address", "failed")
        assert name in check.message
        assert "CA certificates" in check.message
