"""`make rotations`: rotate 50 times while the identity provider provisions without a pause.

Print how many of its requests Zulip refused: with `deliver`, and without it. Without it, somebody
enters the new token as soon as the rotation has ended, which is faster than any person.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab import Lab
from tests.lab.idp import Graph
from tests.lab.operator import VAULT, Operator


def rotations(lab: Lab, folder: Path, times: int, *, deliver: bool) -> tuple[int, int, int]:
    """Rotate; return the requests that were sent, those refused, and the users wrong at the end."""
    name = f"{'with' if deliver else 'without'}.test"
    server = lab.server(name, version="9.0", realms=["acme"])
    operator = Operator(lab, folder / name)
    with lab.identity_provider(Graph) as graph:
        env = {**lab.environment(), **graph.environment(lab.ca)}
        client = graph.client
        client.users = {f"user{n}@example.com": f"User {n}" for n in range(5)}
        realm = {"idp": "entra", **({"deliver": graph.settings()} if deliver else {})}
        variables = {"scim_realms": {"acme": realm}, "scim_token_store": "secrets"}
        operator.write_inventory({name: variables})
        hosts = ("--idp-host", graph.entry)
        done = operator.run("apply", "--yes", "--create-tokens", *VAULT, *hosts, env=env)
        assert done.returncode == 0, done
        client.base_url = f"{server.url('acme')}/scim/v2"
        client.token = operator.token(name, "acme")
        with client.always():
            for _ in range(times):
                done = operator.run("rotate", "--yes", *VAULT, *hosts, env=env)
                assert done.returncode == 0, done
                if not deliver:
                    client.token = operator.token(name, "acme")
                    client.quarantined, client.failures = False, 0
        sent, refused = len(client.sent), client.refused
        assert client.token == operator.token(name, "acme")
        client.cycle()
        wrong = len(client.wrong())
    server.stop()
    return sent, refused, wrong


def main(times: int) -> None:
    """Print a table."""
    print("| deliver | rotations | requests of the provider | refused | users wrong at the end |")
    print("|---|---|---|---|---|")
    with Lab() as lab, TemporaryDirectory() as folder:
        for deliver in (True, False):
            counts = rotations(lab, Path(folder), times, deliver=deliver)
            word = "yes" if deliver else "no"
            print(f"| {word} | {times} | {' | '.join(map(str, counts))} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50)
