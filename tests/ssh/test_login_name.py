"""Login names, compared with what the installed ssh accepts."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf.ssh import login_name
from tests.ssh.test_command import SHELLS


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        r"CORP\alice",  # winbind, sssd
        r"dom\first.last",
        "alice@corp.example",
        "corp.example+alice",
        "first.last$",
        "müller",
        "1000",
        "_svc-zulip",
        "uid=alice,ou=ops",
    ],
)
def test_names_that_ssh_accepts(name: str) -> None:
    assert login_name.is_valid(name)
    assert _ssh_prints(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "-oProxyCommand=x", "-l", "--", ".", ".."),
        *("a b", "a -x", "a\nb", "a\tb", "a'b", 'a"b', "a`b", "$(id)", "a;b", "a&b", "a|b", "a>b"),
        *("~alice", "a$b", "$HOME", "../x", "a/b", "a\\", "\\a", r"a\\b", "%r", "a%h", "a*", "a?"),
        *("a!", "#a", "{a}", "a:b", "[a]", "\0"),
    ],
)
def test_names_that_are_no_plain_word_are_refused(name: str) -> None:
    assert not login_name.is_valid(name)


@settings(max_examples=60, deadline=None)
@given(name=st.from_regex(r"[\w.+@\\$,=~-]{1,12}", fullmatch=True))
def test_each_valid_name_is_accepted_by_ssh_and_is_one_word_without_meaning(name: str) -> None:
    if not login_name.is_valid(name):
        return
    assert _ssh_prints(name) == name
    for shell in SHELLS[:1]:
        words = subprocess.run(
            [shell, "-c", f"printf '%s\\n' {name}"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert words == [name.replace("\\", "")]


def _ssh_prints(name: str) -> str:
    done = subprocess.run(
        ["ssh", "-G", "-F", "none", "-l", name, "--", "localhost"],
        capture_output=True,
        text=True,
        check=True,
    )
    first = next(line for line in done.stdout.splitlines() if line.startswith("user "))
    return first.removeprefix("user ")
