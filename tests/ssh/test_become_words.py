"""What an inventory may say about calling sudo and su."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.ssh.become_words import PROGRAMS, BecomeWordsError, Method, Words, parse


@pytest.mark.parametrize(
    ("method", "exe", "flags", "expected"),
    [
        ("sudo", None, None, Words()),
        ("sudo", "", "", Words()),
        ("sudo", "sudo", "-H -S -n", Words()),  # Ansible's defaults
        ("sudo", "sudo.ws", "-H -S -n -i", Words(("sudo.ws",), ignored=("-i",))),
        ("sudo", "sudo-rs", None, Words(("sudo-rs",))),
        ("sudo", "/usr/local/bin/sudo", "-HSE", Words(("/usr/local/bin/sudo",), ignored=("-E",))),
        ("sudo", "sudo -H", "--non-interactive", Words()),
        ("sudo", None, "--preserve-env=A,B --login", Words(ignored=("-E", "-i"))),
        ("sudo", None, "-p 'give it: ' -k", Words(ignored=("-p give it: ",))),
        ("sudo", None, "-pfoo -s", Words(ignored=("-p foo", "-s"))),
        ("su", None, "-s /bin/sh", Words()),
        ("su", "su", "-", Words(ignored=("-l",))),
        ("su", "/bin/su", "-l -m --shell=/bin/zsh --pty", Words(
            ("/bin/su",), ignored=("-l", "-m", "-s /bin/zsh", "-P"))),
        ("su", "su-rs", "-s /bin/bash", Words(("su-rs",), ignored=("-s /bin/bash",))),
    ],
)  # fmt: skip
def test_known_words_are_followed_or_left_out(
    method: Method, exe: str | None, flags: str | None, expected: Words
) -> None:
    found = parse(method, exe, flags)
    assert found == expected
    assert found.foreign is None


@pytest.mark.parametrize(
    ("method", "exe", "flags", "foreign"),
    [
        ("sudo", "doas", None, "doas"),
        ("sudo", "/opt/pbrun", "-x", "/opt/pbrun -x"),
        ("sudo", "/usr/boksm/bin/suexec", None, "/usr/boksm/bin/suexec"),
        ("su", "sudo su -", None, "sudo su -"),
        ("sudo", "su", None, "su"),
        ("sudo", "./sudo", None, "./sudo"),
        ("sudo", "bin/sudo", None, "bin/sudo"),
        ("sudo", "/tmp/../x/sudo", None, "/tmp/../x/sudo"),
        ("sudo", "/x y/sudo", None, "/x y/sudo"),
        ("sudo", "'/x y/sudo'", None, "'/x y/sudo'"),
        ("sudo", "$HOME/sudo", None, "'$HOME/sudo'"),
        ("sudo", "~/sudo", None, "'~/sudo'"),
        ("sudo", "env", "LD_PRELOAD=/x sudo", "env LD_PRELOAD=/x sudo"),
        ("sudo", None, "-A", "-A"),  # runs SUDO_ASKPASS
        ("sudo", None, "-u root", "-u root"),
        ("sudo", None, "-HA", "-HA"),
        ("sudo", None, "-R /chroot -H", "-R /chroot"),
        ("sudo", None, "--chdir=/x", "--chdir=/x"),
        ("sudo", None, "-C 9", "-C 9"),
        ("sudo", None, "FOO=bar", "FOO=bar"),
        ("sudo", None, "--", "--"),
        ("su", None, "-c id", "-c id"),
        ("su", None, "-g wheel", "-g wheel"),
        ("su", None, "root", "root"),
    ],
)
def test_other_words_need_permission(
    method: Method, exe: str | None, flags: str | None, foreign: str
) -> None:
    assert parse(method, exe, flags).foreign == foreign


@pytest.mark.parametrize(("text", "why"), [("sudo '", "quote"), ("sudo\n", "cannot be printed")])
def test_words_that_no_shell_would_split(text: str, why: str) -> None:
    with pytest.raises(BecomeWordsError, match=why):
        parse("sudo", text, None)
    with pytest.raises(BecomeWordsError, match=why):
        parse("sudo", None, text)


@given(exe=st.text(max_size=20), flags=st.text(max_size=20))
def test_without_permission_only_known_programs_are_called(exe: str, flags: str) -> None:
    try:
        found = parse("sudo", exe, flags)
    except BecomeWordsError:
        return
    if found.foreign is None and found.program:
        (program,) = found.program
        assert program.rpartition("/")[2] in PROGRAMS["sudo"]
        assert "/" not in program or program.startswith("/")
