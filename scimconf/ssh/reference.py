"""Writes the table of options into docs/ssh.md: `python -m scimconf.ssh.reference docs/ssh.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from scimconf.ssh.keywords import HARMLESS, HONOURED, REFUSED

_BEGIN = "<!-- options: made by `make docs` -->\n"
_END = "<!-- options: end -->"


def updated(page: str) -> str:
    """Return the page with the table as scimconf/ssh/keywords.py has it."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    table = "\n".join(_table())
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def _table() -> Iterator[str]:
    yield "| option | | |"
    yield "|---|---|---|"
    rows = {name: ("honoured", why) for name, why in HONOURED.items()}
    rows |= {name: ("harmless", why) for name, why in HARMLESS.items()}
    for name, refusal in REFUSED.items():
        rows[name] = ("refused", f"{refusal.why}; {refusal.way_out}")
    for name in sorted(rows, key=str.lower):
        kind, why = rows[name]
        yield f"| {name} | {kind} | {why} |"


def main() -> int:
    """Bring the page up to date."""
    page = Path(sys.argv[1])
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
