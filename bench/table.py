"""The table of results and the raw figures, for the terminal and docs/performance.md."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from bench.results import Report

BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of the figures -->"


def table(reports: Mapping[str, Report]) -> str:
    """Return the table in Markdown, with one row for each result."""
    rows = [("line", "what", "result", "limit", "")]
    rows += [
        (name, check.what, check.reached, check.wanted, "ok" if check.ok else "**missed**")
        for name, report in reports.items()
        for check in report.checks
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def figures(reports: Mapping[str, Report]) -> str:
    """Return the raw figures of each line."""
    return "\n\n".join(
        "\n".join([f"{name}:", *(f"  {each}" for each in report.figures)])
        for name, report in reports.items()
        if report.figures
    )


def machine() -> str:
    """Return a description of the machine."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return (
        f"{os.cpu_count()} cores, {pages * size / 2**30:.0f} GiB, {platform.system()} "
        f"{platform.release().split('-')[0]} {platform.machine()}, Python "
        f"{platform.python_version()}, paramiko {version('paramiko')}"
    )


def write(page: Path, reports: Mapping[str, Report], command: str, versions: str) -> None:
    """Write the table and the figures between the two marker lines of the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    day = datetime.datetime.now(datetime.timezone.utc).date()
    text = "\n\n".join(
        [
            f"`{command}`, {day:%d %B %Y}: {machine()}; {versions}.",
            table(reports),
            f"```text\n{figures(reports)}\n```",
        ]
    )
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
