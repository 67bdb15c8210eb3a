"""Print hand-off sheets for administrators of identity providers, as text, Markdown or HTML.

`scimconf.report.sheet` has the content, templates/handoff/ the layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from scimconf.report.commonmark import code_span
from scimconf.report.sheet import Sheet
from scimconf.template import render, render_page

Form = Literal["text", "markdown", "html"]


def handoff(sheets: Sequence[Sheet], form: Form = "text") -> str:
    """Return all sheets as one text that ends with a line break.

    HTML is one self-contained file for printing, with a page per sheet.
    """
    if form == "html":
        return render_page(
            "handoff/sheets.html.j2", styles=("page/base.css", "handoff/sheets.css"), sheets=sheets
        )
    template = {"text": "handoff/sheet.txt.j2", "markdown": "handoff/sheet.md.j2"}[form]
    return "\n".join(
        render(template, sheet=each, code=code_span).rstrip() + "\n" for each in sheets
    )
