"""The pages of runs in a real browser: alive, with and without JavaScript, on a desk and on a phone, for everybody."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.integration.browser import barriers, sticks_out, visit
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.http_client import HTTPClient
from tests.integration.logins import LENIENT, write_passwords
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

LISTENER = Listener(protocol="web", login="optional")
ADDRESS = f"http://localhost:{LISTENER.port}"

#: Says something, and then waits until a file is there.
_REPORT = 'echo first line; while [ ! -e "$GO" ]; do sleep 0.05; done; echo second line; echo a warning >&2; exit 3'
_HOSTILE = "<script>alert(1)</script>"


def commands(go: Path) -> Mapping[str, Mapping[str, object]]:
    """Make the allow-list; ``report`` goes on when there is a file ``go``."""
    text = {"name": "text", "type": "string", "label": "<b>Text</b>", "pattern": ".*"}
    return {
        "report": shell(_REPORT, environment={"GO": str(go)}, title="Report of the day"),
        "endless": shell("echo begun; exec sleep 1000", timeout_seconds=2000),
        "long": shell("seq 1 300; exec sleep 1000", timeout_seconds=2000),
        "quick": shell("true"),
        "say": {
            "run": ["echo", "{text}"],
            "parameters": [text],
            "read_only": True,
            "history": "all",
            "title": _HOSTILE,
        },
    }


ROLES: Mapping[str, Mapping[str, object]] = {
    "admin": {"commands": ["*"], "sees": ["*"], "stops": ["*"], "users": ["ann"]},
    "helper": {"commands": ["*"], "users": ["ben"]},
    "watcher": {"commands": ["quick"], "sees": ["*"], "users": ["cleo"]},
}
USERS: Mapping[str, str] = {name: f"password of {name}" for name in ("ann", "ben", "cleo")}


@pytest.fixture
def go(daemon: Daemon) -> Iterator[Path]:
    """Give the file that lets ``report`` go on."""
    path = daemon.directory / "go"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    """Leave nothing running for the next test."""
    yield
    for run in alive():
        stop(run, "ann")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with a web listener, and some who have passwords."""
    directory = tmp_path_factory.mktemp("daemon")
    with running(directory, commands(directory / "go"), listeners=[LISTENER], roles=ROLES, limits=LENIENT) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


def start(name: str, user: str = "ben") -> str:
    """Let somebody start a command with a program; return the run's id."""
    return _post(f"/{name}", user, prefer="respond-async")["id"]


def stop(run: str, user: str = "ben") -> None:
    """Let somebody stop a run with a program."""
    _post(f"/-/runs/{run}/stop", user)


def alive() -> list[str]:
    """Say which runs are alive."""
    token = b64encode(f"ann:{USERS['ann']}".encode()).decode()
    with HTTPClient(LISTENER.address) as client:
        answer = client.ask("/-/runs", authorization=f"Basic {token}", accept="application/json")
    return [each["id"] for each in answer.json["runs"] if each["state"] in {"queued", "running"}]


def _post(target: str, user: str, **headers: str) -> Mapping[str, str]:
    token = b64encode(f"{user}:{USERS[user]}".encode()).decode()
    with HTTPClient(LISTENER.address) as client:
        response = client.ask(target, "POST", b"", authorization=f"Basic {token}", accept="application/json", **headers)
    body: Mapping[str, str] = response.json
    return body


def log_in(page: Page, path: str = "/-/runs", name: str = "ann") -> None:
    """Log in, and look at a page."""
    page.goto(f"/-/login?next={quote(path)}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(USERS[name])
    page.get_by_label("Password", exact=True).press("Enter", no_wait_after=True)
    page.wait_for_url(lambda url: not url.startswith(f"{ADDRESS}/-/login"), wait_until="commit")


def row(page: Page, run: str) -> Locator:
    """Find the row of a run."""
    return page.locator(f"[data-run='{run}']")


def top_of(page: Page, run: str) -> float:
    """Say where the row of a run begins, in one look: a row can be exchanged between two."""
    top: float = page.evaluate("run => document.querySelector(`[data-run='${run}']`).getBoundingClientRect().top", run)
    return top


def test_the_list_is_alive(browser: Browser, go: Path) -> None:
    """Runs of others come, end and are stopped while somebody looks; nothing is asked again for it."""
    with visit(browser, ADDRESS) as page:
        log_in(page)
        expect(page.get_by_role("heading", name="Runs")).to_be_visible()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        first = start("report")
        expect(row(page, first)).to_contain_text("Running")
        expect(page.get_by_role("link", name="Runs")).to_contain_text("1 running")
        expect(row(page, first)).to_contain_text(re.compile("[2-9] s"))
        go.touch()
        expect(row(page, first)).to_contain_text("Failed (exit status 3)")
        expect(row(page, first).get_by_role("button")).to_have_count(0)

        second = start("endless")
        row(page, second).get_by_role("button", name="Stop").click()
        expect(row(page, second)).to_contain_text("Stopped by you")
        expect(page.locator("[data-running]")).to_be_hidden()
        expect(page.locator("[data-run]").first).to_have_attribute("data-run", second)
        pages = [url for url in asked if "/stop" not in url and "/-/static/" not in url]
        assert len(pages) <= 2, asked  # the stream, if it was not there yet


def test_a_click_is_never_lost(browser: Browser) -> None:
    """What ends while somebody presses its row is drawn when the button is up; the click goes where it was meant to."""
    with visit(browser, ADDRESS) as other, visit(browser, ADDRESS) as page:
        run = start("endless")
        for each in (other, page):
            log_in(each)
            expect(row(each, run)).to_contain_text("Running")
        link = row(page, run).get_by_role("link").first
        link.hover()
        page.mouse.down()
        stop(run)
        expect(row(other, run)).to_contain_text("Stopped")
        page.mouse.up()
        page.wait_for_url(f"**/-/runs/{run}", wait_until="commit")


def test_what_is_read_does_not_move(browser: Browser) -> None:
    """Far down new runs wait behind a button that says how many they are."""
    with visit(browser, ADDRESS) as page:
        for _ in range(30):
            start("quick")
        wait_until(lambda: not alive(), "all runs to have ended")
        log_in(page)
        expect(page.locator("[data-run]").nth(25)).to_be_visible()
        expect(row(page, start("quick"))).to_be_visible()  # so that the list is alive
        expect(page.locator("[data-run]").get_by_text("Running")).to_have_count(0)
        page.evaluate("scrollTo(0, 500)")
        read = page.evaluate("document.elementFromPoint(300, 300).closest('tr').dataset.run")
        top = top_of(page, read)
        run = start("endless")
        chip = page.get_by_role("button", name="1 new run")
        expect(chip).to_be_visible()
        assert top_of(page, read) == top
        chip.click()
        expect(row(page, run)).to_be_in_viewport()
        expect(chip).to_be_hidden()
        stop(run)
        expect(row(page, run)).to_contain_text("Stopped by ben")


def test_filters(browser: Browser, go: Path) -> None:
    """They are addresses; a run that no longer matches leaves the list, and one that has come to match is there."""
    with visit(browser, ADDRESS) as page:
        log_in(page)
        page.get_by_role("link", name=re.compile("^Running")).click()
        page.wait_for_url("**/-/runs?state=running")
        run = start("report")
        expect(row(page, run)).to_be_visible()
        with visit(browser, ADDRESS) as other:
            log_in(other, "/-/runs?command=report&user=&state=failed")
            expect(other.get_by_role("link", name="Failed")).to_have_attribute("aria-current", "true")
            expect(row(other, run)).to_have_count(0)
            go.touch()
            expect(row(other, run)).to_be_visible()
        expect(row(page, run)).to_have_count(0)
        expect(page.get_by_text("No run matches that.")).to_be_visible()


def test_a_run(browser: Browser, go: Path) -> None:
    """Its page has its output as it is made; who looks stays where they were when it ends, and may run it again."""
    with visit(browser, ADDRESS) as page:
        run = start("report")
        log_in(page, f"/-/runs/{run}")
        output = page.get_by_role("region", name="Output of report")
        expect(output).to_have_text("first line\n")
        expect(page).to_have_title(re.compile("^● Report of the day"))
        expect(page.get_by_text("by ben, web")).to_be_visible()
        expect(page.locator(".state .ticks")).to_have_text(re.compile("[2-9] s"))
        top = output.bounding_box()
        go.touch()
        expect(output).to_have_text("first line\nsecond line\na warning\n")
        expect(page).to_have_title(re.compile("^✗ Report of the day"))
        expect(page.locator(".state:visible")).to_have_text(re.compile("Failed.*Exit status 3 after"))
        after = output.bounding_box()
        assert top is not None
        assert after is not None
        assert (top["x"], top["y"]) == (after["x"], after["y"])

        page.get_by_role("button", name="Run again").click()
        page.get_by_role("link", name="This run").click()
        expect(page.get_by_text("by ann (you), web")).to_be_visible()
        expect(page).to_have_title(re.compile("^✗"))


def test_stop_a_run(browser: Browser) -> None:
    """Without leaving its page, and the focus is not lost; somebody who reads the beginning is left there."""
    with visit(browser, ADDRESS) as page:
        log_in(page, f"/-/runs/{start('long')}")
        output = page.get_by_role("region", name="Output of long")
        expect(output).to_contain_text("300")
        assert output.evaluate("pre => pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 24")
        output.evaluate("pre => pre.scrollTop = 40")
        page.get_by_role("button", name="Stop").press("Enter")
        expect(page.locator(".state:visible")).to_contain_text("Stopped by you")
        expect(page.get_by_role("button", name="Run again")).to_be_focused()
        expect(page).to_have_title(re.compile("^■ long"))
        assert output.evaluate("pre => pre.scrollTop") == 40


def test_who_may_only_look(browser: Browser) -> None:
    """Neither stops a run nor runs it again; who has no role for it does not find it."""
    run = start("endless")
    with visit(browser, ADDRESS) as page:
        log_in(page, f"/-/runs/{run}", "cleo")
        expect(page.get_by_text("begun")).to_be_visible()
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        stop(run)
        expect(page.locator(".state:visible")).to_contain_text("Stopped by ben")
        expect(page.get_by_role("button", name="Run again")).to_have_count(0)
    other = start("endless", "ann")
    with visit(browser, ADDRESS) as page:
        log_in(page, f"/-/runs/{other}", "ben")
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    stop(other, "ann")


def test_a_page_that_breaks_off(browser: Browser, go: Path) -> None:
    """Its output comes again when the network is there again, and its end."""
    with visit(browser, ADDRESS) as page:
        run = start("report")
        log_in(page, f"/-/runs/{run}")
        expect(page.get_by_text("first line")).to_be_visible()
        expect(page).to_have_title(re.compile("^●"))  # the script is at work, which this would keep away else
        page.evaluate("window.stop()")
        go.touch()
        expect(page.get_by_role("region", name="Output of report")).to_have_text("first line\nsecond line\na warning\n")
        expect(page.locator(".state:visible")).to_contain_text("Exit status 3")
        expect(page).to_have_title(re.compile("^✗"))
        expect(page.get_by_role("button", name="Run again")).to_be_visible()


def test_the_commands_page(browser: Browser, go: Path) -> None:
    """How each command ran last stands at it, and changes while it is looked at; what runs here has a page."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "/", "ben")
        last = page.locator("[data-last='report']")
        start("endless", "ann")
        start("report")
        expect(last).to_contain_text("running")
        go.touch()
        expect(last).to_contain_text("exit 3")
        page.goto("/report")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("Exit status 3")).to_be_visible()
        page.get_by_role("link", name="This run").click()
        expect(page.get_by_text("by ben (you), web")).to_be_visible()


def test_without_javascript(browser: Browser, go: Path) -> None:
    """The same without scripts: the list, its filters, a run that grows, Stop, Run again."""
    with visit(browser, ADDRESS, has_javascript=False) as page:
        log_in(page)
        run = start("report")
        page.goto("/-/runs")
        page.get_by_role("link", name=re.compile("^Running")).click()
        row(page, run).get_by_role("link").click(no_wait_after=True)
        output = page.get_by_role("region", name="Output of report")
        expect(output).to_have_text("first line\n")
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        go.touch()
        expect(page.locator(".state:visible")).to_contain_text("Exit status 3")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        page.get_by_role("button", name="Run again").click()
        page.get_by_role("link", name="This run").click()
        expect(page.get_by_text("by ann (you), web")).to_be_visible()

        endless = start("endless")
        page.goto("/-/runs?state=running")
        page.get_by_role("combobox", name="Command").select_option("endless")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/-/runs?command=endless&user=&state=running")
        row(page, endless).get_by_role("button", name="Stop").click()
        page.wait_for_url(f"**/-/runs/{endless}")
        expect(page.locator(".state")).to_contain_text("Stopped by you")


@pytest.mark.parametrize("has_javascript", [True, False])
def test_a_phone(browser: Browser, *, has_javascript: bool) -> None:
    """No page is wider than a phone, whatever is on it."""
    with visit(browser, ADDRESS, width=390, has_javascript=has_javascript) as page:
        log_in(page)
        run = start("endless")
        page.goto(f"/say?form-sent=yes&text={'wide' * 50}")
        assert not sticks_out(page)
        for path in ("/", "/-/runs", "/-/runs?state=failed&user=ben"):
            page.goto(path)
            assert not sticks_out(page), path
        page.goto("/-/runs?command=say")
        page.get_by_role("link", name=_HOSTILE).first.click()
        expect(page.get_by_role("region", name="Output of say")).to_contain_text("wide")
        assert not sticks_out(page)
        page.goto(f"/-/runs/{run}", wait_until="commit")
        expect(page.get_by_text("begun")).to_be_visible()
        assert not sticks_out(page)
        stop(run)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nobody_is_kept_out(browser: Browser, colours: Literal["light", "dark"]) -> None:
    """axe-core finds nothing on the pages of runs, in light and in dark, whatever state they are in."""
    with visit(browser, ADDRESS, colours=colours) as page:
        log_in(page)
        run = start("endless", "ann")
        for path in ("/-/runs", "/-/runs?state=running", "/-/runs?state=timeout", "/"):
            page.goto(path)
            expect(page.locator("h1")).to_be_visible()
            assert barriers(page) == [], path
        page.goto(f"/-/runs/{run}", wait_until="commit")
        expect(page.get_by_text("begun")).to_be_visible()
        assert barriers(page) == []
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".state:visible")).to_contain_text("Stopped by you")
        assert barriers(page) == []


def test_hostile_words_stay_text(browser: Browser) -> None:
    """Titles, labels, values and output are read, not obeyed: in pages, in rows that come by themselves, and again."""
    with visit(browser, ADDRESS) as page:
        log_in(page)
        with visit(browser, ADDRESS) as other:
            log_in(other, f"/say?form-sent=yes&text={quote(_HOSTILE)}", "ben")
        page.locator("[data-run]").filter(has_text=f"{_HOSTILE} {_HOSTILE}").get_by_role("link").click()
        expect(page.get_by_role("region", name="Output of say")).to_have_text(f"{_HOSTILE}\n")
        expect(page.get_by_text("<b>Text</b>")).to_be_visible()
        page.get_by_role("button", name="Run again").click()
        expect(page.get_by_role("region", name="Output of say")).to_have_text(f"{_HOSTILE}\n")
