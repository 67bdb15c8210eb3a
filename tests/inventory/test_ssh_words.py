from __future__ import annotations

import pytest

from .conftest import Load, One, Refused, of_one_host, short


def test_ssh_options_have_the_order_of_ansible(one: One) -> None:
    server = one("""
        ansible_ssh_extra_args: '-4'
        ansible_ssh_common_args: "-o ProxyCommand='ssh -W %h:%p bastion'"
        ansible_ssh_args: -C -J one
        """)
    assert server.connection.ssh_arguments == (
        *("-C", "-J", "one"),
        *("-o", "ProxyCommand=ssh -W %h:%p bastion"),
        "-4",
    )


def test_without_ssh_options_there_are_no_arguments(one: One) -> None:
    assert one("ansible_ssh_common_args: ''").connection.ssh_arguments == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-o 'ProxyJump", "a quote is not closed"),
        ("-o ProxyJump", "is not Option=value"),
        ("bastion", "'bastion' is not an option of ssh"),
        ("-p", "-p has no value"),
        ("-l $(id)", "which ssh would refuse"),
    ],
)
def test_invalid_ssh_options_are_refused(refused: Refused, text: str, message: str) -> None:
    (problem,) = refused(of_one_host(f"ansible_ssh_common_args: {text!r}"))
    assert "ansible_ssh_common_args" in problem
    assert message in problem


def test_words_for_sudo_are_kept_as_they_are_written(one: One) -> None:
    how = one("""
        ansible_become_method: su
        ansible_sudo_exe: not used
        ansible_su_exe: /bin/su
        ansible_become_flags: -s /bin/sh
        """).connection
    assert (how.become_exe, how.become_flags) == ("/bin/su", "-s /bin/sh")
    how = one("ansible_become_exe: ''\nansible_become_flags: ''").connection
    assert (how.become_exe, how.become_flags) == (None, None)


def test_options_for_sudo_that_are_left_out_are_named(load: Load) -> None:
    (warning,) = load("""
        all:
          vars:
            scim_realms: {acme: }
            ansible_become_exe: sudo.ws
            ansible_become_flags: -H -S -n -E -i
          hosts: {a: , b: }
        """).warnings
    assert short(warning).startswith(
        "hosts.yaml:6:5: all.vars.ansible_become_flags: -E, -i: not passed to sudo"
    )


@pytest.mark.parametrize("name", ["ansible_become_exe", "ansible_su_flags"])
def test_words_for_sudo_that_no_shell_would_split_are_refused(refused: Refused, name: str) -> None:
    (problem,) = refused(of_one_host(f"ansible_become_method: su\n{name}: sudo '"))
    assert f"{name}: expected words for sudo or su, but a quote is not closed" in problem


def test_ignored_ssh_options_are_named_once(load: Load) -> None:
    warnings = load("""
        all:
          vars:
            scim_realms: {acme: }
            ansible_ssh_common_args: >-
              -C -o ControlPersist=60s -A -o StrictHostKeyChecking=no -o Ciphers=aes128-ctr
              -o UserKnownHostsFile=/dev/null -o ForwardX11=no -o ProxyJump=bastion
          hosts: {a: , b: }
        """).warnings
    assert [short(each).partition(": ignored")[0] for each in warnings] == [
        "hosts.yaml:5:5: all.vars.ansible_ssh_common_args: StrictHostKeyChecking, "
        "UserKnownHostsFile",
        "hosts.yaml:5:5: all.vars.ansible_ssh_common_args: -A, Ciphers",
    ]
