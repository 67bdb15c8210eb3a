from __future__ import annotations

import shlex

import pytest

from scimconf.ssh.arguments import Arguments, ArgumentsError, parse


def sorted_words(text: str) -> Arguments:
    return parse(shlex.split(text))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("-p2222 -l me -i key", ["port=2222", "user=me", "identityfile=key"]),
        ("-6 -b 10.0.0.1", ["AddressFamily=inet6", "bindaddress=10.0.0.1"]),
        ("-J a,b:22", ["proxyjump=a,b:22"]),
        ("-J 'u@[2001:db8::1]:22'", ["proxyjump=u@[2001:db8::1]:22"]),
        ("-o 'Port 22' -oUser=me -o 'HostName = \"h\"'", ["Port=22", "User=me", "HostName=h"]),
        ("-vqi key", ["identityfile=key"]),
        (r"-l 'CORP\alice' -o 'User=first.last$'", [r"user=CORP\alice", "User=first.last$"]),
        (
            r"-J 'CORP\alice@b,alice@corp.example@c:2'",
            [r"proxyjump=CORP\alice@b,alice@corp.example@c:2"],
        ),
        ("-o ProxyCommand=none", ["ProxyCommand=none"]),
        ("-o 'ProxyCommand=ssh -W %h:%p -q me@b'", ["ProxyJump=me@b"]),
        ("-o 'ProxyCommand=exec /usr/bin/ssh -W [%h]:%p -p 2222 %r@b'", ["ProxyJump=%r@b:2222"]),
    ],
)
def test_options_that_are_followed(text: str, options: list[str]) -> None:
    found = sorted_words(text)
    assert list(found.options) == [part for each in options for part in ("-o", each)]
    assert found.ignored == found.programs == ()


def test_options_that_ansible_adds_have_no_effect() -> None:
    found = sorted_words("-C -o ControlMaster=auto -o ControlPersist=60s -o ControlPath=/tmp/x")
    assert found == Arguments()


@pytest.mark.parametrize(
    "text",
    [
        "-o StrictHostKeyChecking=yes",
        "-o ForwardAgent=no -o GSSAPIAuthentication=no -a -x -T",
        "-o LogLevel=ERROR -vvv -q",
    ],
)
def test_options_without_effect(text: str) -> None:
    assert sorted_words(text) == Arguments()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("-A -t -L 1:a:2 -N", ["-A", "-t", "-L", "-N"]),
        ("-o StrictHostKeyChecking=no", ["StrictHostKeyChecking"]),
        (
            "-o PKCS11Provider=/x.so -o KnownHostsCommand=/x",
            ["PKCS11Provider", "KnownHostsCommand"],
        ),
        ("-o PermitLocalCommand=yes -o LocalCommand=id", ["PermitLocalCommand", "LocalCommand"]),
        ("-o Include=x -o Match=exec -I lib.so", ["Include", "Match", "-I"]),
    ],
)
def test_arguments_that_are_not_followed_are_ignored(text: str, names: list[str]) -> None:
    found = sorted_words(text)
    assert (found.options, found.programs) == ((), ())
    assert list(found.ignored) == names


@pytest.mark.parametrize(
    "command",
    [
        "nc %h %p",
        "ssh -W %h:%p a; id",
        "ssh -W %h:%p a b",
        "ssh -W %h:22 a",
        "ssh a nc %h %p",
        "./ssh -W %h:%p a",
        "ssh -F x -W %h:%p a",
        "ssh -W %h:%p -o ProxyCommand=id a",
        "ssh -W %h:%p '$(id)'",
        'ssh -W %h:%p "a',
        "ssh -W %h:%p a,b",
        "ssh -W %h:%p ssh://a",
        "ssh -W %h:%p -i key a",
        "ssh -W %h:%p -l me a",
        "ssh -W %h:%p -o HostKeyAlias=b a",
    ],
)
def test_commands_that_count_as_programs(command: str) -> None:
    found = parse(["-o", f"ProxyCommand={command}"])
    assert found.programs == ("-o", f"ProxyCommand={command}")
    assert found.options == ()


def test_options_of_a_jump_host_that_are_not_followed_are_named() -> None:
    found = sorted_words("-o 'ProxyCommand=ssh -W %h:%p -o Ciphers=x b'")
    assert found == Arguments(("-o", "ProxyJump=b"), (), ("Ciphers",))


@pytest.mark.parametrize("later", ["-oProxyCommand=id", "-Jb", "-oProxyCommand=ssh -W %h:%p b"])
@pytest.mark.parametrize("first", ["-oProxyCommand=ssh -W %h:%p a", "-Ja", "-oProxyCommand=nc a"])
def test_the_first_proxy_counts(first: str, later: str) -> None:
    assert parse([first, later]) == parse([first])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("-oUser=a;b", "which ssh would refuse"),
        ("-oUser=a\\", "which ssh would refuse"),
        ("-oProxyJump=a\\@b", "which ssh would refuse"),
        ("-oProxyJump=-oProxyCommand=x@b", "which ssh would refuse"),
        ("-oHostName=-oProxyCommand", "which ssh would refuse"),
        ("-oProxyJump=$(id)", "which ssh would refuse"),
        ("-oIdentityFile=a\x1bb", "cannot be printed"),
        ("-oIdentityFile=a\nProxyCommand=id", "not Option=value"),
        ("-oPort", "not Option=value"),
        ("-oHostKeyAlias=x/../y", "could change a path"),
        ("-oIdentityFile=${HOME}/key", "a variable of your environment"),
        ("-", "not an option"),
    ],
)
def test_invalid_arguments_are_refused(word: str, message: str) -> None:
    with pytest.raises(ArgumentsError, match=message):
        parse([word])
