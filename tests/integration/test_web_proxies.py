"""The web below a path of a real proxy, in a real browser: nothing that a page refers to lies elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.browser import visit
from tests.integration.daemon import Daemon, Listener, free_port, running, shell
from tests.integration.logins import ALICE, LENIENT, write_passwords
from tests.integration.proxy_programs import HAPROXY, NGINX, started

pytestmark = pytest.mark.slow

LISTENER = Listener(protocol="web", login="optional")
PORT = free_port()
ADDRESS = f"http://localhost:{PORT}/tools/ops"

NGINX_SERVER = """
    server {{
        listen 127.0.0.1:{port};
        location /tools/ops/ {{
            proxy_pass http://127.0.0.1:{upstream}{path};
            proxy_set_header Host $host:$server_port;
            proxy_buffering off;
        }}
    }}
"""

HAPROXY_SERVER = """
frontend web
    bind 127.0.0.1:{port}
    use_backend cmdserver if {{ path /tools/ops }} || {{ path_beg /tools/ops/ }}
backend cmdserver
    server local 127.0.0.1:{upstream}
"""


def _nginx(path: str) -> Callable[[Path], list[str]]:
    def command(directory: Path) -> list[str]:
        server = NGINX_SERVER.format(port=PORT, upstream=LISTENER.port, path=path)
        (directory / "conf").write_text(NGINX.format(directory=directory, text=server, user="user root;"))
        return ["nginx", "-p", str(directory), "-c", str(directory / "conf")]

    return command


def _haproxy(directory: Path) -> list[str]:
    server = HAPROXY_SERVER.format(port=PORT, upstream=LISTENER.port)
    (directory / "conf").write_text(HAPROXY.format(text=server))
    return ["haproxy", "-db", "-f", str(directory / "conf")]


#: How the proxy is started, and what the daemon is told of the path.
PROXIES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "nginx takes it away": (_nginx("/"), ""),
    "nginx takes it away from who expects it": (_nginx("/"), "/tools/ops"),
    "nginx keeps it": (_nginx(""), "/tools/ops"),
    "haproxy keeps it": (_haproxy, "/tools/ops"),
}


@contextmanager
def proxied(directory: Path, kind: str) -> Iterator[Daemon]:
    """Start a daemon and a proxy before it."""
    start, base_path = PROXIES[kind]
    program, *arguments = start(directory)
    commands = {
        "up": {"run": ["echo", "9 days"], "read_only": True, "help": "Since when"},
        "secret": {"run": ["echo", "for alice"], "read_only": True},
        "touch": shell("echo touched", help="Changes something"),
    }
    roles = {"anonymous": {"commands": ["up"]}, "admin": {"commands": ["*"], "users": ["alice"]}}
    (directory / "daemon").mkdir()
    web = {"base_path": base_path}
    with running(directory / "daemon", commands, listeners=[LISTENER], roles=roles, limits=LENIENT, web=web) as daemon:
        write_passwords(daemon, {"alice": ALICE})
        with started(program, arguments, PORT, directory):
            yield daemon


def _look_around(page: Page) -> None:
    page.goto(f"{ADDRESS}/")
    page.get_by_role("link", name="Run up").click()
    expect(page.locator("pre")).to_contain_text("9 days")
    page.goto(f"{ADDRESS}/nothing/at/all")
    page.locator("a.brand").click()
    expect(page).to_have_url(f"{ADDRESS}/")
    page.get_by_role("link", name="Log in").click()
    expect(page).to_have_url(f"{ADDRESS}/-/login")
    page.goto(f"{ADDRESS}/touch")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password", exact=True).fill(ALICE)
    page.get_by_label("Password", exact=True).press("Enter", no_wait_after=True)
    expect(page).to_have_url(f"{ADDRESS}/touch")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("pre")).to_contain_text("touched")
    page.get_by_role("link", name="All commands").click()
    expect(page.get_by_role("link", name="Run… touch")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{ADDRESS}/")


@pytest.mark.parametrize("kind", PROXIES)
def test_a_visit(tmp_path: Path, browser: Browser, kind: str) -> None:
    """Everything on a page leads to where the proxy serves it, with scripts and without."""
    with proxied(tmp_path, kind):
        for has_javascript in (True, False):
            with visit(browser, ADDRESS, has_javascript=has_javascript) as page:
                _look_around(page)


def test_who_is_logged_out_meanwhile(tmp_path: Path, browser: Browser) -> None:
    """What a script offers leads there and back, too."""
    with proxied(tmp_path, "nginx takes it away"), visit(browser, ADDRESS) as page:
        page.goto(f"{ADDRESS}/-/login?next=/secret")
        page.get_by_label("Name").fill("alice")
        page.get_by_label("Password", exact=True).fill(ALICE)
        page.get_by_label("Password", exact=True).press("Enter", no_wait_after=True)
        expect(page).to_have_url(f"{ADDRESS}/secret")
        page.context.clear_cookies()
        page.get_by_role("button", name="Run again").click()
        page.get_by_label("Name").fill("alice")
        page.get_by_label("Password", exact=True).fill(ALICE)
        page.get_by_label("Password", exact=True).press("Enter", no_wait_after=True)
        expect(page).to_have_url(f"{ADDRESS}/secret")
