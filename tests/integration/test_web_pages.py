"""What people are promised of the pages, in a real browser: where they are, lists, what changes something, logins."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.integration.browser import fill_in_login, log_in, output_of, state, visit
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.http_client import HTTPClient
from tests.integration.logins import ALICE, LENIENT, write_passwords
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

LISTENER = Listener(protocol="web", login="optional")
ADDRESS = f"http://localhost:{LISTENER.port}"
SITE: Mapping[str, object] = {"name": "shop1", "label": "production", "colour": "red", "notice": "Ask before lunch."}

#: Says something, and then waits until a file is there.
_WAIT = 'echo begun; while [ ! -e "$GO" ]; do sleep 0.05; done; echo ended'
_SECTIONS = {"Disks": 7, "Services": 12, "Logs": 8, "Network": 9, "Backups": 5}


def commands(go: Path) -> Mapping[str, Mapping[str, object]]:
    """Make an allow-list of 50 commands; ``wait-`` commands go on when there is a file ``go``."""
    waits = {"environment": {"GO": str(go)}, "section": "Waiting"}
    unit = {"name": "unit", "label": "Service", "type": "choice", "choices": ["nginx", "php-fpm"]}
    named: dict[str, Mapping[str, object]] = {
        "disk-space": shell("echo full", read_only=True, title="Disk space", help="How full they are", section="Disks"),
        "wait-read": shell(_WAIT, read_only=True, share=False, **waits),
        "wait-change": shell(_WAIT, on_disconnect="end", title="Wait and change", **waits),
        "wait-on": shell(_WAIT, **waits),
        "touch-all": shell("echo touched", title="Touch everything", section="Services"),
        "fail": shell("exit 3", help="Goes wrong", section="Services"),
        "restart": {
            "run": ["echo", "restarted", "{unit}"],
            "title": "Restart a service",
            "section": "Services",
            "confirm": "Restart {unit}?",
            "parameters": [unit],
        },
        "rare": shell("true", read_only=True, rate_limit="1/1h", section="Services"),
        "secret": shell("echo for alice", read_only=True, section="Services"),
    }
    numbered = {
        f"{section.lower()}-{number}": shell(
            "true",
            read_only=bool(number % 3),
            section=section,
            title=f"{section} by number {number}" if number % 2 else "",
            help=f"What there is to say of {section.lower()} in a line of usual length, no. {number}",
        )
        for section, count in _SECTIONS.items()
        for number in range(1, count + 1)
    }
    # Sections stand in the order in which they come first.
    return {**{name: each for name, each in numbered.items() if name.startswith("disks")}, **named, **numbered}


STRANGERS = ["disk-space", "wait-*", "fail", "restart", "rare", "disks-*", "services-*", "logs-*", "network-*"]
ROLES: Mapping[str, Mapping[str, object]] = {
    "anonymous": {"commands": [*STRANGERS, "backups-*", "touch-all"]},
    "admin": {"commands": ["*"], "sees": ["*"], "stops": ["*"], "users": ["alice"]},
    "few": {"commands": ["disk-space", "restart"], "users": ["bob"]},
}


@pytest.fixture
def go(daemon: Daemon) -> Iterator[Path]:
    """Give the file that lets commands go on; what waits for it is ended by it."""
    path = daemon.directory / "go"
    yield path
    path.touch()
    wait_until(lambda: not any("running" in each for each in alive()), "the end of all runs")
    path.unlink()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with 50 commands, and somebody who has a password."""
    directory = tmp_path_factory.mktemp("daemon")
    allowed = commands(directory / "go")
    with running(directory, allowed, listeners=[LISTENER], roles=ROLES, limits=LENIENT, site=SITE) as daemon:
        write_passwords(daemon, {"alice": ALICE, "bob": ALICE})
        yield daemon


def alive() -> list[str]:
    """Say the states of all runs that are alive."""
    token = b64encode(f"alice:{ALICE}".encode()).decode()
    with HTTPClient(LISTENER.address) as client:
        answer = client.ask("/-/runs", authorization=f"Basic {token}", accept="application/json")
    return [each["state"] for each in answer.json["runs"] if each["state"] in {"queued", "running"}]


def shown(page: Page) -> list[str]:
    """Say which commands the list shows, by the names in their addresses."""
    links = page.locator("[data-find]:visible > a:first-child, [data-find]:visible .names a")
    return [(link.get_attribute("href") or "").removeprefix("./") for link in links.all()]


# The list


def test_fifty_commands(browser: Browser) -> None:
    """They fit into 1100 pixels at 1280, in two columns, with what was last; sections are in the order of the file."""
    with visit(browser, ADDRESS, width=1280, height=1100) as page:
        log_in(page, "alice", ALICE, "/disk-space")
        expect(state(page)).to_contain_text("Done")
        page.goto("/")
        assert len(shown(page)) == 50
        rows = page.locator("[data-find]").all()
        assert max(box["y"] + box["height"] for row in rows if (box := row.bounding_box()) is not None) <= 1100
        assert page.locator("summary h2").all_inner_texts()[:3] == ["Disks", "Waiting", "Services"]
        recent = page.get_by_role("navigation", name="Recent")
        expect(recent.get_by_role("link", name="Disk space")).to_be_visible()
        expect(page.locator("[data-last='disk-space']")).to_contain_text("alice")
        page.get_by_role("link", name="Touch everything", exact=False).first.hover()
        expect(page.get_by_text("Ask before lunch.")).to_be_visible()


_SMALL = """() => [...document.querySelectorAll("a, button, summary, input:not([type=hidden]), select")]
  .filter((each) => each.checkVisibility() && !each.closest(".skip, .visually-hidden"))
  .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
  .filter(([, box]) => box.width > 2 && box.height < 40).map(([html, box]) => `${box.height} ${html}`)"""


@pytest.mark.parametrize("path", ["/", "/disk-space", "/restart?unit=nginx", "/-/runs", "/-/login", "/nothing"])
def test_fingers(browser: Browser, path: str) -> None:
    """On a phone nothing sticks out, and what can be touched is 40 pixels high."""
    with visit(browser, ADDRESS, width=390, height=844, has_touch=True) as page:
        if path != "/-/login":
            log_in(page, "alice", ALICE, "/")
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate(_SMALL) == []


#: Of a page with 50 commands: the page itself, its sheets, its script, its pictures.
MOST_BYTES = 80 * 1024


def test_weight(browser: Browser, record_property: object) -> None:
    """Everything that a page with 50 commands takes is 80 KB at most, before any compression."""
    with visit(browser, ADDRESS, width=1280) as page:
        weights: dict[str, int] = {}
        page.on("response", lambda response: weights.update({response.url: len(response.body())}))
        page.goto("/", wait_until="networkidle")
        assert len(weights) >= 5, weights
        assert callable(record_property)
        record_property("bytes", sum(weights.values()))
        assert sum(weights.values()) <= MOST_BYTES, weights


def test_script_time(browser: Browser, record_property: object) -> None:
    """How long the script of the page takes is told to whoever asks for JUnit's XML; machines differ."""
    with visit(browser, ADDRESS, width=1280) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        page.goto("/", wait_until="networkidle")
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        assert callable(record_property)
        record_property("script_seconds", metrics["ScriptDuration"])
        assert metrics["ScriptDuration"] > 0


def test_the_search(browser: Browser) -> None:
    """It finds names, titles, help and what runs; is kept in the address and by Back; Escape empties it."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        field = page.get_by_role("searchbox")
        expect(page.locator(".theme")).to_be_visible()
        page.keyboard.press("/")
        expect(field).to_be_focused()
        for typed, found in (("disk-sp", "disk-space"), ("everything", "touch-all"), ("how full", "disk-space")):
            field.fill(typed)
            expect(page.locator("[data-find]:visible")).to_have_count(1)
            assert shown(page) == [found]
        assert page.url == f"{ADDRESS}/?q=how+full"
        field.fill("exit 3")  # what runs
        assert shown(page) == ["fail"]
        page.get_by_role("link", name="Run… fail").click()
        page.go_back()
        expect(field).to_have_value("exit 3")
        expect(page.locator("[data-find]:visible")).to_have_count(1)
        page.goto("/")
        field.fill("zzz")
        expect(page.get_by_text("No command matches that.")).to_be_visible()
        field.press("Escape")
        expect(field).to_have_value("")
        expect(page.get_by_text("No command matches that.")).to_be_hidden()
        assert page.url == f"{ADDRESS}/"
        assert len(shown(page)) == 49


def test_the_search_by_keys(browser: Browser) -> None:
    """Down goes into the rows, Up back; Enter opens the only match, and never runs what changes something."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        field = page.get_by_role("searchbox")
        expect(page.locator(".theme")).to_be_visible()
        field.fill("services by number")
        field.press("Enter")
        assert page.url.startswith(f"{ADDRESS}/?q=")
        first, second, *_ = shown(page)
        field.press("ArrowDown")
        expect(page.locator(f"a[href='./{first}']").first).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.locator(f"a[href='./{second}']").first).to_be_focused()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        expect(field).to_be_focused()
        field.fill("touch everything")
        field.press("Enter")
        page.wait_for_url("**/touch-all")
        expect(page.get_by_role("heading", name="Touch everything")).to_be_visible()
        expect(page.get_by_text("Makes changes on shop1")).to_be_visible()
        expect(output_of(page, "touch-all")).to_have_count(0)


def test_the_search_without_javascript(browser: Browser) -> None:
    """The server looks by the same rule."""
    with visit(browser, ADDRESS, has_javascript=False) as page:
        for typed, found in (
            ("disk-sp", ["disk-space"]),
            ("EVERYTHING", ["touch-all"]),
            ("full are how", ["disk-space"]),
            ("exit 3", ["fail"]),
            ("zzz", []),
        ):
            page.goto("/")
            page.get_by_role("searchbox").fill(typed)
            page.get_by_role("searchbox").press("Enter")
            page.wait_for_url("**/?q=*")
            assert shown(page) == found
        expect(page.get_by_text("No command matches that.")).to_be_visible()


def test_folds(browser: Browser) -> None:
    """A section that somebody has folded stays folded; a search looks into it all the same."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        network = page.locator("details[data-section='Network']")
        expect(page.locator(".theme")).to_be_visible()
        network.locator("summary").first.click()
        expect(page.get_by_role("link", name="Run network-2")).to_be_hidden()
        page.reload()
        expect(page.get_by_role("link", name="Run network-2")).to_be_hidden()
        page.get_by_role("searchbox").fill("network-2")
        expect(page.get_by_role("link", name="Run network-2")).to_be_visible()
        page.get_by_role("searchbox").fill("")
        expect(page.get_by_role("link", name="Run network-2")).to_be_hidden()
        network.locator("summary").first.click()
        page.reload()
        expect(page.get_by_role("link", name="Run network-2")).to_be_visible()
    with visit(browser, ADDRESS, has_javascript=False) as page:
        page.goto("/")
        page.locator("details[data-section='Network'] summary").first.click()
        expect(page.get_by_role("link", name="Run network-2")).to_be_hidden()


# What changes something


def _colour(page: Page, name: str, of: str = "backgroundColor") -> str:
    return str(page.get_by_role("button", name=name).evaluate(f"each => getComputedStyle(each).{of}"))


@pytest.mark.parametrize("has_javascript", [True, False])
def test_what_changes_something(browser: Browser, *, has_javascript: bool) -> None:
    """It is marked in the list, is asked about on a page that says where, in amber, and is not offered again first."""
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        page.goto("/")
        row = page.locator("[data-find]").filter(has_text="Touch everything")
        expect(row.get_by_text("changes", exact=True)).to_be_visible()
        row.get_by_role("link", name="Run…").click()
        warning = page.get_by_text("Makes changes on shop1")
        expect(warning).to_be_visible()
        expect(warning).to_contain_text("production")
        assert _colour(page, "Run") == "rgb(138, 88, 0)"
        page.get_by_role("button", name="Run").click()
        expect(state(page)).to_contain_text("Done")
        acts = state(page).locator(".acts :is(a, button)")
        expect(acts.first).to_have_text("All commands")
        expect(acts.nth(1)).to_contain_text("Run again")

        page.goto("/wait-read?x", wait_until="commit")
        page.goto("/disk-space")
        expect(page.get_by_text("Makes changes")).to_have_count(0)
        expect(state(page).get_by_role("button").first).to_have_text("Run again")


def test_the_question(browser: Browser) -> None:
    """It says where, which values and what runs; the focus is on it, and Escape leads back."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "bob", ALICE, "/restart?unit=nginx")
        page.get_by_role("button", name="Run…").click()
        question = page.get_by_role("heading", name="Restart nginx?")
        expect(question).to_be_focused()
        page.keyboard.press("Enter")
        expect(question).to_be_focused()
        expect(page.get_by_text("Makes changes on shop1")).to_be_visible()
        assert _colour(page, "Restart a service") == "rgb(138, 88, 0)"
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Restart a service")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Cancel")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_label("Service")).to_have_value("nginx")


@pytest.mark.parametrize(
    ("name", "is_asked"), [("wait-change", True), ("wait-read", False), ("wait-on", False)], ids=str
)
def test_leaving(browser: Browser, go: Path, name: str, *, is_asked: bool) -> None:
    """It is asked about where a run that changes something would end, and only while it goes on."""
    with visit(browser, ADDRESS) as page:
        asked: list[Dialog] = []

        def dismiss(dialog: Dialog) -> None:
            asked.append(dialog)
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.goto(f"/{name}", wait_until="commit")
        if name != "wait-read":
            page.get_by_role("button", name="Run").click(no_wait_after=True)
        expect(output_of(page, name)).to_have_text("begun\n")
        expect(page).to_have_title(re.compile("^●"))
        words = "Goes on if you leave this page" if name == "wait-on" else "Ends if you leave this page"
        expect(page.get_by_text(words).first).to_be_visible()
        output_of(page, name).click()  # browsers ask nobody who has touched nothing
        page.get_by_role("link", name="Commands").first.click(no_wait_after=True)
        if not is_asked:
            expect(page.get_by_role("searchbox", name="Search commands")).to_be_visible()
            assert asked == []
            return
        expect(page.get_by_text(words).first).to_be_visible()
        wait_until(lambda: bool(page.evaluate("1")) and bool(asked), "the question")
        assert [each.type for each in asked] == ["beforeunload"]
        go.touch()
        expect(state(page)).to_contain_text("Done")
        page.get_by_role("link", name="Commands").first.click()
        expect(page.get_by_role("searchbox", name="Search commands")).to_be_visible()
        assert len(asked) == 1


# A run


def test_titles(browser: Browser, go: Path) -> None:
    """The title of the window says how it is, what it is, and where."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        expect(page).to_have_title("Commands – shop1")
        page.goto("/wait-read", wait_until="commit")
        expect(page).to_have_title("● wait-read – shop1")
        go.touch()
        expect(page).to_have_title("✓ wait-read – shop1")
        page.goto("/fail")
        expect(page).to_have_title("fail – shop1")
        page.get_by_role("button", name="Run").click()
        expect(page).to_have_title("✗ fail – shop1")


def test_where_one_is(browser: Browser, go: Path) -> None:
    """Name and label are in the header of every page, in their colour, and how many runs there are."""
    for has_javascript in (True, False):
        for width in (1280, 390):
            with visit(browser, ADDRESS, width=width, has_javascript=has_javascript) as page:
                page.goto("/-/login")
                header = page.locator("header")
                expect(header).to_contain_text("shop1")
                expect(header.locator(".label")).to_have_text("production")
                label = header.locator(".label")
                assert label.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(179, 38, 30)"
                assert label.evaluate("each => getComputedStyle(each).color") == "rgb(255, 255, 255)"
                expect(page.get_by_role("heading", name="Log in to shop1")).to_be_visible()
    with visit(browser, ADDRESS) as page:
        log_in(page, "alice", ALICE, "/")
        expect(page.locator("header")).to_contain_text("admin")
        expect(page.locator("[data-running]")).to_be_hidden()
        other = page.context.new_page()
        other.goto("/wait-read", wait_until="commit")
        expect(page.locator("[data-running]")).to_have_text("1 running")
        go.touch()
        expect(page.locator("[data-running]")).to_be_hidden()
        foot = page.locator("footer")
        for name in ("Documentation", "Metrics", "OpenAPI"):
            expect(foot.get_by_role("link", name=name)).to_be_visible()
        expect(foot).to_contain_text(re.compile("cmdserver [0-9]"))


def test_a_session_that_is_over(browser: Browser) -> None:
    """What is shown is said to be old before it is taken for new, and how to log in again."""
    with visit(browser, ADDRESS) as page:
        page.clock.install()
        log_in(page, "alice", ALICE, "/secret")
        page.get_by_role("combobox", name="Refresh").select_option("5")
        page.context.clear_cookies()
        page.clock.run_for(5_000)
        expect(page.get_by_role("alert")).to_contain_text("What is shown here is old")
        page.get_by_role("link", name="Log in again").click()
        fill_in_login(page, "alice", ALICE)
        expect(page).to_have_url(f"{ADDRESS}/secret")
        expect(output_of(page, "secret")).to_contain_text("for alice")


# The login, and errors


@pytest.mark.parametrize("has_javascript", [True, False])
def test_the_login(browser: Browser, *, has_javascript: bool) -> None:
    """After a mistake the name is kept and the password is asked for; Show shows it."""
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        page.goto("/-/login?next=/secret")
        expect(page.get_by_label("Name")).to_be_focused()
        assert page.get_by_role("link", name="Log in").count() == 0
        page.get_by_label("Name").fill("alice")
        password = page.get_by_label("Password", exact=True)
        password.fill("wrong")
        if has_javascript:
            page.get_by_role("button", name="Show the password").click()
            expect(password).to_have_attribute("type", "text")
            expect(password).to_be_focused()
            page.get_by_role("button", name="Show the password").click()
            expect(password).to_have_attribute("type", "password")
        else:
            expect(page.get_by_role("button", name="Show the password")).to_have_count(0)
        password.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
        expect(page.get_by_label("Name")).to_have_value("alice")
        expect(password).to_have_value("")
        expect(password).to_be_focused()
        password.fill(ALICE)
        password.press("Enter")
        expect(output_of(page, "secret")).to_contain_text("for alice")


def test_errors(browser: Browser) -> None:
    """They say what to do, within the frame of who is logged in; nothing that changes something is suggested."""
    with visit(browser, ADDRESS) as page:
        log_in(page, "alice", ALICE, "/disk-spaces")
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
        expect(page.get_by_role("link", name="disk-space", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        page.goto("/touch-al")
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
        expect(page.get_by_role("link", name="touch-all", exact=True)).to_have_count(0)


def test_a_wait(browser: Browser) -> None:
    """The seconds are counted down, and which setting it is can be read; without a script the time of day holds."""
    with visit(browser, ADDRESS) as page:
        page.goto("/rare")
        page.clock.install()
        page.goto("/rare")
        count = page.locator(".countdown")
        expect(count).to_have_text(re.compile("^[0-9]+:[0-9]{2}$"))
        before = count.inner_text()
        page.clock.run_for(2_000)
        expect(count).not_to_have_text(before)
        expect(page.get_by_text("You can try again at")).to_be_visible()
        expect(page.get_by_text("rate_limit")).to_be_visible()


@pytest.mark.parametrize("has_javascript", [True, False])
def test_colours(browser: Browser, *, has_javascript: bool) -> None:
    """They are the system's until somebody chooses; without a script there is nothing to choose."""
    with visit(browser, ADDRESS, colours="dark", has_javascript=has_javascript) as page:
        page.goto("/")
        ground = "each => getComputedStyle(each).backgroundColor"
        assert page.locator("body").evaluate(ground) == "rgb(16, 20, 22)"
        if not has_javascript:
            expect(page.locator(".theme")).to_have_count(0)
            return
        page.get_by_role("button", name="Colours: auto").click()
        page.goto("/disk-space")
        expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
        assert page.locator("body").evaluate(ground) == "rgb(244, 246, 247)"
