"""Many pages of one browser, over HTTP/1.1: they share one connection, and none of them keeps another from loading."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.browser import visit
from tests.integration.daemon import Daemon, Listener, marked_processes, running, shell
from tests.integration.logins import ALICE, LENIENT, write_passwords
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

LISTENER = Listener(protocol="web", login="optional")
ADDRESS = f"http://localhost:{LISTENER.port}"
#: Says a number a few times a second.
_COUNT = "i=0; while :; do i=$((i + 1)); echo number $i; sleep 0.3; done"

#: Begins a line, and goes on with it once a file is there.
_PROGRESS = r"""
printf 'begun\n  1 %%\r 10 %%'
while [ ! -e "$GO" ]; do sleep 0.05; done
printf '\r100 %% '
sleep 0.3
printf 'done\nend\n'
"""


COMMANDS: Mapping[str, Mapping[str, object]] = {
    "count": shell(_COUNT, timeout_seconds=600, read_only=True, share=False, history="all"),
    "look": shell(_COUNT, timeout_seconds=600, read_only=True, share=False),
    "quick": shell("true", read_only=True),
}


def commands(go: Path) -> Mapping[str, Mapping[str, object]]:
    """Make the allow-list; ``progress`` goes on when there is a file ``go``."""
    progress = shell(_PROGRESS, environment={"GO": str(go)}, read_only=True, share=False)
    return {**COMMANDS, "progress": progress}


ROLES: Mapping[str, Mapping[str, object]] = {
    "anonymous": {"commands": ["look", "quick"]},
    "admin": {"commands": ["*"], "sees": ["*"], "stops": ["*"], "users": ["alice"]},
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with a web listener, and somebody who has a password."""
    directory = tmp_path_factory.mktemp("daemon")
    limits = {**LENIENT, "running": 20}
    with running(directory, commands(directory / "go"), listeners=[LISTENER], roles=ROLES, limits=limits) as daemon:
        write_passwords(daemon, {"alice": ALICE})
        yield daemon


def connections() -> int:
    """Count the connections to the listener that are open, by what the kernel knows of it."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    port = f":{LISTENER.port:04X}"
    return sum(fields[1].endswith(port) and fields[3] == "01" for fields in lines)


def log_in(page: Page, path: str) -> None:
    """Log in, and look at a page."""
    page.goto(f"/-/login?next={path}")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password", exact=True).fill(ALICE)
    page.get_by_label("Password", exact=True).press("Enter")
    page.wait_for_url(lambda url: "/-/login" not in url, wait_until="commit")


def run_of(page: Page) -> str:
    """Return the id of the run on a page, which goes on: the page asks for the rest of it by ``NAME=ID.POSITION``."""
    asked = page.locator("section.run-page[data-follow]").get_attribute("data-follow")
    assert asked is not None
    return re.split("[=.]", asked)[1]


def grows(page: Page) -> None:
    """See that the output on a page goes on."""
    output = page.get_by_role("region", name=re.compile("^Output of"))
    expect(output).to_contain_text("number")
    last = max(map(int, re.findall("[0-9]+", output.inner_text())))
    expect(output).to_contain_text(f"number {last + 2}\n")


def test_eight_tabs(browser: Browser) -> None:
    """Eight pages with runs that go on: all grow, a ninth loads, Stop works in each, and there is one event stream."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "/-/runs")
        tabs = [page.context.new_page() for _ in range(8)]
        for tab in tabs:
            tab.goto("/count")
        page.goto("/quick")
        expect(page.get_by_role("status")).to_contain_text("Done")
        page.goto("/-/runs")
        expect(page.locator("[data-running]")).to_have_text("8 running")
        for tab in tabs:
            grows(tab)
            expect(tab.locator("[data-running]")).to_have_text("8 running")
        for count, tab in enumerate(tabs, 1):
            tab.get_by_role("button", name="Stop").click()
            expect(tab.locator(".state:visible")).to_contain_text("Stopped by you")
            expect(page.locator(".state-cell").filter(has_text="Stopped by you")).to_have_count(count)
        expect(page.locator("[data-running]")).to_be_hidden()


def processes() -> int:
    """Count the loops that are under way."""
    return len([*marked_processes("echo number $i")])


def test_a_stranger(browser: Browser) -> None:
    """Who has no name sees a run go on, too; Stop ends it, and to leave the page."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        page.goto("/look")
        grows(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".state:visible")).to_contain_text("Stopped")
        expect(page.get_by_role("button", name="Run again")).to_be_focused()
        wait_until(lambda: processes() == 0, "the end of the run")
        page.get_by_role("button", name="Run again").click()
        grows(page)
        page.goto("/")
        wait_until(lambda: processes() == 0, "the end of the run")


def test_a_page_that_goes_without_a_word(browser: Browser) -> None:
    """A tab that is killed ends its run, while others go on."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        other = page.context.new_page()
        page.goto("/look")
        other.goto("/look")
        grows(other)
        wait_until(lambda: processes() == 2, "the two runs")
        page.close()
        wait_until(lambda: processes() == 1, "the end of the run")
        grows(other)
        other.close()
        wait_until(lambda: processes() == 0, "the end of the run")


def test_the_end_of_a_session(browser: Browser) -> None:
    """Every page of the browser says that it is not up to date any more."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "/-/runs")
        other = page.context.new_page()
        other.goto("/")
        other.get_by_role("button", name="Log out").click()
        expect(other.get_by_role("link", name="Log in")).to_be_visible()
        with visit(browser, ADDRESS) as stranger:
            stranger.goto("/quick")
        expect(page.get_by_text("This list is not up to date: a login is required here")).to_be_visible()


def test_the_list_of_commands(browser: Browser) -> None:
    """What was last stays what was last, wherever it runs."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "/")
        other = page.context.new_page()
        other.goto("/count")
        cell = page.locator("[data-last='count']")
        expect(cell).to_contain_text("running")
        other.get_by_role("button", name="Stop").click()
        expect(cell).to_contain_text("stopped by alice")


def test_one_connection(browser: Browser) -> None:
    """The pages of a browser have one worker, which asks for events; they themselves ask for none."""
    with visit(browser, ADDRESS) as page:
        asked: list[str] = []
        page.context.on("request", lambda request: asked.append(request.url))
        log_in(page, "/-/runs")
        for _ in range(3):
            tab = page.context.new_page()
            tab.goto("/count")
            grows(tab)
        assert not [url for url in asked if "/-/events" in url], asked
        session = browser.new_browser_cdp_session()

        def workers() -> int:
            return [each["type"] for each in session.send("Target.getTargets")["targetInfos"]].count("shared_worker")

        wait_until(lambda: workers() == 1, "the workers of pages before are gone")
        wait_until(lambda: connections() <= 6, "so are their connections")


def test_without_workers(browser: Browser) -> None:
    """A browser that has none of them follows by its pages."""
    with visit(browser, ADDRESS) as page:
        page.add_init_script("delete globalThis.SharedWorker")
        log_in(page, "/count")
        grows(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".state:visible")).to_contain_text("Stopped by you")


def test_what_is_written_over(browser: Browser, daemon: Daemon) -> None:
    """A line that a page has begun goes on where the page was complete, with colours, and is written over."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "/progress")
        output = page.get_by_role("region", name="Output of progress")
        expect(output).to_have_text("begun\n 10 %", use_inner_text=True)
        (daemon.directory / "go").touch()
        expect(output).to_have_text("begun\n100 % done\nend\n", use_inner_text=True)
        expect(page.locator(".state:visible")).to_contain_text("Done")


def test_pages_that_nobody_sees(browser: Browser) -> None:
    """Follow nothing after a while, and catch up when they are seen again; a run that ends with its page goes on."""
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    hide += "document.dispatchEvent(new Event('visibilitychange')) }"
    with visit(browser, ADDRESS) as page:
        page.clock.install()
        log_in(page, "/-/runs")
        page.goto("/count")
        grows(page)
        page.evaluate(hide, arg=True)
        page.clock.run_for(20_000)
        grows(page)

        page.goto("/-/runs")
        other = page.context.new_page()
        other.goto("/count")
        row = page.locator(f"[data-run='{run_of(other)}']")
        expect(row).to_contain_text("Running")
        page.evaluate(hide, arg=True)
        page.clock.run_for(20_000)
        page.wait_for_timeout(500)
        other.get_by_role("button", name="Stop").click()
        expect(other.locator(".state:visible")).to_contain_text("Stopped by you")
        expect(row).to_contain_text("Running")
        page.evaluate(hide, arg=False)
        expect(row).to_contain_text("Stopped by you")


def test_who_has_switched_scripts_off(browser: Browser) -> None:
    """Has pages that come as long as their runs go on, though the browser has said that there is a script."""
    with visit(browser, ADDRESS, has_javascript=False) as page:
        page.context.add_cookies([{"name": "cmdserver-script", "value": "yes", "url": ADDRESS}])
        log_in(page, "/count")
        page.wait_for_url(re.compile("/-/runs/[0-9a-f]+.no-script=yes$"), wait_until="commit")
        grows(page)
        page.goto("/count", wait_until="commit")
        grows(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".state:visible")).to_contain_text("Stopped by you")
