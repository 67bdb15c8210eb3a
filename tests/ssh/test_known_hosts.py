from __future__ import annotations

import base64
import stat
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.errors import Unreachable
from scimconf.ssh import known_hosts
from scimconf.ssh.host_key import ShownKey, check, preferred
from scimconf.ssh.known_hosts import KnownKey, Verdict, judge, search_text
from scimconf.ssh.session import Options
from tests.ssh.server import Server
from tests.ssh.test_route import ROUTE
from tests.ssh.test_sshd import ask

BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32
KEY = base64.b64encode(BLOB).decode()
SHOWN = ShownKey("ssh-ed25519", b"k")


def places(text: str, name: str) -> list[str]:
    return [line.place for line in search_text(text, name, "f")]


@pytest.mark.parametrize(
    ("field", "name", "expected"),
    [
        ("chat.example.com", "chat.example.com", True),
        ("Chat.Example.COM", "chat.example.com", True),
        ("chat.example.com,10.0.0.7", "10.0.0.7", True),
        ("chat.example.com", "[chat.example.com]:2222", False),
        ("[chat.example.com]:2222", "[chat.example.com]:2222", True),
        ("[*.example.com]:2222", "[chat.example.com]:2222", True),
        ("[*.example.com]:2222", "[chat.example.com]:2223", False),
        ("*.example.com", "chat.example.com", True),
        ("*.example.com", "example.com", False),
        ("chat?.example.com", "chat1.example.com", True),
        ("*.example.com,!chat.example.com", "chat.example.com", False),
        ("!chat.example.com,*", "other", True),
        ("[ab]", "a", False),
        (",,", "", False),
    ],
)
def test_names(field: str, name: str, expected: bool) -> None:
    assert bool(places(f"{field} ssh-ed25519 {KEY}\n", name)) is expected


def test_unreadable_lines_do_not_hide_others() -> None:
    text = (
        "# a comment\n\n"
        "@cert-authority *.example.com ssh-ed25519 KEY a comment\r\n"
        "nonsense\n"
        "chat.example.com ssh-ed25519\n"
        "chat.example.com ssh-ed25519 ===\n"
        "|1|not base64|at all ssh-ed25519 KEY\n"
        "|1| ssh-ed25519 KEY\n"
        "@strange chat.example.com ssh-ed25519 KEY\n"
        "@\n"
        "chat.example.com ssh-ed25519 KEY"
    ).replace("KEY", KEY)
    assert places(text, "chat.example.com") == ["f:3", "f:9", "f:11"]


@given(st.text(), st.text(min_size=1))
def test_any_text_can_be_searched(text: str, name: str) -> None:
    places(text, name)


@given(st.from_regex(r"[a-z0-9.-]{1,30}", fullmatch=True), st.binary(min_size=32, max_size=32))
def test_a_remembered_key_is_found(name: str, key: bytes) -> None:
    blob = BLOB[:-32] + key
    line = f"{name} ssh-ed25519 {base64.b64encode(blob).decode()}\n"
    assert [key.blob for key in search_text(line, name, "f")] == [blob]


def _line(kind: str, blob: bytes) -> str:
    return f"{kind} {base64.b64encode(blob).decode()}"


def _field(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


_CURVE = _field(b"ecdsa-sha2-nistp256") + _field(b"nistp256")
BROKEN = {
    "cut short": "ssh-rsa AAAA",
    "cut in the key": _line("ssh-ed25519", BLOB[:-1]),
    "cut in base64": f"ssh-ed25519 {KEY[:-3]}",
    "no base64": "ssh-ed25519 %%%%",
    "more behind it": _line("ssh-ed25519", BLOB + b"x"),
    "another type": _line("ssh-rsa", BLOB),
    "a type that nobody knows": _line("ssh-foo", _field(b"ssh-foo") + _field(b"x" * 32)),
    "no point of the curve": _line("ecdsa-sha2-nistp256", _CURVE + _field(b"\4" + b"k" * 64)),
    "a tiny RSA key": _line("ssh-rsa", _field(b"ssh-rsa") + _field(b"\3") + _field(b"k" * 60)),
    "of SSH 1": "1024 65537 123456789",
    "no key at all": "ssh-ed25519",
}
WHOLE = {"another key": _line("ssh-ed25519", BLOB)}


@pytest.mark.parametrize("name", [*BROKEN, *WHOLE])
def test_a_line_whose_key_cannot_be_read_is_skipped_as_in_ssh(
    server: Server, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[127.0.0.1]:{server.port} {(BROKEN | WHOLE)[name]}\n")
    options = {
        "BatchMode": "yes",
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": file,
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    done = subprocess.run(
        ["ssh", "-F", "none", *words, "-p", str(server.port), "127.0.0.1", "true"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Host key verification failed" in done.stderr
    changed = "HAS CHANGED" in done.stderr
    assert changed is (name in WHOLE)
    with pytest.raises(Unreachable) as caught:
        ask(server.connection(), Options(known_hosts=(str(file),)))
    assert ("HAS CHANGED" in caught.value.message) is changed
    assert ("is not in known_hosts" in caught.value.message) is not changed


@pytest.mark.parametrize("kind", ["rsa-sha2-256", "rsa-sha2-512"])
def test_a_revoked_rsa_key_may_be_named_by_its_signature(tmp_path: Path, kind: str) -> None:
    words = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", tmp_path / "key"]
    subprocess.run(words, check=True)
    text = (tmp_path / "key.pub").read_text().split()[1]
    file = tmp_path / "known_hosts"
    file.write_text(f"chat1 ssh-rsa {text}\n@revoked chat1 {kind} {text}\n")
    told = subprocess.run(
        ["ssh-keygen", "-F", "chat1", "-l", "-f", file], capture_output=True, text=True, check=True
    )
    assert "line 2 REVOKED" in told.stdout
    found = search_text(file.read_text(), "chat1", "f")
    assert judge(list(found), base64.b64decode(text)) is Verdict.REVOKED


def test_hashed_names_as_openssh_hashes_them(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"chat.example.com ssh-ed25519 {KEY}\n[b]:2222 ssh-ed25519 {KEY}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    text = file.read_text()
    assert "example" not in text
    assert places(text, "chat.example.com") == ["f:1"]
    assert places(text, "[b]:2222") == ["f:2"]
    assert places(text, "b") == []


def key(blob: bytes, marker: str = "", kind: str = "ssh-ed25519", place: str = "f:1") -> KnownKey:
    return KnownKey(marker, kind, blob, place)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Verdict.UNKNOWN),
        ([key(b"a")], Verdict.KNOWN),
        ([key(b"b"), key(b"a")], Verdict.KNOWN),
        ([key(b"b")], Verdict.CHANGED),
        ([key(b"a"), key(b"a", "@revoked")], Verdict.REVOKED),
        ([key(b"a"), key(b"b", "@revoked")], Verdict.KNOWN),
        ([key(b"a", "@cert-authority")], Verdict.UNKNOWN),
    ],
)
def test_judge(lines: list[KnownKey], expected: Verdict) -> None:
    assert judge(lines, b"a") is expected


def test_the_server_is_asked_for_a_key_that_is_known() -> None:
    offered = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    assert preferred([], offered) == offered
    known = [key(b"a", kind="ssh-rsa"), key(b"b", "@revoked", kind="ssh-ed25519")]
    assert preferred(known, offered)[:2] == ("rsa-sha2-512", "rsa-sha2-256")
    assert set(preferred(known, offered)) == set(offered)


def test_with_an_authority_the_server_is_asked_for_a_certificate() -> None:
    offered = ("ssh-ed25519", "rsa-sha2-512")
    names = preferred([key(b"a", "@cert-authority", kind="ssh-rsa")], offered)
    assert names[0] == "ssh-ed25519-cert-v01@openssh.com"
    assert names[2:] == offered


def test_a_known_authority_is_named_for_an_unknown_key() -> None:
    with pytest.raises(Unreachable, match=r"without a certificate of the authority in f:7"):
        check(ROUTE, Options(), [key(b"a", "@cert-authority", place="f:7")], SHOWN)


@pytest.mark.parametrize(
    ("files", "message"),
    [((__file__ + "/known_hosts",), "cannot add the key"), ((), "no known_hosts file")],
)
def test_a_new_key_that_cannot_be_remembered_is_not_accepted(
    files: tuple[str, ...], message: str
) -> None:
    route = replace(ROUTE, known_hosts=files)
    with pytest.raises(Unreachable, match=message):
        check(route, Options(host_key="accept-new"), [], SHOWN)


def test_remember_keeps_the_existing_lines(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    known_hosts.remember(str(file), "a", "ssh-ed25519", BLOB)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.write_text("without an end")
    known_hosts.remember(str(file), "[b]:22", "ssh-ed25519", BLOB)
    assert file.read_text() == f"without an end\n[b]:22 ssh-ed25519 {KEY}\n"
