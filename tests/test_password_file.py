"""Passwords in files and from programs. The oracle is Ansible's own code (ansible_passwords.py)."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from scimconf.errors import UsageError
from scimconf.password_file import (
    read_login_password,
    read_own_vault_password,
    read_vault_password,
)
from scimconf.secret import Secret
from scimconf.vault import without_spaces
from tests.oracle.client import PYTHON, ROOT, environment
from tests.test_vault import FROM_ANSIBLE_11

PASSWORDS = [
    *(b"pw", b"pw\n", b"pw\r\n", b" pass phrase \n", b"\tpw\t", b"\n\npw\n\n", b"a\nb\n"),
    *(
        b"\r\n pw \r\n",
        b"\x0bpw\x0c\n",
        b"pw\xc2\xa0\n",
        "pässwörd \n".encode(),
        b"\xef\xbb\xbfpw\n",
    ),
    *(
        b"pw\xe2\x80\xa8",
        b"\xc2\x85pw",
        b"pw\x1c\n",
        b"\xff\xfe\xfc\n",
        b"pw\0\n",
        b'"pw"\n',
        b"# pw",
    ),
    *(b"", b"\n", b" \n", b"\r\n\t "),
]
"""Each is what a file contains, or what a program prints, or what a person types."""


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o700)
    return path


def _ours(path: Path) -> bytes | None:
    """Return the password; None if it is refused because there is none."""
    with suppress(UsageError):
        return read_vault_password(path).reveal().encode(errors="surrogateescape")
    return None


def _login(path: Path) -> bytes | None:
    with suppress(UsageError):
        return read_login_password(path, "SSH password").reveal().encode()
    return None


@pytest.mark.needs_ansible
def test_white_space_is_removed_where_ansible_removes_it(tmp_path: Path) -> None:
    """Issues 87460, 73875, 83974 and 6579 of ansible. Files and programs have different rules."""
    for number, password in enumerate(PASSWORDS):
        (tmp_path / f"{number}.txt").write_bytes(password)
        script(tmp_path / f"{number}.sh", f"#!/bin/sh\ncat {tmp_path}/{number}.txt\n")
    done = subprocess.run(
        [PYTHON, ROOT / "tests/oracle/ansible_passwords.py", tmp_path, str(len(PASSWORDS))],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    for number, password in enumerate(PASSWORDS):
        file, program = tmp_path / f"{number}.txt", tmp_path / f"{number}.sh"
        found = {
            "file": _ours(file),
            "program": _ours(program),
            "typed": without_spaces(Secret(password.decode(errors="surrogateescape")))
            .reveal()
            .encode(errors="surrogateescape"),
        }
        expected = {
            kind: bytes.fromhex(value) if value is not None else None
            for kind, value in theirs[number].items()
        }
        logins = {kind: expected.pop(f"login {kind}") for kind in ("file", "program")}
        if not password or not _is_utf8(password):
            del found["typed"], expected["typed"]  # Ansible refuses it; click asks again
        assert found == expected, password
        if _is_utf8(password):
            assert {"file": _login(file), "program": _login(program)} == logins, password


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_password_file(tmp_path: Path) -> None:
    path = tmp_path / "pass"
    path.write_text("pa ss\n\n")
    assert read_vault_password(path).reveal() == "pa ss"


def test_a_pipe_of_the_shell_is_a_file(tmp_path: Path) -> None:
    """`--vault-password-file <(pass show vault)`."""
    end, other = os.pipe()
    os.write(other, b" pw \n")
    os.close(other)
    assert read_vault_password(Path(f"/dev/fd/{end}")).reveal() == "pw"
    os.close(end)


def test_a_program_prints_the_password(tmp_path: Path) -> None:
    path = script(tmp_path / "my pass", '#!/bin/sh\necho "pw $#"\n')
    assert read_vault_password(path, "default").reveal() == "pw 0"
    assert read_login_password(path, "SSH password").reveal() == "pw 0"


def test_a_client_gets_the_vault_id(tmp_path: Path) -> None:
    """Ansible calls its "third-party vault password client scripts" in the same way."""
    for name, expected in (("my-client.py", "--vault-id prod"), ("a-client", "--vault-id prod")):
        path = script(tmp_path / name, '#!/bin/sh\necho "got $*"\n')
        assert read_vault_password(path, "prod").reveal() == f"got {expected}"
        assert read_vault_password(path).reveal() == "got ", "no id was given"
        path.chmod(0o600)
        assert "echo" in read_vault_password(path, "prod").reveal(), "not a program"
    knows_none = script(tmp_path / "no-client", "#!/bin/sh\nexit 2\n")
    with pytest.raises(UsageError, match="no-client does not know the vault id prod"):
        read_vault_password(knows_none, "prod")


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (FROM_ANSIBLE_11, 0o600, "the vault password file {} is itself encrypted"),
        ("#!/bin/sh\nexit 3\n", 0o700, "the vault password program {} exited with status 3"),
        ("\n", 0o600, "the vault password file {} contains no password"),
        ("#!/bin/sh\n", 0o700, "the vault password file {} contains no password"),
        ("x" * 70000, 0o600, "the vault password file {} is larger than 64 KiB"),
    ],
)
def test_wrong_password_files(tmp_path: Path, content: str, mode: int, expected: str) -> None:
    path = tmp_path / "pass"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(UsageError) as caught:
        read_vault_password(path)
    assert expected.format(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected", "hint"),
    [
        ("correct horse\n", "is executable, but it cannot be run: Exec format error", "#! line"),
        ("#!/nosuch/program\n", "the program in its #! line does not exist", "first line"),
        ("#!/bin/sh\r\necho pw\n", "the program in its #! line does not exist", "carriage"),
    ],
)
def test_an_executable_file_that_cannot_be_run(
    content: str, expected: str, hint: str, tmp_path: Path
) -> None:
    """Issues 80070, 13304 and 8483 of ansible, 711 of trellis: folders of Windows and Vagrant."""
    path = script(tmp_path / "my pass", "")
    path.write_bytes(content.encode())
    for read in (read_vault_password, lambda path: read_login_password(path, "vault password")):
        with pytest.raises(UsageError) as caught:
            read(path)
        assert expected in caught.value.message
        assert hint in caught.value.hint
        assert f"chmod -x '{path}'" in caught.value.hint
        assert "horse" not in str(caught.value.text)


def test_a_file_that_only_others_may_execute_is_a_program_for_ansible_too(tmp_path: Path) -> None:
    path = tmp_path / "pass"
    path.write_text("pw\n")
    path.chmod(0o601)
    with pytest.raises(UsageError, match="is executable, but it cannot be run"):
        read_vault_password(path)


def test_unreadable_password_files(tmp_path: Path) -> None:
    for path in (tmp_path / "no", tmp_path, Path("a\0b")):
        with pytest.raises(UsageError, match="cannot read the vault password file"):
            read_vault_password(path)
    (tmp_path / "latin").write_bytes(b"\xfc\n")
    with pytest.raises(UsageError, match=r"the SSH password file .*latin is not UTF-8"):
        read_login_password(tmp_path / "latin", "SSH password")


def test_a_login_password_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(isatty=lambda: False, buffer=BytesIO(b" pw \n"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert read_login_password(Path("-"), "SSH password").reveal() == " pw "
    stdin.isatty = lambda: True
    with pytest.raises(UsageError, match="would be visible"):
        read_login_password(Path("-"), "SSH password")


# --- the file that init makes ---------------------------------------------------------------------


def test_the_own_file_is_read_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / ".vault-password"
    path.write_text(" pw \n")
    for mode in (0o600, 0o400):
        path.chmod(mode)
        assert read_own_vault_password(path).reveal() == "pw"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(0o640, "its mode is 0640"), (0o644, "its mode is 0644"), (0o700, "its mode is 0700")],
)
def test_an_own_file_that_others_can_read_or_that_is_a_program(
    mode: int, reason: str, tmp_path: Path
) -> None:
    path = script(tmp_path / ".vault-password", f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    path.chmod(mode)
    with pytest.raises(UsageError, match=reason) as caught:
        read_own_vault_password(path)
    assert f"--vault-password-file {path}" in caught.value.hint
    assert not (tmp_path / "ran").exists()


def test_an_own_file_that_is_a_link_a_pipe_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("pw\n")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "link").symlink_to("secret")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(0o600)
    for name, reason in (
        ("link", "it is a link"),
        ("pipe", "not a regular"),
        ("folder", "not used"),
    ):
        with pytest.raises(UsageError, match=reason):
            read_own_vault_password(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_own_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / ".vault-password"
    path.touch(0o600)
    os.chown(path, 65534, -1)
    with pytest.raises(UsageError, match="it belongs to another user"):
        read_own_vault_password(path)


def test_a_program_gets_no_credential_of_an_identity_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIMCONF_IDP_ENTRA", "a-client-secret")
    monkeypatch.setenv("OTHER", "kept")
    program = script(tmp_path / "program", "#!/bin/sh\necho x$SCIMCONF_IDP_ENTRA$OTHER\n")
    assert read_vault_password(program).reveal() == "xkept"
