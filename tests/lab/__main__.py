"""`make lab`: three Zulip servers in the foreground, to try scimconf on. Ctrl-C ends them."""

from __future__ import annotations

import shlex
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.lab import Lab, Server

SERVERS: dict[str, dict[str, Any]] = {
    "chat56.test": {"version": "5.6", "realms": ["acme"]},
    "chat90.test": {"version": "9.0", "realms": ["", "acme", "wiki"]},
    "chat121.test": {"version": "12.1", "realms": ["", "acme"]},
}
VARIABLES: dict[str, dict[str, Any]] = {
    "chat56.test": {"scim_idp": "okta", "scim_realms": {"acme": {}}},
    "chat90.test": {
        "scim_idp": "okta",
        "scim_realms": {"acme": {}, "wiki": {}, "": {"idp": "entra"}},
    },
    "chat121.test": {
        "scim_idp": "entra",
        "scim_token_store": "secrets",
        "scim_realms": {"acme": {}},
    },
}


def main() -> int:
    """Start, say how to use it, wait."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Lab() as lab:
            with ThreadPoolExecutor() as pool:
                servers = list(pool.map(lambda name: lab.server(name, **SERVERS[name]), SERVERS))
            print(_text(lab, servers, lab.inventory(VARIABLES)), flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("\nended, nothing is left")
    return 0


def _text(lab: Lab, servers: list[Server], inventory: Path) -> str:
    """Give what to type in another terminal."""
    environment = lab.environment()
    settings = lab.folder / "environment"
    settings.write_text(
        "".join(
            f"export {name}={shlex.quote(environment[name])}\n" for name in ("HOME", "PYTHONPATH")
        )
    )
    scimconf = f"{shlex.quote(sys.executable)} -m scimconf"
    lines = ["", *(f"{server.name}: Zulip {server.version}, {server.url()}" for server in servers)]
    lines += [
        "",
        f"inventory: {inventory}",
        "",
        "In another terminal:",
        "    bash",
        f"    . {shlex.quote(str(settings))}",
    ]
    lines += [f"    {scimconf} plan -i {shlex.quote(str(inventory))}"]
    lines += [f"    {scimconf} apply -i {shlex.quote(str(inventory))}"]
    server = servers[1]
    if server.ssh_port:
        key = shlex.quote(str(lab.client_key))
        lines.append(f"    ssh -i {key} -p {server.ssh_port} {server.user}@127.0.0.1")
    host = server.host("acme")
    lines.append(
        f"    curl --cacert {shlex.quote(str(lab.ca))} --resolve {host}:127.0.0.1"
        f" -i {server.url('acme')}/scim/v2/Users"
    )
    lines += ["", "Ctrl-C ends it."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
