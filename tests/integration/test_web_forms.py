"""Commands that take values, in a real browser and with curl: forms, mistakes, the question before a run."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.browser import barriers, sticks_out, visit
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import LENIENT
from tests.waiting import LIMIT_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

LISTENER = Listener(protocol="web", login="optional")
ADDRESS = f"http://localhost:{LISTENER.port}"

COMMANDS: Mapping[str, Mapping[str, object]] = {
    "journal": {
        "run": ["printf", "%s\n", "--unit={unit}", ["--lines={lines}"], ["--since", "{since}"], ["{grep}"], "{utc}"],
        "title": "Journal of a service",
        "section": "Logs",
        "help": "The last lines of its log",
        "read_only": True,
        "parameters": [
            {"name": "unit", "label": "Service", "type": "choice", "choices": ["nginx", "php-fpm"]},
            {"name": "lines", "type": "integer", "minimum": 1, "maximum": 500, "default": 50},
            {"name": "since", "type": "datetime", "required": False},
            {"name": "grep", "label": "Only lines with", "type": "string", "required": False, "max_length": 60},
            {"name": "utc", "label": "Times", "type": "flag", "gives": ["--utc"], "help": "Show times in UTC"},
        ],
    },
    "services": {"run": ["printf", "nginx\nphp-fpm\n"], "read_only": True},
    "restart": {
        "run": ["echo", "restarted", "{unit}"],
        "title": "Restart a service",
        "section": "Services",
        "confirm": "Restart {unit}?",
        "parameters": [{"name": "unit", "label": "Service", "type": "choice", "choices_from": "services"}],
    },
    "send": {
        "run": ["cat"],
        "stdin": "{note}",
        "parameters": [{"name": "note", "type": "text"}],
        "confirm": "Send it?",
    },
    "setpw": {
        "run": ["wc", "-c"],
        "stdin": "{user}{password}",
        "confirm": "Change it for {user}?",
        "parameters": [{"name": "user", "type": "string"}, {"name": "password", "type": "secret"}],
    },
    "ping": {
        "run": ["printf", "%s\n", "{hosts}", ["{wait}"], ["{port}"], ["{day}"], ["{tags}"]],
        "read_only": True,
        "parameters": [
            {"name": "hosts", "type": "host", "repeat": 4},
            {"name": "wait", "type": "duration", "maximum": "1h", "required": False},
            {"name": "port", "type": "port", "required": False},
            {"name": "day", "type": "date", "required": False},
            {"name": "tags", "type": "choice", "choices": ["a", "b", "c"], "repeat": 3, "required": False},
        ],
    },
    "slow": {
        **shell('echo "first $1"; while [ ! -e "$GO" ]; do sleep 0.05; done; echo second', read_only=True, share=False),
        "parameters": [{"name": "word", "type": "string"}],
    },
    "reload": {"run": ["echo", "reloaded"], "confirm": "Reload everything?"},
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with commands that take values."""
    directory = tmp_path_factory.mktemp("daemon")
    slow = {**COMMANDS["slow"], "environment": {"GO": str(directory / "go")}}
    slow["run"] = [*slow["run"], "x", "{word}"]  # type: ignore[misc]
    with running(directory, {**COMMANDS, "slow": slow}, listeners=[LISTENER], limits=LENIENT) as daemon:
        yield daemon


def output(page: Page, name: str) -> str:
    """Read what a command said."""
    region = page.get_by_role("region", name=f"Output of {name}")
    expect(page.get_by_role("status").get_by_text("Done")).to_be_visible()
    return region.inner_text()


@pytest.mark.parametrize("has_javascript", [True, False])
def test_fill_in_and_run(browser: Browser, *, has_javascript: bool) -> None:
    """From the list to the form, to the output with the form below, and again with another value."""
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        page.goto("/")
        page.get_by_role("link", name="Run… Journal of a service").click()
        page.get_by_label("Service").select_option("php-fpm")
        page.get_by_label("Lines", exact=True).fill("7")
        page.get_by_label("Since").fill("2026-11-28T09:30:00")
        page.get_by_label("Times").check()
        page.get_by_label("Only lines with").fill("a <b>b</b>")
        page.get_by_label("Only lines with").press("Enter")
        said = ["--unit=php-fpm", "--lines=7", "--since", "2026-11-28T09:30:00", "a <b>b</b>", "--utc"]
        assert output(page, "journal").split("\n")[:-1] == said
        expect(page.locator(".given")).to_contain_text("Service php-fpm")
        query = parse_qs(urlsplit(page.url).query)
        assert (query["unit"], query["grep"]) == (["php-fpm"], ["a <b>b</b>"])

        page.get_by_role("link", name="Change values").click()
        expect(page.get_by_label("Only lines with")).to_have_value("a <b>b</b>")
        expect(page.get_by_label("Times")).to_be_checked()
        page.get_by_label("Times").uncheck()
        page.get_by_label("Lines", exact=True).fill("8")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("region", name="Output of journal")).to_contain_text("--lines=8")
        assert "--utc" not in output(page, "journal")


@pytest.mark.parametrize("has_javascript", [True, False])
def test_mistakes(browser: Browser, *, has_javascript: bool) -> None:
    """What is wrong is at its field, where the focus is; what was typed is kept."""
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        page.goto("/journal")
        page.get_by_label("Service").select_option("nginx")
        page.get_by_label("Only lines with").fill("-timeout")
        page.get_by_label("Since").fill("2026-11-28T09:30:00")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("alert")).to_have_text("One value is not accepted: Only lines with. Nothing has run.")
        field = page.get_by_label("Only lines with")
        expect(field).to_be_focused()
        expect(field).to_have_value("-timeout")
        accepted = "accepted is a line of 1 to 60 characters. Up to 60 characters"
        expect(field).to_have_accessible_description(f'Must not begin with "-"; {accepted}')
        expect(page.get_by_label("Service")).to_have_value("nginx")
        expect(page.get_by_label("Since")).to_have_value("2026-11-28T09:30")
        page.get_by_role("link", name="Only lines with").click()
        field.fill("timeout")
        field.press("Enter")
        assert "timeout\n" in output(page, "journal")


def test_filled_in_from_the_address(browser: Browser) -> None:
    """An address has values; with a value that is none the form says so, and with a zone it is kept."""
    with visit(browser, ADDRESS) as page:
        page.goto("/restart?unit=php-fpm")
        expect(page.get_by_label("Service")).to_have_value("php-fpm")
        page.goto("/journal?unit=ngnix&since=2026-11-28T09:30Z")
        expect(page.get_by_text("Did you mean nginx?")).to_be_visible()
        expect(page.get_by_label("Since")).to_have_value("2026-11-28T09:30Z")
        page.goto("/journal/nginx/3")
        assert "--lines=3" in output(page, "journal")
        page.get_by_role("link", name="Change values").click()
        page.get_by_role("link", name="This address").click()
        assert "--lines=3" in output(page, "journal")


def test_what_runs_follows(browser: Browser) -> None:
    """What runs, and the address, follow what is typed; as the server draws them afterwards."""
    with visit(browser, ADDRESS) as page:
        page.goto("/journal")
        line = page.locator(".beside-form .command-line")
        expect(line).to_contain_text("--unit=Service")
        assert "--since" not in line.inner_text()
        page.get_by_label("Service").select_option("nginx")
        page.get_by_label("Lines", exact=True).fill("")
        page.get_by_label("Since").fill("2026-11-28T09:30:10")
        page.get_by_label("Only lines with").fill("a b")
        page.get_by_label("Times").check()
        followed = line.inner_text()
        assert "--unit=nginx --lines=50 --since 2026-11-28T09:30:10 a b --utc" in " ".join(followed.split())
        address = page.get_by_role("link", name="This address").get_attribute("href")
        page.get_by_role("button", name="Run").click()
        output(page, "journal")
        page.get_by_role("link", name="Change values").click()
        assert " ".join(line.inner_text().split()) == " ".join(followed.split())
        assert parse_qs(urlsplit(address or "").query)["grep"] == ["a b"]

        page.goto("/ping")
        page.get_by_label("Hosts").fill("localhost")
        page.get_by_label("Wait").fill("1h30m")
        page.get_by_label("Tags").select_option(["a", "c"])
        assert " ".join(line.inner_text().split()).endswith("localhost 5400 a c")


def test_several_values(browser: Browser) -> None:
    """There is always one more field, up to as many as may be given."""
    with visit(browser, ADDRESS) as page:
        page.goto("/ping")
        page.get_by_label("Hosts").fill("one.example")
        page.get_by_label("Tags").select_option(["a", "c"])
        page.get_by_role("button", name="Run").click()
        assert output(page, "ping") == "one.example\na\nc\n"
        page.get_by_role("link", name="Change values").click()
        page.get_by_label("Hosts 2").fill("two.example")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("region", name="Output of ping")).to_contain_text("two.example")
        page.get_by_role("link", name="Change values").click()
        expect(page.get_by_label("Hosts 3")).to_have_value("")


@pytest.mark.parametrize("has_javascript", [True, False])
def test_the_question(browser: Browser, daemon: Daemon, *, has_javascript: bool) -> None:
    """Enter asks, a second Enter runs nothing, Cancel leads back to the filled form, and the button runs it."""
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        page.goto("/restart?unit=php-fpm")
        page.get_by_label("Service").press("Enter")
        page.get_by_role("button", name="Run").click()
        question = page.get_by_role("heading", name="Restart php-fpm?")
        expect(question).to_be_focused()
        before = len(_runs(daemon, "restart"))
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(question).to_be_visible()
        if has_javascript:
            page.keyboard.press("Escape")
        else:
            page.get_by_role("link", name="Cancel").click()
        expect(page.get_by_label("Service")).to_have_value("php-fpm")
        assert len(_runs(daemon, "restart")) == before

        page.get_by_role("button", name="Run").click()
        page.get_by_role("button", name="Restart a service").click()
        assert output(page, "restart") == "restarted php-fpm\n"
        assert len(_runs(daemon, "restart")) == before + 1
        page.get_by_role("link", name="Run again…").click()
        page.get_by_role("button", name="Run").click()
        expect(question).to_be_visible()


def test_the_question_without_values(browser: Browser) -> None:
    """The same for a command without parameters, whose button no script takes."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        page.get_by_role("link", name="Run… reload").click()
        page.get_by_role("button", name="Run…").click()
        expect(page.get_by_role("heading", name="Reload everything?")).to_be_focused()
        page.get_by_role("button", name="Run").click()
        assert output(page, "reload") == "reloaded\n"


def test_lines(browser: Browser) -> None:
    """Text of several lines goes through the question as it is; Ctrl-Enter sends it."""
    with visit(browser, ADDRESS) as page:
        page.goto("/send")
        page.get_by_label("Note").fill("\none\n\ttwo &amp; <b>\n")
        page.get_by_label("Note").press("Control+Enter")
        page.get_by_role("button", name="Run").click()
        assert output(page, "send") == "\none\n\ttwo &amp; <b>\n"
        page.get_by_role("link", name="Run again…").click()
        expect(page.get_by_label("Note")).to_have_value("\none\n\ttwo &amp; <b>\n")


def test_secrets(browser: Browser, daemon: Daemon) -> None:
    """A secret goes to the command and nowhere else; its form asks for the yes itself."""
    with visit(browser, ADDRESS) as page:
        page.goto("/setpw?user=ann")
        page.get_by_label("Password").fill("hunter2")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_label("Yes: Change it for ann?")).to_have_js_property("validity.valid", value=False)
        page.get_by_label("Yes: Change it for ann?").check()
        page.get_by_role("button", name="Run").click()
        assert output(page, "setpw").strip() == "10"
        page.get_by_role("link", name="Run again…").click()
        expect(page.get_by_label("User")).to_have_value("ann")
        expect(page.get_by_label("Password")).to_have_value("")
        assert "hunter2" not in page.content() + page.url
        page.goto("/setpw?user=ann&password=hunter2")
        expect(page.get_by_text("Must not be in an address")).to_be_visible()
        assert "hunter2" not in page.content()
    assert "hunter2" not in daemon.log() + daemon.audit_file.read_text()


@pytest.mark.parametrize("has_javascript", [True, False])
def test_output_comes_while_it_is_made(browser: Browser, daemon: Daemon, *, has_javascript: bool) -> None:
    """Also of a command with values; they can be changed when it is over."""
    go = daemon.directory / "go"
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        page.goto("/slow?word=x", wait_until="commit")
        region = page.get_by_role("region", name="Output of slow")
        expect(region).to_have_text("first x\n")
        go.touch()
        expect(region).to_have_text("first x\nsecond\n")
        page.get_by_role("link", name="Change values").click()
        expect(page.get_by_label("Word")).to_have_value("x")
    go.unlink()


def test_the_search(browser: Browser) -> None:
    """Commands are found by title, name and help; empty sections are gone."""
    with visit(browser, ADDRESS) as page:
        page.goto("/")
        for typed, found in (("journal of", "journal"), ("restart", "restart"), ("last lines", "journal")):
            page.get_by_role("searchbox").fill(typed)
            expect(page.get_by_role("listitem")).to_have_count(1)
            expect(page.get_by_role("listitem")).to_contain_text(found)
            expect(page.locator("details:visible")).to_have_count(1)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_nobody_is_kept_out(browser: Browser, colours: Literal["light", "dark"], width: int) -> None:
    """axe-core finds nothing on any page, and no page is wider than a phone."""
    with visit(browser, ADDRESS, colours=colours, width=width) as page:
        for path in (
            "/",
            "/journal",
            "/journal?unit=x&grep=-y&lines=0&utc=yes",
            "/journal?unit=nginx&grep=" + "x" * 60,
            "/ping?hosts=a&hosts=b&tags=a&port=x&wait=2h",
            "/ping?hosts=a&hosts=" + "b" * 60,
            "/restart?unit=nginx",
            "/send",
            "/setpw?user=ann&password=x",
        ):
            page.goto(path)
            assert barriers(page) == [], path
            assert not sticks_out(page), path
        page.goto("/restart?unit=nginx")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("heading", name="Restart nginx?")).to_be_visible()
        assert barriers(page) == []
        assert not sticks_out(page)


def test_the_button_is_at_hand_on_a_phone(browser: Browser) -> None:
    """*Run* is at the bottom edge wherever the form is scrolled to."""
    with visit(browser, ADDRESS, width=360) as page:
        page.set_viewport_size({"width": 360, "height": 500})
        page.goto("/ping")
        assert page.evaluate("document.documentElement.scrollHeight > 700")
        expect(page.get_by_role("button", name="Run")).to_be_in_viewport(ratio=1)
        page.get_by_label("Tags").scroll_into_view_if_needed()
        expect(page.get_by_role("button", name="Run")).to_be_in_viewport(ratio=1)


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask with curl."""
    return subprocess.run(
        ["curl", "--silent", "--show-error", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )


def test_curl() -> None:
    """Queries, paths, forms and JSON; mistakes as JSON; nobody is asked."""
    for arguments in (
        (f"{ADDRESS}/journal?unit=nginx&lines=7",),
        (f"{ADDRESS}/journal/nginx/7",),
        (f"{ADDRESS}/journal", "-d", "unit=nginx", "-d", "lines=7"),
        (f"{ADDRESS}/journal", "-H", "Accept: text/plain", "--json", '{"unit": "nginx", "lines": 7, "grep": null}'),
    ):
        assert curl(*arguments).stdout == "--unit=nginx\n--lines=7\n", arguments
    assert json.loads(curl(f"{ADDRESS}/ping", "--json", '{"hosts": ["a", "b"]}').stdout)["stdout"] == "a\nb\n"
    refused = curl(
        f"{ADDRESS}/journal", "--json", '{"unit": "ngnix", "lines": 0}', "--write-out", "%{http_code}"
    ).stdout
    assert refused.endswith("422")
    assert json.loads(refused.removesuffix("422"))["error"]["code"] == "bad_argument"
    assert curl(f"{ADDRESS}/restart", "-d", "unit=nginx").stdout == "restarted nginx\n"
    assert "password must not be in an address" in curl(f"{ADDRESS}/setpw/ann/hunter2", "-d", "").stdout


def _runs(daemon: Daemon, name: str) -> list[Mapping[str, object]]:
    return [each for each in daemon.audit() if each.get("command") == name and each["outcome"] == "ok"]
