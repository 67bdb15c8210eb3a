"""How the lab finds sshd, and how it installs one without starting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import openssh

BANNER = "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.11 19 Sep 2023"


def program(path: Path, text: str) -> Path:
    """Write a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without sshd."""
    monkeypatch.setattr(openssh, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(openssh, "PLACES", (str(tmp_path / "sbin"),))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_without_sshd_nothing_is_found() -> None:
    assert openssh.find() is None


def test_the_sshd_of_the_system_is_preferred(tmp_path: Path) -> None:
    system = program(tmp_path / "sbin/sshd", f"echo '{BANNER}' >&2")
    program(tmp_path / "cache/usr/sbin/sshd", f"echo '{BANNER}' >&2")
    found = openssh.find()
    assert found is not None
    assert (found.sshd, found.version, found.origin) == (system, (9, 2), "system")


def test_the_version_of_an_old_sshd_is_in_its_usage_text(tmp_path: Path) -> None:
    old = f"echo 'unknown option -- V' >&2; echo '{BANNER.replace('9.2', '8.4')}' >&2; exit 1"
    program(tmp_path / "sbin/sshd", old)
    found = openssh.find()
    assert found is not None
    assert found.version == (8, 4)


def test_an_unpacked_sshd_gets_the_paths_of_its_parts(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    program(cache / "usr/sbin/sshd", f"echo '{BANNER.replace('9.2', '10.0')}'")
    program(cache / "usr/lib/openssh/sshd-session", "")
    program(cache / "usr/lib/x86_64-linux-gnu/libwrap.so.0", "")
    found = openssh.find()
    assert found is not None
    assert (found.version, found.origin, found.root) == ((10, 0), "unpacked", cache)
    assert found.environment == {"LD_LIBRARY_PATH": f"{cache}/usr/lib/x86_64-linux-gnu"}
    assert found.config == (f'SshdSessionPath "{cache}/usr/lib/openssh/sshd-session"',)


def test_an_sshd_that_does_not_start_is_ignored(tmp_path: Path) -> None:
    program(tmp_path / "cache/usr/sbin/sshd", "exit 127")
    assert openssh.find() is None


def interrupted(policy: Path) -> None:
    """Check the policy while it is in force, then raise KeyboardInterrupt."""
    with openssh._services_denied():
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o777 == 0o755
        raise KeyboardInterrupt


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"])
def test_starting_services_is_denied_during_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(openssh, "POLICY", policy)
    if before:
        policy.write_text(before)
        policy.chmod(0o700)
    with pytest.raises(KeyboardInterrupt):
        interrupted(policy)
    if before:
        assert policy.read_text() == before
        assert policy.stat().st_mode & 0o777 == 0o700
    else:
        assert not policy.exists()


def test_the_package_and_missing_libraries_are_unpacked(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program(
        tmp_path / "bin/apt-get",
        f"""
echo "$@" >> '{log}'
case "$*" in
    *--simulate*) echo 'Inst libwrap0 (7.6 Debian)'; echo 'Inst ucf (3 Debian)'
                  echo 'Inst openssh-server (9.2 Debian)' ;;
    *download*) touch openssh-server_9.2.deb ;;
esac""",
    )
    unpacked = f"mkdir -p \"$3/usr/sbin\"; printf '#!/bin/sh\\necho {BANNER.split()[0]}\\n'"
    program(tmp_path / "bin/dpkg", f'{unpacked} > "$3/usr/sbin/sshd"; chmod 755 "$3/usr/sbin/sshd"')
    openssh._unpack()
    assert "download libwrap0 openssh-server" in log.read_text()
    found = openssh.find()
    assert found is not None
    assert found.origin == "unpacked"


def test_the_program_prints_one_line_about_the_sshd(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(openssh, "provide", lambda: None)
    assert openssh.main() == 0
    assert capsys.readouterr().out.startswith("sshd: not found")
    program(tmp_path / "sbin/sshd", f"echo '{BANNER}' >&2")
    monkeypatch.setattr(openssh, "provide", openssh.find)
    assert openssh.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("sshd: OpenSSH 9.2, system (")
    assert out.count("\n") == 1
