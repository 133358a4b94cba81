"""Checks in a real browser: the page of one as it is drawn, with a day of values, on a desk and on a phone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Literal

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from cmdserver.checks.result import CheckResult
from cmdserver.core.model import Grant
from cmdserver.core.output import Parsed
from cmdserver.core.run_states import RunState
from cmdserver.core.site import Site
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.markup import encode, output
from cmdserver.frontends.web.pages.runs import run_pages
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.frontends.web.pages.static import FILES, SITE_SHEET, sheet_of
from cmdserver.runs.kept_output import KeptOutput
from tests.doubles import a_command, an_answer
from tests.frontends.web.pages.checks.samples import NOW, a_day, result
from tests.integration.browser import inspect, output_of, state, sticks_out, visit
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import LENIENT
from tests.runs.doubles import a_record

pytestmark = pytest.mark.slow

LISTENER = Listener(protocol="web", login="never")
#: What plugins print that have found something; the state is their exit status.
_STATES = {"fine": ("OK - all well | a=1;5;9", 0), "meek": ("WARNING - b is 6 | b=6;5;9", 1),
           "bad": ("CRITICAL: gone | c=10;5;9", 2), "lost": ("who knows", 3)}  # fmt: skip
_HOSTILE = "<script>alert(1)</script>"
CHECKS: Mapping[str, Mapping[str, object]] = {
    **{
        name: shell(f"echo '{text}'; exit {status}", check=True, read_only=True, history="all")
        for name, (text, status) in _STATES.items()
    },
    "late": shell("echo OK so far; sleep 60", check=True, read_only=True, timeout_seconds=1, history="all"),
    "hostile": shell(f"echo \"{_HOSTILE} | '{_HOSTILE}'=1<b>;2;3\"", check=True, read_only=True),
    "slow": shell("echo first; sleep 2; echo; exit 1", check=True, read_only=True, on_disconnect="continue"),
    "disk": {
        "run": ["df", "-k", "/"],
        "parser": "df",
        "read_only": True,
        "check": [{"value": "use_percent", "row": "mounted_on", "warning": "101", "critical": "102"}],
    },
}
ROLES: Mapping[str, Mapping[str, object]] = {"anonymous": {"commands": ["*"], "sees": ["*"]}}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with checks."""
    directory = tmp_path_factory.mktemp("daemon")
    with running(directory, CHECKS, listeners=[LISTENER], roles=ROLES, limits=LENIENT) as daemon:
        yield daemon


SITE = Site(name="shop1", label="production", colour="#b3261e")
SAID = "WARNING - 14 orders wait for payment, certificate ends in 12 days"
COMMAND = a_command(
    name="check-shop", title="Shop health", section="Services", schedule=("*/5 * * * *",), read_only=True
)


def _page_of(found: CheckResult, *, has_table: bool) -> bytes:
    """Draw the page of a run that is over."""
    visitor = Visitor(site=SITE, name="ann", roles=("operator",), may_log_in=True, token="t", running=1)
    record = a_record(
        command=COMMAND.name,
        state=RunState.FAILED,
        exit_status=1,
        user="ann",
        protocol="web",
        asked_at=NOW - 1,
        started_at=NOW - 0.6,
        duration_seconds=0.6,
        check_state=found.state,
        check_text=found.text,
    )
    grant = Grant(command=COMMAND)
    parsed = Parsed(value=[{"name": "one", "size": 2}]) if has_table else None
    answer = replace(an_answer(grant), check=found, parsed=parsed, parser="x")
    facts = RunFacts(way=Way.ASKED, may_run=True, query=(), trend=a_day(found))
    return b"".join(
        (
            run_pages.head(visitor, SeenRun(record, KeptOutput(), grant, may_stop=False), facts, NOW),
            run_pages.output_start(COMMAND, is_alive=False),
            encode(output("what it has printed\n")),
            run_pages.tail(visitor, Shown(record, COMMAND), answer, facts, NOW, was_alive=False),
        )
    )


@contextmanager
def _looking(
    browser: Browser,
    width: int,
    colours: Literal["light", "dark"] = "light",
    *,
    found: CheckResult | None = None,
    has_table: bool = False,
    has_javascript: bool = True,
) -> Iterator[Page]:
    """Look at the page."""
    body = _page_of(found or result(said=SAID), has_table=has_table)

    with (
        _serving(body) as address,
        visit(browser, address, width=width, height=900, colours=colours, has_javascript=has_javascript) as page,
    ):
        page.goto("/check-shop")
        yield page


@contextmanager
def _serving(body: bytes) -> Iterator[str]:
    """Serve a page, and the files beside it; return their address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0].rpartition("/")[2]
            file = sheet_of(SITE) if name == SITE_SHEET else FILES.get(name)
            is_page = name == COMMAND.name
            self.send_response(HTTPStatus.OK if is_page or file is not None else HTTPStatus.NO_CONTENT)
            if is_page or file is not None:
                self.send_header("Content-Type", file.content_type.decode() if file is not None else "text/html")
            self.end_headers()
            self.wfile.write(body if is_page else file.body if file is not None else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_page(browser: Browser, width: int, colours: Literal["light", "dark"]) -> None:
    """State and sentence, facts, a row a value; nobody is kept out, in either theme."""
    with _looking(browser, width, colours) as page:
        card = page.locator(".state")
        expect(card.get_by_role("status")).to_have_text("WARNING")
        expect(card).to_contain_text("14 orders wait for payment, certificate ends in 12 days")
        expect(card).not_to_contain_text("WARNING - ")
        expect(card).to_contain_text("WARNING for 2 h 10 min")
        expect(card).to_contain_text("Every 5 min by schedule")
        expect(page).to_have_title("▲ WARNING Shop health – shop1")
        row = page.get_by_role("row", name="orders_waiting")
        for text in ("WARNING", "14", "warning over 10, critical over 50"):
            expect(row.get_by_text(text, exact=True)).to_be_visible()
        expect(page.locator("#values tbody tr")).to_have_count(8)
        expect(page.locator("#values svg.plot")).to_have_count(7)
        inspect(page, "check")


def test_views(browser: Browser) -> None:
    """Values first, then the table, then the text: by mouse and by arrows."""
    with _looking(browser, 1280, has_table=True) as page:
        tabs = page.get_by_role("tab")
        expect(tabs).to_have_text(["Values", "Table", "Text"])
        shown = page.locator(":is(#values, #data, #text):visible")
        expect(shown).to_have_id("values")
        tabs.nth(0).focus()
        for name in ("data", "text", "values"):
            page.keyboard.press("ArrowRight")
            expect(shown).to_have_id(name)
            inspect(page, f"check-view-{name}")
        page.keyboard.press("ArrowLeft")
        expect(shown).to_have_id("text")


def test_without_script(browser: Browser) -> None:
    """The views are links; the first is shown."""
    with _looking(browser, 390, has_table=True, has_javascript=False) as page:
        shown = page.locator(":is(#values, #data, #text):visible")
        expect(shown).to_have_id("values")
        for label, name in (("Table", "data"), ("Text", "text"), ("Values", "values")):
            page.get_by_role("link", name=label, exact=True).click()
            expect(shown).to_have_id(name)
        assert not sticks_out(page)


# By a daemon


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everywhere(browser: Browser, width: int, colours: Literal["light", "dark"]) -> None:
    """A state is the same word on the page of a run, in the list of runs, and in the list of commands."""
    with visit(browser, f"http://localhost:{LISTENER.port}", width=width, colours=colours) as page:
        for name, word in (("fine", "OK"), ("meek", "WARNING"), ("bad", "CRITICAL"), ("lost", "UNKNOWN")):
            page.goto(f"/{name}")
            expect(state(page).get_by_role("status")).to_have_text(word)
            assert word in page.title()
        expect(state(page)).to_contain_text("who knows")
        page.goto("/late")
        expect(state(page).get_by_role("status")).to_have_text("UNKNOWN")
        expect(state(page)).to_contain_text("ran longer than 1 s")
        inspect(page, "check-late")
        page.goto("/-/runs")
        for name, word in (("meek", "WARNING"), ("bad", "CRITICAL"), ("late", "UNKNOWN: timed out after 1 s")):
            row = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).first
            expect(row.locator(".mark")).to_have_text(word)
        inspect(page, "check-runs")
        page.goto("/")
        for name, word in (("fine", "OK"), ("meek", "WARNING"), ("bad", "CRITICAL"), ("late", "UNKNOWN")):
            expect(page.locator(f"[data-last={name}]")).to_contain_text(word)
        inspect(page, "check-commands")


@pytest.mark.usefixtures("daemon")
def test_one_that_takes_a_while(browser: Browser) -> None:
    """Its title says what it has found when it ends, and what it finds when it is asked again by itself."""
    with visit(browser, f"http://localhost:{LISTENER.port}") as page:
        page.goto("/slow")
        page.wait_for_function("document.title.startsWith('▲ WARNING slow')")
        assert page.title().startswith("▲ WARNING slow – ")
        expect(state(page)).to_contain_text("first")
        page.goto("/meek")
        page.clock.install()
        page.get_by_role("combobox", name="Refresh").select_option("5")
        with page.expect_response("**/meek"):
            page.clock.run_for(5_000)
        expect(page.get_by_role("combobox", name="Refresh")).to_have_value("5")
        assert page.title().startswith("▲ WARNING meek – ")


@pytest.mark.usefixtures("daemon")
def test_rules_have_values_and_a_table(browser: Browser) -> None:
    """Values come first."""
    with visit(browser, f"http://localhost:{LISTENER.port}") as page:
        page.goto("/disk")
        expect(page.get_by_role("tab")).to_have_text(["Values", "Table", "Text"])
        expect(page.locator("#values")).to_contain_text("use_percent /")
        page.get_by_role("tab", name="Table").click()
        expect(page.locator("#data")).to_contain_text("Mounted on")
        expect(page.locator("#values")).to_be_hidden()


@pytest.mark.usefixtures("daemon")
def test_what_a_plugin_prints_stays_text(browser: Browser) -> None:
    """Its words, its labels and its units are read, not obeyed."""
    with visit(browser, f"http://localhost:{LISTENER.port}", width=390) as page:
        page.goto("/hostile")
        expect(state(page)).to_contain_text(_HOSTILE)
        expect(page.locator("#values tbody th")).to_have_text(_HOSTILE)
        expect(page.locator("#values tbody .num")).to_have_text("1 <b>")
        inspect(page, "check-hostile")
        page.get_by_role("tab", name="Text").click()
        expect(output_of(page, "hostile")).to_contain_text(_HOSTILE)
