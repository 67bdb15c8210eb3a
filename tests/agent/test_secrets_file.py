"""The editor of zulip-secrets.conf, compared with Zulip's own parser."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scimconf.agent.errors import Refusal
from scimconf.agent.secrets_edit import edit
from scimconf.agent.secrets_file import read

ZULIP = b"""\
[secrets]
avatar_salt = 5b8d
# kept by hand
email_password = a%b;c#d = e: [f]
postgres_password = x

[machine]
name = y
"""


def test_it_reads_what_zulip_reads() -> None:
    assert read(ZULIP) == {
        "avatar_salt": "5b8d",
        "email_password": "a%b;c#d = e: [f]",
        "postgres_password": "x",
    }
    assert read(b"") == {}


def test_new_secrets_follow_the_last_one() -> None:
    after = edit(ZULIP, {"scim_bearer_token": "t", "scim_bearer_token_a-b": "u"})
    assert after == ZULIP.replace(
        b"= x\n", b"= x\nscim_bearer_token = t\nscim_bearer_token_a-b = u\n"
    )
    assert edit(after, {}, ["scim_bearer_token", "scim_bearer_token_a-b"]) == ZULIP


def test_an_existing_secret_is_changed_in_place() -> None:
    assert edit(ZULIP, {"avatar_salt": "z"}) == ZULIP.replace(b"5b8d", b"z")
    assert edit(ZULIP, {"avatar_salt": "5b8d"}) == ZULIP
    assert edit(ZULIP, {}, ["nothing"]) == ZULIP


@pytest.mark.parametrize(
    "data",
    [
        b"[secrets]",
        b"[secrets]\n",
        b"[secrets]\r\na = 1\r\n",
        b"[secrets]\ra = 1\rb = 2",
        b"[secrets]\na = 1",
        b"[secrets]\na = 1\n\n\n",
        b"  [secrets]  \n  a : 1\n     more\n\n     and more\n",
        b"[secrets]\n[other]\na = 1\n",
        b"[other]\nscim = 1\n[secrets]\nA=1\n; end\n",
        b"[secrets]\nlong = a\n  scim = not a name\n  [other]\nb = 2\n",
        b"[secrets]\na =\nb = \xc3\xa9\n",
    ],
)
def test_removing_what_was_added_restores_the_file(data: bytes) -> None:
    before = read(data)
    after = edit(data, {"scim": "t0ken", "scim_b": "u"})
    assert read(after) == {**before, "scim": "t0ken", "scim_b": "u"}
    assert edit(after, {"scim": "v"}) == after.replace(b"scim = t0ken", b"scim = v")
    assert edit(after, {}, ["scim_b", "scim"]) == data


def test_a_value_of_several_lines_is_replaced_completely() -> None:
    data = b"[secrets]\nscim = a\n  b\n  c\nz = 1\n"
    assert edit(data, {"scim": "x"}) == b"[secrets]\nscim = x\nz = 1\n"
    assert edit(data, {}, ["scim"]) == b"[secrets]\nz = 1\n"


def test_comments_within_a_value_stay() -> None:
    data = b"[secrets]\nscim = a\n# why\n  b\n\n  c\nz = 1\n"
    assert edit(data, {"scim": "x"}) == b"[secrets]\nscim = x\n# why\n\nz = 1\n"
    assert edit(data, {}, ["scim"]) == b"[secrets]\n# why\n\nz = 1\n"


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"[secrets]\n  scim: a\n  z = 1\n", b"[secrets]\n  scim = x\n  z = 1\n"),
        (b"[secrets]\n  a = 1\n  [z]\nb = 2\n", b"[secrets]\n  a = 1\n  scim = x\n  [z]\nb = 2\n"),
        (b"[secrets]\n\t[z]\nb = 2\n", b"[secrets]\n\tscim = x\n\t[z]\nb = 2\n"),
        (b"  [secrets]\n[z]\n", b"  [secrets]\nscim = x\n[z]\n"),
    ],
)
def test_a_new_line_has_the_indentation_of_its_neighbours(data: bytes, after: bytes) -> None:
    assert edit(data, {"scim": "x"}) == after


def test_an_empty_line_after_a_lone_cr_stays() -> None:
    data = b"[secrets]\nscim = a\r b\n\n  c\nz = 1\n"
    assert edit(data, {"scim": "x"}) == b"[secrets]\nscim = x\r\n\nz = 1\n"


def test_a_section_header_may_have_a_comment() -> None:
    assert edit(b"[secrets] # ours\n", {"scim": "x"}) == b"[secrets] # ours\nscim = x\n"


def test_a_secret_that_is_up_to_date_keeps_its_line() -> None:
    data = b"[secrets]\r\nSCIM:x\r\nz = 1\n"
    assert edit(data, {"scim": "x"}) == data
    assert edit(data, {"scim": "y"}) == b"[secrets]\r\nscim = y\r\nz = 1\n"


def test_a_secret_that_every_section_has_cannot_be_removed() -> None:
    data = b"[DEFAULT]\nscim = x\n[secrets]\nscim = y\n"
    with pytest.raises(Refusal) as caught:
        edit(data, {}, ["scim"])
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"[secrets]\na = 1\na = 2\n", 3),
        (b"[secrets]\na = 1\nA = 2\n", 3),
        (b"[secrets]\n[secrets]\n", 2),
        (b"a = 1\n[secrets]\n", 1),
        (b"\xef\xbb\xbf[secrets]\n", 1),
        (b"[secrets]\na = 1\nnonsense\n", 3),
        (b"[secrets]\n# \xe9\n", 2),
        (b"[other]\na = 1\n", 0),
        (b"", 0),
    ],
)
def test_a_file_that_zulip_cannot_read_is_refused_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(Refusal) as caught:
        edit(data, {"scim": "hunter2"})
    assert caught.value.line == line
    assert "hunter2" not in caught.value.at("f")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a b", "x"),
        ("A", "x"),
        ("", "x"),
        ("a=", "x"),
        ("[a]", "x"),
        ("a", ""),
        ("a", " x"),
        ("a", "x "),
        ("a", "x\n[other]"),
        ("a", "x\ry"),
        ("a", "\xe9"),
    ],
)
def test_names_and_values_that_zulip_would_not_read_are_refused(name: str, value: str) -> None:
    with pytest.raises(Refusal):
        edit(ZULIP, {name: value})


LINES = [
    "a = 1",
    "b: 2",
    "  more",
    "# c",
    "; d",
    "",
    "[other]",
    "C=3",
    "d = 4\n    [x]",
    "scim = old",
]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(LINES), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from(["t0ken", "%(x)s", ";x", "#", "[y]", "a = b", "=", ":"]),
)
def test_any_file(lines: list[str], newline: str, ends: bool, value: str) -> None:
    text = "\n".join(["[secrets]", *lines]) + "\n" * ends
    data = text.replace("\n", newline).encode()
    try:
        before = read(data)
    except Refusal:
        assume(False)
    after = edit(data, {"scim": value, "new": "x"})
    parser = configparser.RawConfigParser()
    parser.read_string(after.decode().replace("\r\n", "\n").replace("\r", "\n"))
    assert dict(parser["secrets"]) == {**before, "scim": value, "new": "x"}
    back = edit(after, {}, ["new"])
    assert back == edit(data, {"scim": value})
    if "scim" not in before:
        assert edit(back, {}, ["scim"]) == data
