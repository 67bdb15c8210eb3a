"""The intended differences from Ansible. docs/from-ansible.md gives the reason for each."""

from __future__ import annotations

import json
from dataclasses import dataclass

from scimconf import vault
from scimconf.secret import Secret
from tests.oracle.client import PASSWORD

_SEALED = f"!vault {json.dumps(vault.encrypt(Secret('geheim'), Secret(PASSWORD)))}"


@dataclass(frozen=True)
class Difference:
    """An inventory, pattern or variable with different results."""

    why: str
    """The sentence in docs/from-ansible.md."""
    inventory: str = "web: {hosts: {a: , b: }}"
    pattern: str = "all"
    variable: str = "v"


DIFFERENCES = {
    "a pattern that matches nothing": Difference(
        "A host pattern that matches nothing is an error, because a typo in `!db` would include "
        "servers by mistake.",
        pattern="all:!typo",
    ),
    "a subscript without a host": Difference(
        "A subscript that selects no host (`web[5:9]`) is an error, too.", pattern="web[5:9]"
    ),
    "the implicit localhost": Difference(
        "There is no implicit `localhost`: a server must be named in the inventory.",
        pattern="localhost",
    ),
    "a duplicate key": Difference(
        "A duplicate key in a file is an error.", "all: {hosts: {a: {v: 1, v: 2}}}"
    ),
    "a group that is not a mapping": Difference(
        "A group that is not a mapping is an error. If one of several files is broken, this is an "
        "error, too.",
        "all: {hosts: {a: }}\nweb: [a]",
    ),
    "a misspelt key of a group": Difference(
        "A misspelt key of a group (`host` for `hosts`) is an error. Ansible ignores what is below "
        "it.",
        "all: {hosts: {a: }}\nweb: {host: {b: }}",
    ),
    "set": Difference(
        "Templates are limited, because an inventory can come from a merge request: no lookups, no "
        "`set`, macros or `**`, no `for` in a `for`.",
        "all: {hosts: {a: {v: '{% set x = 1 %}{{ x }}'}}}",
    ),
    "an unknown filter": Difference(
        "A filter or test that is not in [inventory.md](inventory.md) is an error when the "
        "variable is used.",
        "all: {hosts: {a: {v: \"{{ 'x' | hash('sha256') }}\"}}}",
    ),
    "a special variable": Difference(
        "Variables that Ansible sets while it runs (`playbook_dir`, `ansible_version`, facts) are "
        "an error when they are used.",
        "all: {hosts: {a: {v: '{{ playbook_dir }}'}}}",
    ),
    "a filter on an encrypted value": Difference(
        "A template in plain text can only insert an encrypted value: no filter, operator or "
        "condition can use it, because the plan of an unread inventory could reveal something "
        "about the value.",
        f"all: {{hosts: {{a: {{w: {_SEALED}, v: '{{{{ w | upper }}}}'}}}}}}",
    ),
    "an encrypted value that could be a password": Difference(
        "A single `!vault` value, or one that a template inserts, is used only for passwords, "
        "passphrases, tokens, and for an `ansible_host` that is an IP address. An encrypted "
        "inventory must be YAML, not INI. For anything else, scimconf needs "
        "`--allow-exec=inventory`: the author of an unread inventory could copy a password there "
        "([security](security.md#on-the-machine-that-plans)).",
        f"all: {{hosts: {{a: {{w: {_SEALED}, ansible_host: '{{{{ w }}}}.test'}}}}}}",
        variable="host",
    ),
    "a timeout": Difference(
        "scimconf also reads `ansible_timeout`; Ansible's ssh reads only `ansible_ssh_timeout`.",
        "all: {hosts: {a: {ansible_timeout: 7}}}",
        variable="timeout",
    ),
}
