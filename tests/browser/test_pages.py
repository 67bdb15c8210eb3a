"""The HTML pages in a real browser: layout, accessibility, filter, and hostile text."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scimconf.errors import ExitCode
from scimconf.model import Outcome, Status
from scimconf.report.handoff import handoff
from scimconf.report.html import page as report
from scimconf.report.sheet import sheet
from scimconf.secret import Secret
from tests.browser.conftest import Show
from tests.factories import realm, server
from tests.report.fleet import WHEN, fleet

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.needs_chromium, pytest.mark.usefixtures("quiet")]

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
"""WCAG 2.2 (1.4.10, reflow) requires pages to work at a width of 320 pixels."""


def _report(size: int = 40) -> str:
    return report("apply", fleet(size), ExitCode.ROLLED_BACK, WHEN)


def _sheets() -> str:
    realms = (
        realm("acme", custom_profile_field_map={"phoneNumber": "phone"}),
        realm("", idp="entra"),
        realm("wiki", idp="keycloak"),
    )
    token = Secret("gR7bQ2mXv9LkPz4TnW8sgR7bQ2mXv9LkPz4TnW8sabc")
    return handoff([sheet(server(*realms), each, token) for each in realms], "html")


PAGES = {"report": _report, "sheets": _sheets}


def _visible(page: Page) -> int:
    return page.locator(".server:visible").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_accessibility_problem(name: str, scheme: str, show: Show) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = show(PAGES[name](), color_scheme=scheme, viewport=WIDE)
    page.locator("details").evaluate_all("all => all.forEach((each) => (each.open = true))")
    found = Axe().run(page, options={"resultTypes": ["violations", "incomplete"]}).response
    assert not list(_unsettled([*found["violations"], *found["incomplete"]]))
    assert {"color-contrast", "label", "region", "heading-order"} & {
        each["id"] for each in found["passes"]
    }


def _unsettled(rules: list[dict[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """Return axe's problems and open questions. It cannot judge the contrast of a symbol."""
    for rule in rules:
        for node in rule["nodes"]:
            why = [check["data"] for check in (*node["any"], *node["all"], *node["none"])]
            if not any(
                data and data.get("messageKey") in ("shortTextContent", "nonBmp") for data in why
            ):
                yield rule["id"], node["html"], why


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", PAGES)
def test_the_page_needs_no_horizontal_scrolling(
    name: str, viewport: dict[str, int], show: Show
) -> None:
    page = show(PAGES[name](), viewport=viewport)
    page.locator("details").evaluate_all("all => all.forEach((each) => (each.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


def test_the_filter_works_with_the_keyboard_alone(show: Show) -> None:
    page = show(_report())
    status = page.get_by_role("status")
    page.get_by_role("searchbox", name="Show those with").focus()
    page.keyboard.type("EU1 port 22")
    assert status.inner_text() == "4 of 40 servers shown"
    assert _visible(page) == 4
    for _ in "EU1 port 22":
        page.keyboard.press("Backspace")
    assert status.inner_text() == "40 of 40 servers shown"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "FAILED"
    page.keyboard.press("Space")
    assert status.inner_text() == "39 of 40 servers shown"
    assert not page.get_by_text("chat3.example.com").nth(1).is_visible()
    for _ in range(6):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("details[open]:visible").count() == 39


def test_a_link_opens_its_server_even_if_the_filter_hides_it(show: Show) -> None:
    page = show(_report())
    page.get_by_label("unreachable (12)").uncheck()
    page.get_by_role("link", name="eu7.chat.example.com").click()
    opened = page.locator(".server:focus-within")
    assert "eu7.chat.example.com" in opened.inner_text()
    assert opened.get_attribute("open") is not None


def test_without_javascript_every_server_is_visible(show: Show) -> None:
    page = show(_report(), java_script_enabled=False)
    assert not page.get_by_role("search").is_visible()
    assert _visible(page) == 40
    page.locator("summary").last.click()
    assert page.locator(".server").last.get_attribute("open") is not None


def test_a_report_about_a_thousand_servers(show: Show) -> None:
    page = show(_report(1000))
    assert page.locator("details[open]").count() == 4
    page.get_by_role("searchbox").fill("us960")
    assert page.get_by_role("status").inner_text() == "1 of 1000 servers shown"


HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "</style><script>alert(2)</script>",
    "\"'><svg onload=alert(3)>",
    "{{ constructor }}${alert(4)}",
    "chat1\u202emoc.elpmaxe\u2066",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_with_html_is_shown_as_text(text: str, show: Show) -> None:
    page = show(report("plan", [Outcome(text, Status.FAILED, text, text)], ExitCode.FAILED, WHEN))
    shown = text.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066")
    assert page.locator(".name").inner_text() == shown
    wanted = realm("acme", url=f"https://{text}")
    page = show(handoff([sheet(server(wanted, name=text), wanted, None)], "html"))
    assert page.locator("dd").nth(2).inner_text() == f"https://{shown}/scim/v2"


def test_the_policy_blocks_other_content(show: Show, said: list[str]) -> None:
    show(_report(20).replace("<main>", '<main><img src="https://example.com" onerror="x()">', 1))
    complaints = "".join(said)
    assert "'https://example.com/' violates the following Content Security Policy" in complaints
    said.clear()


def test_the_printed_page_shows_everything(show: Show) -> None:
    page = show(_sheets())
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf())) == 3
    page = show(_report())
    page.emulate_media(media="print")
    assert not page.get_by_role("search").is_visible()
    assert _visible(page) == 40


def test_the_picture_for_the_documentation_is_a_png(tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    subprocess.run([sys.executable, "-m", "tests.browser.picture", picture], check=True)
    assert picture.read_bytes().startswith(b"\x89PNG")
