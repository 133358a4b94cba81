"""Tables in a real browser: the script sorts as the server does, and a phone has two lines a row."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from cmdserver.core.output import Parsed
from cmdserver.frontends.web.pages.markup import Markup
from cmdserver.frontends.web.pages.static import FILES
from cmdserver.frontends.web.pages.tables.drawing import draw, draw_parts
from cmdserver.frontends.web.pages.tables.meanings import Kind
from cmdserver.frontends.web.pages.tables.model import parts_of_run
from cmdserver.frontends.web.pages.tables.table import Table
from cmdserver.parsers.jc_library import parse
from tests.frontends.web.pages.tables import samples
from tests.integration.browser import barriers, sticks_out

pytest.importorskip("jc", reason="jc is not installed")
pytestmark = pytest.mark.slow

OUTPUTS = {
    "ps": samples.PS,
    "ss": samples.SS,
    "systemctl": samples.SYSTEMCTL,
    "lsblk": samples.LSBLK,
    "ip-addr": samples.IP,
    "free": samples.FREE,
    "top": samples.TOP,
    "last": samples.LAST,
    "df": samples.DF,
    "docker-ps": samples.DOCKER,
    "apt-list": samples.APT,
}
#: What two lines take, with the space around them and a bar between them.
_TWO_LINES = 80


def _static(name: str) -> str:
    return FILES[name].body.decode()


@contextmanager
def _page(browser: Browser, body: str, width: int, *, has_javascript: bool = True) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=has_javascript)
    page = context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.set_content(
        f'<!doctype html><html lang="en"><title>Table</title><meta name="viewport" content="width=device-width">'
        f"<style>{_static('page.css')}</style><main><h1>A</h1><h2>B</h2>{body}</main>"
        f"<script type=module>{_static('page.js')}</script></html>"
    )
    yield page
    context.close()
    assert not mistakes


def _parsed(name: str) -> Parsed:
    return Parsed(value=parse(name, OUTPUTS[name]))


def _drawn(name: str) -> Markup:
    drawn = draw(_parsed(name), name, OUTPUTS[name], "", lambda sort: f"#{sort}")
    assert drawn is not None
    return drawn


@pytest.mark.parametrize("name", OUTPUTS)
def test_script_and_server_sort_alike(browser: Browser, name: str) -> None:
    """Each head, once and twice."""
    with _page(browser, draw(_parsed(name), name, OUTPUTS[name]) or "", 1280) as page:
        table = parts_of_run(_parsed(name), name, OUTPUTS[name])[-1]
        assert isinstance(table, Table)
        for column in table.columns:
            head = page.locator("thead th").nth(table.columns.index(column))
            for how in ("descending", "ascending") if column.kind.is_number else ("ascending", "descending"):
                head.get_by_role("button").click()
                expect(head).to_have_attribute("aria-sort", how)
                sort = f"-{column.key}" if how == "descending" else column.key
                wanted = parts_of_run(_parsed(name), name, OUTPUTS[name], sort)[-1]
                assert isinstance(wanted, Table)
                place = table.columns.index(column)
                # Equal ones stand as they stood before: the order of the column says all.
                cells = page.locator(f"tbody tr > :nth-child({place + 1})")
                assert cells.evaluate_all("each => each.map(cell => cell.title || cell.textContent)") == [
                    row[place].text for row in wanted.rows
                ] or column.kind in {Kind.PERCENT, Kind.FULL}
        assert page.locator("thead [aria-sort]").count() == 1


def test_filter(browser: Browser) -> None:
    """Rows with all the words are left, and counted."""
    parsed = Parsed(value=[{"pid": number, "command": f"job{number % 3} runs"} for number in range(30)])
    with _page(browser, draw(parsed, "ps", b"") or "", 1280) as page:
        page.get_by_placeholder("Filter 30 rows").fill("runs JOB2")
        expect(page.get_by_role("status")).to_have_text("10 of 30 processes")
        page.get_by_placeholder("Filter 30 rows").fill("")
        expect(page.get_by_role("status")).to_have_text("30 processes")
        assert page.locator("tbody tr:visible").count() == 30


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_phone(browser: Browser, name: str) -> None:
    """Has two lines a row and nothing that sticks out; its order is a menu; everybody can use it."""
    with _page(browser, _drawn(name), 390) as page:
        heights = page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
        assert max(heights) <= _TWO_LINES, heights
        assert not sticks_out(page)
        assert barriers(page) == []
        page.get_by_text("Sort: as given").first.click()
        page.locator(".sort a").last.click()
        expect(page.locator("thead [aria-sort]")).to_have_count(1)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_desk(browser: Browser, name: str) -> None:
    """One line a row, within the page, and no barriers."""
    with _page(browser, _drawn(name), 1280) as page:
        heights = page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
        assert max(heights) <= 40, heights
        assert not sticks_out(page)
        assert barriers(page) == []


def test_without_script(browser: Browser) -> None:
    """There is no filter and no button that would do nothing; links sort."""
    parsed = Parsed(value=[{"pid": number, "command": "x"} for number in range(30)])
    for drawn, links in (
        (draw_parts(parts_of_run(parsed, "ps", b"")), 0),
        (draw_parts(parts_of_run(parsed, "ps", b""), lambda sort: f"?sort={sort}"), 2),
    ):
        with _page(browser, drawn or "", 1280, has_javascript=False) as page:
            expect(page.get_by_role("searchbox")).to_have_count(0)
            expect(page.locator("thead").get_by_role("link")).to_have_count(links)
