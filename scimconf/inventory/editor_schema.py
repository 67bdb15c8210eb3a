"""Build the JSON Schema of an inventory file, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from scimconf.inventory.connection import SPELLINGS, ConnectionVariables
from scimconf.inventory.schema import OURS, RealmVariables, ServerVariables

_TEMPLATE = {"type": "string", "pattern": r"\{[{%]"}
_NOT_OURS = {"not": {"pattern": "^(scim|zulip)_"}}


def inventory_schema() -> dict[str, Any]:
    """Return the schema of an inventory file, with groups at the top level."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Inventory of scimconf, in Ansible's YAML shape",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/group"},
        "$defs": {
            "group": _group(),
            "variables": _variables(),
            "realm": _realm(),
        },
    }


def _group() -> dict[str, Any]:
    many = ["object", "string", "null"]
    return {
        "type": ["object", "null"],
        "properties": {
            "hosts": {"type": many, "additionalProperties": {"$ref": "#/$defs/variables"}},
            "children": {"type": many, "additionalProperties": {"$ref": "#/$defs/group"}},
            "vars": {"$ref": "#/$defs/variables"},
        },
    }


def _variables() -> dict[str, Any]:
    properties = _properties(ServerVariables)
    connection = _properties(ConnectionVariables)
    # Ansible accepts several forms of these (`yes`, "22", paramiko), so the schema has no type.
    for field, names in SPELLINGS.items():
        about = {"description": connection[field]["description"]}
        properties |= dict.fromkeys(names, about)
    properties["scim_realms"] = {
        "description": 'Realms by string_id; "" is the root realm.',
        "anyOf": [
            {
                "type": "object",
                "propertyNames": {"pattern": "^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$"},
                "additionalProperties": {"$ref": "#/$defs/realm"},
            },
            _TEMPLATE,
        ],
    }
    return {
        "type": ["object", "null"],
        "properties": properties,
        "propertyNames": {"anyOf": [_NOT_OURS, {"enum": list(OURS)}]},
    }


def _realm() -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "properties": _properties(RealmVariables),
        "additionalProperties": False,
    }


def _properties(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return the properties of a model; each value may also be a template."""
    found = {}
    for name, about in model.model_json_schema()["properties"].items():
        words = {"description": about.pop("description")}
        for key in ("title", "default_words"):
            about.pop(key, None)
        default = about.pop("default", None)
        if default is not None:
            words["default"] = default
        found[name] = {**words, "anyOf": [*about.pop("anyOf", [about] if about else []), _TEMPLATE]}
    return found
