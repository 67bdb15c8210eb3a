"""The part of nginx: TLS on the public port, Django behind it, 502 if Django is down."""

import contextlib
import select
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
    """Copy bytes between a client's TLS connection and Django's Unix socket."""

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
                self._answer(client)
                client.settimeout(1)
                client.unwrap()
        except OSError:  # the client disconnected, or refused the certificate
            connection.close()

    def _answer(self, client):
        try:
            backend = self._supervisor.connect()
        except OSError:
            client.recv(65536)
            client.sendall(DOWN)
            return
        with backend:
            if not _exchange(client, backend):
                client.sendall(DOWN)


def _exchange(client, backend):
    """Copy bytes both ways until one side ends. Return whether there was an answer.

    This uses one thread, because two threads must not use one OpenSSL connection.
    """
    answered = False
    while True:
        ready = [client]
        if not client.pending():
            ready, _, _ = select.select([client, backend], [], [], PATIENCE)
        if client in ready:
            data = client.recv(65536)
            if not data:
                return True
            with contextlib.suppress(ConnectionError):  # Django died; the end of file follows
                backend.sendall(data)
        if backend in ready:
            data = _received(backend)
            if not data:
                return answered
            client.sendall(data)
            answered = True
        if not ready:
            return answered


def _received(backend):
    try:
        return backend.recv(65536)
    except ConnectionResetError:  # Django was killed during the request
        return b""
