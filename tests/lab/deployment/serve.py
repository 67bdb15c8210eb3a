"""The program `zulip-django`, the part of uWSGI.

The supervisor passes two file descriptors: a listening Unix socket, and the write end of a pipe.
This program writes "ready" to the pipe. When the pipe closes, the supervisor knows that it ended.
"""

import os
import socket
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))


class Handler(WSGIRequestHandler):
    """Log nothing: zerver/request_log.py writes server.log."""

    def log_message(self, format, *args):  # noqa: A002
        """Write nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """A server on an existing socket, with one thread for each request."""

    daemon_threads = True
    address_family = socket.AF_UNIX

    def __init__(self, listener):
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()
        self.base_environ["HTTPS"] = "on"

    def get_request(self):
        """Set a client address: a Unix socket has none, and wsgiref needs one."""
        connection, _ = self.socket.accept()
        return connection, ("127.0.0.1", 0)


def main(listener_fd, ready_fd):
    """Load the settings once, and serve until killed."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "zproject.settings"
    from django.core.wsgi import get_wsgi_application
    from django.urls import get_resolver

    application = get_wsgi_application()
    from zerver import database

    database.ensure()
    get_resolver().url_patterns  # noqa: B018  # load all code at the start, as Zulip does
    ServerHandler.server_software = "nginx"
    server = Server(socket.socket(fileno=listener_fd))
    server.set_app(application)
    os.write(ready_fd, b"ready")
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
