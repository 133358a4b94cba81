"""Lines of the audit file, forwarded to real receivers: rsyslog, systemd's journal, openssl, and none at all."""

import json
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.integration.daemon import Daemon, Listener, clean_environment, free_port, prepared, shell
from tests.integration.logins import companion, require_program
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

COMMANDS = {"word": shell("echo word"), "look": shell("echo look", read_only=True)}
RSYSLOG = """
global(workDirectory="{place}" maxMessageSize="64k"
       defaultNetstreamDriverCAFile="{place}/ca.pem" defaultNetstreamDriverCertFile="{place}/server.pem"
       defaultNetstreamDriverKeyFile="{place}/server.key")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" StreamDriver.Name="{driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="udp")
input(type="imptcp" address="127.0.0.1" port="{tcp}" ruleset="tcp")
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="tls")
input(type="imuxsock" Socket="{place}/socket" UseSpecialParser="off" ParseHostname="on" RateLimit.Interval="0"
      ruleset="unix")
template(name="line" type="string" string="%msg%\\n")
template(name="about" type="string" string="%pri% %hostname% %app-name% %procid% %msgid% %structured-data%\\n")
ruleset(name="udp") {{ action(type="omfile" file="{place}/udp.out" template="line") }}
ruleset(name="tcp") {{ action(type="omfile" file="{place}/tcp.out" template="line")
                       action(type="omfile" file="{place}/about.out" template="about") }}
ruleset(name="tls") {{ action(type="omfile" file="{place}/tls.out" template="line") }}
ruleset(name="unix") {{ action(type="omfile" file="{place}/unix.out" template="line") }}
"""


def forwarding(daemon: Daemon, *receivers: Mapping[str, object], **how: object) -> None:
    """Configure a daemon that forwards to these."""
    daemon.configure(COMMANDS, **how)  # type: ignore[arg-type]
    with daemon.config_file.open("a") as file:
        for each in receivers:
            keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in each.items())
            file.write(f"[[audit.forward]]\n{keys}")


def to(*receivers: str) -> list[Mapping[str, object]]:
    """Say receivers that need no more."""
    return [{"to": each} for each in receivers]


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that is not started."""
    with prepared(tmp_path_factory.mktemp("forwarding")) as daemon:
        yield daemon


class Rsyslog:
    """An rsyslogd that writes what it receives to a file for each input."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.ports = {name: free_port() for name in ("udp", "tcp", "tls")}
        drivers = [
            path for path in Path("/usr/lib").glob("*/rsyslog/lmnsd_*.so") if path.stem in {"lmnsd_gtls", "lmnsd_ossl"}
        ]
        if not drivers:
            pytest.skip("rsyslog has no TLS here: neither rsyslog-gnutls nor rsyslog-openssl")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(place / "ca.pem")
        certificate = authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(place / "server.key")
        certificate.cert_chain_pems[0].write_to_path(place / "server.pem")
        place.chmod(0o755)
        (place / "ca.pem").chmod(0o644)
        text = RSYSLOG.format(place=place, driver=drivers[0].stem.removeprefix("lmnsd_"), **self.ports)
        (place / "rsyslog.conf").write_text(text, "ascii")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [require_program("rsyslogd"), "-n", "-f", str(self.place / "rsyslog.conf"), "-i", str(self.place / "pid")]
        )
        wait_until((self.place / "socket").exists, "rsyslog listens")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT_SECONDS)
            (self.place / "socket").unlink(missing_ok=True)
            self._process = None

    def receivers(self) -> list[Mapping[str, object]]:
        """Say how to reach it."""
        return [
            {"to": f"udp:localhost:{self.ports['udp']}"},
            {"to": f"tcp:127.0.0.1:{self.ports['tcp']}"},
            {"to": f"tls:127.0.0.1:{self.ports['tls']}", "ca": str(self.place / "ca.pem"), "server_name": "localhost"},
            {"to": f"unix:{self.place}/socket"},
        ]

    def got(self, name: str) -> bytes:
        """Return what an input has received."""
        path = self.place / f"{name}.out"
        return path.read_bytes() if path.exists() else b""


@pytest.fixture
def rsyslog(reachable: Path) -> Iterator[Rsyslog]:
    """One that is not started."""
    require_program("rsyslogd")
    rsyslog = Rsyslog(reachable)
    yield rsyslog
    rsyslog.stop()


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that a daemon finds its way to that is not root any more."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_rsyslog(daemon: Daemon, rsyslog: Rsyslog) -> None:
    """By every transport the copy is the file, to the byte, and can be verified; also what comes while it is away."""
    rsyslog.start()
    forwarding(daemon, *rsyslog.receivers())
    daemon.start()
    names = ("udp", "tcp", "tls", "unix")

    def are_there(names: tuple[str, ...] = names) -> bool:
        return all(rsyslog.got(each) == daemon.audit_file.read_bytes() for each in names)

    daemon.ask("session\nword\nlook\nnobody 'ü'\nquit\n")
    wait_until(are_there, "all copies")
    assert {line.split()[4] for line in rsyslog.got("about").decode().splitlines()} == {"started", "request"}
    for line in rsyslog.got("about").decode().splitlines():
        assert re.fullmatch(rf"8[3-6] {socket.gethostname()} cmdserver {daemon.pid} (started|request) -", line)
    copy = rsyslog.place / "tls.out"
    head = daemon.audit_file.read_bytes()[-67:-3].decode()
    assert "the chain is whole" in companion(daemon, "audit", "verify", str(copy)).stdout
    companion(daemon, "audit", "verify", "--head", head, str(daemon.audit_file))

    rsyslog.stop()
    daemon.wait_for_log("lines of the audit file wait for tls:")
    for _ in range(3):
        assert daemon.ask("word\n") == b"word\n"
    rsyslog.start()
    wait_until(lambda: are_there(("tcp", "tls", "unix")), "what has waited")
    daemon.ask("word\n")
    daemon.stop()
    wait_until(lambda: are_there(("tcp", "tls", "unix")), "what came last")


def test_dead_receivers_cost_nothing(tmp_path: Path, reachable: Path) -> None:
    """Not there, not known, not reading, not speaking TLS: answers are as fast as ever, and losses are counted."""
    web = Listener(protocol="web", login="never")
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        daemon = stack.enter_context(prepared(tmp_path))
        there = reachable / "socket"
        full = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        full.bind(str(there))
        there.chmod(0o666)
        forwarding(
            daemon,
            *to(
                f"udp:127.0.0.1:{free_port()}",
                f"tcp:127.0.0.1:{free_port()}",
                f"tcp:127.0.0.1:{silent.getsockname()[1]}",
                f"tls:127.0.0.1:{silent.getsockname()[1]}",
                "tcp:nowhere.invalid:514",
                "unix:/nowhere/socket",
                f"unix:{there}",
            ),
            listeners=[web],
        )
        daemon.start(environment=daemon.with_constants({"cmdserver.forwarding.forwarder.MOST_LINES": 50}))
        begun = time.monotonic()
        for _ in range(3):
            daemon.ask("session\n" + "look\n" * 100 + "quit\n")
        assert time.monotonic() - begun < LIMIT_SECONDS
        with urllib.request.urlopen(f"http://127.0.0.1:{web.port}/metrics") as response:
            metrics = response.read().decode()
        found = re.findall(r'^cmdserver_audit_forward_(\w+)\{to="(\w+):[^"]+"\} (\S+)$', metrics, re.MULTILINE)
        counts = {(name, transport): float(value) for name, transport, value in found}
        assert (counts["sent_total", "tls"], counts["lost_total", "tls"], counts["waiting", "tls"]) == (0, 250, 50)
        assert daemon.log().count("Connection refused") <= 4
        daemon.stop()
        assert "Traceback" not in daemon.log()


def test_reload(daemon: Daemon, rsyslog: Rsyslog) -> None:
    """Receivers are added and removed; one with a mistake changes nothing."""
    rsyslog.start()
    _, tcp, tls, unix = rsyslog.receivers()
    forwarding(daemon, tcp)
    daemon.start()
    daemon.ask("word\n")
    wait_until(lambda: rsyslog.got("tcp") == daemon.audit_file.read_bytes(), "the first one")
    before = daemon.audit_file.read_bytes()
    forwarding(daemon, {**tls, "ca": "/nowhere/ca.pem"})
    daemon.reload()
    assert "configuration: /nowhere/ca.pem: No such file or directory" in daemon.log()
    forwarding(daemon, tls, unix)
    daemon.reload()
    assert "configuration read again: ~ audit: forward: " in daemon.log()
    daemon.ask("word\n")
    rest = daemon.audit_file.read_bytes()[len(before) :]
    wait_until(lambda: rsyslog.got("tls") == rsyslog.got("unix") == rest, "the new ones")
    assert rsyslog.got("tcp") == before


@contextmanager
def openssl_server(place: Path, name: str) -> Iterator[tuple[int, Path]]:
    """Start a TLS server that writes down what it gets; give its port and the file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place / "ca.pem")
    (place / "ca.pem").chmod(0o644)
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(place / "server.pem")
    port = free_port()
    with (place / "out").open("wb") as out:
        process = subprocess.Popen(
            [
                require_program("openssl"),
                "s_server",
                "-quiet",
                "-accept",
                str(port),
                "-cert",
                str(place / "server.pem"),
            ],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield port, place / "out"
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)
        assert process.stdin is not None
        process.stdin.close()


def test_openssl(daemon: Daemon, reachable: Path) -> None:
    """Octet counting over TLS; who has a certificate of another name, or of nobody's authority, gets nothing."""
    with openssl_server(reachable, "localhost") as (port, out):
        ca = str(reachable / "ca.pem")
        forwarding(daemon, {"to": f"tls:localhost:{port}"})
        daemon.start()
        daemon.wait_for_log("TLS: certificate verify failed")
        daemon.ask("word\n")
        forwarding(daemon, {"to": f"tls:localhost:{port}", "ca": ca, "server_name": "logs.example"})
        daemon.reload()
        daemon.wait_for_log("TLS: the certificate is for another name")
        assert out.read_bytes() == b""
        forwarding(daemon, {"to": f"tls:localhost:{port}", "ca": ca})
        daemon.reload()
        daemon.ask("look\n")
        wait_until(lambda: out.read_bytes().endswith(daemon.audit_file.read_bytes()[:-1][-66:]), "the last message")
        stream = out.read_bytes()
        for line in daemon.audit_file.read_bytes().splitlines():
            length, _, stream = stream.partition(b" ")
            message, stream = stream[: int(length)], stream[int(length) :]
            assert message.startswith(b"<86>1 20")
            assert message.endswith(b" - " + line)
        assert stream == b""


def test_the_journal(daemon: Daemon) -> None:
    """Entries with fields, which journalctl finds."""
    journal = "/run/systemd/journal/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(journal)
        except OSError:
            pytest.skip("systemd's journal does not run here")
    forwarding(daemon, *to(f"unix:{journal}", "unix:/run/systemd/journal/dev-log"))
    daemon.start()
    daemon.ask(f"session\nword\nnobody {'x' * 7000}\nquit\n")

    def found(*words: str) -> bytes:
        return subprocess.run(
            [require_program("journalctl"), "--quiet", "--no-pager", "--output=cat", f"_PID={daemon.pid}", *words],
            env=clean_environment(),
            capture_output=True,
            check=False,
        ).stdout

    lines = daemon.audit_file.read_bytes()
    wait_until(lambda: found("_TRANSPORT=journal") == lines, "the entries")
    wait_until(lambda: found("_TRANSPORT=syslog") == lines, "the messages")
    assert found("CMDSERVER_COMMAND=word", "CMDSERVER_EVENT=started") == lines.splitlines(keepends=True)[0]
