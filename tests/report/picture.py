"""The picture of a terminal in the README: `python -m tests.report.picture [FILE]`.

Of a made-up fleet, so that there is a bit of everything in it.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from scimconf.report.text import show
from tests.report.fleet import fleet

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "terminal.svg"
_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def take(file: Path) -> None:
    """Write what `scimconf apply` leaves on a terminal of 96 columns, as SVG without any link."""
    screen = io.StringIO()
    console = Console(
        file=screen, record=True, width=96, force_terminal=True, color_system="truecolor"
    )
    show(console, "apply", fleet(12), diff=False)
    svg = console.export_svg(title="scimconf apply", theme=MONOKAI, unique_id="scimconf")
    file.write_text(_FROM_ELSEWHERE.sub("", svg), encoding="utf-8")


if __name__ == "__main__":
    take(Path(sys.argv[1]) if sys.argv[1:] else PICTURE)
