"""Where scimconf differs from Ansible on purpose. docs/from-ansible.md lists the reasons, each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Something small in which the two do not agree."""

    why: str
    """The sentence in docs/from-ansible.md."""
    inventory: str = "web: {hosts: {a: , b: }}"
    pattern: str = "all"
    variable: str = "v"


DIFFERENCES = {
    "a pattern that matches nothing": Difference(
        "A host pattern that matches nothing is an error: a typo in `!db` would let servers in.",
        pattern="all:!typo",
    ),
    "a subscript without a host": Difference(
        "So is a subscript where there is no host (`web[5:9]`).", pattern="web[5:9]"
    ),
    "the implicit localhost": Difference(
        "There is no implicit `localhost`: a server is one that the inventory names.",
        pattern="localhost",
    ),
    "a key twice": Difference(
        "A key that stands twice in a file is an error.", "all: {hosts: {a: {v: 1, v: 2}}}"
    ),
    "a group that is none": Difference(
        "A group that is no mapping is an error, and so is one broken file among several.",
        "all: {hosts: {a: }}\nweb: [a]",
    ),
    "a file without groups": Difference(
        "An INI inventory is not read: turn it into YAML once (below).", "[web]\na\nb\n"
    ),
    "set": Difference(
        "Templates are bounded, since an inventory can come from a merge request: no lookups, no "
        "`hostvars`, no `set`, macros or `**`, no `for` in a `for`.",
        "all: {hosts: {a: {v: '{% set x = 1 %}{{ x }}'}}}",
    ),
    "an unknown filter": Difference(
        "A filter or test that is not in [inventory.md](inventory.md) is an error, where the "
        "variable is used.",
        "all: {hosts: {a: {v: \"{{ 'x' | hash('sha256') }}\"}}}",
    ),
    "a timeout": Difference(
        "`ansible_timeout` counts too; Ansible's ssh reads `ansible_ssh_timeout` only.",
        "all: {hosts: {a: {ansible_timeout: 7}}}",
        variable="timeout",
    ),
}
