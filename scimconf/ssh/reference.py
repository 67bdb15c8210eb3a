"""Write the table of options into docs/ssh.md: `python -m scimconf.ssh.reference docs/ssh.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from scimconf.ssh.keywords import REFUSED, SUPPORTED, WARNED, WITHOUT_EFFECT

_BEGIN = "<!-- options: made by `make docs` -->\n"
_END = "<!-- options: end -->"


def updated(page: str) -> str:
    """Return the page with the current table of scimconf/ssh/keywords.py."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    table = "\n".join(_table())
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def _table() -> Iterator[str]:
    yield "| option | status | note |"
    yield "|---|---|---|"
    rows = {name: ("supported", why) for name, why in SUPPORTED.items()}
    rows |= {name: ("no effect", why) for name, why in WITHOUT_EFFECT.items()}
    for kind, table in (("refused", REFUSED), ("warning", WARNED)):
        for name, refusal in table.items():
            rows[name] = (kind, f"{refusal.why}; {refusal.way_out}")
    for name in sorted(rows, key=str.lower):
        kind, why = rows[name]
        yield f"| {name} | {kind} | {why} |"


def main() -> int:
    """Update the page."""
    page = Path(sys.argv[1])
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
