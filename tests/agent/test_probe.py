"""The questions to the local web server, and the gate."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scimconf.agent import gate, probe
from scimconf.agent.errors import AgentError
from scimconf.agent.gate import Before, Question
from scimconf.agent.probe import WebServer
from tests.agent.fake import web_server


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Return a server's TLS context with an untrusted certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody.test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(1))
    ).sign(key, hashes.SHA256())
    path: Path = tmp_path_factory.mktemp("tls") / "pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_host_header_server_name_and_token(tls: ssl.SSLContext) -> None:
    names: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    with web_server(None, tls, script=[200]) as (base, seen):
        assert WebServer(base).users("acme.chat.test:8443", "t0ken") == 200
    assert names == ["acme.chat.test"]
    assert seen[0]["path"] == "/scim/v2/Users?count=1"
    assert seen[0]["host"] == "acme.chat.test:8443"
    assert seen[0]["authorization"] == "Bearer t0ken"


def test_no_redirect_is_followed() -> None:
    with web_server(None, script=[302]) as (base, seen):
        assert WebServer(base).status("chat.test", "/") == 302
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "alive"), [(200, True), (404, True), (500, False), (502, False)]
)
def test_alive(status: int, alive: bool) -> None:
    with web_server(None, script=[status]) as (base, seen):
        assert WebServer(base).alive("chat.test") is alive
    assert seen[0]["path"] == "/api/v1/server_settings"
    assert "authorization" not in seen[0]


def test_a_server_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert WebServer(f"http://127.0.0.1:{port}").status("chat.test", "/") is None
    assert not WebServer(f"https://localhost:{port}").alive("chat.test")


def test_https_first_then_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        web_server(None, script=[200]) as (base, _),
        socket.create_server(("127.0.0.1", 0)) as gone,
    ):
        dead = f"https://127.0.0.1:{gone.getsockname()[1]}"
        gone.close()
        monkeypatch.setattr(probe, "_USUAL", (dead, base))
        assert WebServer(None).status("chat.test", "/") == 200


@pytest.mark.parametrize(
    "base",
    ["ftp://127.0.0.1", "127.0.0.1", "https://", "https://[::1", "https://127.0.0.1:99999"],
)
def test_an_invalid_url_is_refused(base: str) -> None:
    with pytest.raises(AgentError, match="scim_probe"):
        WebServer(base)


@pytest.mark.parametrize(
    ("peer", "own", "here"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.5", "127.0.0.1", True),
        ("::1", "::1", True),
        ("10.0.0.7", "10.0.0.7", True),  # the kernel uses the same address for both ends
        ("10.0.0.8", "10.0.0.7", False),
        ("203.0.113.9", "10.0.0.7", False),
        ("2001:db8::1", "fe80::1", False),
    ],
)
def test_which_addresses_are_this_machine(peer: str, own: str, here: bool) -> None:
    class Connected:
        def getpeername(self) -> tuple[str, int]:
            return peer, 443

        def getsockname(self) -> tuple[str, int]:
            return own, 50_000

    assert probe._leads_to_this_machine(Connected()) is here  # type: ignore[arg-type]


def test_no_token_goes_to_another_machine(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_leads_to_this_machine", lambda connected: False)
    for context in (tls, None):
        with (
            web_server(None, context, script=[200]) as (base, seen),
            pytest.raises(AgentError, match="not this server"),
        ):
            WebServer(base).users("acme.chat.test", "t0ken")
        assert seen == []


@contextmanager
def answering(*pieces: bytes, endless: bool = False) -> Iterator[str]:
    """A server that sends scripted bytes."""
    over = threading.Event()

    def serve() -> None:
        connected, _ = server.accept()
        with connected:
            connected.recv(1000)
            try:
                for piece in pieces:
                    connected.sendall(piece)
                while endless and not over.wait(0.02):
                    connected.sendall(b"x")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        over.set()
        thread.join()


def test_a_server_that_sends_too_slowly_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.3)
    with answering(b"HTTP/1.1 ", endless=True) as base:
        assert WebServer(base).status("chat.test", "/") is None


def test_a_large_answer_is_not_read_to_its_end() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100_000, endless=True) as base:
        assert WebServer(base).status("chat.test", "/") == 200


@contextmanager
def keeping(*scripts: list[bytes]) -> Iterator[tuple[str, list[list[bytes]]]]:
    """A server with a script for each connection. It closes it at the end; b"": no answer."""
    seen: list[list[bytes]] = []

    def serve() -> None:
        for script in scripts:
            connected, _ = server.accept()
            with connected:
                requests: list[bytes] = []
                seen.append(requests)
                for answer in script:
                    requests.append(connected.recv(10_000))
                    connected.sendall(answer)
                    if not answer:
                        connected.recv(1)  # until the other end gives up

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", seen
        thread.join()


def reply(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} x", *headers, "Content-Length: 2", "", "{}"]
    return "\r\n".join(lines).encode()


class TestShared:
    """Requests for many realms on one connection."""

    def test_one_connection_for_all_realms(self) -> None:
        with keeping([reply(200), reply(401)]) as (base, seen):
            server = WebServer(base)
            with server.shared():
                assert server.users("a.chat.test", "t1") == 200
                assert server.users("b.chat.test", "t2") == 401
        (requests,) = seen
        assert b"Host: a.chat.test" in requests[0]
        assert b"Host: b.chat.test" in requests[1]
        assert b"t1" not in requests[1]
        assert b"Connection: close" not in requests[0]

    def test_without_sharing_each_request_has_its_own(self) -> None:
        with keeping([reply(200)], [reply(200)]) as (base, seen):
            server = WebServer(base)
            for _ in range(2):
                assert server.users("a.chat.test", "t1") == 200
        assert all(b"Connection: close" in requests[0] for requests in seen)

    def test_a_connection_that_the_server_closed_is_replaced(self) -> None:
        said = [reply(200)], [reply(200, "Connection: close")], [reply(404)]
        with keeping(*said) as (base, seen):
            server = WebServer(base)
            with server.shared():
                asked = [server.status(f"{name}.chat.test", "/") for name in "abc"]
        assert asked == [200, 200, 404]
        assert [len(requests) for requests in seen] == [1, 1, 1]

    def test_a_server_that_wants_another_name_in_tls_gets_its_own_connection(self) -> None:
        with keeping([reply(200), reply(421)], [reply(200)]) as (base, seen):
            server = WebServer(base)
            with server.shared():
                assert [server.status(f"{name}.test", "/") for name in "ab"] == [200, 200]
        assert [len(requests) for requests in seen] == [2, 1]

    def test_an_answer_with_an_unread_rest_ends_the_connection(self) -> None:
        long = b"HTTP/1.1 200 x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
        with keeping([long], [reply(403)]) as (base, _):
            server = WebServer(base)
            with server.shared():
                assert [server.status("a.test", "/") for _ in range(2)] == [200, 403]

    def test_a_slow_answer_is_not_asked_for_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probe, "SECONDS", 0.3)
        with keeping([reply(200), b""]) as (base, seen):
            server = WebServer(base)
            with server.shared():
                assert server.status("a.test", "/") == 200
                assert server.status("b.test", "/") is None
        assert len(seen) == 1


@pytest.mark.parametrize(("count", "connections"), [(1, 1), (9, 1), (10, 2), (500, 4)])
def test_many_realms_are_asked_on_a_few_connections(count: int, connections: int) -> None:
    with web_server(None, script=[200]) as (base, seen):
        asked = list(range(count))
        servers = set()

        def one(server: WebServer, number: int) -> tuple[int, int | None]:
            servers.add(server)
            return number, server.users(f"r{number}.chat.test", "t0ken")

        assert probe.ask_each(base, one, asked) == [(number, 200) for number in asked]
    assert len(seen) == count
    assert len(servers) == connections


def test_an_error_of_one_question_is_raised() -> None:
    def one(server: WebServer, number: int) -> None:
        if number == 37:
            raise AgentError("no")

    with pytest.raises(AgentError, match="no"):
        probe.ask_each(None, one, list(range(50)))


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n"])
def test_an_invalid_answer_counts_as_none(answer: bytes) -> None:
    with answering(answer) as base:
        assert WebServer(base).status("chat.test", "/") is None


# --- the gate ---------------------------------------------------------------------------------

ACME = Question("acme", "acme.chat.test", "t0ken", wanted=True)
GONE = Question("gone", "gone.chat.test", "t0ken", wanted=False)


def passes(
    script: list[int], *questions: Question, before: Sequence[Before] = (), seconds: float = 0.0
) -> int:
    """Return how often the server was asked."""
    with web_server(None, script=script) as (base, seen):
        gate.check_new(WebServer(base), questions, before, seconds)
    return len(seen)


def test_five_good_answers_in_a_row_and_one_wrong_token() -> None:
    assert passes([200] * 5 + [401], ACME) == 6


def test_every_realm_is_asked_and_five_answers_tell_old_workers_from_new_ones() -> None:
    many = [Question(f"r{n}", f"r{n}.chat.test", f"t{n}", wanted=True) for n in range(7)]
    assert passes([200] * 7 + [401] * 7, *many) == 14
    assert passes([200] * 6 + [401] * 2, *many[:2]) == 8
    same = [Before(each.realm, each.host, str(each.token), 200) for each in many[1:]]
    # Six realms keep their tokens, which old workers accept too. So one realm is asked five times.
    assert passes([200] * 11 + [401] * 7, *many, before=same) == 18
    gone = [*many[:6], many[6]._replace(wanted=False)]
    worked = [Before(each.realm, each.host, str(each.token), 200) for each in many]
    assert passes([200] * 6 + [404] * 5 + [401] * 6, *gone, before=worked) == 17


def test_an_old_worker_restarts_the_count() -> None:
    assert passes([200, 200, 401, 502] + [200] * 5 + [401], ACME, seconds=30) == 10


def test_a_removed_realm_may_answer_anything_but_200() -> None:
    assert passes([404], GONE) == 5


@pytest.mark.parametrize(
    ("script", "question", "why"),
    [
        ([401], ACME, "realm acme: the token is not accepted (401)"),
        ([400], ACME, "realm acme: Zulip does not accept the host name (400)"),
        ([404], ACME, "realm acme: there is no such organisation (404)"),
        ([500], ACME, "realm acme: the server fails (500), see /var/log/zulip/errors.log"),
        ([301], ACME, "realm acme: the answer is 301"),
        ([200], ACME, "realm acme: a wrong token was answered with 200, not 401"),
        ([200], GONE, "realm gone: its old token is still accepted"),
        ([401], ACME._replace(realm=""), "realm (root): the token is not accepted (401)"),
    ],
)
def test_wrong_answers_fail_the_gate(script: list[int], question: Question, why: str) -> None:
    with pytest.raises(AgentError) as caught:
        passes(script, question)
    assert caught.value.message == why


def test_no_answer_fails_the_gate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        server = WebServer(f"http://127.0.0.1:{closed.getsockname()[1]}")
    for question in (ACME, GONE):
        with pytest.raises(AgentError, match="there is no answer"):
            gate.check_new(server, [question], (), 0)


def test_the_gate_of_a_rollback_wants_the_old_status_or_better() -> None:
    before = [Before("acme", "acme.chat.test", "t0ken", 401)]
    for status in (200, 401):
        with web_server(None, script=[200, status] * 5) as (base, _):
            gate.check_restored(WebServer(base), before, (), "chat.test", 0)
    with (
        web_server(None, script=[200, 403]) as (base, _),
        pytest.raises(AgentError, match="the answer is 403"),
    ):
        gate.check_restored(WebServer(base), before, (), "chat.test", 0)
    with (
        web_server(None, script=[502]) as (base, _),
        pytest.raises(AgentError, match="the site is down: its web server answers 502"),
    ):
        gate.check_restored(WebServer(base), before, (), "chat.test", 0)


def test_the_gate_of_a_rollback_asks_five_times_about_a_token_that_the_change_replaced() -> None:
    before = [Before(f"r{n}", f"r{n}.chat.test", f"t{n}", 200) for n in range(6)]
    after = [Question(each.realm, each.host, each.token, wanted=True) for each in before[1:]]
    changed = Question("r0", "r0.chat.test", "new", wanted=True)
    # The fifth answer about r0 comes from a worker that still has the new token.
    script = [200] * (1 + 6) + [200, 200] * 3 + [200, 401]
    with (
        web_server(None, script=script) as (base, _),
        pytest.raises(AgentError, match="realm r0: the token is not accepted"),
    ):
        gate.check_restored(WebServer(base), before, [changed, *after], "chat.test", 0)
