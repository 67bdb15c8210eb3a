"""`make demo`: three Zulip servers go from nothing to "the identity provider can get in".

Everything is real but Zulip itself: sshd, sudo-less zulip users, TLS, Django with django-scim2.
Each act runs the program as an operator would and asserts what came of it; the first thing that
is not as it should be ends the demo with exit 1.
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
    """Something was not as it should be."""


def check(holds: bool, what: str) -> None:
    """Go on if it holds."""
    if not holds:
        raise Failed(what)
    print(f"    ok: {what}")


class Demo:
    """The fleet, and the operator who looks after it."""

    def __init__(self, lab: Lab) -> None:
        with ThreadPoolExecutor() as pool:
            start = lambda item: lab.server(item[0], **item[1])  # noqa: E731
            self.servers = dict(zip(FLEET, pool.map(start, FLEET.items()), strict=True))
        self.operator = Operator(lab, lab.folder / "operator")
        self.operator.write_inventory(INVENTORY)

    def scimconf(
        self, *arguments: str, env: Mapping[str, str] | None = None, by: Operator | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run scimconf, and show it as a terminal would."""
        print(f"\n  $ scimconf {shlex.join(arguments)}")
        done = (by or self.operator).run(*arguments, env=env)
        for line in (done.stderr + done.stdout).splitlines():
            print(f"  {line}".rstrip())
        return done

    def tokens(self) -> dict[tuple[str, str], str]:
        """Give every token, by server and realm."""
        return {
            (name, realm): self.operator.token(name, realm)
            for name, variables in INVENTORY.items()
            for realm in variables["scim_realms"]
        }


def nothing_yet(demo: Demo) -> None:
    """A plan of what is to come."""
    done = demo.scimconf("plan")
    check(done.returncode == 2, "plan exits 2: changes are pending")
    check("make a token for realm acme" in done.stdout, "it says what it would do")


def apply_all(demo: Demo) -> None:
    """From nothing to working."""
    done = demo.scimconf(*("apply", "--yes", "--create-tokens", *VAULT))
    check(done.returncode == 0, "apply exits 0: every server changed and proved its gate")
    check(done.stdout.count("  changed") >= 3, "all three servers changed")


def verify_all(demo: Demo) -> None:
    """The public side, as the identity provider asks."""
    done = demo.scimconf("verify", *VAULT)
    check(done.returncode == 0, "verify exits 0: the identity provider can get in")


def provision(demo: Demo) -> None:
    """Users come and go, by requests in the shape that Okta and Entra ID send them."""
    tokens = demo.tokens()
    print("\n  Users by the hands of the providers (not by scimconf):")
    okta(check, demo.servers["chat56.test"], "acme", tokens["chat56.test", "acme"])
    okta(check, demo.servers["chat90.test"], "acme", tokens["chat90.test", "acme"])
    entra(check, demo.servers["chat90.test"], "", tokens["chat90.test", ""])
    entra(check, demo.servers["chat90.test"], "wiki", tokens["chat90.test", "wiki"])
    okta(check, demo.servers["chat121.test"], "", tokens["chat121.test", ""])
    elsewhere = scim(
        *(demo.servers["chat90.test"], "wiki", tokens["chat90.test", "acme"]),
        *("GET", "/scim/v2/Users"),
    )
    check(elsewhere[0] == 401, "one realm's token opens no other realm")


def converged(demo: Demo) -> None:
    """The same plan again."""
    done = demo.scimconf("plan")
    check(done.returncode == 0, "plan exits 0: nothing to do")


def drift(demo: Demo) -> None:
    """Somebody edits one server by hand."""
    server = demo.servers["chat90.test"]
    print(f"\n  Somebody edits {server.name}: the client of realm wiki, and restarts Zulip.")
    text = server.settings.read_text()
    edited = text.replace('"scim_client_name": "entra"', '"scim_client_name": "enter"', 1)
    check(edited != text, "the edit is in settings.py")
    server.settings.write_text(edited)
    server.restart()
    done = demo.scimconf("plan", "--diff", env=demo.operator.bare_environment())
    check(done.returncode == 2, "plan needs no secret, and exits 2")
    named = [line for line in done.stdout.splitlines() if line.startswith(server.name)]
    check("to change" in named[0], "it names the server")
    check("realm wiki" in done.stdout or "realm (root)" in done.stdout, "and the realm")


def repair(demo: Demo) -> None:
    """Back to right."""
    before = {name: s.settings.stat().st_mtime_ns for name, s in demo.servers.items()}
    done = demo.scimconf("apply", "--yes", *VAULT)
    check(done.returncode == 0, "apply exits 0")
    after = {name: s.settings.stat().st_mtime_ns for name, s in demo.servers.items()}
    moved = [name for name in after if after[name] != before[name]]
    check(moved == ["chat90.test"], "only that server was touched")
    done = demo.scimconf("plan")
    check(done.returncode == 0, "plan exits 0 again")


def killed(demo: Demo) -> None:
    """The controller is killed in the middle of an apply: the server finishes alone."""
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
    check("another run is at work here" in done.stdout, "the server is still at it")
    check(done.returncode == 3, "plan exits 3: try again later")
    crossing.go()
    journal = server.layout.outside("home", ".scimconf", "journal.json")
    until(lambda: json.loads(journal.read_text())["state"] != "open", "the server never ends")
    done = demo.scimconf("plan", server.name)
    check(done.returncode == 0, "plan exits 0: it finished alone, nothing is left to do")
    check("controller was gone: committed" in done.stdout, "and says so")
    token = demo.operator.token(server.name, "")
    check(scim(server, "", token, "GET", "/scim/v2/Users")[0] == 200, "the provider can get in")
    done = demo.scimconf("undo", "--yes", server.name)
    check(done.returncode == 0, "undo takes it back")
    demo.operator.write_inventory(INVENTORY)


def put_back(demo: Demo) -> None:
    """A change that fails its gate is put back."""
    server = demo.servers["chat90.test"]
    before = server.settings.read_bytes()
    token = demo.operator.token(server.name, "wiki")
    print("\n  Realm wiki is to go, but this restart command restarts nothing.")
    realms = {**INVENTORY[server.name]["scim_realms"], "wiki": {"state": "absent"}}
    useless = {"scim_realms": realms, "scim_restart": ["/bin/true"], "scim_gate_timeout": 2}
    demo.operator.write_inventory({**INVENTORY, server.name: useless})
    done = demo.scimconf("apply", "--yes", *VAULT, server.name)
    check(done.returncode == 4, "apply exits 4: rolled back")
    check("its old token is still accepted" in done.stdout, "it says why")
    check(server.settings.read_bytes() == before, "settings.py is as it was, byte by byte")
    check(scim(server, "wiki", token, "GET", "/scim/v2/Users")[0] == 200, "and so is SCIM")
    demo.operator.write_inventory(INVENTORY)
    done = demo.scimconf("plan")
    check(done.returncode == 0, "plan exits 0: every server is as the inventory says")


def rotated(demo: Demo) -> None:
    """A new token, handed over in advance; and back, when the provider is not ready after all."""
    server = demo.servers["chat90.test"]
    old = demo.operator.token(server.name, "acme")
    done = demo.scimconf("rotate", "--stage", "--realm", "acme", *VAULT, server.name)
    check(done.returncode == 0, "the next token is made")
    sheet = demo.operator.run("handoff", "--next", "--show-tokens", *VAULT, server.name).stdout
    (new,) = set(re.findall(r"\b[A-Za-z0-9]{43}\b", sheet))
    print("\n  The provider's administrator has it (scimconf handoff --next --show-tokens).")

    def let_in(token: str) -> bool:
        return scim(server, "acme", token, "GET", "/scim/v2/Users")[0] == 200

    check(let_in(old) and not let_in(new), "until then the old one stays in force")
    done = demo.scimconf("rotate", "--activate", "--yes", *VAULT, server.name)
    check(done.returncode == 0, "the cut-over, proved by its gate")
    check(let_in(new) and not let_in(old), "the new one is let in, the old one is not")
    done = demo.scimconf("rotate", "--back", "--yes", *VAULT, server.name)
    check(done.returncode == 0, "and back")
    check(let_in(old) and not let_in(new), "the old one is let in again")


def imported(demo: Demo) -> None:
    """Another operator takes the servers over as they are."""
    successor = Operator(demo.operator.lab, demo.operator.folder / "successor")
    successor.write_inventory({name: {} for name in demo.servers})
    done = demo.scimconf("import", *VAULT, by=successor)
    check(done.returncode == 0, "import exits 0: a plan finds nothing to do")
    mine = {successor.token(*key) for key in demo.tokens()}
    check(mine == set(demo.tokens().values()), "with the same tokens, encrypted anew")


def reported(demo: Demo) -> None:
    """A page for those who do not read terminals."""
    done = demo.scimconf("verify", "--report", "report.html", *VAULT)
    page = (demo.operator.folder / "report.html").read_text()
    check(done.returncode == 0, "verify exits 0")
    check(all(name in page for name in demo.servers), "the page names every server")


def clean(demo: Demo) -> None:
    """No token where none belongs."""
    tokens = set(demo.tokens().values())
    places = [demo.operator.folder, *(server.logs for server in demo.servers.values())]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    seen = [str(f) for f in files if any(t in f.read_text(errors="replace") for t in tokens)]
    check(seen == [], f"none of {len(tokens)} tokens in clear in {len(files)} files of ours")
    inside = demo.servers["chat121.test"].settings.read_text()
    check(not any(t in inside for t in tokens), "and none in the settings.py of chat121.test")


ACTS = (
    *(nothing_yet, apply_all, verify_all, provision, converged, drift, repair),
    *(killed, put_back, rotated, imported, reported, clean),
)


def main() -> int:
    """Play every act; give the exit code."""
    with Lab() as lab:
        if lab.openssh is None:
            print("No OpenSSH sshd here: the demo runs over ansible_connection: local.")
        demo = Demo(lab)
        print(f"{len(demo.servers)} Zulip servers are up: " + ", ".join(demo.servers))
        try:
            for number, act in enumerate(ACTS, 1):
                print(f"\nAct {number}. {act.__doc__}")
                act(demo)
        except Failed as failed:
            print(f"\nFAILED: {failed}")
            return 1
    print(f"\nThe demo is over: {len(ACTS)} acts, everything as it should be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
