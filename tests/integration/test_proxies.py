"""Listeners behind a proxy that says who calls: with headers as they may come, and with haproxy itself."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.client import GREETING, Client
from tests.integration.daemon import Daemon, Listener, free_port, running
from tests.integration.logins import ALICE, COMMANDS, ROLES, USER, believing, logins, require_program, write_passwords
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

LINE = Listener(allow_plaintext_passwords=True, is_proxied=True)
TLS = Listener(tls=True, is_proxied=True)
WEB = Listener(protocol="web", allow_plaintext_passwords=True, is_proxied=True)
SSH = Listener(protocol="ssh", is_proxied=True)
ANYBODY = Listener(login="never", is_proxied=True)
LISTENERS = (LINE, TLS, WEB, SSH, ANYBODY)

#: What a client hears that is let in, once it has said what comes first.
WELCOMES = {
    LINE: (b"", USER),
    WEB: (b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200 "),
    SSH: (b"", b"SSH-2.0-"),
}

LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
STRANGER = "198.51.100.7"


def header(client: str) -> bytes:
    """Say who calls."""
    return f"PROXY TCP4 {client} 192.0.2.1 40000 2022\r\n".encode()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a listener of each kind, all of them behind a proxy."""
    # Who leaves is gone when the daemon sees it: so many may be there that nobody is turned away by chance.
    limits = {"unauthenticated": "1000:30:1000"}
    with running(
        tmp_path_factory.mktemp("proxied"), COMMANDS, listeners=LISTENERS, roles=ROLES, limits=limits
    ) as daemon:
        write_passwords(daemon, {"alice": ALICE})
        yield daemon


def whoami(listener: Listener, before: bytes, pieces: int | None = None) -> bytes:
    """Ask which address a client of a header has, which may come in pieces of so many bytes."""
    with Client(listener.address) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = before + b"whoami\n"
        for at in range(0, len(request), pieces or len(request)):
            client.send(request[at : at + (pieces or len(request))])
        return client.read_all()


@pytest.mark.parametrize("pieces", [None, 1, 20])
@pytest.mark.parametrize(
    ("sent", "address"),
    [
        (header(STRANGER), STRANGER),
        (b"PROXY TCP6 2001:db8::9 ::1 1 2\r\n", "2001:db8::9"),
        (b"PROXY TCP6 ::ffff:198.51.100.7 ::1 1 2\r\n", STRANGER),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN ffff:f::f ffff:f::f 65535 65535\r\n", "127.0.0.1"),
        (LOCAL, "127.0.0.1"),
        (LOCAL[:12] + b"\x21\x11\0\x0f" + bytes([198, 51, 100, 7, 192, 0, 2, 1, 0, 1, 0, 2]) + b"\4\0\0", STRANGER),
    ],
)
@pytest.mark.usefixtures("daemon")
def test_where_a_client_is(sent: bytes, address: str, pieces: int | None) -> None:
    """It is where the header says, however that comes."""
    assert f"address   {address}\n".encode() in whoami(ANYBODY, sent, pieces)


@pytest.mark.parametrize(
    "sent", [b"whoami\n", b"PROXY nonsense\r\n", b"PROXY UNKNOWN " + b"x" * 200, LOCAL[:14] + b"\xff\xff"]
)
@pytest.mark.usefixtures("daemon")
def test_what_is_no_header(sent: bytes) -> None:
    """It is closed, and nothing is said."""
    with Client(ANYBODY.address) as client:
        client.send(sent)
        try:
            assert client.read_all() == b""
        except ConnectionResetError:
            return


@pytest.mark.parametrize("listener", WELCOMES, ids=lambda listener: listener.protocol)
def test_strangers_are_not_charged_to_the_proxy(daemon: Daemon, listener: Listener) -> None:
    """Strangers who leave, and a load balancer's looks, keep nobody out."""
    says, hears = WELCOMES[listener]
    before = daemon.log()
    for number in range(40):
        for sent in (header(f"203.0.113.{number}"), b"", LOCAL, b"PROXY UNKNOWN\r\n", header(STRANGER)[:20]):
            with Client(listener.address) as client:
                client.send(sent)
                if sent.endswith(b"\r\n") and not says:
                    assert client.read_line().startswith(hears)
    with Client(listener.address) as client:
        client.send(header(STRANGER) + says)
        assert client.read_line().startswith(hears)
    said = daemon.log().removeprefix(before)
    assert "refused for now" not in said
    assert "is closed" not in said


def test_each_client_has_its_own_places(tmp_path: Path) -> None:
    """Silent clients count for themselves, not for their proxy."""
    listener = Listener(login="never", is_proxied=True)
    limits = {"connections_per_source": 3}
    with running(tmp_path, COMMANDS, listeners=[listener], roles=ROLES, limits=limits), ExitStack() as stack:
        for number in range(10):
            client = stack.enter_context(Client(listener.address))
            client.send(header(f"203.0.113.{number}"))
            client.read_greeting()
            stack.enter_context(Client(listener.address)).send(b"PROXY ")
        for _ in range(3):
            client = stack.enter_context(Client(listener.address))
            client.send(header(STRANGER))
            client.read_greeting()
        full = whoami(listener, header(STRANGER))
        assert full.startswith(b"cmdserver: busy: 3 connections are open from 198.51.100.7")


# haproxy itself

BALANCED = {listener: replace(listener, port=free_port()) for listener in LISTENERS}


@pytest.fixture(scope="module", params=["send-proxy", "send-proxy-v2"])
def behind_haproxy(
    request: pytest.FixtureRequest, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """Put haproxy before the daemon, which looks a hundred times a second whether each listener is open."""
    haproxy = require_program("haproxy")
    before = daemon.log()
    lines = ["defaults", " mode tcp", " timeout connect 10s", " timeout client 1m", " timeout server 1m"]
    for listener, front in BALANCED.items():
        lines += [f"listen {front.port}", f" bind 127.0.0.1:{front.port}"]
        lines.append(f" server s 127.0.0.1:{listener.port} {request.param} check check-send-proxy inter 10ms")
    file = tmp_path_factory.mktemp("haproxy") / "haproxy.cfg"
    file.write_text("\n".join([*lines, ""]), "ascii")
    process = subprocess.Popen([haproxy, "-db", "-f", file], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _welcomes(BALANCED[ANYBODY]), "haproxy passes connections on")
        yield daemon
    finally:
        process.terminate()
        process.wait()
    said = daemon.log().removeprefix(before)
    assert "refused for now" not in said
    assert "is closed" not in said


def _welcomes(listener: Listener) -> bool:
    try:
        with Client(listener.address) as client:
            return client.read_until(b"\n") == GREETING
    except ConnectionError:
        return False


def test_haproxy_says_who_calls(behind_haproxy: Daemon) -> None:
    """At every listener, TLS included, the client's own address is known; also if it ends its input at once."""
    with Client(BALANCED[ANYBODY].address, source="127.0.0.5") as client:
        client.send(b"session\nwhoami\n")
        client.half_close()
        assert b"address   127.0.0.5\n" in client.read_all()
    for listener, tls in ((LINE, None), (TLS, believing())):
        with Client(BALANCED[listener].address, source="127.0.0.6", tls=tls) as client:
            client.send(f"alice\n{ALICE}\nwhoami\n".encode())
            assert b"address   127.0.0.6\n" in client.read_all()
    with Client(BALANCED[WEB].address, source="127.0.0.7") as client:
        client.send(b"GET /uptime HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWxpY2U6d3Jvbmc=\r\n\r\n")
        assert client.read_until(b"\n").startswith(b"HTTP/1.1 401 ")
    with Client(BALANCED[SSH].address, source="127.0.0.8") as client:
        assert client.read_until(b"\n") == b"SSH-2.0-cmdserver\r\n"

    seen = [(event["protocol"], event["source"], event["outcome"]) for event in logins(behind_haproxy)]
    assert seen[-3:] == [("line", "127.0.0.6", "ok")] * 2 + [("web", "127.0.0.7", "denied")]
