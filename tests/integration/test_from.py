"""``from``: programs that people have, calling from an address that may call, and from one that may not."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.client import GREETING, Client
from tests.integration.daemon import Daemon, Listener, free_port, has_ipv6, running
from tests.integration.logins import ALICE, COMMANDS, LENIENT, ROLES, require_program, write_passwords
from tests.integration.ssh import NO_STATUS, SSH
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

ALLOWED, REFUSED = "127.0.0.2", "127.0.0.1"

LINE = Listener(login="never")
TLS = Listener(login="never", tls=True)
WEB = Listener(protocol="web", login="never")
HTTPS = Listener(protocol="web", login="never", tls=True)
SSH_LISTENER = Listener(protocol="ssh")
PROXIED = Listener(login="never", is_proxied=True)
LISTENERS = (LINE, TLS, WEB, HTTPS, SSH_LISTENER, PROXIED)
#: At an IPv6 socket, which takes IPv4 callers, too.
DUAL_PORT = free_port()
METRICS = Listener(protocol="web", login="never")

COUNTED = re.compile(r'^cmdserver_connections_refused_total\{protocol="(\w+)",reason="from"\} ([0-9.]+)$', re.MULTILINE)


def with_from(text: str, allowed: str) -> str:
    """Add listeners that one address may call to a configuration."""
    tables = ["\n".join([*each.toml(), f'from = ["{allowed}"]']) for each in LISTENERS]
    if has_ipv6():
        dual = f'[[listen]]\nprotocol = "line"\nlogin = "never"\nendpoint = "tcp6:{DUAL_PORT}"\nfrom = ["{allowed}"]\n'
        tables.append(dual)
    return "\n\n".join([text, *tables, ""])


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a listener of each kind for one address, and two for everybody."""
    directory = tmp_path_factory.mktemp("from")
    with running(directory, COMMANDS, listeners=[METRICS], roles=ROLES, limits=LENIENT) as daemon:
        write_passwords(daemon, {"alice": ALICE})
        daemon.config_file.write_text(with_from(daemon.config_file.read_text("utf-8"), ALLOWED), "utf-8")
        daemon.reload()
        assert "nothing was changed" not in daemon.log()
        yield daemon


def refused(daemon: Daemon) -> dict[str, float]:
    """Read from /metrics how many were refused, by protocol."""
    del daemon
    found = run(["curl", "-sS", f"http://127.0.0.1:{METRICS.port}/metrics"]).stdout.decode()
    return {protocol: float(number) for protocol, number in COUNTED.findall(found)}


def run(words: Sequence[str], text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a client to its end."""
    require_program(words[0])
    return subprocess.run(words, input=text, capture_output=True, timeout=LIMIT_SECONDS, check=False)


@pytest.mark.parametrize("netcat", ["nc.openbsd", "nc.traditional"])
def test_netcat(daemon: Daemon, netcat: str) -> None:
    """Who may call is answered; who may not is not even greeted, and the reason is in the log."""
    before = refused(daemon)["line"]
    answered, closed = (run([netcat, "-s", each, REFUSED, str(LINE.port)], b"uptime\n") for each in (ALLOWED, REFUSED))

    assert answered.stdout.startswith(GREETING)
    assert b"load average: " in answered.stdout
    assert closed.stdout == b""
    assert refused(daemon)["line"] == before + 1
    daemon.wait_for_log(f"tcp:{LINE.port}:interface=127.0.0.1: 1 connection closed, as from has no 127.0.0.1")
    assert refused(daemon).keys() == {"line", "web", "ssh"}


def test_ipv4_at_an_ipv6_socket(daemon: Daemon) -> None:
    """An IPv4 caller counts as what it is."""
    if not has_ipv6():
        pytest.skip("this host has no IPv6")
    answered, closed, six = (
        run(["nc.openbsd", "-s", source, target, str(DUAL_PORT)], b"uptime\n").stdout
        for source, target in ((ALLOWED, REFUSED), (REFUSED, REFUSED), ("::1", "::1"))
    )

    assert (answered.startswith(GREETING), closed, six) == (True, b"", b"")
    daemon.wait_for_log(f"tcp6:{DUAL_PORT}: 1 connection closed, as from has no 127.0.0.1")


@pytest.mark.parametrize("listener", [WEB, HTTPS], ids=["http", "https"])
def test_curl(daemon: Daemon, listener: Listener) -> None:
    """No answer, no status, no certificate."""
    before = refused(daemon)["web"]
    url = f"http{'s' if listener.tls else ''}://127.0.0.1:{listener.port}/uptime"
    answered, closed = (run(["curl", "-sSk", "--interface", each, url]) for each in (ALLOWED, REFUSED))

    assert b"load average: " in answered.stdout
    assert closed.stdout == b""
    # Nothing came (52), or the connection was reset while it was written to or read (35 in TLS, 56).
    assert closed.returncode in {35, 52, 56}
    assert refused(daemon)["web"] == before + 1


@pytest.mark.usefixtures("daemon")
def test_openssl() -> None:
    """Not a byte of TLS is read or written."""
    answered, closed = (
        run(["openssl", "s_client", "-bind", f"{each}:0", "-connect", f"127.0.0.1:{TLS.port}", "-ign_eof"], b"uptime\n")
        for each in (ALLOWED, REFUSED)
    )

    assert b"load average: " in answered.stdout
    assert b"SSL handshake has read 0 bytes" in closed.stdout
    assert b"no peer certificate available" in closed.stdout


def test_ssh(daemon: Daemon) -> None:
    """No version is exchanged."""
    before = refused(daemon)["ssh"]
    answered, closed = (
        SSH(listener=SSH_LISTENER, directory=daemon.directory, options={"BindAddress": each}).run("uptime")
        for each in (ALLOWED, REFUSED)
    )

    assert b"load average: " in answered.stdout
    assert (closed.returncode, closed.stdout) == (NO_STATUS, b"")
    assert refused(daemon)["ssh"] == before + 1


@pytest.mark.usefixtures("daemon")
def test_behind_a_proxy() -> None:
    """It is about whom the proxy names, wherever the proxy is."""
    for client, is_let_in in ((ALLOWED, True), (REFUSED, False), ("192.0.2.1", False)):
        header = f"PROXY TCP4 {client} 192.0.2.1 40000 2022\r\n".encode()
        said = run(["nc.openbsd", "-s", REFUSED, REFUSED, str(PROXIED.port)], header + b"uptime\n").stdout
        assert said.startswith(GREETING) == is_let_in == bool(said)


def test_a_crowd(tmp_path: Path) -> None:
    """It takes no place of anybody's: who may call is served when as many as there are places have been refused."""
    with running(tmp_path, COMMANDS, roles=ROLES, limits={"connections": 3}) as daemon:
        text = daemon.config_file.read_text("utf-8").replace("[[listen]]", f'[[listen]]\nfrom = ["{ALLOWED}"]', 1)
        daemon.config_file.write_text(text, "utf-8")
        daemon.reload()
        # Closed before it is read from: a client may find out as late as when it reads.
        with ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(Client(daemon.address)).send(b"x" * 10)
            said = run(["nc.openbsd", "-s", ALLOWED, REFUSED, str(daemon.port)], b"uptime\n").stdout
        assert said.startswith(GREETING)
        assert b"load average: " in said
        assert {each["event"] for each in daemon.audit()} <= {"request"}
        assert len(daemon.audit()) == 1


def test_a_reload(tmp_path: Path) -> None:
    """It keeps those who are there, and counts from the next connection on."""
    with running(tmp_path, COMMANDS, roles=ROLES) as daemon:
        text = daemon.config_file.read_text("utf-8")
        with Client(daemon.address) as client:
            client.read_greeting()
            client.send(b"session\nuptime\n")
            assert b"load average: " in client.read_line()
            daemon.config_file.write_text(text.replace("[[listen]]", f'[[listen]]\nfrom = ["{ALLOWED}"]', 1), "utf-8")
            daemon.reload()
            client.send(b"uptime\n")
            assert b"load average: " in client.read_line()
            assert run(["nc.openbsd", REFUSED, str(daemon.port)], b"uptime\n").stdout == b""
        daemon.config_file.write_text(text, "utf-8")
        daemon.reload()
        assert run(["nc.openbsd", REFUSED, str(daemon.port)], b"uptime\n").stdout.startswith(GREETING)
