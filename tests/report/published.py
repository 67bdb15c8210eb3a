"""Check documents against the published JSON Schema, and refuse fields that it does not name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from scimconf.report.document import pieces

FILE = Path(__file__).parents[2] / "docs/schema/report-1.json"
SCHEMA: dict[str, Any] = json.loads(FILE.read_text())


def _strict(schema: Any) -> Any:
    """Return the schema without additional properties. Users must ignore them; a test must not."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {**closed, **{name: _strict(each) for name, each in schema.items()}}


Draft202012Validator.check_schema(SCHEMA)
_VALIDATOR = Draft202012Validator(_strict(SCHEMA))


def document(*given: Any, **named: Any) -> Any:
    """Return the document of a run as data; the arguments are those of `pieces`."""
    return json.loads("".join(pieces(*given, **named)))


def check(document: object) -> None:
    """Raise ValidationError if the document does not match the schema."""
    _VALIDATOR.validate(document)
