"""Wrong input gives a clear message and the right exit code, and changes nothing."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

HOST = (
    "all: {hosts: {chat1.example.com: {ansible_host: 127.0.0.1, ansible_port: 1, "
    "scim_realms: {acme: %s}}}}\n"
)


def _assert_said(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "this is a bug" not in said
    for word in words:
        assert re.search(word, said), f"{word!r} not in:\n{said}"


def _alias_bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 12):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    return "\n".join(lines) + "\n"


OFFLINE = {
    "empty": ("", "inventory.yaml", "empty|no host"),
    "a list at the top": ("- a\n- b\n", r"inventory.yaml:1:1", "list"),
    "a scalar at the top": ("chat1.example.com x\n", r"inventory.yaml:1:1", "mapping"),
    "an alias bomb": (_alias_bomb(), r"inventory.yaml", "alias|nodes|large"),
    "2000 brackets": ("all: " + "[" * 2000 + "]" * 2000, r"inventory.yaml:1:\d+", "nest|deep"),
    "a doubled key": ("all:\n  hosts:\n    a:\n    a:\n", r"inventory.yaml:4:5", "a"),
    "a tab": ("all:\n\thosts:\n", r"inventory.yaml:2:1", "[Tt]ab"),
    "not YAML": ("all: {hosts: [}\n", r"inventory.yaml:1:\d+", ""),
    "not UTF-8": (b"all: \xff\xfe\n", "inventory.yaml", "UTF-8"),
    "a NUL": (b"all: a\0b\n", "inventory.yaml", ""),
    "an unknown variable": (
        "all: {hosts: {a: {scim_relams: {acme: {}}, scim_realms: {}}}}\n",
        r"inventory.yaml:1:\d+",
        "scim_realms",
    ),
    "a wrong type": (
        "all: {hosts: {a: {scim_verify: 7, scim_realms: {acme: {}}}}}\n",
        r"scim_verify",
        "",
    ),
    "a realm that YAML reads as a boolean": (
        "all: {hosts: {a: {scim_realms: {no: {}}}}}\n",
        r"inventory.yaml:1:\d+",
        "quote",
    ),
    "a realm that YAML reads as a number": (
        "all: {hosts: {a: {scim_realms: {2024: {}}}}}\n",
        r"inventory.yaml:1:\d+",
        "quote",
    ),
    "capitals in a realm": (
        "all: {hosts: {a: {scim_realms: {ACME: {}}}}}\n",
        r"inventory.yaml:1:\d+",
        "acme",
    ),
    "an unknown provider": (HOST % "{idp: okto}", r"inventory.yaml:1:\d+", "okta"),
    "a bad client name": (HOST % "{client: '../x'}", r"inventory.yaml:1:\d+", "client"),
    "a key that a realm does not have": (HOST % "{clinet: x}", r"inventory.yaml:1", "client"),
    "a url that is not https": (
        HOST % "{url: 'http://a.example.com'}",
        r"inventory.yaml:1",
        "https",
    ),
    "a weak token": (HOST % "{token: hunter2}", r"inventory.yaml:1:\d+", "119|bits|weak"),
    "a reference of no kind": (HOST % "{token: 'vault:secret/a'}", r"inventory.yaml:1:\d+", "env:"),
    "two realms with one url": (
        "all: {hosts: {a: {scim_realms: {x: {url: 'https://s.a'}, y: {url: 'https://s.a'}}}}}\n",
        "inventory.yaml",
        "https://s.a",
    ),
    "a lookup": (HOST % "{client: \"{{ lookup('env', 'X') }}\"}", r"inventory.yaml:1", "lookup"),
}


@pytest.mark.parametrize("case", OFFLINE)
def test_an_invalid_inventory(case: str, scimconf: Run, tmp_path: Path) -> None:
    content, *words = OFFLINE[case]
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "inventory.yaml").write_bytes(data)
    done = scimconf("plan")
    _assert_said(done, 64, *words)
    assert "hunter2" not in done.stderr


def test_a_line_of_a_gigabyte_is_refused_without_reading_it(scimconf: Run, tmp_path: Path) -> None:
    with (tmp_path / "inventory.yaml").open("wb") as file:
        file.truncate(1 << 30)
    _assert_said(scimconf("plan"), 64, "inventory.yaml", "large|MiB")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["paln"], ["plan"]),
        (["plan", "--nope"], ["--nope"]),
        (["plan"], ["inventory.yaml", "init"]),
        (["plan", "-i", "nope.yaml"], ["nope.yaml"]),
        (["plan", "-i", "."], [""]),
        (["plan", "-f", "0"], ["forks"]),
        (["token", "--entropy", "64"], ["119"]),
        (["token", "--length", "10"], ["119"]),
        (["token", "--length", "30", "--entropy", "200"], ["one"]),
        (["apply"], ["--yes"]),
        (["init"], ["--host"]),
        (["render"], ["HOST"]),
        (["verify", "--format", "xml"], ["json"]),
    ],
    ids=" ".join,
)
def test_wrong_usage(
    arguments: list[str],
    words: list[str],
    empty: Run,
) -> None:
    _assert_said(empty(*arguments), 64, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "chta1*"], ["chta1"]),
        (["plan", "chat2.example.com"], ["chat1.example.com"]),
        (["plan", "--limit", "@nope"], ["nope"]),
        (["verify"], ["refused the connection"]),
        (["handoff", "--realm", "nope"], ["nope|realm"]),
        (["render", "chat9"], ["chat9"]),
        (["plan", "--tokens", "bad.yaml"], [r"bad.yaml:1:1"]),
        (["apply", "--yes", "--vault-password-file", "gone"], [""]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_valid_inventory_and_wrong_arguments(
    arguments: list[str],
    words: list[str],
    scimconf: Run,
    tmp_path: Path,
) -> None:
    (tmp_path / "inventory.yaml").write_text(HOST % "{}")
    (tmp_path / "bad.yaml").write_text("- a list\n")
    done = scimconf(*arguments)
    assert done.returncode in (3, 64), done
    _assert_said(done, done.returncode, *words)


TWO = """all:
  hosts:
    chat1.test: {scim_realms: {acme: {}}}
    chat2.test: {scim_realms: {acme: {}}, scim_verify: maybe}
"""


def test_one_host_with_an_error_can_be_left_out(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(TWO)
    for words in (("handoff",), ("handoff", "all"), ("handoff", "-l", "*.test")):
        done = scimconf(*words)
        assert done.returncode == 64, done
        last = done.stderr.splitlines()[-1]
        assert last == "-> to go on without this host, add --limit '!chat2.test'"
        assert scimconf(*words, *shlex.split(last)[-2:]).returncode == 0
    assert "to go on" not in scimconf("handoff", "chat2.test").stderr


def test_an_unknown_realm_gets_the_nearest_name(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "my hosts.yaml").write_text(HOST % "{}")
    words = ("-i", "my hosts.yaml", "--realm")
    for verb in ("plan", "rotate"):
        done = scimconf(verb, *words, "acmee", *(["--yes"] if verb == "rotate" else []))
        listed = "to see the realms: scimconf inventory list -i 'my hosts.yaml'"
        assert done.stderr.splitlines()[-1] == f"  -> did you mean acme? {listed}", done
        assert scimconf(*shlex.split(listed.partition("scimconf ")[2])).returncode == 0


def test_an_inventory_without_realms_gets_the_command_that_adds_them(
    scimconf: Run, tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text("all: {hosts: {a: {}}}\n")
    done = scimconf("plan")
    assert "to add them: scimconf init --host HOST_OR_GROUP" in done.stderr, done


def test_a_token_file_with_a_merge_conflict_is_never_overwritten(
    scimconf: Run, tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(HOST % "{}")
    conflict = "scimconf_tokens:\n<<<<<<< HEAD\n  a: {}\n=======\n  b: {}\n>>>>>>> x\n"
    (tmp_path / "tokens.yaml").write_text(conflict)
    (tmp_path / "password").write_text("p")
    done = scimconf(
        *("render", "chat1.example.com", "--create-tokens", "--show-tokens"),
        *("--vault-password-file", "password"),
    )
    _assert_said(done, 64, r"tokens.yaml:2:1", "conflict")
    assert (tmp_path / "tokens.yaml").read_text() == conflict


# --- on servers -------------------------------------------------------------------------------

UNTOUCHABLE = {
    "a syntax error": "\nSCIM_CONFIG = {\n",
    "a computed block": "\nSCIM_CONFIG = dict(acme={})\n",
    "two assignments": "\nSCIM_CONFIG = {}\nSCIM_CONFIG = {}\n",
    "inside an if": "\nif True:\n    SCIM_CONFIG = {}\n",
    "a value that is no data": '\nSCIM_CONFIG = {"": {"bearer_token": open("/x").read()}}\n',
    "changed later on": '\nSCIM_CONFIG = {}\nSCIM_CONFIG["x"] = {}\n',
}


@pytest.mark.needs_sshd
class TestServersThatCannotBeChanged:
    @pytest.mark.parametrize("case", UNTOUCHABLE)
    def test_settings_that_cannot_be_edited(
        self, case: str, operator: Operator, one: Callable[..., Server]
    ) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0")
        with server.settings.open("a") as file:
            file.write(UNTOUCHABLE[case])
        before = server.settings.read_bytes()
        for done in (operator.run("plan"), operator.apply()):
            _assert_said(done, 1, r"settings\.py:\d+:\d+: ")
        assert server.settings.read_bytes() == before

    def test_a_server_without_zulip(self, operator: Operator, one: Callable[..., Server]) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0")
        operator.write_inventory(
            {server.name: {"scim_realms": {"": {}}, "zulip_deployment": "/nowhere/current"}}
        )
        _assert_said(operator.run("plan"), 1, "/nowhere/current")

    def test_zulip_4(self, operator: Operator, one: Callable[..., Server]) -> None:
        server = one({"scim_realms": {"": {}}}, version="5.6")
        (server.deployment / "version.py").write_text('ZULIP_VERSION = "4.11"\n')
        _assert_said(operator.run("plan"), 1, "4.11", r"5\.0")

    def test_settings_that_cannot_be_read(
        self, operator: Operator, one: Callable[..., Server]
    ) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0")
        server.settings.chmod(0)
        done = operator.run("plan")
        server.settings.chmod(0o644)
        _assert_said(done, 1, "may not read .*settings.py")

    def test_settings_that_cannot_be_replaced(
        self, operator: Operator, one: Callable[..., Server]
    ) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0")
        before = server.settings.read_bytes()
        folder = server.settings.parent
        folder.chmod(0o555)
        done = operator.apply()
        folder.chmod(0o755)
        _assert_said(done, 1, "cannot be replaced", "not writable")
        assert server.settings.read_bytes() == before

    def test_another_external_host(self, operator: Operator, one: Callable[..., Server]) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0")
        variables = {"scim_realms": {"": {}}, "zulip_external_host": "other.test"}
        operator.write_inventory({server.name: variables})
        _assert_said(operator.run("plan"), 1, "other.test", server.name)

    def test_a_realm_that_zulip_does_not_have(
        self, operator: Operator, one: Callable[..., Server]
    ) -> None:
        server = one({"scim_realms": {"nosuch": {}}}, version="9.0")
        before = server.settings.read_bytes()
        _assert_said(operator.apply(), 1, "no organisation")
        assert server.settings.read_bytes() == before

    def test_unreachable(self, operator: Operator, one: Callable[..., Server]) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0")
        variables = {"scim_realms": {"": {}}, "ansible_port": 1}
        operator.write_inventory({server.name: variables})
        _assert_said(operator.run("plan"), 3, "connect: ", "refused")

    def test_a_changed_host_key(
        self, operator: Operator, one: Callable[..., Server], lab: Lab, tmp_path: Path
    ) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0")
        other = lab_key(lab, server)
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.ssh_port} {other}\n")
        done = operator.run("plan", "--known-hosts", str(known), "--accept-new-host-keys")
        _assert_said(done, 3, "SHA256:.*SHA256:|SHA256:[^\n]*\n[^\n]*SHA256:", "known_hosts:1")

    @pytest.mark.needs_sudo
    def test_a_wrong_sudo_password(
        self, operator: Operator, one: Callable[..., Server], lab: Lab
    ) -> None:
        server = one({"scim_realms": {"": {}}}, version="9.0", sudo="password")
        variables = {
            "scim_realms": {"": {}},
            "ansible_user": "ops",
            "ansible_become": True,
            "ansible_become_password": "not-the-password",
        }
        operator.write_inventory({server.name: variables})
        done = operator.run("plan")
        _assert_said(done, 1, "become: ", "password")
        assert "not-the-password" not in done.stdout + done.stderr


def lab_key(lab: Lab, server: Server) -> str:
    """Return a host key of the right kind that is not the server's."""
    known = lab.known_hosts.read_text().splitlines()
    own = [line for line in known if f":{server.ssh_port} " in line][-1].split(" ", 1)[1]
    client = lab.client_key.with_suffix(".pub")
    public = client.read_text() if client.exists() else _public(lab.client_key)
    other = " ".join(public.split()[:2])
    assert other != own
    return other


def _public(private: Path) -> str:
    argv = ["ssh-keygen", "-y", "-f", str(private)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_errors_need_no_vault_password(operator: Operator) -> None:
    operator.write_inventory({"chat1.example.com": {"scim_realms": {"ACME": {}}}})
    _assert_said(operator.run("apply", "--yes", *VAULT), 64, "acme")
