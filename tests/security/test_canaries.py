"""In whole runs, secrets are only where they belong, and the hunter finds planted secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.lab.lab import PROJECT
from tests.security import recorder
from tests.security.hunter import Hunter

MAY_HOLD = {
    "agent/files.py *": "render edits files on this side; the tokens are in them",
    "agent/durable.py *": "the same",
    "agent/secrets_*.py *": "the same",
    "agent/settings_*.py *": "the same",
    "render.py *": "the same",
    "idp/credentials.py read *": "reads the credentials of identity providers",
    "idp/entra_login.py *": "msal takes and returns texts",
    "idp/https.py *": "the bytes for the encrypted connection to an identity provider",
    "password_file.py *": "reads them",
    "secret.py __init__ text": "where it is wrapped up",
    "secret.py __eq__ *": "compares them in constant time",
    "secret.py <genexpr> *": "the same",
    "secret.py redact *": "what is looked for",
    "secret.py hides_secret *": "the same",
    "secret.py _forms *": "the same",
    "secret.py _letters text": "the same",
    "ssh/conversation.py _password_line text": "the line that sudo reads",
    "ssh/link.py exchange outgoing": "the bytes for the encrypted channel",
    "template/files.py render values": "the entry of SCIM_CONFIG",
    "timed_socket.py sendall given": "the bytes for the encrypted connection to a web server",
    "tokens/generate.py *": "makes them",
    "tokens/references.py *": "fetches them",
    "tokens/strength.py *": "judges them",
    "vault.py *": "encrypts and decrypts them",
    "zulip/bearer.py *": "judges them",
    "zulip/block.py *": "the entry of SCIM_CONFIG",
    "zulip/expression.py tree source": "the entry of SCIM_CONFIG",
}
"""Where a traceback with local variables would show a secret: file, function, variable.
All other functions handle secrets only as Secret. scimconf never prints such a traceback, but a
debugger or a crash reporter could."""


def _run() -> dict[str, Any]:
    record = Path(os.environ.get("TMPDIR", "/tmp"), f"scimconf-record-{os.getpid()}")
    try:
        done = subprocess.run(
            [
                *(sys.executable, recorder.__file__, record),
                *(sys.executable, "-m", "tests.security.scenario"),
            ],
            cwd=PROJECT,
            env={**os.environ, "CANARY_RECORD": str(record)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        record.unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr[-5000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.needs_sshd
def test_only_planted_secrets_are_found() -> None:
    result = _run()
    variables = [
        each
        for each in result["found"].pop("variables")
        if not any(fnmatch(each, pattern) for pattern in MAY_HOLD)
    ]
    assert result["found"] == {}
    assert variables == []
    assert result["missed"] == []
    seen = "\n".join(result["processes"])
    wanted = ["-m scimconf apply", "ssh -v -G", "sshd", "-I -S -B -u -c", "restart-server"]
    wanted += ["manage.py", "add_scim_client", "/bin/false"] + (
        ["sudo -H -S"] if os.geteuid() == 0 else []
    )
    assert [each for each in wanted if each not in seen] == []


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"x gR7bQ2/+v9Lk%Pz y", "clear"),
        (b"zP%kL9v+/2Qb7Rg", "reversed"),
        (b"x gR7bQ2%2F%2Bv9Lk%25Pz", "quoted for a URL"),
        (b"67523762", ""),
        (b"675237625132 2f2b76394c6b25507a", ""),
        (b"6752376251322f2b76394c6b25507a", "hex"),
        (b"Z1I3YlEyLyt2OUxrJVB6", "base64"),
        (b"eDpnUjdiUTIvK3Y5TGslUHo=", "base64"),
        (b"g\0R\x007\0b\0Q\x002\0/\0+\0v\x009\0L\0k\0%\0P\0z\0", "UTF-16"),
    ],
)
def test_the_hunter_finds_encoded_secrets(data: bytes, kind: str) -> None:
    found = Hunter({"it": "gR7bQ2/+v9Lk%Pz"}).in_bytes(data)
    assert found == ({f"it ({kind})"} if kind else set())


def test_the_recorder_records_every_process(tmp_path: Path) -> None:
    script = "for n in 1 2 3 4 5 6 7 8 9; do CANARY=$n /bin/true $n & done; wait; exit 7"
    argv = [sys.executable, recorder.__file__, tmp_path / "record", "/bin/sh", "-c", script]
    assert subprocess.run(argv, check=False, timeout=60).returncode == 7
    lines = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]
    for event in "exec", "exit":
        seen = [each for each in lines if each["event"] == event and each["argv"][0] == "/bin/true"]
        assert sorted(each["argv"][1] for each in seen) == list("123456789")
        assert all(f"CANARY={each['argv'][1]}" in each["environment"] for each in seen)
