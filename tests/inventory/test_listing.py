"""`inventory list`, `graph` and `schema`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from scimconf import inventory
from scimconf.inventory.editor_schema import inventory_schema

from .conftest import Load

TEXT = """
all:
  children:
    production:
      hosts:
        a.x: {scim_realms: {acme: {token: "env:T"}, "": {token: {command: [op, read]}}}}
        b.x:
      children: {sub: {hosts: {c.x: {scim_realms: {x: }, ansible_password: hunter2}}}}
  hosts: {d.x: }
"""


def test_listing(load: Load) -> None:
    listing = inventory.as_listing(load(TEXT))
    assert json.loads(json.dumps(listing)) == listing
    assert listing["all"] == {"children": ["production", "ungrouped"]}
    assert listing["ungrouped"] == {"hosts": ["d.x"]}
    assert listing["production"] == {"children": ["sub"], "hosts": ["a.x", "b.x"]}
    assert listing["sub"] == {"hosts": ["c.x"]}
    hostvars = listing["_meta"]["hostvars"]
    assert list(hostvars) == ["a.x", "c.x"]
    assert hostvars["a.x"]["scim_realms"]["acme"]["token"] == "env:T"
    assert hostvars["a.x"]["scim_realms"][""]["token"] == {"command": ["op", "read"]}
    assert hostvars["c.x"]["ansible_password"] == "<secret>"
    assert "hunter2" not in json.dumps(listing)


def test_listing_of_some_hosts(load: Load) -> None:
    listing = inventory.as_listing(load(TEXT), ["sub", "d.x"])
    assert list(listing["_meta"]["hostvars"]) == ["c.x"]
    assert "hosts" not in listing["production"]


def test_a_listing_can_be_read_back(load: Load) -> None:
    before = load(TEXT)
    hostvars = inventory.as_listing(before)["_meta"]["hostvars"]
    del hostvars["c.x"]["ansible_password"]
    after = load(json.dumps({"all": {"hosts": hostvars}}))
    assert inventory.as_listing(after)["_meta"]["hostvars"] == hostvars


def test_graph(load: Load) -> None:
    assert inventory.as_graph(load(TEXT)).splitlines() == [
        "@all:",
        "  |--@production:",
        "  |  |--@sub:",
        "  |  |  |--c.x",
        "  |  |--a.x",
        "  |  |--b.x",
        "  |--@ungrouped:",
        "  |  |--d.x",
    ]


# --- the JSON Schema ---------------------------------------------------------------------------


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Validate with the part of JSON Schema that our schema uses. Other keywords fail the test."""
    known = {
        "$schema", "$comment", "$defs", "$ref", "title", "description", "default", "type", "enum",
        "anyOf", "not", "pattern", "properties", "additionalProperties", "propertyNames", "items",
        "minItems", "minProperties", "maxProperties",
    }  # fmt: skip
    assert schema.keys() <= known, schema.keys() - known
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    if "type" in schema:
        wanted = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if not any(isinstance(value, kinds[kind]) for kind in wanted):
            return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(fits(value, each, root) for each in schema["anyOf"]):
        return False
    if "not" in schema and fits(value, schema["not"], root):
        return False
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        return False
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(
            fits(item, schema.get("items", {}), root) for item in value
        )
    if not isinstance(value, dict):
        return True
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 1e9):
        return False
    more = schema.get("additionalProperties", {})
    for key, item in value.items():
        inner = schema.get("properties", {}).get(key, more)
        if inner is False or not fits(item, inner, root):
            return False
        if not fits(key, schema.get("propertyNames", {}), root):
            return False
    return True


def of(**variables: Any) -> dict[str, Any]:
    return {"all": {"hosts": {"h": variables}}}


@pytest.mark.parametrize(
    "good",
    [
        {"all": None},
        {"all": {"hosts": "h", "children": {"g": {"vars": {"x": [1]}}}}},
        of(scim_realms={"acme": {}, "": None, "b": {"idp": "okta", "token": {"command": ["x"]}}}),
        of(scim_realms="{{ realms }}", scim_unmanaged="{{ p }}", scim_idp="{{ x }}"),
        of(scim_restart=["a", "b"], scim_unmanaged="keep", scim_ca=None, ansible_port="22", any=1),
    ],
)
def test_the_schema_accepts_valid_inventories(good: dict[str, Any]) -> None:
    schema = inventory_schema()
    assert fits(good, schema, schema)


@pytest.mark.parametrize(
    "bad",
    [
        [],
        {"all": []},
        {"all": {"hosts": []}},
        of(scim_ipd="okta"),
        of(scim_idp="okat"),
        of(scim_verify="yes"),
        of(scim_unmanaged="maybe"),
        of(scim_purge=True),
        of(scim_restart=[]),
        of(scim_restart="sever"),
        of(scim_realms={"Acme": {}}),
        of(scim_realms={"a": {"clent": "x"}}),
        of(scim_realms={"a": {"state": "gone"}}),
        of(scim_realms={"a": {"token": {"x": "y"}}}),
        of(scim_realms={"a": {"custom_profile_field_map": {"x": 1}}}),
    ],
)
def test_the_schema_rejects_invalid_inventories(bad: Any) -> None:
    schema = inventory_schema()
    assert not fits(bad, schema, schema)


def test_schema_is_json() -> None:
    assert json.loads(json.dumps(inventory_schema())) == inventory_schema()
