"""Writes docs/inventory.md out of the schema: `python -m scimconf.inventory.reference`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from scimconf.inventory.connection import SPELLINGS, ConnectionVariables
from scimconf.inventory.schema import RealmVariables, ServerVariables
from scimconf.template.filters import FILTERS
from scimconf.zulip.presets import PRESETS

_HEAD = """\
# The inventory

<!-- Made by `python -m scimconf.inventory.reference`; change the models, not this page. -->

One YAML file, a folder of them, or several (`-i`, in order; `-` is stdin), in the shape that
Ansible's YAML inventories have, so that one inventory serves both tools; or the JSON of
`ansible-inventory --list` and of dynamic inventories, which run with `--allow-exec=inventory` only
([from-ansible.md](from-ansible.md)). `inventory.example.yaml` is one to
start from; `scimconf inventory check` says everything that is wrong with yours, each with
`file:line:column`, and asks no server. A host with `scim_realms` is a server of scimconf; the
others are only there for groups and patterns.

Editors can check as you type: write `scimconf inventory schema > inventory.schema.json`, and as
the first line of the inventory `# yaml-language-server: $schema=inventory.schema.json`.
"""

_REALM = """\
`scim_realms` is a mapping; its keys are the realms' string_ids, which Zulip also calls
subdomains: `""` (the root domain), or lower-case letters, digits and inner hyphens. A key that
YAML reads as something else (`no`, `123`) has to be quoted. `{}`, or nothing at all, takes all
defaults.
"""

_CONNECTION = """\
As Ansible's; where a host has several spellings of one, the last in the table wins (those with
`sudo` or `su` in their names count for that method only). `-u`, `-b`,
`--become-user` and `--private-key` are weaker than these variables. Values can be `!vault`
values for the passwords.
"""

_TAIL = """\
## How it is read

- **YAML 1.1**, as Ansible reads it: `no` is false, `0022` is 18, `1:30` is 90. UTF-8, at most
  8 MiB a file, 500,000 keys and values (what aliases stand for counted), 64 levels. Keys that
  stand twice are an error. Tags: `!vault` (1.1 and 1.2), `!unsafe`, and YAML's own.
- **Groups**: `hosts`, `children`, `vars`; `all` and `ungrouped` are always there. Host ranges:
  `chat[01:20].example.com`, `chat[1:9:2]`, `chat-[a:f]`; `host:2222` sets the port.
- **Precedence**, from weak to strong: the vars of `all`; of the other groups by depth, then
  `ansible_group_priority`, then name; `group_vars/all`; `group_vars/` of the other groups, in the
  same order; the host's own variables; `host_vars/`. `group_vars/` and `host_vars/` stand beside
  each source, as `NAME`, `NAME.yml`, `NAME.yaml`, `NAME.json`, or as a folder `NAME/` of such
  files.
- **Templates**: `{{ ... }}`, `{% if %}` and `{% for %}` in a value, expanded where the variable is
  used, from the host's own variables and `inventory_hostname`, `inventory_hostname_short`,
  `inventory_dir`, `inventory_file`, `groups`, `group_names`. A lone `{{ expression }}` keeps its
  type. No lookups, no `hostvars`. Filters: %FILTERS%. Tests: Jinja's, and
  `match`, `search`, `regex`, `contains`, `subset`, `superset`, `all`, `any`, `truthy`, `falsy`.
- **Patterns**: `web*`, `~regex`, `a:b`, `a,b`, `a:&b`, `a:!b`, `group[0]`, `group[1:3]`, `@file`;
  also for `--limit`.
- Variables that begin with `scim_` or `zulip_` and are not on this page are errors, with the
  nearest name; all others are none of our business.

Where all this differs from Ansible on purpose: [from-ansible.md](from-ansible.md).
"""

_KINDS = {
    "string": "text",
    "boolean": "true, false",
    "integer": "number",
    "number": "number",
    "array": "list",
    "object": "mapping",
}


def page() -> str:
    """Give the text of docs/inventory.md."""
    names = {name: (name,) for name in ServerVariables.model_fields}
    keys = {name: (name,) for name in RealmVariables.model_fields}
    parts = [
        _HEAD,
        "## Variables of a server\n",
        _table("variable", ServerVariables, names),
        "## Realms\n",
        _REALM,
        _table("key", RealmVariables, keys),
        "## Presets of identity providers\n",
        _presets(),
        "## Connection\n",
        _CONNECTION,
        _table("variable", ConnectionVariables, SPELLINGS),
        _TAIL.replace("%FILTERS%", ", ".join(f"`{name}`" for name in sorted(FILTERS))),
    ]
    return "\n".join(parts)


def _table(head: str, model: type[BaseModel], names: Mapping[str, tuple[str, ...]]) -> str:
    rows = "".join(_rows(model, names))
    return f"| {head} | value | default | meaning |\n|---|---|---|---|\n{rows}"


def _rows(model: type[BaseModel], names: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for field, about in model.model_json_schema()["properties"].items():
        spelled = ", ".join(f"`{name}`" for name in names[field])
        default = about.get("default_words") or f"`{json.dumps(about.get('default'))}`"
        yield f"| {spelled} | {_kind(about)} | {default} | {about['description']} |\n"


def _kind(about: dict[str, Any]) -> str:
    if "anyOf" in about:
        kinds = [_kind(each) for each in about["anyOf"] if each != {"type": "null"}]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in about:
        return ", ".join(f"`{each}`" for each in about["enum"])
    return _KINDS[about["type"]]


def _presets() -> str:
    rows = "".join(
        f"| `{preset.name}` | {preset.title} | `{preset.client}` | "
        f"{json.dumps(preset.name_formatted_included)} |\n"
        for preset in PRESETS.values()
    )
    return f"| `idp` | provider | `client` | `name_formatted_included` |\n|---|---|---|---|\n{rows}"


if __name__ == "__main__":
    sys.stdout.write(page())
