"""A small Zulip for unit tests: the files, scripts and web server that the agent uses.

The web server answers with the settings that restart-server has loaded, so only a restart shows a
change. `behaviour.json` sets how the scripts behave. tests/lab has more realistic servers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SETTINGS = """\
from .config import get_secret

EXTERNAL_HOST = "chat.test"
import datetime

ODD = [datetime.datetime, object()]
"""
SECRETS = "[secrets]\nsalt = x\n"

# /bin/sh runs this and Python ignores it. A `#!` line cannot have a space in its path.
_LAUNCHER = "#!/bin/sh\n''':'\nexec {launcher} \"$0\" \"$@\"\n'''\n"
_PRELUDE = """\
import json, os, sys
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0]))))
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
sys.dont_write_bytecode = True
root = {root!r}
behaviour = json.load(open(root + "/behaviour.json"))
open(root + "/argv.log", "a").write(json.dumps(sys.argv[1:]) + "\\n")
"""
_RESTART = """
stopped = root + "/stopped"
if behaviour.get("stops_first"):
    open(stopped, "w").close()
import fcntl
alone = open(root + "/restarting", "w")
try:
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    open(root + "/two-restarts", "w").close()
    sys.stderr.write("supervisorctl: zulip-django: ERROR (already started)\\n")
    sys.exit(7)
if behaviour.get("kills_agent") in ("restart", "restart, which waits"):
    # Between the agent and us is the shell that holds the lock of the restart.
    with open("/proc/%d/stat" % os.getppid()) as file:
        os.kill(int(file.read().rpartition(")")[2].split()[1]), 9)
if behaviour.get("kills_agent") == "restart, which waits":
    import time
    while not os.path.exists(root + "/go"):
        time.sleep(0.01)
from zproject import settings
config = getattr(settings, "SCIM_CONFIG", {{}})
concerned = behaviour.get("only_with") in (None, *config)
if behaviour.get("restart_hangs") and concerned:
    import time
    time.sleep(600)
if behaviour.get("restart_exit") and concerned:
    sys.stderr.write("restart-server: no\\n")
    sys.exit(behaviour["restart_exit"])
running = {{realm: each["bearer_token"] for realm, each in config.items()}}
with open(root + "/running.new", "w") as file:
    json.dump(running, file)
os.rename(root + "/running.new", root + "/running.json")
if os.path.exists(stopped):
    os.unlink(stopped)
"""
_MANAGE = """
if behaviour.get("manage_exit"):
    sys.stderr.write("Traceback\\nmanage.py: no\\n")
    sys.exit(behaviour["manage_exit"])
from zerver.models import Realm, SCIMClient
if sys.argv[1] == "shell":
    exec(sys.stdin.read(), {{}})
else:
    _, name, _, number = sys.argv[1:]
    realm = {{str(number): realm for realm, number in Realm.everything()}}[number]
    known = SCIMClient.everything()
    if [realm, name] in known:
        sys.stderr.write("IntegrityError: Key already exists.\\n")
        sys.exit(1)
    if behaviour.get("add_fails") == "before":
        sys.exit("OperationalError: no")
    SCIMClient.save([*known, [realm, name]])
    if behaviour.get("kills_agent") == "register":
        os.kill(os.getppid(), 9)
    if behaviour.get("add_fails") == "after":
        sys.exit("OperationalError: no")
"""
_MODELS = """\
import json
ROOT = {root!r}


class Query:
    def __init__(self, rows):
        self.rows = rows

    def values_list(self, *names):
        return self.rows


class Rows(Query):
    def __init__(self, rows, forget=None):
        super().__init__(rows)
        self.forget = forget

    def filter(self, string_id__in=None, realm__string_id=None, name=None):
        if string_id__in is not None:
            return Query([row for row in self.rows if row[0] in string_id__in])
        return Rows([row for row in self.rows if row == [realm__string_id, name]], self.forget)

    def delete(self):
        self.forget(self.rows)


class Meta(type):
    @property
    def objects(cls):
        return Rows(cls.everything(), cls.forget)


class SCIMClient(metaclass=Meta):
    @staticmethod
    def everything():
        return json.load(open(ROOT + "/clients.json"))

    @staticmethod
    def save(rows):
        json.dump(rows, open(ROOT + "/clients.json", "w"))

    @classmethod
    def forget(cls, rows):
        cls.save([row for row in cls.everything() if row not in rows])


class Realm(metaclass=Meta):
    @staticmethod
    def everything():
        return [["", 2], ["acme", 3], ["beta", 4], ["4", 5]]

    forget = None
"""
_CONFIG = """\
import configparser
_parser = configparser.RawConfigParser()
_parser.read({secrets!r})


def get_secret(name):
    return _parser.get("secrets", name, fallback=None)
"""


class Zulip:
    """A deployment in a folder, with the facts of one server.

    `python` runs its scripts: another user may not be able to start the Python of the tests.
    """

    def __init__(
        self,
        root: Path,
        version: str = "9.0",
        settings: str = SETTINGS,
        python: str = sys.executable,
    ) -> None:
        self.root = root
        self.python = python
        self.settings = root / "etc/settings.py"
        self.secrets = root / "etc/zulip-secrets.conf"
        self.deployment = root / "home/deployments/current"
        self.state = root / "home/.scimconf"
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(settings)
        self.secrets.write_text(SECRETS)
        self.secrets.chmod(0o640)
        self.behave()
        self.register([])
        (root / "running.json").write_text("{}")
        self._deploy(version)
        self.base = ""

    def _deploy(self, version: str) -> None:
        old = version.startswith("5")
        names: dict[str, Any] = {"root": str(self.root), "secrets": str(self.secrets)}
        files = {
            "version.py": f'import os\n\nZULIP_VERSION = "{version}"\n',
            "zproject/__init__.py": "",
            "zproject/config.py": _CONFIG.format(**names),
            "zproject/configured_settings.py": "from .prod_settings import *\n",
            "zproject/settings.py": "from .configured_settings import *\n",
            "zerver/__init__.py": "",
            "zerver/models.py": _MODELS.format(**names),
            "scripts/restart-server": (_LAUNCHER + _PRELUDE + _RESTART).format(
                launcher=shlex.quote(str(self.python)), **names
            ),
            "manage.py": f"{_PRELUDE}{_MANAGE}".format(**names),
        }
        if old:
            files["zerver/management/commands/add_scim_client.py"] = ""
        for name, text in files.items():
            path = self.deployment / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.deployment / "scripts/restart-server").chmod(0o755)
        (self.deployment / "zproject/prod_settings.py").symlink_to(self.settings)
        python = self.deployment / ("zulip-py3-venv" if old else ".venv") / "bin/python3"
        python.parent.mkdir(parents=True)
        python.symlink_to(os.path.realpath(self.python))

    # --- behaviour and state ------------------------------------------------------------------

    def behave(self, **how: Any) -> None:
        (self.root / "behaviour.json").write_text(json.dumps(how))

    def behaviour(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "behaviour.json").read_text())
        return found

    def register(self, clients: list[list[str]]) -> None:
        (self.root / "clients.json").write_text(json.dumps(clients))

    def clients(self) -> list[list[str]]:
        found: list[list[str]] = json.loads((self.root / "clients.json").read_text())
        return found

    def running(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.root / "running.json").read_text())
        return found

    def run_with(self, **tokens: str) -> None:
        (self.root / "running.json").write_text(json.dumps(tokens))

    def argv(self) -> str:
        log = self.root / "argv.log"
        return log.read_text() if log.exists() else ""

    def pair(self) -> tuple[bytes, bytes]:
        return self.settings.read_bytes(), self.secrets.read_bytes()

    def litter(self) -> list[str]:
        """Return the files that do not belong in /etc/zulip."""
        known = {"settings.py", "zulip-secrets.conf"}
        return [each.name for each in self.settings.parent.iterdir() if each.name not in known]

    # --- requests -----------------------------------------------------------------------------

    def paths(self) -> dict[str, str]:
        return {
            "settings": str(self.settings),
            "secrets": str(self.secrets),
            "deployment": str(self.deployment),
            "user": "zulip",
        }

    def observe(self, ask: bool = True, **realms: str | None) -> dict[str, Any]:
        """Return a request to observe realms (string_id -> fingerprint)."""
        asked = {
            realm: {"host": f"{realm}.chat.test", "client": "okta", "fingerprint": known}
            for realm, known in realms.items()
        }
        paths = self.paths()
        return {"do": "observe", "paths": paths, "probe": self.base, "ask": ask, "realms": asked}

    def apply(self, *, store: str = "settings", **tokens: str | None) -> dict[str, Any]:
        """Return a request that sets the tokens of realms, or (None) removes realms."""
        entries: dict[str, str | None] = {}
        wanted: dict[str, Any] = {}
        new: dict[str, str] = {}
        for realm, token in tokens.items():
            entries[realm] = wanted[realm] = None
            if token is not None:
                name = f"scim_bearer_token_{realm}"
                source = f'"{token}"' if store == "settings" else f'get_secret("{name}")'
                entries[realm] = entry(realm, source)
                wanted[realm] = {"bearer_token": token, "scim_client_name": "okta"}
                if store == "secrets":
                    new[name] = token
        settings, secrets = (hashlib.sha256(data).hexdigest() for data in self.pair())
        gate = {
            realm: {"host": f"{realm}.chat.test", "token": token} for realm, token in tokens.items()
        }
        return {
            "do": "apply",
            "paths": self.paths(),
            "probe": self.base,
            "expect": {"settings_sha256": settings, "secrets_sha256": secrets},
            "entries": entries,
            "wanted": wanted,
            "secrets": {"set": new, "remove": []},
            "clients": {"add": [], "remove": []},
            "restart": [str(self.deployment / "scripts/restart-server")],
            "restart_timeout": 30,
            "gate": gate,
            "gate_timeout": 0.2,
        }


def entry(realm: str, source: str) -> str:
    return (
        f'"{realm}": {{\n        "bearer_token": {source},\n'
        '        "scim_client_name": "okta",\n    }'
    )


# --- the web server ---------------------------------------------------------------------------


@contextmanager
def web_server(
    zulip: Zulip | None, context: ssl.SSLContext | None = None, script: list[int] | None = None
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve on loopback. Yield the base URL and the requests. `script`: the statuses, in order."""
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            if zulip and self._spoilt(zulip):
                return
            status = self._scripted() if script is not None else self._status()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def _spoilt(self, zulip: Zulip) -> bool:
            """Answer a SCIM request with something invalid, if the behaviour says so."""
            behaviour = zulip.behaviour()
            way = behaviour.get("spoils")
            wanted = behaviour.get("only_with") in (None, *zulip.running())
            if way is None or not wanted or not self.path.startswith("/scim"):
                return False
            self.close_connection = True
            if way == "garbage":
                self.wfile.write(b"\x00\xff nonsense\x1b[2J\r\n\r\n")
            while way == "trickle":  # until the other end closes the connection
                self.wfile.write(b"H")
                time.sleep(0.05)
            if way == "nothing":
                self.rfile.read(1)
            return True

        def _scripted(self) -> int:
            assert script is not None
            return script.pop(0) if len(script) > 1 else script[0]

        def _status(self) -> int:
            assert zulip is not None
            behaviour = zulip.behaviour()
            if behaviour.get("down") or (zulip.root / "stopped").exists():
                return 502
            if not self.path.startswith("/scim"):
                return 200
            realm = self.headers["Host"].removesuffix("chat.test").removesuffix(".")
            given = self.headers.get("Authorization", "")
            token = zulip.running().get(realm)
            if behaviour.get("status") and behaviour.get("only_with") in (None, *zulip.running()):
                return int(behaviour["status"])
            registered = zulip.clients() if behaviour.get("wants_clients") else [[realm, "okta"]]
            if token is None or given != f"Bearer {token}":
                return 200 if behaviour.get("lets_all_in") else 401
            return 200 if [realm, "okta"] in registered else 500

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # some tests close the connection early

        def get_request(self) -> tuple[socket.socket, Any]:
            connected, address = super().get_request()
            if context:
                connected.settimeout(10)
                connected = context.wrap_socket(connected, server_side=True)
            return connected, address

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    scheme = "https" if context else "http"
    try:
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
