"""`make lab`: start the demo's three servers, to try scimconf on them. Ctrl-C stops them."""

from __future__ import annotations

import shlex
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.lab import Lab, Server
from tests.lab.demo import FLEET, INVENTORY
from tests.lab.operator import VAULT, Operator


def main() -> int:
    """Start the servers, print how to use them, and wait."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(ending, signal.default_int_handler)
    try:
        with Lab() as lab:
            with ThreadPoolExecutor() as pool:
                servers = list(pool.map(lambda name: lab.server(name, **FLEET[name]), FLEET))
            operator = Operator(lab, lab.folder / "operator")
            operator.write_inventory(INVENTORY)
            print(_text(operator, servers), flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("\nThe servers are stopped and their files are deleted.")
    return 0


def _text(operator: Operator, servers: list[Server]) -> str:
    """Return the instructions for another terminal."""
    lab = operator.lab
    shell = operator.folder / "environment"
    wanted = operator.bare_environment()
    del wanted["PATH"]
    shell.write_text("".join(f"export {k}={shlex.quote(v)}\n" for k, v in wanted.items()))
    scimconf = f"{shlex.quote(sys.executable)} -m scimconf"
    server = servers[1]
    lines = [
        "",
        *(f"{one.name}: Zulip {one.version}, {one.url()}" for one in servers),
        "",
        f"inventory: {operator.inventory}",
        "",
        "In another terminal:",
        "    bash",
        f"    cd {shlex.quote(str(operator.folder))} && . ./environment",
        f"    {scimconf} plan",
        f"    {scimconf} apply {shlex.join(VAULT)}",
        f"    {scimconf} verify {shlex.join(VAULT)}",
        f"    curl --cacert {shlex.quote(str(lab.ca))} --resolve {server.host('acme')}:127.0.0.1"
        f" -i {server.url('acme')}/scim/v2/Users",
    ]
    if server.ssh_port:
        key = shlex.quote(str(lab.client_key))
        known = shlex.quote(f'UserKnownHostsFile="{lab.known_hosts}"')
        lines.append(f"    ssh -i {key} -o {known} -p {server.ssh_port} {server.user}@127.0.0.1")
    return "\n".join([*lines, "", "Ctrl-C stops the servers."])


if __name__ == "__main__":
    sys.exit(main())
