from __future__ import annotations

import shlex

import pytest

from scimconf.ssh.arguments import Arguments, ArgumentsError, Jump, parse


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
        ("-o ProxyCommand=none", ["ProxyCommand=none"]),
    ],
)
def test_what_is_followed(text: str, options: list[str]) -> None:
    found = sorted_words(text)
    assert list(found.options) == [part for each in options for part in ("-o", each)]
    assert found.ignored == found.programs == ()


def test_what_ansible_adds_by_itself_makes_no_difference() -> None:
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
def test_what_says_what_happens_anyway(text: str) -> None:
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
        ("-o 'ProxyCommand=ssh -W %h:%p -o Ciphers=x b'", ["Ciphers"]),
    ],
)
def test_what_is_not(text: str, names: list[str]) -> None:
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
    ],
)
def test_what_is_a_program(command: str) -> None:
    found = parse(["-o", f"ProxyCommand={command}"])
    assert found.programs == ("-o", f"ProxyCommand={command}")
    assert found.jump is None


def test_the_first_proxy_command_counts() -> None:
    found = parse(["-oProxyCommand=ssh -W %h:%p a", "-oProxyCommand=id"])
    assert found == Arguments(jump=Jump("a", Arguments()))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("-oUser=a;b", "which ssh would refuse"),
        ("-oHostName=-oProxyCommand", "which ssh would refuse"),
        ("-oProxyJump=$(id)", "which ssh would refuse"),
        ("-oIdentityFile=a\x1bb", "characters that cannot be printed"),
        ("-oIdentityFile=a\nProxyCommand=id", "no Option=value"),
        ("-oPort", "no Option=value"),
        ("-oHostKeyAlias=x/../y", "a part of a file's name"),
        ("-oIdentityFile=${HOME}/key", "a variable of your environment"),
        ("-", "no option"),
    ],
)
def test_what_is_refused(word: str, message: str) -> None:
    with pytest.raises(ArgumentsError, match=message):
        parse([word])
