"""Show the inventory: a listing for programs, and a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scimconf.idp.kinds import words
from scimconf.model import Deliver, Realm, Reference, Server
from scimconf.secret import MASK
from scimconf.tokens.references import SOURCES

_ALL = "all"
"""Its own hosts are listed in `ungrouped` or another group only, as in Ansible."""


@dataclass(frozen=True, slots=True)
class Node:
    """A group: its child groups and its own hosts."""

    children: tuple[str, ...]
    hosts: tuple[str, ...]


def listing(
    tree: Mapping[str, Node], servers: Mapping[str, Server], hosts: Sequence[str]
) -> dict[str, Any]:
    """Return the structure of `ansible-inventory --list`, limited to these hosts.

    `_meta.hostvars` has the variables that scimconf uses, with defaults and with secrets masked.
    Other variables are left out, and those that could not be decrypted.
    """
    wanted = set(hosts)
    hostvars = {name: variables(servers[name]) for name in hosts if name in servers}
    found: dict[str, Any] = {"_meta": {"hostvars": hostvars}}
    for name, node in tree.items():
        group: dict[str, Any] = {}
        if node.children:
            group["children"] = list(node.children)
        chosen = [host for host in node.hosts if host in wanted]
        if chosen and name != _ALL:
            group["hosts"] = chosen
        found[name] = group
    return found


def graph(tree: Mapping[str, Node]) -> str:
    """Return groups and hosts as `ansible-inventory --graph` draws them."""
    return "\n".join(_lines(tree, _ALL, 0))


def _lines(tree: Mapping[str, Node], name: str, depth: int) -> Iterator[str]:
    yield _line(f"@{name}:", depth)
    for child in tree[name].children:
        yield from _lines(tree, child, depth + 1)
    for host in tree[name].hosts if name != _ALL else ():
        yield _line(host, depth + 1)


def _line(text: str, depth: int) -> str:
    return f"{'  |' * depth}{'--' if depth else ''}{text}"


def variables(server: Server) -> dict[str, Any]:
    """Return the variables that describe a server, with secrets masked."""
    how = server.connection
    found = {
        "ansible_connection": how.kind,
        "ansible_host": how.host,
        "ansible_port": how.port,
        "ansible_user": how.user,
        "ansible_password": str(how.password) if how.password else None,
        "ansible_ssh_private_key_file": how.private_key,
        "ansible_become": how.become,
        "ansible_become_method": how.become_method,
        "ansible_become_user": how.become_user,
        "ansible_become_password": str(how.become_password) if how.become_password else None,
        "ansible_python_interpreter": how.python,
        "ansible_ssh_timeout": how.timeout,
        "zulip_external_host": server.external_host,
        "zulip_settings": server.paths.settings,
        "zulip_secrets": server.paths.secrets,
        "zulip_deployment": server.paths.deployment,
        "zulip_user": server.paths.user,
        "scim_token_store": server.token_store,
        "scim_unmanaged": server.unmanaged,
        "scim_deployment": server.deployment,
        "scim_restart": _plain(server.restart),
        "scim_restart_timeout": server.restart_timeout,
        "scim_gate_timeout": server.gate_timeout,
        "scim_probe": server.probe,
        "scim_verify": server.verify,
        "scim_ca": server.ca,
        "scim_silence": list(server.silence) or None,
        "scim_realms": {realm.string_id: _realm(realm) for realm in server.realms},
    }
    masked = {_OTHER_NAMES.get(name, name): MASK for name in how.encrypted}
    found |= {name: mask for name, mask in masked.items() if name in found}
    hidden = {_OTHER_NAMES.get(name, name) for name in how.unknown}
    shown = {name: value for name, value in found.items() if name not in hidden}
    return {name: value for name, value in shown.items() if value is not None}


_OTHER_NAMES = {
    "ansible_private_key_file": "ansible_ssh_private_key_file",
    "ansible_timeout": "ansible_ssh_timeout",
}
"""The names of this listing that are not the first spelling (`connection.SPELLINGS`)."""


def _plain(value: str | tuple[str, ...]) -> str | list[str]:
    return list(value) if isinstance(value, tuple) else value


def _realm(realm: Realm) -> dict[str, Any]:
    token = realm.token
    found = {
        "idp": realm.idp,
        "client": realm.client,
        "name_formatted_included": realm.name_formatted_included,
        **realm.options,
        "token": _reference(token) if isinstance(token, Reference) else token and str(token),
        "url": realm.url,
        "state": "present" if realm.present else "absent",
        "deliver": realm.deliver and _deliver(realm.deliver),
    }
    return {name: value for name, value in found.items() if value is not None}


def _deliver(deliver: Deliver) -> dict[str, Any]:
    if deliver.kind == "command":
        return {deliver.kind: list(words(deliver))}
    return {
        deliver.kind: {
            name: str(value) if isinstance(value, Reference) else value
            for name, value in deliver.settings.items()
        }
    }


def _reference(token: Reference) -> str | dict[str, list[str]]:
    takes_list = SOURCES[token.kind].takes_list
    return {token.kind: list(token.words)} if takes_list else str(token)
