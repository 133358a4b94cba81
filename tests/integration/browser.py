"""A real browser, and what it must not have done at the end of a visit.

Playwright, because one package steers whatever Chromium the distribution has: colours, width, JavaScript or none, and
the page's clock are its to say, and it tells of every request and message. Selenium would need a driver besides, and
its logs for the rest.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.waiting import LIMIT_SECONDS

expect.set_options(timeout=LIMIT_SECONDS * 1000)

#: What Chromium says of every answer of 400 and above, which are as the contract wants them; and of a field that is to
#: have the focus, where a test has typed elsewhere before the page was complete.
_NOTES = ("Failed to load resource: the server responded with a status of", "Autofocus processing was blocked")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; without one the test is skipped."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    # Its sandbox cannot be set up by root, as whom CI runs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser,
    address: str,
    *,
    width: int = 1100,
    height: int = 800,
    colours: Literal["light", "dark"] = "light",
    has_javascript: bool = True,
    has_touch: bool = False,
) -> Iterator[Page]:
    """Visit a site as somebody new; at the end nothing was complained of, and nobody else was asked for anything.

    Args:
        browser: The browser.
        address: Of the site: ``http://localhost:2080``.
        width: Of the screen, in CSS pixels.
        height: The same.
        colours: What the visitor likes.
        has_javascript: Whether scripts run.
        has_touch: Whether it is touched with fingers.
    """
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": height},
        color_scheme=colours,
        java_script_enabled=has_javascript,
        has_touch=has_touch,
        is_mobile=has_touch,
    )
    said, asked = _watch(context)
    page = context.new_page()
    page.set_default_timeout(LIMIT_SECONDS * 1000)
    yield page
    context.close()
    assert not said, said
    assert all(each.startswith((f"{address}/", "blob:")) for each in asked), asked


def _watch(context: BrowserContext) -> tuple[list[str], list[str]]:
    said: list[str] = []
    asked: list[str] = []
    context.on("console", lambda message: None if message.text.startswith(_NOTES) else said.append(message.text))
    context.on("weberror", lambda error: said.append(str(error.error)))
    context.on("request", lambda request: asked.append(request.url))
    return said, asked


def fill_in_login(page: Page, name: str, password: str) -> None:
    """Fill in the form of the login, and send it."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password", exact=True).press("Enter", no_wait_after=True)
    page.wait_for_url(lambda url: "/-/login" not in url, wait_until="commit")
    expect(page.get_by_text(name).locator("visible=true").first).to_be_visible()


def log_in(page: Page, name: str, password: str, path: str = "/") -> None:
    """Log in, and be at a page."""
    page.goto(f"/-/login?next={quote(path)}")
    fill_in_login(page, name, password)


def state(page: Page) -> Locator:
    """Find what a page says of its run now."""
    return page.locator(".state:visible")


def output_of(page: Page, name: str) -> Locator:
    """Find what a command has said."""
    return page.get_by_role("region", name=f"Output of {name}")


def inspect(page: Page, picture: str) -> None:
    """See that a page as it is now keeps nobody out and is not wider than the screen.

    Args:
        page: To be looked at.
        picture: What its picture is called, where ``CMDSERVER_SCREENSHOTS`` names a directory for pictures.
    """
    directory = os.environ.get("CMDSERVER_SCREENSHOTS")
    if directory:
        width = page.viewport_size["width"] if page.viewport_size else 0
        is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        name = f"{re.sub('[^a-z0-9]+', '-', picture)}-{width}{'-dark' if is_dark else ''}.png"
        page.screenshot(path=Path(directory) / name, full_page=True)
    assert barriers(page) == [], picture
    assert not sticks_out(page), picture


def barriers(page: Page) -> list[str]:
    """Say what keeps somebody from using a page as it is now, by axe-core's rules (WCAG and good practice)."""
    violations = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in violations]


def sticks_out(page: Page) -> bool:
    """Whether a page is wider than the screen, so that it would have to be moved sideways to be read."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
