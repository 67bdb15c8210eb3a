from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Show = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium.find())
        yield started
        started.close()


@pytest.fixture
def said() -> list[str]:
    """The requests, console messages, errors and dialogs of the pages that `show` opened."""
    return []


@pytest.fixture
def show(browser: Browser, said: list[str], tmp_path: Path) -> Iterator[Show]:
    """A function that opens a page from its HTML, with the options of `Browser.new_page`."""
    file = tmp_path / "page.html"
    opened = []

    def open_page(text: str, **options: Any) -> Page:
        file.write_text(text, encoding="utf-8")
        page = browser.new_page(**options)
        opened.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: said.append(request.url))
        page.goto(file.as_uri())
        assert said.pop(0) == file.as_uri()
        return page

    yield open_page
    for page in opened:
        page.close()


@pytest.fixture
def quiet(said: list[str]) -> Iterator[None]:
    """Fail the test if its pages made a request, a message, an error or a dialog."""
    yield
    assert not said
