"""Print the tables of docs/reliability.md: `python -m tests.faults.table RESULTS`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.faults import FAULTS
from tests.faults.matrix import BACK, POINTS

_SHORT = {"old": "old", "new": "new", "between": "part"}


def faults(lines: list[dict[str, Any]]) -> str:
    """Return the table of faults and steps, and a line of counts."""
    columns = [point.removeprefix("back: ") for point in POINTS]
    columns = [f"*{name}*" if point in BACK else name for name, point in zip(columns, POINTS)]  # noqa: B905
    rows = [["fault", *columns], ["---"] * (len(columns) + 1)]
    for fault in FAULTS:
        ours = [line for line in lines if line["fault"] == fault.name]
        cells = [_cell([line for line in ours if line["step"] == point]) for point in POINTS]
        rows.append([fault.name, *cells])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    counts = Counter(line["outcome"] for line in lines)
    again = sum(line["applies"] == 2 for line in lines)
    words = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    return f"{table}\n\n{len(lines)} cases: {words}. {again} needed a second apply."


def _cell(lines: list[dict[str, Any]]) -> str:
    """Return the outcomes before and after one step."""
    lines = sorted(lines, key=lambda line: str(line["moment"]), reverse=True)
    return ", ".join(_words(line["outcome"]) for line in lines)


def _words(outcome: str) -> str:
    state, _, how = outcome.partition(" ")
    return _SHORT[state] + {"": "", "(dead)": "†", "(said)": "!"}[how]


def power_cuts(lines: list[dict[str, Any]]) -> str:
    """Return the table of power cuts, and their sum."""
    rows = ["| the run that was cut | operations | states | recovered to old | to new |"]
    rows.append("|---|---|---|---|---|")
    total = 0
    for line in lines:
        old, new = line.get("old", 0), line.get("new", 0)
        total += old + new
        rows.append(f"| {line['cut']} | {line['operations']} | {old + new} | {old} | {new} |")
    return "\n".join(rows) + f"\n\n{total} states."


def main(path: str) -> None:
    """Print both tables."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    struck = [line for line in lines if "fault" in line]
    cut = sorted((line for line in lines if "cut" in line), key=lambda line: str(line["cut"]))
    for text in (faults(struck), power_cuts(cut)):
        print(text, end="\n\n")


if __name__ == "__main__":
    main(sys.argv[1])
