"""Entries of SCIM_CONFIG as scimconf or an administrator may write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

REALMS = ("acme", "beta", "", "a-1", "old", "7")
TOKENS = (
    "k3V9k3V9k3V9k3V9k3V9k3V9",
    'it\'s\\"quoted"\\',
    "{{ 7*7 }}{%raw%}{#",
    "%s%(x)d%%",
    "}},{'#",
    "get_secret('x')",
    '"""',
    "\\n\\x00\\N{BULLET}",
    "SCIM_CONFIG={",
)
CLIENTS = ("okta", 'it\'s "x" \\ {{ y }} {% z', "SCIM_CONFIG = {", "Größe \U0001f600", "# }")

DATA = (
    "{{}}",
    "{{'bearer_token': '{token}'}}",
    '{{\n        "bearer_token": "{token}",  # kept\n        "scim_client_name": "okta",\n    }}',
    "{{'bearer_token': '{token}' '{token}', 'name_formatted_included': False}}",
    '{{"bearer_token": """{token}\n}}, # """, "scim_client_name": r"\\d",}}',
    "{{'bearer_token': None, 'custom_profile_field_map': {{'a': 'b'}}, 'n': [1, -2.5, True]}}",
    "{{'bearer_token': get_secret('scim_bearer_token'), 'scim_client_name': u'\\u20ac'}}",
    '{{"bearer_token": ("{token}"  # why\n   # }}\n    "{token}")}}',
    "{{'scim_client_name': '{token}', 'bearer_token': '{token}', 'x': ['{token}']}}",
    "{{  # }}\n\t'scim_client_name': 'okta' \\\n }}",
    "{{'t': (1, {{2}}), 'b': b'{token}'}}",
    "[]",
    "None",
)
COMPUTED = (
    "dict(bearer_token=('{token}'))",
    "{{**{{'bearer_token': '{token}'}}, 'x': __name__}}",
    "{{'bearer_token': '{token}'.upper()}}",
    "{{'bearer_token': str(  # why\n  '{token}'\n)}}",
    "{{'bearer_token': f'{token}{{1}}}}}}'}}",
    "{{'x': (lambda a, b=',}}': a), 'y': [n for n in range(2)], 'z': (1, 2)}}",
    "{{'x': [a := 1 for _ in [1]][0]}}",
    "{{'x': (bound{number} := '{token}')}}",
    "(bound{number} := {{}})",
)
"""Entries with code. Some set other names, so they cannot simply be removed."""


@dataclass(frozen=True)
class Wanted:
    """A wanted entry: its text, and the value that Python must read."""

    text: str
    value: Mapping[str, object]


def wanted(random: Random, realm: str) -> Wanted:
    """Return an entry as zulip/block.py writes it."""
    token, client = random.choice(TOKENS), random.choice(CLIENTS)
    by_name = random.random() < 0.4
    name = f"scim_bearer_token_{realm}"
    place = f"get_secret({literal(name)})" if by_name else literal(token)
    value = {
        "bearer_token": f"secret {name}" if by_name else token,
        "scim_client_name": client,
        "name_formatted_included": random.random() < 0.5,
    }
    text = (
        f"{literal(realm)}: {{\n"
        f'        "bearer_token": {place},\n'
        f'        "scim_client_name": {literal(client)},\n'
        f'        "name_formatted_included": {value["name_formatted_included"]},\n'
        "    }"
    )
    return Wanted(text, value)


def literal(text: str) -> str:
    """Return a string as ASCII source, double-quoted."""
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def request(random: Random) -> Mapping[str, Wanted | None]:
    """Return the realms to set, with None for those to remove."""
    realms = random.sample(REALMS, random.choice((1, 1, 2, 3)))
    return {realm: None if random.random() < 0.3 else wanted(random, realm) for realm in realms}
