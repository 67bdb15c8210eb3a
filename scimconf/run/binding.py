"""List the facts that a person approves together with a plan. Pure.

They are the connection to a server, the programs that run, and the files that are read. A saved
plan binds them: if one changes, the plan is invalid (`saved_plan`). Reports show the same facts. A
field of the model without a function here is bound as a plain value.
"""

from __future__ import annotations

import hashlib
import json
import os.path
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

from scimconf import vault
from scimconf.idp import kinds
from scimconf.model import (
    Connection,
    Deliver,
    Realm,
    Reference,
    Server,
    VaultValue,
    WayFact,
    shared,
)
from scimconf.secret import MASK, Sealed, Secret
from scimconf.tokens.references import SOURCES
from scimconf.zulip.keys import OPTIONAL

UNBOUND: Mapping[str, str] = {
    "Connection.unknown": "why variables are not known: a run that connects stops before a plan",
    "Connection.said": "only says which other fields the inventory sets",
    "Reference.folder": "bound as a path from the inventory's folder, so that a checkout may move",
    "Server.position": "the place in the inventory changes nothing",
    "Server.silenced": "warnings that are not shown; scim_silence is bound",
    "Server.left_alone": "the realms that --realm leaves out; the selected ones are bound",
    "Server.is_partial": "whether --realm is given; a saved plan has the selected realms",
    "Server.peers": "follows from Server.deployment of all servers; only hints show it",
    "Server.words": "the options of this run; only hints show them",
    "Realm.position": "the place in the inventory changes nothing",
}
"""Fields that are not bound as plain values, each with the reason."""

_LAST = "setting"
_IN_WORDS = (
    *("connection", "paths", "realms", "restart", "probe", "ca", "position", "left_alone"),
    *("is_partial", "peers", "moved_from", "silenced", "words", "zone"),
)
_REALM_IN_WORDS = ("string_id", "token", "url", "position", "options", "moved_from", "deliver")
_SSH_WORDS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")


def way(server: Server, reached: tuple[WayFact, ...] = ()) -> tuple[WayFact, ...]:
    """Return the facts about a server; `reached` are those that the connection has added."""
    facts = (
        *_connection(server),
        *_on_the_server(server),
        *_settings(server),
        *(fact for realm in server.realms for fact in _realm(realm, server)),
        *(_masked(fact, server) for fact in reached),
    )
    found = [shared(fact) for fact in facts]
    order = {what: place for place, what in enumerate(dict.fromkeys(fact.what for fact in found))}
    return tuple(sorted(found, key=lambda fact: (fact.what == _LAST, order[fact.what])))


def _connection(server: Server) -> Iterator[WayFact]:
    to = server.connection
    here = _portable(server)
    port = f"port {to.port}" if to.port is not None else "the port of ssh_config, else 22"
    yield _shown(to, "connects to", to.host, "ansible_host")
    yield _shown(to, "connects to", port, "ansible_port")
    yield _shown(to, "connects to", _KINDS[to.kind], "ansible_connection")
    yield _shown(to, "connects to", f"within {to.timeout:g} s", "ansible_timeout")
    if server.zone != "default":
        yield WayFact("connects to", f"by a worker of zone {server.zone}", "scim_zone")
    if to.ssh_arguments:
        names = [name for name in _SSH_WORDS if name in to.said] or ["ansible_ssh_common_args"]
        hidden = [_hidden(to.encrypted[name]) for name in names if name in to.encrypted]
        words = ", ".join(hidden) or shlex.join(map(here, to.ssh_arguments))
        yield WayFact("through", words, ", ".join(names))
    yield _given(to, "logs in as", to.user, "ansible_user", "the user of ssh_config, else your own")
    if to.private_key is not None:
        yield _given(to, "logs in with", here(to.private_key), "ansible_private_key_file")
    for value, what, name in (
        (to.password, "logs in with", "ansible_password"),
        (to.passphrase, "logs in with", "ansible_private_key_passphrase"),
        (to.become_password, "becomes", "ansible_become_password"),
    ):
        if value is not None:
            which = _which(value)
            yield WayFact(what, f"a secret of the inventory, not shown{which}", name)
    another = "another user after the login" if to.become else None
    yield _given(to, "becomes", another, "ansible_become", "no other user")
    if to.become or "ansible_become_user" in to.said:
        whom = to.become_user if to.become_user != server.paths.user else None
        yield _given(to, "becomes", whom, "ansible_become_user", server.paths.user)
    yield _shown(to, "becomes", f"by {to.become_method}", "ansible_become_method")
    if to.become_exe is not None:
        yield _shown(to, "becomes", f"by calling {to.become_exe}", "ansible_become_exe")
    if to.become_flags is not None:
        yield _shown(to, "becomes", f"with the options {to.become_flags}", "ansible_become_flags")


def _masked(fact: WayFact, server: Server) -> WayFact:
    """Mask what the connection has added, if it follows from an encrypted address."""
    follows = fact.what == "connects to" and "ansible_host" in server.connection.encrypted
    return replace(fact, value=MASK) if follows else fact


_KINDS = {"ssh": "over SSH", "local": "on this machine, without SSH"}


def _given(to: Connection, what: str, value: str | None, name: str, default: str = "") -> WayFact:
    """Return a fact that the command line may set if the inventory does not."""
    if name in to.said:
        return _shown(to, what, value or default, name)
    if value is None:
        return WayFact(what, default, "by default", bound=False)
    return WayFact(what, value, "from the command line", bound=False)


def _shown(to: Connection, what: str, value: str, name: str) -> WayFact:
    """Return a fact about a variable; its value is hidden if it was encrypted."""
    sealed = to.encrypted.get(name)
    return WayFact(what, _hidden(sealed) if sealed else value, name)


def _hidden(value: Sealed) -> str:
    return f"an encrypted value of the inventory, not shown ({value.digest})"


def _on_the_server(server: Server) -> Iterator[WayFact]:
    paths, restart = server.paths, server.restart
    python = server.connection.python or "the deployment's Python, else python3"
    how = restart if isinstance(restart, str) else f"command: {shlex.join(restart)}"
    yield WayFact("runs on the server as", paths.user, "zulip_user")
    yield _shown(server.connection, "runs on the server", python, "ansible_python_interpreter")
    yield WayFact("runs on the server", paths.deployment, "zulip_deployment")
    yield WayFact("restarts with", how, "scim_restart")
    yield WayFact("changes", paths.settings, "zulip_settings")
    yield WayFact("changes", paths.secrets, "zulip_secrets")
    probe = server.probe or "https on port 443, then http on port 80"
    yield WayFact("local web server", probe, "scim_probe")
    if server.ca is not None:
        yield WayFact("reads on this machine", _below(server.ca, server), "scim_ca")


def _settings(server: Server) -> Iterator[WayFact]:
    for field in fields(server):
        if field.name not in _IN_WORDS:
            name = _NAMES.get(field.name, f"scim_{field.name}")
            yield WayFact(_LAST, _plain(getattr(server, field.name)), name)
    if server.moved_from:
        yield WayFact(_LAST, _plain(server.moved_from), "scim_moved_from")


_NAMES = {"name": "inventory_hostname", "external_host": "zulip_external_host"}


def _realm(realm: Realm, server: Server) -> Iterator[WayFact]:
    name = f"scim_realms.{realm.string_id or chr(34) * 2}"
    what, value = _token(realm, server)
    yield WayFact(what, value, f"{name}.token")
    yield WayFact("public URL", realm.url, f"{name}.url")
    if realm.moved_from is not None:
        yield WayFact(_LAST, realm.moved_from or "(root)", f"{name}.moved_from")
    if realm.deliver is not None:
        yield from _delivery(realm.deliver, f"{name}.deliver", server)
    rest = (each.name for each in fields(realm) if each.name not in _REALM_IN_WORDS)
    values = {each: getattr(realm, each) for each in rest}
    values |= {key.variable: key.value(realm) for key in OPTIONAL}
    said = ", ".join(f"{each} {_plain(value)}" for each, value in values.items())
    yield WayFact(_LAST, said, name)


def _token(realm: Realm, server: Server) -> tuple[str, str]:
    """Return what this machine does to get a token, and where it is kept; never the token."""
    token = realm.token
    if isinstance(token, Reference):
        words = shlex.join(map(_portable(server), token.words))
        source = SOURCES[token.kind]
        what = "runs on this machine" if source.runs_program else "reads on this machine"
        where = f", in the folder {_from(server, token.folder)}" if source.uses_folder else ""
        return what, f"{token.kind}: {words}{where}"
    if isinstance(token, VaultValue):
        return "reads on this machine", f"a vault value of the inventory{_which(token)}"
    if isinstance(token, Sealed):
        return "reads on this machine", f"an encrypted value of the inventory{_which(token)}"
    if isinstance(token, Secret):
        return "reads on this machine", "in clear text in the inventory"
    return "reads on this machine", "the token file"


def _delivery(deliver: Deliver, name: str, server: Server) -> Iterator[WayFact]:
    """Yield where a token goes, and what this machine runs and reads for it."""
    here = _portable(server)
    if deliver.kind == "command":
        words = shlex.join(map(here, kinds.words(deliver)))
        text = f"command: {words}, in the folder {_from(server, deliver.folder)}"
        yield WayFact("runs on this machine", text, name)
        return
    text = kinds.destination(deliver).text
    yield WayFact("delivers the token to", text, name)
    for number, reference in enumerate(kinds.credentials(deliver)):
        words = f"{reference.kind}: {shlex.join(map(here, reference.words))}"
        where = SOURCES[reference.kind].uses_folder
        folder = f", in the folder {_from(server, reference.folder)}" if where else ""
        which = f"{name}.credential" + (f".{number}" if number else "")
        yield WayFact("reads on this machine", f"{words}{folder}", which)
    rest = {
        key: _below(str(value), server) if key == "ca" else value
        for key, value in sorted(deliver.settings.items())
        if not isinstance(value, Reference)
    }
    said = ", ".join(f"{key} {_plain(value)}" for key, value in rest.items())
    yield WayFact(_LAST, said, f"{name}.{deliver.kind}")


def _which(value: VaultValue | Secret) -> str:
    """Return a text that identifies an encrypted value, whatever its line breaks; not secret."""
    if not isinstance(value, VaultValue):
        return f" (encrypted value {value.digest})" if isinstance(value, Sealed) else ""
    identity = vault.identity(value.ciphertext)
    return f" (vault value {hashlib.sha256(identity).hexdigest()[:16]})" if identity else ""


def _plain(value: object) -> str:
    """Return a value as JSON; text of simple characters has no quotes."""
    if isinstance(value, str) and re.fullmatch(r"[\w.:@-]+", value):
        return value
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, sort_keys=True)


# --- paths of this machine, relative to the inventory, so that a checkout may move ----------------


def _folder(server: Server) -> Path:
    return Path(server.position.file if server.position else "x").absolute().parent


def _from(server: Server, folder: str) -> str:
    """Return the path to a folder from the inventory's folder."""
    return os.path.relpath(Path(folder).absolute(), _folder(server))


def _below(path: str, server: Server) -> str:
    """Return a path below the inventory's folder as a relative path, any other path unchanged."""
    whole, folder = Path(path).absolute(), _folder(server)
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else path


def _portable(server: Server) -> Callable[[str], str]:
    """Return a function that replaces the inventory's folder in a text by `{{ inventory_dir }}`."""
    folder = str(_folder(server)).rstrip("/")
    if not folder:
        return lambda text: text
    start = re.compile(rf"(?<![\w.~/-]){re.escape(folder)}(?=/)")
    return lambda text: start.sub("{{ inventory_dir }}", text)
