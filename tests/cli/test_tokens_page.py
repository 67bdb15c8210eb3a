"""Run the commands of docs/tokens.md on the lab, and its recipes with fake programs."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf.inventory import load
from scimconf.model import Reference
from scimconf.tokens.references import resolve
from tests.lab import Server
from tests.lab.operator import Operator

PAGE = Path(__file__).parents[2] / "docs/tokens.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
LINES = [
    line.partition("  #")[0].strip()
    for language, block in BLOCKS
    if not language
    for line in block.splitlines()
    if line.startswith("scimconf ")
]
(RECIPES,) = (block for language, block in BLOCKS if language == "yaml" and "command:" in block)
PROGRAMS = ("op", "pass", "vault", "sops", "gopass", "bw")
TOKEN = "gR7bQ2mXv9LkPz4TnW8s"


@pytest.mark.needs_sshd
def test_the_commands_of_the_page_work(operator: Operator, one: Callable[..., Server]) -> None:
    server = one(
        {"scim_realms": {"acme": {}}, "scim_token_store": "secrets"},
        version="9.0",
        realms=["acme"],
    )
    known = ("ansible_", "zulip_", "scim_probe", "scim_ca")
    bare = {k: v for k, v in server.inventory_vars().items() if k.startswith(known)}
    environment = {
        **operator.lab.environment(),
        "SCIMCONF_VAULT_PASSWORD_FILE": ".vault-password",
    }
    for line in LINES:
        words = shlex.split(line.replace("chat1.example.com", server.name))[1:]
        if words[0] == "import":
            operator.inventory.write_text(json.dumps({"all": {"hosts": {server.name: bare}}}))
            operator.tokens.unlink()
        if words[:2] == ["token", "rekey"]:
            (operator.folder / "new-password").write_text("battery staple\n")
        done = operator.run(*words, env=environment)
        if words[:2] == ["token", "rekey"]:
            (operator.folder / "new-password").rename(operator.folder / ".vault-password")
        assert done.returncode == 0, (line, done)
    assert (operator.folder / "host_vars" / f"{server.name}.yaml").exists()
    assert {line.split()[1] for line in LINES} >= {"apply", "rotate", "handoff", "import"}


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fake programs with these names. Each prints a token and records its folder and arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        program = folder / name
        program.write_text(
            "#!/usr/bin/env python3\n"
            "import os, sys\n"
            f"with open({str(tmp_path / 'called')!r}, 'a') as file:\n"
            "    print(os.getcwd(), os.path.basename(sys.argv[0]), *sys.argv[1:], file=file)\n"
            "assert not sys.stdin.read()\n"
            "print('secret on stderr', file=sys.stderr)\n"
            f"print({TOKEN!r})\n"
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "called"


def test_the_recipes_call_the_programs_as_documented(
    stand_ins: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(RECIPES)
    server = load([inventory]).servers["chat1.example.com"]
    for realm in server.realms:
        assert isinstance(realm.token, Reference)
        assert realm.string_id == f"by-{realm.token.words[0]}"
        assert resolve(realm.token).reveal() == TOKEN
    assert stand_ins.read_text().splitlines() == [
        f"{tmp_path} {call}"
        for call in (
            "op read op://ops/zulip-acme/credential",
            "pass show zulip/acme",
            "vault kv get -mount=secret -field=token zulip/acme",
            'sops --decrypt --extract ["acme"] zulip.sops.yaml',
            "gopass show --password zulip/acme",
            "bw get password zulip-acme --nointeraction",
        )
    ]
    assert tuple(realm.string_id.removeprefix("by-") for realm in server.realms) == PROGRAMS
    assert "secret" not in "".join(capfd.readouterr())
