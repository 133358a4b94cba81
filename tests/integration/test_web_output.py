"""What a run says in a real browser: as on a terminal, with and without JavaScript, while it comes and afterwards."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from cmdserver.core.output import Stream
from cmdserver.frontends.web.pages.output.output_html import OutputHtml
from cmdserver.frontends.web.pages.static import FILES
from tests.integration.browser import barriers, sticks_out, visit
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import ALICE, LENIENT, write_passwords

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

LISTENER = Listener(protocol="web", login="optional")
ADDRESS = f"http://localhost:{LISTENER.port}"

_CASES = Path(__file__).parents[1] / "frontends/web/pages/output/output_cases.json"

#: A progress bar that stands at a half until there is a file.
_PROGRESS = r"""printf '\033[1mBackup\033[0m\n'; sleep 0.2; echo 'a warning' >&2; sleep 0.2
for part in 10 20 30 40 50; do printf '\r\033[34m%s %%\033[0m of \033[32mall\033[0m' "$part"; sleep 0.02; done
while [ ! -e "$GO" ]; do sleep 0.05; done
printf '\r\033[34m100 %%\033[0m\n'; exit 3"""
#: More and more lines, until there is a file.
_LINES = 'seq 300; while [ ! -e "$GO" ]; do echo more; sleep 0.05; done; echo last'
_DISKS = r"""printf 'Filesystem      Size  Used Avail Use%% Mounted on
/dev/vda        252G   24G   78G  24%% /
'"""

#: What is seen of output: texts, with the names of classes that hold for each.
_SEEN = """pre => {
  const seen = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return [[node.data, ""]];
    if (getComputedStyle(node).display === "none") return [];
    const names = [...node.classList].filter((name) => !["line", "again", "output"].includes(name));
    const runs = [...node.childNodes].flatMap(seen);
    if (!runs.length && names.includes("err")) runs.push(["", ""]);
    const all = (own) => [...new Set([...own.split(" "), ...names])].filter(Boolean).sort().join(" ");
    return runs.map(([text, own]) => [text, all(own)]);
  };
  const joined = [];
  for (const [text, names] of seen(pre)) {
    if (joined.length && joined.at(-1)[1] === names) joined.at(-1)[0] += text;
    else joined.push([text, names]);
  }
  return joined;
}"""


def commands(go: Path) -> Mapping[str, Mapping[str, object]]:
    """Make the allow-list; some wait for a file ``go``."""
    plain: Mapping[str, Any] = {"read_only": True, "share": False, "environment": {"GO": str(go)}}
    return {
        "progress": shell(_PROGRESS, colours=True, **plain),
        "plain": shell(_PROGRESS, **plain),
        "lasting": shell(_PROGRESS, colours=True, on_disconnect="continue", **plain),
        "lines": shell(_LINES, **plain),
        "count": {"run": ["seq", "5000"], "read_only": True},
        "long": shell("yes 'a long line' | head -c 20000 | tr -d '\\n'", read_only=True),
        "quiet": shell("true", read_only=True),
        "df": shell(_DISKS, read_only=True, parser="df"),
        "nonsense": shell("echo nonsense", read_only=True, parser="uptime"),
    }


@pytest.fixture
def go(daemon: Daemon) -> Iterator[Path]:
    """Give the file that commands wait for."""
    path = daemon.directory / "go"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with a web listener where everybody may run everything."""
    directory = tmp_path_factory.mktemp("daemon")
    roles: Mapping[str, Mapping[str, object]] = {
        "anonymous": {"commands": ["*"]},
        "admin": {"commands": ["*"], "users": ["alice"]},
    }
    allowed = commands(directory / "go")
    with running(directory, allowed, listeners=[LISTENER], roles=roles, limits=LENIENT) as daemon:
        write_passwords(daemon, {"alice": ALICE})
        yield daemon


def output(page: Page) -> Locator:
    """Find what is seen of the output."""
    return page.locator("pre.output:visible")


def tool(page: Page, name: str) -> Locator:
    """Find a button above the output."""
    return page.get_by_role("button", name=name)


def is_at_end(page: Page) -> bool:
    """Whether the last line is seen."""
    return bool(output(page).evaluate("pre => pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 24"))


def test_cases(browser: Browser) -> None:
    """A browser shows by the style sheet alone what the cases say, however it comes in pieces."""
    sheet = FILES["page.css"].body.decode()
    page = browser.new_page()
    for case in json.loads(_CASES.read_text("utf-8")):
        made = OutputHtml(colours=case.get("has_colours", True))
        streams = {"out": Stream.STDOUT, "err": Stream.STDERR}
        said = [made.feed(streams[name], piece.encode()) for name, piece in case["pieces"]]
        html = "".join((*said, made.finish()))
        page.set_content(f"<style>{sheet}</style><pre class='output'>\n{html}</pre>")
        assert page.locator("pre").evaluate(_SEEN) == case["runs"], case["name"]
    page.close()


@pytest.mark.parametrize("has_javascript", [True, False])
def test_a_progress_bar(browser: Browser, go: Path, *, has_javascript: bool) -> None:
    """It moves while it comes, in its colours; standard error has a mark in the margin."""
    with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
        page.goto("/progress", wait_until="commit")
        expect(output(page)).to_have_text("Backup\na warning\n50 % of all", use_inner_text=True)
        bar = page.get_by_text("50 %")
        assert bar.evaluate("each => getComputedStyle(each).color") == "rgb(26, 92, 158)"
        warning = output(page).locator(".err")
        assert warning.evaluate("each => getComputedStyle(each).color") == "rgb(179, 38, 30)"
        assert "!" in warning.evaluate("each => getComputedStyle(each, '::before').content")
        go.touch()
        expect(output(page)).to_have_text("Backup\na warning\n100 %of all", use_inner_text=True)
        expect(page.get_by_text("Exit status 3").last).to_be_visible()
        if has_javascript:
            assert output(page).evaluate("pre => pre.textContent") == "Backup\na warning\n100 %of all\n"
            expect(page.get_by_text("3 lines")).to_be_visible()


def test_without_colours(browser: Browser, go: Path) -> None:
    """Where a command may have no colours its sequences are text; CR writes over all the same."""
    go.touch()
    with visit(browser, ADDRESS) as page:
        page.goto("/plain")
        expect(output(page)).to_contain_text("^[[1mBackup^[[0m")
        expect(output(page)).to_contain_text("^[[34m100 %^[[0mof ^[[32mall")


def test_follow(browser: Browser, go: Path) -> None:
    """The end is followed until somebody scrolls up, and again when they are back; there is nothing to follow later."""
    with visit(browser, ADDRESS) as page:
        page.goto("/lines", wait_until="commit")
        expect(output(page)).to_contain_text("more")
        expect(tool(page, "Follow")).to_have_attribute("aria-pressed", "true")
        assert is_at_end(page)
        output(page).evaluate("pre => pre.scrollTop = 40")
        expect(tool(page, "Follow")).to_have_attribute("aria-pressed", "false")
        count = page.locator(".lines")
        before = count.inner_text()
        expect(count).not_to_have_text(before)
        assert output(page).evaluate("pre => pre.scrollTop") == 40
        tool(page, "Follow").click()
        expect(tool(page, "Follow")).to_have_attribute("aria-pressed", "true")
        assert is_at_end(page)
        output(page).evaluate("pre => pre.scrollTop = 40")
        expect(tool(page, "Follow")).to_have_attribute("aria-pressed", "false")
        output(page).evaluate("pre => pre.scrollTop = pre.scrollHeight")
        expect(tool(page, "Follow")).to_have_attribute("aria-pressed", "true")
        tool(page, "Follow").click()
        before = count.inner_text()
        expect(count).not_to_have_text(before)
        expect(tool(page, "Follow")).to_have_attribute("aria-pressed", "false")
        tool(page, "Follow").click()
        expect(tool(page, "Follow")).to_have_attribute("aria-pressed", "true")
        tool(page, "Follow").focus()
        go.touch()
        expect(output(page)).to_contain_text("last")
        expect(tool(page, "Follow")).to_have_count(0)
        expect(output(page)).to_be_focused()
        assert is_at_end(page)


def test_a_page_that_breaks_off(browser: Browser, go: Path) -> None:
    """What a run says comes again, looks the same, and goes on; its reader is not moved."""
    with visit(browser, ADDRESS) as page:
        page.goto("/-/login?next=/lasting")
        page.get_by_role("textbox", name="Name").fill("alice")
        page.get_by_role("textbox", name="Password").fill(ALICE)
        page.get_by_role("textbox", name="Password").press("Enter", no_wait_after=True)
        expect(output(page)).to_contain_text("50 %")
        page.get_by_role("searchbox").fill("b")
        page.evaluate("window.stop()")
        expect(page.locator(".lines")).to_have_text("1 of 3 lines")
        expect(output(page)).to_have_text("Backup\n")
        page.get_by_role("searchbox").fill("")
        expect(output(page)).to_have_text("Backup\na warning\n50 % of all", use_inner_text=True)
        page.get_by_role("searchbox").fill("%")
        go.touch()
        expect(output(page)).to_have_text("100 %of all\n")
        expect(page.get_by_text("Exit status 3").last).to_be_visible()
        assert page.get_by_role("searchbox").input_value() == "%"


def test_filter(browser: Browser, go: Path) -> None:
    """Lines with some words are shown, and how many they are; what comes later is found too."""
    with visit(browser, ADDRESS) as page:
        page.goto("/count")
        expect(page.get_by_text("5,000 lines")).to_be_visible()
        page.get_by_role("searchbox").fill("4999")
        expect(page.get_by_text("1 of 5,000 lines")).to_be_visible()
        expect(output(page)).to_have_text("4999\n")
        page.get_by_role("searchbox").fill("")
        expect(output(page)).to_contain_text("4998")

        page.goto("/lines", wait_until="commit")
        page.get_by_role("searchbox").fill("LAST")
        expect(page.locator(".lines")).to_contain_text("0 of ")
        go.touch()
        expect(output(page)).to_have_text("last\n")


def test_the_end(browser: Browser) -> None:
    """Long output is seen from its end; who reads the beginning gets there by a link, without JavaScript too."""
    with visit(browser, ADDRESS) as page:
        page.goto("/count")
        expect(page.get_by_text("5,000 lines")).to_be_visible()
        assert is_at_end(page)
        output(page).evaluate("pre => pre.scrollTop = 0")
        page.get_by_role("link", name="Jump to end").press("Enter")
        assert is_at_end(page)
        expect(output(page)).to_be_focused()
        # In one turn, so that the page hears of the scrolling after the click.
        output(page).evaluate("pre => { pre.scrollTop = 0; document.querySelector('[data-tool=end]').click(); }")
        assert is_at_end(page)
    with visit(browser, ADDRESS, has_javascript=False) as page:
        page.goto("/count")
        assert not is_at_end(page)
        page.get_by_role("link", name="Jump to end").click()
        assert is_at_end(page)
        assert [each.inner_text() for each in page.locator(".tool:visible").all()] == ["Jump to end"]


def test_wrap(browser: Browser) -> None:
    """Lines are wrapped unless somebody wants them whole, which is remembered."""
    with visit(browser, ADDRESS, width=390) as page:
        page.goto("/long")
        is_wider = "pre => pre.scrollWidth > pre.clientWidth"
        assert not output(page).evaluate(is_wider)
        tool(page, "Wrap").click()
        expect(tool(page, "Wrap")).to_have_attribute("aria-pressed", "false")
        assert output(page).evaluate(is_wider)
        assert not sticks_out(page)
        page.reload()
        expect(tool(page, "Wrap")).to_have_attribute("aria-pressed", "false")
        assert output(page).evaluate(is_wider)


def test_views(browser: Browser) -> None:
    """A table folds the text away until somebody wants that, by mouse or arrows, which is remembered."""
    pytest.importorskip("jc", reason="jc is not installed")
    with visit(browser, ADDRESS) as page:
        page.goto("/df")
        expect(page.get_by_role("tab", name="Table")).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("table")).to_be_visible()
        expect(output(page)).to_have_count(0)
        page.get_by_role("tab", name="Table").press("ArrowRight")
        expect(page.get_by_role("tab", name="Text")).to_be_focused()
        expect(output(page)).to_contain_text("/dev/vda")
        expect(page.get_by_role("table")).to_have_count(0)
        page.reload()
        expect(output(page)).to_contain_text("/dev/vda")
        page.goto("/nonsense")
        expect(page.get_by_text("There is no table")).to_be_visible()
        expect(output(page)).to_have_text("nonsense\n")
        expect(page.get_by_role("tab")).to_have_count(0)
    with visit(browser, ADDRESS, has_javascript=False) as page:
        page.goto("/df")
        expect(page.get_by_role("table")).to_be_visible()
        expect(output(page)).to_have_count(0)
        page.get_by_role("link", name="Text").click()
        expect(output(page)).to_contain_text("/dev/vda")
        expect(page.get_by_role("table")).to_have_count(0)


def test_copy_and_download(browser: Browser) -> None:
    """Output leaves the page as it is, whatever is shown of it."""
    with visit(browser, ADDRESS) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto("/count")
        page.get_by_role("searchbox").fill("17")
        with page.expect_download() as download:
            tool(page, "Download").click()
        assert re.fullmatch(r"count-[0-9T-]+\.txt", download.value.suggested_filename)
        expected = "".join(f"{each}\n" for each in range(1, 5001))
        assert Path(download.value.path()).read_text("utf-8") == expected
        tool(page, "Copy").click()
        expect(tool(page, "Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == expected


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nobody_is_kept_out(browser: Browser, go: Path, colours: Literal["light", "dark"]) -> None:
    """axe-core finds nothing: not while output comes, with no output, on a phone, in either view, while filtered."""
    pytest.importorskip("jc", reason="jc is not installed")
    with visit(browser, ADDRESS, colours=colours) as page:
        page.goto("/progress", wait_until="commit")
        expect(page.get_by_text("50 %")).to_be_visible()
        assert barriers(page) == []
        go.touch()
        expect(page.get_by_text("Exit status 3").last).to_be_visible()
        assert barriers(page) == []
        page.get_by_role("searchbox").fill("warning")
        assert barriers(page) == []
        for path in ("/quiet", "/df"):
            page.goto(path)
            assert barriers(page) == [], path
        page.get_by_role("tab", name="Text").click()
        assert barriers(page) == []
    with visit(browser, ADDRESS, colours=colours, width=390) as page:
        for path in ("/progress", "/df", "/long"):
            page.goto(path)
            assert not sticks_out(page), path
            assert barriers(page) == [], path
        expect(tool(page, "Copy")).to_be_hidden()
        tool(page, "More").click()
        expect(tool(page, "Copy")).to_be_visible()
        assert not sticks_out(page)
