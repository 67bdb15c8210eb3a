"""Print the list of tokens: one line per realm, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from scimconf import __version__
from scimconf.sanitize import visible
from scimconf.tokens.listing import Row

_HEAD = ("deployment", "realm", "age", "rotated", "staged", "previous until", "strength", "kept")


def as_text(rows: Sequence[Row]) -> str:
    """Return a table of plain text. Its lines are not wrapped or cut, for grep."""
    lines = [_HEAD, *(_cells(row) for row in rows)] if rows else []
    widths = [
        max(len(line[column]) for line in lines) for column in range(len(_HEAD) if lines else 0)
    ]
    return "".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    age = "?" if row.days is None and row.created else "-" if row.days is None else f"{row.days}d"
    cells = (
        *(row.deployment, row.label, age, _day(row.rotated), _day(row.staged)),
        *(_day(row.previous_until), f"{row.bits} bits" if row.bits else "-", _kept(row)),
    )
    return tuple(visible(cell, 300) for cell in cells)


def _kept(row: Row) -> str:
    """Return where the token is kept, with the state of the realm if it needs attention."""
    if row.state == "in force":
        return row.kept
    return f"{row.kept} ({row.state})" if row.kept else f"- ({row.state})"


def _day(moment: str) -> str:
    return moment[:10] or "-"


def as_json(rows: Sequence[Row], exit_code: int) -> str:
    """Return the JSON of docs/json.md."""
    document = {
        "schema": 1,
        "scimconf": __version__,
        "verb": "token list",
        "exit_code": exit_code,
        "tokens": [
            {
                "deployment": row.deployment,
                "realm": row.realm,
                "servers": list(row.servers),
                "state": row.state,
                "kept": row.kept,
                "created": row.created or None,
                "age_days": row.days,
                "rotated": row.rotated or None,
                "staged": row.staged or None,
                "previous_until": row.previous_until or None,
                "strength_bits": row.bits,
            }
            for row in rows
        ],
    }
    return json.dumps(document, indent=2) + "\n"
