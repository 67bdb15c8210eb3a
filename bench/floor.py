"""The floor: the least work that a plan needs. `python -m bench.floor REQUESTS FORKS`.

It opens one paramiko connection to each target, in threads, and runs the same agent with the same
request. It uses TCP_NODELAY and TCP_QUICKACK, checks the host key, and sends program and request
together because nothing asks for a password. It has no inventory, ssh_config, plan or report.
"""

from __future__ import annotations

import base64
import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]


class QuickSocket(socket.socket):
    """A socket that acknowledges at once. Linux resets the option, so each read sets it again."""

    def recv(self, *arguments: int) -> bytes:
        data = super().recv(*arguments)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def observe(target: dict[str, Any], common: dict[str, Any], key: paramiko.PKey) -> bool:
    """Send the request to one target. Return whether it answered."""
    plain = socket.create_connection((target["address"], target["port"]), 60)
    connection = QuickSocket(fileno=plain.detach())
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connection)
    try:
        security = transport.get_security_options()
        security.key_types = ("ssh-ed25519",)
        transport.start_client(timeout=60)
        if transport.get_remote_server_key().get_base64() != common["host_key"]:
            raise SystemExit(f"{target['address']} is another server")
        transport.auth_publickey(common["user"], key)
        channel = transport.open_session()
        channel.exec_command(target["line"])
        channel.sendall(common["program"] + target["request"].encode() + b"\n")
        answer = b""
        while answer.count(b"\n") < 2:
            data = channel.recv(1 << 20)
            if not data:
                return False
            answer += data
        return bool(json.loads(answer.splitlines()[1])["result"] == "observed")
    finally:
        transport.close()


def main(requests: str, forks: str) -> None:
    work = json.loads(Path(requests).read_text())
    common = work["common"]
    common["program"] = base64.b64decode(common["program"])
    key = paramiko.Ed25519Key.from_private_key_file(common["key"])
    with ThreadPoolExecutor(int(forks)) as pool:
        answers = list(pool.map(lambda target: observe(target, common, key), work["targets"]))
    print(f"{sum(answers)} of {len(answers)} observed")
    sys.exit(not all(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
