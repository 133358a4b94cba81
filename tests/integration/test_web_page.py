"""The page in a real browser: with and without JavaScript, on a desk and on a phone, for everybody."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.browser import barriers, fill_in_login, inspect, log_in, output_of, state, sticks_out, visit
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import ALICE, LENIENT, write_passwords
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

LISTENER = Listener(protocol="web", login="optional")
ADDRESS = f"http://localhost:{LISTENER.port}"

#: Says something, and then waits until a file is there.
_REPORT = 'echo first line; while [ ! -e "$GO" ]; do sleep 0.05; done; echo second line; echo a warning >&2; exit 3'

DISKS = r"""printf 'Filesystem      Size  Used Avail Use%% Mounted on
/dev/vda        252G   24G   78G  24%% /
/dev/vdb        1.0T  973G   51G  95%% /srv
'"""


UPTIME = "echo ' 04:37:01 up 57 min,  0 users,  load average: 0.10, 0.20, 0.30'"

#: More rows than are shown, bars without limits, numbers, and texts that come last.
MANY = """awk 'BEGIN {
    print "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"
    long = "</b> --with=arguments --that=go --on=and --on=and --on=and --on"
    for (i = 1; i <= 520; i++) print "root " i " " i % 101 ".5 0.0 " i * 1000 " " i * 10 " ? Ss 06:19 0:42 <b>" i long
}'"""


def commands(go: Path) -> Mapping[str, Mapping[str, object]]:
    """Make the allow-list; ``report`` goes on when there is a file ``go``."""
    return {
        "df": shell(DISKS, read_only=True, parser="df", help="How full the file systems are"),
        "uptime": {"run": ["uptime"], "read_only": True, "parser": "uptime", "help": "Since when"},
        "since": shell(UPTIME, read_only=True, parser="uptime"),
        "many": shell(MANY, read_only=True, parser="ps"),
        "report": shell(_REPORT, environment={"GO": str(go)}, help="Begins something"),
        "look": shell(_REPORT, environment={"GO": str(go)}, read_only=True, share=False, help="Looks for long"),
        "endless": shell("echo begun; exec sleep 1000", timeout_seconds=2000, help="Never ends"),
        "hostile": shell(r"printf '<script>alert(1)</script>\033[31m&amp;'", read_only=True, help="<b>bold</b>"),
        "much": {"run": ["seq", "300000"], "read_only": True, "output_limit_bytes": 4_000_000, "help": "Counts"},
        "long-name-" + "x" * 50: shell("yes long output | head -c 20000 | tr -d '\\n'", read_only=True, help="y" * 300),
    }


ROLES: Mapping[str, Mapping[str, object]] = {
    "anonymous": {"commands": ["df", "uptime", "since", "many", "look", "hostile", "much", "long-*"]},
    "admin": {"commands": ["*"], "users": ["alice"]},
}


@pytest.fixture
def go(daemon: Daemon) -> Iterator[Path]:
    """Give the file that lets ``report`` and ``look`` go on."""
    path = daemon.directory / "go"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with a web listener, and somebody who has a password."""
    directory = tmp_path_factory.mktemp("daemon")
    with running(directory, commands(directory / "go"), listeners=[LISTENER], roles=ROLES, limits=LENIENT) as daemon:
        write_passwords(daemon, {"alice": ALICE})
        yield daemon


def bars(page: Page) -> list[str | None]:
    """Say which bars a page shows."""
    return [each.get_attribute("value") for each in page.locator("meter").all()]


def test_a_visit(browser: Browser, go: Path) -> None:
    """Look at the disks, log in, watch a longer command, log out."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        page.get_by_role("link", name="Run df").click()
        expect(page.get_by_role("meter")).to_have_count(2)
        assert bars(page) == ["24", "95"]
        expect(page.get_by_role("status").first).to_have_text("Done")
        page.get_by_role("tab", name="Text").click()
        expect(output_of(page, "df")).to_contain_text("/dev/vdb")

        page.get_by_role("link", name="Log in").click()
        fill_in_login(page, "alice", ALICE)
        page.goto("/")
        page.get_by_role("link", name="Run… report").click()
        page.get_by_role("button", name="Run").click(no_wait_after=True)
        output = output_of(page, "report")
        expect(output).to_have_text("first line\n")
        expect(state(page)).to_contain_text("Running")
        go.touch()
        expect(output).to_have_text("first line\nsecond line\na warning\n")
        expect(output.locator(".err")).to_have_text("a warning")
        expect(state(page)).to_contain_text("Failed")
        expect(state(page)).to_contain_text("Exit status 3")

        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("link", name="Log in")).to_be_visible()
        expect(page.get_by_role("link", name="Run… report")).to_have_count(0)


SITE = """<!doctype html><title>elsewhere</title>
<img src="{address}/df" alt=""><iframe src="{address}/df"></iframe><script src="{address}/df"></script>
<a href="{address}/df">There</a>"""


def test_another_site(browser: Browser, daemon: Daemon) -> None:
    """A page elsewhere can have nothing run; who follows its link is asked for a click."""
    context = browser.new_context(http_credentials={"username": "alice", "password": ALICE, "send": "always"})
    page = context.new_page()
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status) if response.url == f"{ADDRESS}/df" else None)
    before = len(_runs(daemon))
    with _elsewhere() as address:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert set(statuses) == {403}
        page.get_by_role("link", name="There").click()
    expect(page.get_by_text("Another site has led you here")).to_be_visible()
    assert not barriers(page)
    assert len(_runs(daemon)) == before

    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("meter")).to_have_count(2)
    assert len(_runs(daemon)) == before + 1
    context.close()


@contextmanager
def _elsewhere() -> Iterator[str]:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(SITE.format(address=ADDRESS).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _runs(daemon: Daemon) -> list[Mapping[str, object]]:
    return [each for each in daemon.audit() if each.get("command") == "df" and each["outcome"] == "ok"]


def test_without_javascript(browser: Browser, go: Path) -> None:
    """The same without scripts: bars are there, output comes while it is made, forms work."""
    with visit(browser, ADDRESS, has_javascript=False) as page:
        page.goto("/")
        page.get_by_role("link", name="Run df").click()
        assert bars(page) == ["24", "95"]

        page.goto("/look", wait_until="commit")
        output = output_of(page, "look")
        expect(output).to_have_text("first line\n")
        expect(state(page)).to_contain_text("Running")
        go.touch()
        expect(output).to_have_text("first line\nsecond line\na warning\n")
        expect(page.get_by_text("Running")).to_be_hidden()
        expect(state(page)).to_contain_text("Failed")

        page.get_by_role("link", name="Log in").click()
        fill_in_login(page, "alice", ALICE)
        page.goto("/")
        page.get_by_role("link", name="Run… report").click()
        page.get_by_role("button", name="Run").click()
        expect(state(page)).to_contain_text("Exit status 3")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("link", name="Log in")).to_be_visible()


@pytest.mark.parametrize("has_javascript", [True, False])
def test_a_phone(browser: Browser, *, has_javascript: bool) -> None:
    """No page is wider than a phone, whatever is on it."""
    with visit(browser, ADDRESS, width=360, has_javascript=has_javascript) as page:
        for path in ("/", "/df", "/uptime", "/hostile", "/long-name-" + "x" * 50, "/-/login", "/" + "z" * 200):
            page.goto(path)
            assert not sticks_out(page), path
        log_in(page, "alice", ALICE)
        for path in ("/", "/report", "/-/" + "z" * 200):
            page.goto(path)
            assert not sticks_out(page), path


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nobody_is_kept_out(browser: Browser, go: Path, colours: Literal["light", "dark"]) -> None:
    """axe-core finds nothing on any page, in light and in dark, before, during and after a run."""
    with visit(browser, ADDRESS, colours=colours) as page:
        for path in ("/", "/df", "/uptime", "/hostile", "/-/login", "/nothing"):
            page.goto(path)
            inspect(page, f"page of {path}")
        page.goto("/")
        page.get_by_role("searchbox").fill("no such thing")
        inspect(page, "search without a result")
        log_in(page, "alice", ALICE, "/report")
        inspect(page, "button")
        page.get_by_role("button", name="Run").click(no_wait_after=True)
        expect(output_of(page, "report")).to_contain_text("first")
        inspect(page, "changing command that runs")
        go.touch()
        expect(state(page)).to_contain_text("Exit status 3")
        inspect(page, "changing command that failed")
        page.goto("/-/nothing")
        inspect(page, "not found")


def test_output_is_text(browser: Browser) -> None:
    """What a command prints is read, not obeyed; in the server's page and in the script's."""
    with visit(browser, ADDRESS) as page:
        page.goto("/hostile")
        output = output_of(page, "hostile")
        expect(output).to_have_text("<script>alert(1)</script>^[[31m&amp;")
        page.clock.install()
        page.get_by_role("combobox", name="Refresh").select_option("5")
        with page.expect_response("**/hostile"):
            page.clock.run_for(5_000)
        expect(page.get_by_role("combobox", name="Refresh")).to_have_value("5")
        expect(output).to_have_text("<script>alert(1)</script>^[[31m&amp;")


@pytest.mark.parametrize("name", ["df", "many"])
def test_the_same_data_look_the_same(browser: Browser, name: str) -> None:
    """What was fetched anew says the same as what came with the page."""
    with visit(browser, ADDRESS) as page:
        page.clock.install()
        page.goto(f"/{name}")
        picture = page.locator(".drawn")
        drawn = picture.inner_text()
        expect(picture.get_by_role("meter").first).to_be_visible()
        page.locator("section.run-page").evaluate("section => section.dataset.old = 'yes'")
        page.get_by_role("combobox", name="Refresh").select_option("5")
        page.clock.run_for(5_000)
        expect(page.locator("section.run-page[data-old]")).to_have_count(0)
        assert picture.inner_text() == drawn


def test_stop(browser: Browser, daemon: Daemon) -> None:
    """Stop ends the process, at once."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "alice", ALICE, "/endless")
        page.get_by_role("button", name="Run").click(no_wait_after=True)
        expect(output_of(page, "endless")).to_have_text("begun\n")
        before = daemon.processes()
        page.get_by_role("button", name="Stop").click(no_wait_after=True)
        expect(state(page)).to_contain_text("Stopped")
        wait_until(lambda: len(daemon.processes()) < len(before), "the end of the run")


def test_stop_by_a_stranger(browser: Browser, daemon: Daemon, go: Path) -> None:
    """A page whose run goes on has a button that stops it, for strangers, too."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")  # whose script says that it is there
        page.goto("/look")
        expect(output_of(page, "look")).to_contain_text("first")
        before = daemon.processes()
        page.get_by_role("button", name="Stop").click(no_wait_after=True)
        expect(state(page)).to_contain_text("Stopped")
        wait_until(lambda: len(daemon.processes()) < len(before), "the end of the run")
        go.touch()
        page.get_by_role("button", name="Run again").click()
        expect(state(page)).to_contain_text("Exit status 3")
        expect(page.get_by_role("button", name="Copy")).to_have_count(1)


def test_refresh(browser: Browser) -> None:
    """What only reads is asked for again and again if somebody wants that; nothing is asked while nobody looks."""
    with visit(browser, ADDRESS) as page:
        page.clock.install()
        page.goto("/uptime")
        period = page.get_by_role("combobox", name="Refresh")
        period.select_option("5")
        period.focus()
        for _ in range(2):
            with page.expect_response("**/uptime"):
                page.clock.run_for(5_000)
            expect(period).to_have_value("5")
            expect(period).to_be_focused()

        page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.clock.run_for(60_000)
        page.evaluate("document.title")  # so that we would know by now
        assert asked == []


def test_keyboard(browser: Browser) -> None:
    """Without a mouse: search, choose, run, back."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        expect(page.get_by_role("searchbox")).to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("file systems")
        expect(page.locator("[data-find]:visible")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.get_by_role("meter")).to_have_count(2)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.get_by_role("link", name="Commands").first.press("Enter")
        expect(page.get_by_role("searchbox")).to_be_visible()


def test_long_output(browser: Browser) -> None:
    """Of two million characters the end is seen, soon; the download has them all."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        page.get_by_role("link", name="Run much").click()
        expect(page.get_by_text("300,000 lines")).to_be_visible()
        output = output_of(page, "much")
        assert output.evaluate("pre => pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 24")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        text = Path(download.value.path()).read_text("ascii")
        assert text == "".join(f"{each}\n" for each in range(1, 300_001))


@pytest.mark.parametrize("has_javascript", [True, False])
def test_a_session_that_is_over(browser: Browser, *, has_javascript: bool) -> None:
    """Who was logged out meanwhile has nothing run by a button, is told so, and how to go on."""
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        log_in(page, "alice", ALICE, "/report")
        page.context.clear_cookies()
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("link", name="Log in").first).to_be_visible()
        expect(page.get_by_role("region", name="Output of report")).to_have_count(0)
        expect(page.get_by_text("alice")).to_have_count(0)


def test_colours(browser: Browser) -> None:
    """Colours are the system's until somebody chooses, and the choice is kept."""
    with visit(browser, ADDRESS, colours="dark") as page:
        page.goto("/")
        page.get_by_role("button", name="Colours: auto").click()
        expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
        page.goto("/df")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
