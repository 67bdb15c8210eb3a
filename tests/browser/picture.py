"""The picture of the report in the documentation: `python -m tests.browser.picture [FILE]`.

It shows invented servers, so that every status appears.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from scimconf.errors import ExitCode
from scimconf.report.html import page as report
from tests.browser import chromium
from tests.report.fleet import WHEN, fleet

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "report.png"


def take(file: Path) -> None:
    """Write the picture: the top of the page and the first server that was rolled back."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find())
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.set_content(report("apply", fleet(40), ExitCode.ROLLED_BACK, WHEN))
        end = page.locator(".server").nth(1).bounding_box()
        assert end
        height = end["y"] + end["height"] + 8
        page.screenshot(
            path=file, full_page=True, clip={"x": 0, "y": 0, "width": 1000, "height": height}
        )
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if sys.argv[1:] else PICTURE)
