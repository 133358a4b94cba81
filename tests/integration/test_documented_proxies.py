"""The configurations of ``docs/proxies.md``, run: whose a request is, who the caller is, that nothing is gathered."""

import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.integration import proxy_programs
from tests.integration.browser import fill_in_login, state
from tests.integration.daemon import Daemon, free_port, prepared, shell
from tests.integration.logins import ALICE, require_program, write_passwords
from tests.integration.proxy_programs import PASSWORDS, Place, blocks
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

Start = Callable[[str, Place], AbstractContextManager[int]]

#: An address of this host that is not the one at which proxies and the daemon listen: the client's.
CLIENT = "127.0.0.2"
NOBODY = "198.51.100.7"
#: What a client sends who wants to be somebody else.
MADE_UP = {
    "X-Forwarded-For": NOBODY,
    "Forwarded": f"for={NOBODY};proto=http;host=evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Real-IP": NOBODY,
    "Remote-User": "alice",
    "Remote_User": "alice",
}
#: What a client sends who wants the proxy to leave out what it says (RFC 9110, section 7.6.1; CVE-2022-31813).
LEAVE_OUT = {"Connection": "close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Remote-User"}

#: Says something, and something else once there is a file in a directory.
TWO = "echo begun; while [ ! -e $0/go ]; do sleep 0.05; done; echo ended"
COMMANDS = {
    "up": {"run": ["echo", "9 days"], "read_only": True},
    "touch": shell("echo touched"),
    "long": shell("echo began; sleep 60"),
}
ROLES = {
    "anonymous": {"commands": ["up", "two"]},
    "staff": {"commands": ["*"], "users": ["ann", "alice"], "sees": ["*"], "stops": ["*"]},
}


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A configuration of the page, and what it is of."""

    name: str
    start: Start
    text: str
    base_path: str = ""
    #: Whether the proxy asks for a password, and calls the daemon by its UNIX socket.
    logs_in: bool = False

    def __str__(self) -> str:
        return self.name


def _documented() -> Iterator[Documented]:
    """Name all of them; the page has them in this order."""
    _, at_root, below, passwords, elsewhere = blocks("nginx")
    yield Documented(name="nginx", start=proxy_programs.nginx, text=at_root)
    yield Documented(name="nginx below a path", start=proxy_programs.nginx, text=below, base_path="/ops")
    yield Documented(name="nginx with passwords", start=proxy_programs.nginx, text=passwords, logs_in=True)
    yield Documented(name="nginx with a login elsewhere", start=proxy_programs.nginx, text=elsewhere, logs_in=True)
    at_root, line, passwords = blocks("apache")
    (root_line,) = (each for each in at_root.splitlines(keepends=True) if "ProxyPass " in each)
    below = at_root.replace(root_line, line)
    yield Documented(name="apache", start=proxy_programs.apache, text=at_root)
    yield Documented(name="apache below a path", start=proxy_programs.apache, text=below, base_path="/ops")
    yield Documented(name="apache with passwords", start=proxy_programs.apache, text=passwords, logs_in=True)
    at_root, below, passwords = blocks("caddyfile")
    yield Documented(name="caddy", start=proxy_programs.caddy, text=at_root)
    yield Documented(name="caddy below a path", start=proxy_programs.caddy, text=below, base_path="/ops")
    yield Documented(name="caddy with passwords", start=proxy_programs.caddy, text=passwords, logs_in=True)
    (haproxy,) = blocks("haproxy")
    yield Documented(name="haproxy", start=proxy_programs.haproxy, text=haproxy, base_path="/ops")


ALL = tuple(_documented())
WITHOUT_LOGIN = tuple(each for each in ALL if not each.logs_in)
WITH_LOGIN = tuple(each for each in ALL if each.logs_in)
BELOW = tuple(each for each in ALL if each.base_path)


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """A daemon with a proxy before it."""

    daemon: Daemon
    address: str
    directory: Path
    credentials: Sequence[str] = field(default=())

    def curl(self, path: str, *options: str, headers: Mapping[str, str] | None = None) -> list[str]:
        """Say what curl is called with, as somebody elsewhere calls it."""
        fields = [word for name, value in (headers or {}).items() for word in ("--header", f"{name}: {value}")]
        usual = ["--silent", "--show-error", "--insecure", "--max-time", str(int(LIMIT_SECONDS)), "--interface", CLIENT]
        return [require_program("curl"), *usual, *self.credentials, *fields, *options, self.address + path]

    def ask(self, path: str, *options: str, headers: Mapping[str, str] | None = None) -> str:
        """Ask; return what curl prints."""
        words = self.curl(path, *options, headers=headers)
        return subprocess.run(words, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout

    def head(self, path: str, *options: str, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str]]:
        """Ask; return status and header fields."""
        text = self.ask(path, "--output", "/dev/null", "--dump-header", "-", *options, headers=headers)
        first, *lines = text.rstrip().splitlines()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(first.split()[1]), fields

    def last(self) -> dict[str, Any]:
        """Return the last line of the audit file about a request."""
        return [each for each in self.daemon.audit() if each["event"] == "request"][-1]


@contextmanager
def proxied(documented: Documented, directory: Path) -> Iterator[Proxied]:
    """Start a daemon as the page says, and the proxy before it; all users of this host may open the socket."""
    require_program("curl")
    place = Place(directory=directory, upstream=free_port(), socket=directory / "socket" / "web", login=free_port())
    first, second, *_ = blocks("toml")
    web = second if documented.logs_in else first
    changes = {"ops.example": "localhost", '[roles.authenticated]\ncommands = ["uptime"]\n': ""}
    if documented.logs_in:
        changes |= {"unix:/run/cmdserver/web:mode=660": f"unix:{place.socket}:mode=666"}
    else:
        changes |= {"tcp:2080": f"tcp:{place.upstream}"}
    web = proxy_programs.replaced(web, changes)
    if documented.base_path:
        *_, below = blocks("toml")
        web += below.removeprefix("[web]\n")
    place_of_daemon = directory / "daemon"
    place_of_daemon.mkdir()
    commands = {**COMMANDS, "two": {"run": ["sh", "-c", TWO, str(directory)], "read_only": True}}
    with prepared(place_of_daemon) as daemon:
        daemon.configure(commands, roles=ROLES)
        daemon.config_file.write_text(daemon.config_file.read_text("utf-8") + web, "utf-8")
        daemon.start()
        write_passwords(daemon, {"alice": ALICE})
        with who_is_it(place.login), documented.start(documented.text, place) as port:
            credentials = ("--user", f"ann:{PASSWORDS['ann']}") if documented.logs_in else ()
            address = f"https://localhost:{port}{documented.base_path}"
            yield Proxied(daemon=daemon, address=address, directory=directory, credentials=credentials)
        daemon.stop()


class WhoIsIt(BaseHTTPRequestHandler):
    """What nginx asks who somebody is; it believes whatever name comes with a password."""

    def do_GET(self) -> None:
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        name, _, password = b64decode(text).decode().partition(":")
        is_right = scheme == "Basic" and PASSWORDS.get(name) == password
        self.send_response(200 if is_right else 401)
        if is_right:
            self.send_header("Remote-User", name)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def who_is_it(port: int) -> Iterator[None]:
    """Answer who somebody is."""
    with ThreadingHTTPServer(("127.0.0.1", port), WhoIsIt) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=WITHOUT_LOGIN, ids=str)
def plain(request: pytest.FixtureRequest) -> Iterator[Proxied]:
    """Each proxy that asks nobody who they are."""
    with reachable() as directory, proxied(request.param, directory) as there:
        yield there


@pytest.fixture(scope="module", params=WITH_LOGIN, ids=str)
def named(request: pytest.FixtureRequest) -> Iterator[Proxied]:
    """Each proxy that asks for a password."""
    with reachable() as directory, proxied(request.param, directory) as there:
        yield there


@contextmanager
def reachable() -> Iterator[Path]:
    """Make a directory that workers which are not root may enter."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    (directory / "socket").mkdir()
    (directory / "socket").chmod(0o777)
    yield directory
    shutil.rmtree(directory)


def test_whose_a_request_is(plain: Proxied) -> None:
    """It is its client's, whatever that sends; and so are the name, and what is refused."""
    assert plain.ask("/up") == "9 days\n"
    assert plain.last()["source"] == CLIENT
    status, _ = plain.head("/up", headers=MADE_UP)
    assert status == 200
    assert (plain.last()["source"], plain.last()["user"]) == (CLIENT, None)
    assert plain.head("/touch", "--request", "POST", headers=MADE_UP)[0] == 401
    assert plain.head("/up", headers=MADE_UP | LEAVE_OUT)[0] == 200
    assert (plain.last()["source"], plain.last()["user"]) == (CLIENT, None)
    plain.ask("/up", "--user", "alice:wrong")
    refused = [each for each in plain.daemon.audit() if each["event"] == "login"][-1]
    assert (refused["source"], refused["user"], refused["outcome"]) == (CLIENT, "alice", "denied")


def test_https_outside(plain: Proxied) -> None:
    """The session's cookie is for TLS alone, though the daemon speaks none; and a login comes from our own page."""
    jar = str(plain.directory / "cookies")
    page = plain.ask("/-/login", "--cookie-jar", jar, headers={"Accept": "text/html"})
    token = page.partition('name="csrf-token" value="')[2].partition('"')[0]
    origin = plain.address.removesuffix("/ops")
    form = ("--data-urlencode", f"csrf-token={token}", "--data-urlencode", f"password={ALICE}", "--data", "name=alice")
    status, fields = plain.head("/-/login", *form, headers={"Origin": origin, "Accept": "text/html"})
    assert (status, fields["set-cookie"].partition("-")[0]) == (303, "__Host")
    assert fields["set-cookie"].endswith("; Secure")
    assert plain.head("/-/login", *form, headers={"Origin": origin.replace("https", "http")})[0] == 403
    assert plain.head("/-/login", *form, headers={"Origin": "https://evil.example"})[0] == 403
    assert plain.ask("/up", headers={"Host": "evil.example"}) != "9 days\n"


def test_it_comes_as_it_is_made(plain: Proxied) -> None:
    """Text that is followed, and events."""
    go = plain.directory / "go"
    for options in (("?follow",), ("", "--header", "Accept: text/event-stream")):
        go.unlink(missing_ok=True)
        words = plain.curl(f"/two{options[0]}", "--no-buffer", *options[1:])
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            seen = b""
            while b"begun" not in seen:
                piece = os.read(process.stdout.fileno(), 4096)
                assert piece, seen
                seen += piece
            assert b"ended" not in seen
            go.touch()
            assert b"ended" in process.stdout.read()


def test_connections_are_kept(plain: Proxied) -> None:
    """Of many requests, the proxy's connections are fewer; and each request is its own client's."""
    before = len(plain.daemon.audit())
    for client in ("127.0.0.3", "127.0.0.4"):
        for _ in range(3):
            plain.ask("/up", "--interface", client)
    sources = [each["source"] for each in plain.daemon.audit()[before:] if each["event"] == "request"]
    assert sources == ["127.0.0.3"] * 3 + ["127.0.0.4"] * 3


@pytest.mark.parametrize("documented", BELOW, ids=str)
def test_below_a_path(documented: Documented) -> None:
    """Every address that is told leads to where the proxy serves it."""
    with reachable() as directory, proxied(documented, directory) as there:
        as_alice = ("--user", f"alice:{ALICE}")
        status, fields = there.head("")
        assert (status in {301, 303, 307, 308} and fields["location"].endswith("ops/")) or status == 200, fields
        assert there.head("", "--location")[0] in {200, 301, 303, 308}
        assert there.ask("/-/healthy") == "ok\n"
        assert "cmdserver" in there.ask("/metrics", *as_alice)
        status, fields = there.head("/touch", "--request", "POST", *as_alice, headers={"Prefer": "respond-async"})
        assert status == 202
        assert fields["location"].startswith("/ops/-/runs/")
        run = there.ask(fields["location"].removeprefix("/ops"), *as_alice, headers={"Accept": "application/json"})
        assert json.loads(run)["command"] == "touch"
        described = json.loads(there.ask("/-/openapi.json", *as_alice))
        assert there.address in {each["url"].rstrip("/") for each in described["servers"]} | {
            there.address.removesuffix("/ops") + each["url"].rstrip("/") for each in described["servers"]
        }
        assert f"{there.address}/" in there.ask("/-/help", *as_alice, headers={"Accept": "text/html"})
        status, fields = there.head("/touch", *as_alice)
        assert (status, fields["allow"]) == (405, "POST")


def test_who_the_caller_is(named: Proxied) -> None:
    """Whom the proxy has asked, whatever the client says besides."""
    before = len(named.daemon.audit())
    for headers in ({}, MADE_UP):
        assert named.head("/touch", "--request", "POST", headers=headers)[0] == 200
        last = named.last()
        assert (last["user"], last["source"], last["method"]) == ("ann", CLIENT, "proxy")
    logins = [each for each in named.daemon.audit()[before:] if each["event"] == "login"]
    assert len(logins) == 1
    page = named.ask("/", headers={"Accept": "text/html"})
    assert "ann" in page
    assert "logout" not in page


def test_what_is_to_be_left_out(named: Proxied) -> None:
    """Somebody whom no proxy names any more is turned away, and is nobody else."""
    before = len(named.daemon.audit())
    status, _ = named.head("/touch", "--request", "POST", headers=MADE_UP | LEAVE_OUT)
    assert status in {200, 401}
    for each in named.daemon.audit()[before:]:
        assert (each["user"], each["source"]) == ("ann" if status == 200 else None, CLIENT)


def test_who_the_proxy_does_not_know(named: Proxied) -> None:
    """Does not come as far as the daemon."""
    before = named.daemon.audit()
    assert named.head("/up", "--user", "ann:wrong", headers=MADE_UP)[0] == 401
    assert named.head("/up", "--user", f"alice:{ALICE}", headers=MADE_UP)[0] == 401
    assert named.daemon.audit() == before


def test_a_name_that_is_none(named: Proxied) -> None:
    """Is refused, without a challenge of ours."""
    status, fields = named.head("/up", "--user", f"Not a name:{PASSWORDS['Not a name']}")
    assert (status, fields.get("www-authenticate")) == (403, None)
    refused = [each for each in named.daemon.audit() if each["event"] == "login"][-1]
    assert (refused["method"], refused["source"], refused["outcome"]) == ("proxy", CLIENT, "denied")
    assert "Not a name" in refused["reason"]


def test_another_sites_page(named: Proxied) -> None:
    """It has its visitor's browser send what the proxy knows it by, and nothing is run."""
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": named.address}):
        assert named.head("/touch", "--request", "POST", headers=headers)[0] == 403


def test_a_browser(browser: Browser, tmp_path: Path) -> None:
    """Log in, run, watch it live, stop it and log out, over TLS and below a path that nginx keeps."""
    (documented,) = (each for each in BELOW if each.name == "nginx below a path")
    with reachable() as directory, proxied(documented, directory) as there:
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        page.set_default_timeout(LIMIT_SECONDS * 1000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(there.address)
        page.get_by_role("link", name="Commands").click()
        expect(page).to_have_url(f"{there.address}/")
        page.goto(f"{there.address}/-/login?next=/long")
        fill_in_login(page, "alice", ALICE)
        expect(page).to_have_url(f"{there.address}/long")
        page.get_by_role("button", name="Run").click()
        expect(page.locator("pre").first).to_contain_text("began")
        page.screenshot(path=tmp_path / "running.png")
        page.get_by_role("button", name="Stop").first.click()
        expect(state(page).first).to_contain_text("topped")
        page.screenshot(path=tmp_path / "stopped.png")
        page.goto(f"{there.address}/")
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"{there.address}/")
        (login,) = [each for each in there.daemon.audit() if each["event"] == "login"]
        assert (login["user"], login["method"], login["outcome"]) == ("alice", "password", "ok")
        context.close()
    outside = {each for each in asked if not each.startswith((f"{there.address}/", "blob:"))}
    assert outside <= {there.address}, outside
