"""The part of nginx: TLS on the public port, Django behind it, 502 if Django is down."""

import contextlib
import socket
import ssl
import threading

PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>\r\n"
DOWN = (
    b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nContent-Type: text/html\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(PAGE), PAGE)
)
PATIENCE = 60  # seconds without data, after which a connection is closed


class Front:
    """Pass requests on from a client's TLS connection to Django's Unix socket."""

    def __init__(self, listener, certificate, supervisor):
        self._listener = listener
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._supervisor = supervisor

    def serve(self):
        """Serve forever, with one thread for each connection."""
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        connection.settimeout(PATIENCE)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._context.wrap_socket(connection, server_side=True) as client:
                requests = client.makefile("rb")
                while self._answer(client, requests):
                    pass
                client.settimeout(1)
                client.unwrap()
        except OSError:  # the client disconnected, or refused the certificate
            connection.close()

    def _answer(self, client, requests):
        """Answer one request. Return whether the client may send another one (keep-alive)."""
        head = _head(requests)
        if not head:
            return False
        fields = _fields(head)
        body = requests.read(int(fields.get(b"content-length", 0)))
        try:
            answer = _of_django(self._supervisor.connect(), head + body)
        except OSError:
            answer = b""
        top, _, rest = answer.partition(b"\r\n\r\n")
        if not top:
            client.sendall(DOWN)
            return False
        keep = fields.get(b"connection", b"").lower() != b"close"
        length = b"Content-Length: %d\r\n" % len(rest)
        client.sendall(
            b"HTTP/1.1 %s\r\n%sConnection: %s\r\n\r\n%s"
            % (
                top.partition(b" ")[2],  # wsgiref says HTTP/1.0
                b"" if b"content-length" in _fields(top) else length,
                b"keep-alive" if keep else b"close",
                rest,
            )
        )
        return keep


def _head(requests):
    """Return the request line and the header fields; b"" at the end of the connection."""
    lines = []
    while line := requests.readline(65536):
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _fields(head):
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}


def _of_django(backend, request):
    """Send a request to Django, on a connection of its own as nginx does. Return the answer."""
    answer = []
    with backend:
        backend.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionError):  # Django was killed during the request
            backend.sendall(request)
            while data := backend.recv(65536):
                answer.append(data)
    return b"".join(answer)
