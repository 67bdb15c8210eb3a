from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.errors import HostError
from scimconf.ssh.become import Become
from scimconf.ssh.opening import Move, Opening
from scimconf.ssh.su import Su
from scimconf.ssh.sudo import Sudo

NONCE = "aa11"
MARKER = "[bb22]"
READY = b"aa11 ready 3.11.2\n"


SUDO = Sudo(MARKER, "deploy", "zulip")
SU = Su(MARKER, "deploy", "zulip")


def opening(become: Become | None = SUDO, *, has_password: bool = True) -> Opening:
    return Opening(
        NONCE,
        become,
        has_password=has_password,
        login="deploy",
        user="zulip",
        zulip_user="zulip",
    )


@pytest.mark.parametrize(
    ("word", "message"), [("root", "never runs as root"), ("nobody", "has no user zulip")]
)
def test_the_start_command_reports_a_problem(word: str, message: str) -> None:
    with pytest.raises(HostError, match=message) as caught:
        opening().feed(f"{NONCE} {word}\n".encode(), b"")
    assert "zulip_user" in caught.value.hint


def test_the_password_is_sent_once_and_then_the_program() -> None:
    talk = opening()
    assert talk.feed(b"", b"We trust you have received the usual lecture") is Move.WAIT
    assert talk.feed(b"", MARKER.encode()) is Move.SEND_PASSWORD
    assert talk.feed(b"", b"\n") is Move.WAIT
    assert talk.feed(READY, b"") is Move.SEND_PROGRAM


def test_no_password_is_sent_without_a_prompt() -> None:
    assert opening().feed(READY, b"") is Move.SEND_PROGRAM


def test_a_second_prompt_is_a_wrong_password() -> None:
    talk = opening()
    talk.feed(b"", MARKER.encode())
    with pytest.raises(HostError, match="did not accept the password of deploy; it was sent once"):
        talk.feed(b"", b"Sorry, try again.\n" + MARKER.encode())


def test_a_prompt_and_no_password() -> None:
    with pytest.raises(HostError, match="none was given") as caught:
        opening(has_password=False).feed(b"", MARKER.encode())
    assert "deploy ALL=(zulip) NOPASSWD: ALL" in caught.value.hint


def test_the_marker_has_no_meaning_without_sudo() -> None:
    assert opening(None).feed(b"", MARKER.encode()) is Move.WAIT


def test_the_prompt_of_su_counts_only_after_the_marker() -> None:
    talk = opening(SU)
    assert talk.feed(b"", b"Password: printed by a profile\n") is Move.WAIT
    assert talk.feed(b"", MARKER.encode()) is Move.WAIT
    assert talk.feed(b"", b"Pass") is Move.WAIT
    assert talk.feed(b"", b"word: ") is Move.SEND_PASSWORD
    assert talk.feed(b"", b"\n") is Move.WAIT
    with pytest.raises(HostError, match="did not accept the password of zulip; it was sent once"):
        talk.feed(b"", b"Password: ")


@given(
    noise=st.binary(max_size=200),
    cut=st.lists(st.integers(0, 400), max_size=8),
    prompt=st.booleans(),
)
def test_output_can_arrive_in_any_pieces(noise: bytes, cut: list[int], prompt: bool) -> None:
    talk = opening()
    err = b"lecture " + MARKER.encode() if prompt else b"lecture"
    moves = [talk.feed(b"", piece) for piece in pieces(err, cut)]
    assert moves.count(Move.SEND_PASSWORD) == prompt
    moves = [talk.feed(piece, b"") for piece in pieces(noise + READY, cut)]
    assert moves.pop() is Move.SEND_PROGRAM
    assert set(moves) <= {Move.WAIT}


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def test_what_follows_the_ready_line_is_kept() -> None:
    talk = opening()
    talk.feed(b"no newline " + READY + b"more", b"")
    assert talk.rest == b"more"


@pytest.mark.parametrize("version", ["3.7.17", "3.6.15", "2.7.18"])
def test_too_old(version: str) -> None:
    with pytest.raises(HostError, match=rf"is {version}; scimconf's agent needs 3\.8 or newer"):
        opening().feed(f"{NONCE} ready {version}\n".encode(), b"")


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("sudo: a password is required", "none was given"),
        ("sudo: no password was provided\nsudo: a password is required", "none was given"),
        ("sudo: 1 incorrect password attempt", "did not accept"),
        ("sudo: sorry, you must have a tty to run sudo", "requiretty"),
        ("deploy is not in the sudoers file.\nThis incident has been reported", "not in the sudo"),
        ("Sorry, user deploy is not allowed to execute '/bin/sh' as zulip on chat1.", "not allow"),
        ("Sorry, user deploy may not run sudo on chat1.", "does not allow deploy"),
        ("sudo: unknown user: zulip", "does not know the user zulip"),
        (
            "sudo: unknown user zulip\nsudo: error initializing audit plugin",
            "does not know the user",
        ),
        ("sudo: account validation failure, is your account locked?", "but not the account"),
        ("env: 'sudo': No such file or directory", "sudo is not installed"),
        ("env: sudo: not found", "sudo is not installed"),
        ("/usr/bin/env: ‘sudo’: No such file or directory", "sudo is not installed"),
        ("env: can't execute 'sudo': No such file or directory", "sudo is not installed"),
        # "No such file or directory" about another file.
        (
            "sudo: unable to change directory to /srv/zulip: No such file or directory",
            "cannot change to the folder",
        ),
        ("sudo: effective uid is not 0, is sudo installed setuid root?", "cannot become root"),
        ("sudo: no valid sudoers sources found, quitting", "cannot read its sudoers file"),
        ("sudo: unrecognized option '--wrong'", "does not know an option"),
        # sudo-rs
        ("sudo: I'm sorry deploy. I'm afraid I can't do that", "not in the sudoers file, or no"),
        ("sudo: user 'zulip' not found", "does not know the user zulip"),
        ("sudo: interactive authentication is required", "none was given"),
        ("sudo: Authentication required but not attempted", "none was given"),
        ("sudo: A terminal is required to authenticate", "none was given"),
        ("sudo: maximum 3 incorrect authentication attempts", "did not accept"),
        ("sudo: Account validation failure, is your account locked?", "but not the account"),
        ("sudo: Password expired, contact your system administrator", "but not the account"),
        ("sudo: sudo must be owned by uid 0 and have the setuid bit set", "cannot become root"),
        ('sudo: The "no new privileges" flag is set, which prevents', "cannot become root"),
        ("sudo: invalid configuration: permission denied", "cannot read its sudoers file"),
        ("invalid option provided\nusage: sudo -h", "does not know an option"),
    ],
)
def test_messages_of_sudo(stderr: str, words: str) -> None:
    talk = opening()
    talk.feed(b"", stderr.encode())
    error = talk.ended(1)
    assert error.step == "become"
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("su: must be run from a terminal", "su on the server needs a terminal"),
        ("su: Authentication failure", "did not accept"),
        ("su: incorrect password", "did not accept"),
        ("su: Permission denied", "does not allow deploy to become zulip"),
        (
            "su: user zulip does not exist or the user entry does not contain",
            "does not know the user",
        ),
        ("su: unknown user zulip", "does not know the user zulip"),
        ("Your account has expired; please contact\nsu: Authentication failure", "not the account"),
        ("env: 'su': No such file or directory", "su is not installed"),
        ("su: user 'zulip' not found", "does not know the user zulip"),
        ("su: maximum 3 incorrect authentication attempts", "did not accept"),
    ],
)
def test_messages_of_su(stderr: str, words: str) -> None:
    talk = opening(SU)
    talk.feed(b"", stderr.encode())
    error = talk.ended(1)
    assert error.step == "become"
    assert words in error.message
    assert error.hint


def test_messages_of_sudo_have_no_meaning_without_sudo() -> None:
    talk = opening(None)
    talk.feed(b"", b"sudo: a password is required")
    assert talk.ended(1).step == "start"


@pytest.mark.parametrize(
    "stderr",
    [
        "sudo: /bin/sh: command not found",
        "sudo: '/bin/sh': command not found",
        "sudo: cannot execute '/bin/sh': No such file or directory (os error 2)",
        "sudo: unable to stat /etc/sudo.conf: No such file or directory",
    ],
)
def test_a_missing_file_does_not_mean_that_there_is_no_sudo(stderr: str) -> None:
    talk = opening()
    talk.feed(b"", stderr.encode())
    message = talk.ended(1).message
    assert "is not installed" not in message
    assert stderr.removeprefix("sudo: ")[:20] in message


def test_the_prompt_of_sudo_rs_contains_the_marker() -> None:
    talk = opening()
    assert talk.feed(b"", f"[sudo: {MARKER}] Password: ".encode()) is Move.SEND_PASSWORD
    assert talk.feed(b"", b"\n") is Move.WAIT
    with pytest.raises(HostError, match="did not accept the password of deploy"):
        talk.feed(b"", f"Authentication failed, try again.\n[sudo: {MARKER}] Pass".encode())


@pytest.mark.parametrize("name", ["su", "su-rs"])
def test_the_prompt_of_su_of_sudo_rs(name: str) -> None:
    talk = opening(Su(MARKER, "deploy", "zulip", (name,)))
    assert talk.feed(b"", MARKER.encode()) is Move.WAIT
    assert talk.feed(b"", b"[su: authenticate] Password: ") is Move.SEND_PASSWORD


def test_a_rule_for_a_domain_account_is_written_as_sudoers_needs_it() -> None:
    talk = Opening(
        NONCE,
        Sudo(MARKER, r"CORP\alice", "zulip"),
        has_password=False,
        login=r"CORP\alice",
        user="zulip",
        zulip_user="zulip",
    )
    with pytest.raises(HostError) as caught:
        talk.feed(b"", MARKER.encode())
    assert r'"CORP\\alice ALL=(zulip) NOPASSWD: ALL"' in caught.value.hint
    assert r"ssh 'CORP\alice@SERVER' true" in talk.ended(1).hint


def test_the_marker_is_not_shown() -> None:
    talk = opening()
    talk.feed(b"", MARKER.encode() + b"something else")
    assert MARKER not in talk.ended(1).message + talk.timed_out(3).message
