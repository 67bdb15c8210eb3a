"""`make demo`: configure SCIM on three Zulip servers, break them, repair them, check each result.

Everything except Zulip itself is real: sshd, the zulip users, TLS, Django with django-scim2. Each
act runs scimconf as an operator would and checks the result. The first wrong result ends the demo
with exit code 1.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lab import Lab
from tests.lab.crossing import Crossing, until
from tests.lab.idp import Graph
from tests.lab.operator import VAULT, Operator
from tests.lab.provider import entra, okta, scim

FLEET: Mapping[str, Mapping[str, Any]] = {
    "chat56.test": {"version": "5.6", "realms": ["acme"]},
    "chat90.test": {"version": "9.0", "realms": ["", "acme", "wiki"]},
    "chat121.test": {"version": "12.1", "realms": [""]},
}
INVENTORY: Mapping[str, Mapping[str, Any]] = {
    "chat56.test": {"scim_realms": {"acme": {}}},
    "chat90.test": {"scim_realms": {"acme": {}, "wiki": {"idp": "entra"}, "": {"idp": "entra"}}},
    "chat121.test": {"scim_realms": {"": {}}, "scim_token_store": "secrets"},
}


class Failed(Exception):
    """A check failed."""


def check(holds: bool, what: str) -> None:
    """Print the check if it holds. Raise Failed if not."""
    if not holds:
        raise Failed(what)
    print(f"    ok: {what}")


class Demo:
    """The servers of the demo and their operator."""

    def __init__(self, lab: Lab) -> None:
        with ThreadPoolExecutor() as pool:
            start = lambda item: lab.server(item[0], **item[1])  # noqa: E731
            self.servers = dict(zip(FLEET, pool.map(start, FLEET.items()), strict=True))
        self.operator = Operator(lab, lab.folder / "operator")
        self.operator.write_inventory(INVENTORY)

    def scimconf(
        self, *arguments: str, env: Mapping[str, str] | None = None, by: Operator | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run scimconf and print the command and its output."""
        print(f"\n  $ scimconf {shlex.join(arguments)}")
        done = (by or self.operator).run(*arguments, env=env)
        for line in (done.stderr + done.stdout).splitlines():
            print(f"  {line}".rstrip())
        return done

    def tokens(self) -> dict[tuple[str, str], str]:
        """Return every token by server and realm."""
        return {
            (name, realm): self.operator.token(name, realm)
            for name, variables in INVENTORY.items()
            for realm in variables["scim_realms"]
        }


def nothing_yet(demo: Demo) -> None:
    """Plan: show what would change."""
    done = demo.scimconf("plan")
    check(done.returncode == 2, "plan exits 2: changes are pending")
    check("make a token for realm acme" in done.stdout, "it shows what it would do")


def apply_all(demo: Demo) -> None:
    """Apply: configure all three servers."""
    done = demo.scimconf(*("apply", "--yes", "--create-tokens", *VAULT))
    check(done.returncode == 0, "apply exits 0: every server changed and passed its gate")
    check(done.stdout.count("  changed") >= 3, "all three servers changed")


def verify_all(demo: Demo) -> None:
    """Verify: ask the public URLs as the identity provider does."""
    done = demo.scimconf("verify", *VAULT)
    check(done.returncode == 0, "verify exits 0: the identity provider is accepted")


def provision(demo: Demo) -> None:
    """Create, change and deactivate users with the requests that Okta and Entra ID send."""
    tokens = demo.tokens()
    print("\n  Requests of the identity providers (not by scimconf):")
    okta(check, demo.servers["chat56.test"], "acme", tokens["chat56.test", "acme"])
    okta(check, demo.servers["chat90.test"], "acme", tokens["chat90.test", "acme"])
    entra(check, demo.servers["chat90.test"], "", tokens["chat90.test", ""])
    entra(check, demo.servers["chat90.test"], "wiki", tokens["chat90.test", "wiki"])
    okta(check, demo.servers["chat121.test"], "", tokens["chat121.test", ""])
    elsewhere = scim(
        *(demo.servers["chat90.test"], "wiki", tokens["chat90.test", "acme"]),
        *("GET", "/scim/v2/Users"),
    )
    check(elsewhere[0] == 401, "the token of one realm is refused by another realm")


def converged(demo: Demo) -> None:
    """Plan again: there is nothing to do."""
    done = demo.scimconf("plan")
    check(done.returncode == 0, "plan exits 0: nothing to do")


def drift(demo: Demo) -> None:
    """Somebody edits one server by hand; plan finds it."""
    server = demo.servers["chat90.test"]
    print(f"\n  Somebody changes the client of realm wiki on {server.name} and restarts Zulip.")
    text = server.settings.read_text()
    edited = text.replace('"scim_client_name": "entra"', '"scim_client_name": "enter"', 1)
    check(edited != text, "the edit is in settings.py")
    server.settings.write_text(edited)
    server.restart()
    done = demo.scimconf("plan", "--diff", env=demo.operator.bare_environment())
    check(done.returncode == 2, "plan needs no token and no vault password, and exits 2")
    named = [line for line in done.stdout.splitlines() if line.startswith(server.name)]
    check("to change" in named[0], "it names the server")
    check("realm wiki" in done.stdout or "realm (root)" in done.stdout, "and the realm")


def repair(demo: Demo) -> None:
    """Apply repairs that server and changes no other."""
    before = {name: s.settings.stat().st_mtime_ns for name, s in demo.servers.items()}
    done = demo.scimconf("apply", "--yes", *VAULT)
    check(done.returncode == 0, "apply exits 0")
    after = {name: s.settings.stat().st_mtime_ns for name, s in demo.servers.items()}
    moved = [name for name in after if after[name] != before[name]]
    check(moved == ["chat90.test"], "only that server was changed")
    done = demo.scimconf("plan")
    check(done.returncode == 0, "plan exits 0 again")


def killed(demo: Demo) -> None:
    """scimconf is killed during an apply: the server finishes the change alone."""
    server = demo.servers["chat121.test"]
    crossing = Crossing(server)
    changed = {**INVENTORY[server.name], "scim_client": "okta-emea"}
    slow = {**changed, "scim_restart": crossing.restart}
    demo.operator.write_inventory({**INVENTORY, server.name: slow})
    arguments = ("apply", "--yes", *VAULT)
    print(f"\n  $ scimconf {shlex.join(arguments)} & kill -9 $!    # while Zulip restarts")
    with demo.operator.start(*arguments) as process:
        crossing.wait()
        process.kill()
    done = demo.scimconf("plan", server.name)
    check("another run is at work on this server" in done.stdout, "the server is still working")
    check(done.returncode == 3, "plan exits 3: try again later")
    crossing.go()
    journal = server.layout.outside("home", ".scimconf", "journal.json")
    until(lambda: json.loads(journal.read_text())["state"] != "open", "the server does not finish")
    done = demo.scimconf("plan", server.name)
    check(done.returncode == 0, "plan exits 0: the server finished alone, there is nothing to do")
    check("lost the connection: committed" in done.stdout, "and says so")
    token = demo.operator.token(server.name, "")
    check(scim(server, "", token, "GET", "/scim/v2/Users")[0] == 200, "the provider is accepted")
    done = demo.scimconf("undo", "--yes", server.name)
    check(done.returncode == 0, "undo restores the state before")
    demo.operator.write_inventory(INVENTORY)


def undone(demo: Demo) -> None:
    """A change that fails its gate is rolled back."""
    server = demo.servers["chat90.test"]
    before = server.settings.read_bytes()
    token = demo.operator.token(server.name, "wiki")
    print("\n  Realm wiki should be removed, but this restart command restarts nothing.")
    realms = {**INVENTORY[server.name]["scim_realms"], "wiki": {"state": "absent"}}
    useless = {"scim_realms": realms, "scim_restart": ["/bin/true"], "scim_gate_timeout": 2}
    demo.operator.write_inventory({**INVENTORY, server.name: useless})
    done = demo.scimconf("apply", "--yes", *VAULT, server.name)
    check(done.returncode == 4, "apply exits 4: rolled back")
    check("its old token is still accepted" in done.stdout, "it says why")
    check(server.settings.read_bytes() == before, "settings.py is restored, byte by byte")
    check(scim(server, "wiki", token, "GET", "/scim/v2/Users")[0] == 200, "SCIM works as before")
    demo.operator.write_inventory(INVENTORY)
    done = demo.scimconf("plan")
    check(done.returncode == 0, "plan exits 0: every server matches the inventory")


def rotated(demo: Demo) -> None:
    """Rotate a token in two steps, and go back because the provider is not ready."""
    server = demo.servers["chat90.test"]
    old = demo.operator.token(server.name, "acme")
    done = demo.scimconf("rotate", "--stage", "--realm", "acme", *VAULT, server.name)
    check(done.returncode == 0, "the next token is created")
    sheet = demo.operator.run("handoff", "--next", "--show-tokens", *VAULT, server.name).stdout
    (new,) = set(re.findall(r"\b[A-Za-z0-9]{43}\b", sheet))
    print("\n  The provider's administrator gets it (scimconf handoff --next --show-tokens).")

    def let_in(token: str) -> bool:
        return scim(server, "acme", token, "GET", "/scim/v2/Users")[0] == 200

    check(let_in(old) and not let_in(new), "the old token is still in force")
    done = demo.scimconf("rotate", "--activate", "--yes", *VAULT, server.name)
    check(done.returncode == 0, "the new token is in force, proved by the gate")
    check(let_in(new) and not let_in(old), "the new token is accepted, the old one is refused")
    done = demo.scimconf("rotate", "--back", "--yes", *VAULT, server.name)
    check(done.returncode == 0, "rotate --back exits 0")
    check(let_in(old) and not let_in(new), "the old token is accepted again")


def both_ends(demo: Demo) -> None:
    """Rotate a token while its identity provider works: both ends change, no request fails."""
    server, lab = demo.servers["chat90.test"], demo.operator.lab
    with lab.identity_provider(Graph) as graph:
        graph.client.users = {
            "grace@example.com": "Grace Hopper",
            "alan@example.com": "Alan Turing",
        }
        env = {**lab.environment(), **graph.environment(lab.ca)}
        realms = INVENTORY[server.name]["scim_realms"]
        wiki = {**realms["wiki"], "deliver": graph.settings()}
        demo.operator.write_inventory(
            {**INVENTORY, server.name: {"scim_realms": {**realms, "wiki": wiki}}}
        )
        allowed = demo.operator.folder / ".idp-hosts"
        allowed.touch(0o600)
        allowed.write_text(f"{graph.entry}\n")
        wiki_only = ("--realm", "wiki", server.name)
        done = demo.scimconf("deliver", "--yes", *VAULT, *wiki_only, env=env)
        check(done.returncode == 0, "the token is delivered, and the identity provider tested it")
        with graph.client.always():
            until(lambda: len(graph.client.sent) > 4, "the identity provider does not provision")
            done = demo.scimconf("status", *wiki_only)
            check(done.returncode == 0, "status exits 0: the identity provider gets in")
            done = demo.scimconf("rotate", "--yes", *VAULT, *wiki_only, env=env)
            check(done.returncode == 0, "rotate exits 0: both ends have the new token")
            sent = len(graph.client.sent)
            until(lambda: len(graph.client.sent) > sent + 4, "it does not provision any more")
        done = demo.scimconf("status", *wiki_only)
        check(done.returncode == 0, "status exits 0: the identity provider still gets in")
        check(graph.client.refused == 0, f"Zulip refused none of {len(graph.client.sent)} requests")
        check(graph.client.wrong() == [], "and has the right users")
    demo.operator.write_inventory(INVENTORY)


def imported(demo: Demo) -> None:
    """Another operator imports the servers."""
    successor = Operator(demo.operator.lab, demo.operator.folder / "successor")
    successor.write_inventory({name: {} for name in demo.servers})
    done = demo.scimconf("import", *VAULT, by=successor)
    check(done.returncode == 0, "import exits 0: a plan finds nothing to do")
    mine = {successor.token(*key) for key in demo.tokens()}
    check(mine == set(demo.tokens().values()), "the successor has the same tokens, newly encrypted")


def reported(demo: Demo) -> None:
    """Write an HTML report."""
    done = demo.scimconf("verify", "--report", "report.html", *VAULT)
    page = (demo.operator.folder / "report.html").read_text()
    check(done.returncode == 0, "verify exits 0")
    check(all(name in page for name in demo.servers), "the page names every server")


def clean(demo: Demo) -> None:
    """Search all files for tokens in plain text."""
    tokens = set(demo.tokens().values())
    places = [demo.operator.folder, *(server.logs for server in demo.servers.values())]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    seen = [str(f) for f in files if any(t in f.read_text(errors="replace") for t in tokens)]
    check(seen == [], f"none of {len(tokens)} tokens is in plain text in {len(files)} files")
    inside = demo.servers["chat121.test"].settings.read_text()
    check(not any(t in inside for t in tokens), "none is in the settings.py of chat121.test")


ACTS = (
    *(nothing_yet, apply_all, verify_all, provision, converged, drift, repair),
    *(killed, undone, rotated, both_ends, imported, reported, clean),
)


def main() -> int:
    """Run every act. Return the exit code."""
    with Lab() as lab:
        if lab.openssh is None:
            print("No OpenSSH sshd here: the demo runs over ansible_connection: local.")
        demo = Demo(lab)
        print(f"{len(demo.servers)} Zulip servers are running: " + ", ".join(demo.servers))
        try:
            for number, act in enumerate(ACTS, 1):
                print(f"\nAct {number}. {act.__doc__}")
                act(demo)
        except Failed as failed:
            print(f"\nFAILED: {failed}")
            return 1
    print(f"\nThe demo is over: all {len(ACTS)} acts passed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
