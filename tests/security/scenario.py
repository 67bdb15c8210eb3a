"""A program that runs scimconf on the lab, with canaries as secrets.

The recorder runs it. It prints one JSON object: the canaries that the hunter finds after the runs,
the planted leaks that it misses, and all processes that were seen.
"""

from __future__ import annotations

import json
import os
import pty
import re
import secrets
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import scimconf
from scimconf import vault
from scimconf.secret import Secret
from tests.lab import Lab, Server
from tests.lab.accounts import OPS_PASSWORD
from tests.lab.idp import Fault, Graph
from tests.lab.lab import DNS
from tests.lab.operator import VAULT, Operator
from tests.security.hunter import Hunter

PACKAGE = Path(scimconf.__file__).parent
WATCH = Path(__file__).parent / "watch"


class Scenario:
    """Two servers, an operator with secrets, and the output of all runs."""

    def __init__(self, lab: Lab, record: Path) -> None:
        self.lab = lab
        self.record = record
        self.operator = Operator(lab, lab.folder / "operator")
        self.said = _folder(lab.folder / "said")
        self.watched = _folder(lab.folder / "watched")
        self.temporary = _folder(lab.folder / "temporary")
        self.graph = lab.identity_provider(Graph).__enter__()
        self.given = self.graph.environment(lab.ca)
        self.canaries = {
            "the client secret of Entra": self.graph.secret,
            "the access token of Graph": self.graph.credential,
            "the vault password": (self.operator.folder / ".vault-password").read_text().strip(),
            "a wrong vault password": secrets.token_urlsafe(24),
            "the sudo and SSH password": OPS_PASSWORD,
            "a token from a file": secrets.token_urlsafe(32),
            "a token from the environment": secrets.token_urlsafe(32),
            "a token that is rolled back": secrets.token_urlsafe(32),
        }
        with ThreadPoolExecutor() as pool:
            old = pool.submit(
                lab.server, "old.test", version="5.6", realms=["acme"], sudo="password"
            )
            new = pool.submit(lab.server, "new.test", version="12.1", realms=["", "wiki", "lists"])
            self.old, self.new = old.result(), new.result()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a watched scimconf."""
        inherited = self.lab.environment()
        return {
            **inherited,
            **self.given,
            "PYTHONPATH": os.pathsep.join((str(WATCH), inherited["PYTHONPATH"])),
            "PYTHONWARNINGS": "always",
            "TMPDIR": str(self.temporary),
            "CANARY_WATCH": str(self.watched),
            "CANARY_PACKAGE": f"{PACKAGE}/",
            "CANARY_DNS": str(DNS / "sitecustomize.py"),
            "CANARY_TOKEN": self.canaries["a token from the environment"],
        }

    # --- the runs -----------------------------------------------------------------------------

    def play(self) -> None:
        """Do what an operator does, with some of the possible errors."""
        self._write_inventory()
        self.scimconf("init", "init", "made", "--host", "chat.example.com", "--make-vault-password")
        made = self.operator.folder / "made/.vault-password"
        self.canaries["the vault password of init"] = made.read_text().strip()
        self.scimconf("plan", "plan", "--diff", "-vvv", *VAULT, code=2)
        page = ("--report", str(self.said / "apply.html"))
        applying = ("apply", "--yes", "--create-tokens", "-vvv", *VAULT, *page)
        self.scimconf("apply", *applying, deep=True)
        for server, pattern in (
            (self.old, r'"bearer_token": "(\w{43})"'),
            (self.new, r"(?m)^scim_bearer_token = (\w{43})$"),
        ):
            (token,) = re.findall(
                pattern, f"{server.settings.read_text()}{server.secrets.read_text()}"
            )
            self.canaries[f"the token of {server.name}"] = token
        self.scimconf("verify", "verify", "--format", "json", "-vvv", *VAULT, deep=True)
        trial = ("--test-user", "scim-test@example.com", "--yes")
        self.scimconf("test user", "verify", *trial, "-vvv", *VAULT, deep=True)
        self.scimconf("status", "status", "--format", "json", "-vvv", *VAULT, deep=True)
        self._deliver()
        self.scimconf("handoff", "handoff")
        self.scimconf("handoff as a page", "handoff", "--format", "html")
        self.scimconf("render", "render", self.new.name)
        self._edit_files()
        self._on_a_terminal()
        self._write_inventory(
            wiki={"token": "file:next-token"}, scim_restart=["/bin/false"], scim_gate_timeout=1
        )
        page = ("--report", str(self.said / "rolled back.html"))
        failing = (
            "apply",
            "--yes",
            "--create-tokens",
            "-vvv",
            "--diff",
            "--limit",
            "new.test",
            *VAULT,
            *page,
        )
        self.scimconf("apply that is rolled back", *failing, "--format", "json", code=4, deep=True)
        self.scimconf("undo", "undo", "--yes", "-vvv", *VAULT, self.old.name)
        wrong = ("--vault-password-file", "wrong-password")
        self.scimconf("wrong vault password", "verify", "-vvv", *wrong, code=64)
        self._write_host_vars(password=f"not {OPS_PASSWORD}")
        if self.old.layout.isolated:
            self.scimconf("wrong password", "plan", "-vvv", *VAULT, "--limit", "old.test", code=3)

    def _deliver(self) -> None:
        """Deliver a token, rotate at both ends, and fail at the identity provider."""
        verbose = ("-vvv", "--yes", *VAULT)
        self.scimconf("deliver", "deliver", *verbose, deep=True)
        rotating = ("rotate", *verbose, "--realm", "", self.new.name)
        self.scimconf("rotate at both ends", *rotating, deep=True)
        self.canaries["the rotated token of new.test"] = self.graph.client.token
        self.graph.faults.append(Fault("PUT", status=400))
        self.scimconf("rotate that fails", *rotating, "--format", "json", code=4, deep=True)
        self.canaries["the token after that"] = self.graph.client.token
        secret, self.graph.secret = self.graph.secret, "another"
        self.scimconf("a wrong client secret", "deliver", *verbose, code=1, deep=True)
        self.graph.secret = secret

    def scimconf(self, name: str, *arguments: str, code: int = 0, deep: bool = False) -> None:
        """Run scimconf, keep its output, and check its exit code.

        `deep`: also search its variables, which takes 50% longer.
        """
        self.python(name, "-m", "scimconf", *arguments, code=code, deep=deep)

    def python(self, name: str, *arguments: str, code: int = 0, deep: bool = True) -> None:
        """Run Python in the same way as scimconf."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.operator.folder,
            env={**self.environment, "CANARY_VARIABLES": "yes" if deep else ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        if done.returncode != code:
            raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr.decode()}")
        (self.said / f"{name}.stdout").write_bytes(done.stdout)
        (self.said / f"{name}.stderr").write_bytes(done.stderr)

    def _write_inventory(self, wiki: Mapping[str, str] | None = None, **of_new: Any) -> None:
        folder = self.operator.folder
        self.operator.write_inventory(
            {
                "old.test": {"scim_realms": {"acme": {}}},
                "new.test": {
                    "scim_token_store": "secrets",
                    "scim_realms": {
                        "": {"idp": "entra", "deliver": self.graph.settings()},
                        "wiki": wiki or {"token": "file:token"},
                        "lists": {"token": "env:CANARY_TOKEN"},
                    },
                    **of_new,
                },
            }
        )
        _private(folder / ".idp-hosts", f"{self.graph.entry}\n")
        _private(folder / "token", self.canaries["a token from a file"])
        _private(folder / "next-token", self.canaries["a token that is rolled back"])
        _private(folder / "wrong-password", self.canaries["a wrong vault password"])
        self._write_host_vars(OPS_PASSWORD)

    def _write_host_vars(self, password: str) -> None:
        """Log in to `old` as an ordinary user, with one password for SSH and sudo."""
        if not self.old.layout.isolated:
            return  # only root can make such a user
        key = Secret(self.canaries["the vault password"])
        lines = vault.encrypt(Secret(password), key).replace("\n", "\n  ").rstrip()
        _folder(self.operator.folder / "host_vars")
        (self.operator.folder / "host_vars/old.test.yml").write_text(
            "ansible_user: ops\nansible_become: true\nansible_ssh_private_key_file: /dev/null\n"
            f"ansible_password: !vault |\n  {lines}\n"
            f"ansible_become_password: !vault |\n  {lines}\n"
        )

    def _edit_files(self) -> None:
        """Edit files offline. They may contain tokens, so they are not searched."""
        folder = _folder(self.operator.folder / "edited")
        (folder / "settings.py").write_text("from .config import get_secret\n")
        _private(folder / "zulip-secrets.conf", "[secrets]\n")
        files = ("--settings", "edited/settings.py", "--secrets", "edited/zulip-secrets.conf")
        self.scimconf("render into files", "render", self.new.name, *files, *VAULT, deep=True)

    def _on_a_terminal(self) -> None:
        """Type the passwords. The terminal must not show them."""
        asked = ("-k", "-K", "--ask-vault-pass")
        answers = {
            b"SSH password": self.canaries["the sudo and SSH password"],
            b"udo password": self.canaries["the sudo and SSH password"],
            b"ault password": self.canaries["the vault password"],
        }
        argv = [sys.executable, "-m", "scimconf", "plan", *asked, "-vvv", "--out", "approved"]
        shown, code = _typed(argv, answers, self.operator.folder, self.environment)
        if code != 0:
            raise SystemExit(f"plan on a terminal: exit {code}\n{shown.decode()}")
        (self.said / "plan on a terminal.stdout").write_bytes(shown)

    # --- the search ---------------------------------------------------------------------------

    def hunt(self) -> dict[str, list[str]]:
        """Return the findings by place, without places that have none."""
        hunter = Hunter(self.canaries)
        places = {
            "argv, environment, nameless files": set(self._in_processes(hunter)),
            "what was said": set(hunter.in_files(self.said)),
            "variables": set(self._variables()),
            "log, warnings": set(hunter.in_files(self.watched)),
            "controller": set(self._on_controller(hunter)),
            "servers": set(self._on_servers(hunter)),
            "modes": set(self._modes()),
        }
        return {place: sorted(found) for place, found in places.items() if found}

    def processes(self) -> Iterator[Mapping[str, Any]]:
        """Yield what the recorder has written so far."""
        for line in self.record.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)

    def _in_processes(self, hunter: Hunter) -> Iterator[str]:
        for process in self.processes():
            argv = process["argv"]
            who = " ".join(argv[:4])
            for found in hunter.in_text("\0".join(argv)):
                yield f"argv of {who[:80]}: {found}"
            # The operator passes it to scimconf. Programs that scimconf starts must not get it.
            given = {
                f"CANARY_TOKEN={self.canaries['a token from the environment']}",
                f"SCIMCONF_IDP_ENTRA={self.canaries['the client secret of Entra']}",
            }
            own = given if argv[0] == sys.executable else set()
            for word in set(process["environment"]) - own:
                for found in hunter.in_text(word):
                    yield f"environment of {who[:80]}: {found}"
            for name, text in process["nameless"].items():
                for found in hunter.in_text(text):
                    yield f"nameless file {name} of {who[:80]}: {found}"

    def _variables(self) -> Iterator[str]:
        noted = self.watched / "locals"
        if noted.exists():
            yield from noted.read_text().splitlines()

    def _on_controller(self, hunter: Hunter) -> Iterator[str]:
        folder = self.operator.folder
        names = ("token", "next-token", ".vault-password", "wrong-password", "edited")
        own = [folder / name for name in (*names, "made/.vault-password")]
        for place in (folder, self.temporary, self.lab.folder / "controller"):
            yield from hunter.in_files(place, own)
        for path in self.temporary.rglob("*"):
            yield f"left behind: {path}"

    def _on_servers(self, hunter: Hunter) -> Iterator[str]:
        for server in (self.old, self.new):
            own = [_state(server), server.secrets]
            if (
                server is self.old
            ):  # scim_token_store: settings; Zulip compiles the settings that it loads
                own += [server.settings, server.deployment.resolve() / "zproject/__pycache__"]
            for found in hunter.in_files(server.layout.folder, own):
                yield f"{server.name}: {found}"

    def _modes(self) -> Iterator[str]:
        tokens = self.operator.tokens
        wanted = {tokens: 0o600, self.new.secrets: 0o640}
        for server in (self.old, self.new):
            state = _state(server)
            wanted |= {path: 0o700 if path.is_dir() else 0o600 for path in state.rglob("*")}
            wanted[state] = 0o700
        for path, mode in wanted.items():
            found = stat.S_IMODE(path.stat().st_mode)
            if found != mode:
                yield f"{path.relative_to(self.lab.folder)}: {found:04o}, not {mode:04o}"


def _state(server: Server) -> Path:
    return server.layout.outside("home", ".scimconf")


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
    return path


def _private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def _typed(
    argv: list[str], answers: Mapping[bytes, str], folder: Path, environment: Mapping[str, str]
) -> tuple[bytes, int]:
    """Run a program on a terminal and answer its questions. Return its output and exit code."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(argv[0], argv, dict(environment))
    shown, asked = b"", b""
    deadline = time.monotonic() + 60
    while select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            said = os.read(terminal, 65536)
        except OSError:  # on Linux, this means that the other end is closed
            break
        shown, asked = shown + said, asked + said
        if question := next((words for words in answers if words in asked), None):
            os.write(terminal, f"{answers[question]}\n".encode())
            asked = b""
    else:
        os.kill(process, signal.SIGKILL)
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


# --- leaks that the hunter must find ----------------------------------------------------------

_TRUE = "import subprocess; subprocess.run(['true', *argv], env=env, stdout=file)"
_PLANTED = {
    "argv of true": "argv = [token]",
    "environment of true": "env = {'A': token, 'PATH': '/bin:/usr/bin'}",
    "nameless file 1 ": "import tempfile; file = tempfile.TemporaryFile()\n"
    "file.write(token.encode()); file.flush()",
    "said.stdout: the token of new.test (clear)": "print(token)",
    "said.stdout: the token of new.test (base64)": "import base64\n"
    "print(base64.b64encode(token.encode()))",
    "said.stderr: the token of new.test": "import sys; print(token, file=sys.stderr)",
    "log: the token of new.test": "import logging\n"
    "logging.getLogger('paramiko').error('%s', token)",
    "warnings: the token of new.test": "import warnings; warnings.warn(token)",
    "escaped: the token of new.test": "import threading\ndef fail(): raise ValueError(token)\n"
    "threading.Thread(target=fail).start()",
    "planted.py left_open token": "import scimconf.secret\n"
    "secret = scimconf.secret.Secret(token)\nmade = {}\n"
    f"code = compile('def left_open(token): return 1', {str(PACKAGE / 'planted.py')!r}, 'exec')\n"
    "exec(code, made)\n"
    "made['left_open'](token)",
}
"""Text of the expected finding -> Python code that causes the leak."""


def plant(scenario: Scenario) -> list[str]:
    """Plant a leak in every place. Return the texts of the expected findings."""
    token = scenario.canaries["the token of new.test"]
    old, new = scenario.old, scenario.new
    for number, code in enumerate(_PLANTED.values()):
        known = f"token = {token[::-1]!r}[::-1]\nargv, env, file = [], None, None\n"
        scenario.python(f"{number} said", "-c", f"{known}{code}\n{_TRUE}")
    new.run(["/bin/true", "on the server", token])
    _state(old).chmod(0o755)
    next((_state(new) / "backups").iterdir()).chmod(0o644)
    scenario.operator.tokens.chmod(0o644)
    leaky = {
        "inventory.yaml: the token": scenario.operator.inventory,
        "forgotten: the token": scenario.temporary / "forgotten",
        "old.test: log/manage.log": old.logs / "manage.log",
        "new.test: log/django.log": new.logs / "django.log",
        "new.test: etc/settings.py": new.settings,
    }
    for path in leaky.values():
        with path.open("a") as file:
            file.write(token)
    modes = [".scimconf: 0755", "0644, not 0600", "tokens.yaml: 0644"]
    return [*_PLANTED, *leaky, *modes, "argv of /bin/true on the server", "left behind: "]


def main() -> None:
    """Run everything, search, plant leaks, search again, and print the result."""
    with Lab() as lab:
        scenario = Scenario(lab, Path(os.environ["CANARY_RECORD"]))
        scenario.play()
        found = scenario.hunt()
        seen = sorted({" ".join(process["argv"])[:200] for process in scenario.processes()})
        planted = plant(scenario)
        told = "\n".join(line for lines in scenario.hunt().values() for line in lines)
        result = {
            "processes": seen,
            "found": found,
            "missed": [each for each in planted if each not in told],
        }
        print(json.dumps(result))
        scenario.graph.__exit__()


if __name__ == "__main__":
    main()
