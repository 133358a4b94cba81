"""The NRPE listener and the real check_nrpe of Debian, in every version, over plain TCP and over TLS."""

import shlex
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import pack

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdserver.core.version import VERSION
from cmdserver.frontends.nrpe.front_end import CHECK_NRPE
from cmdserver.frontends.nrpe.packets import Packet, Type, Version, parse, serialize
from tests.integration.daemon import Daemon, Listener, free_port, is_listening, running, shell
from tests.integration.logins import write_certificate
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("daemon"),
    pytest.mark.skipif(not Path(CHECK_NRPE).exists(), reason="check_nrpe (nagios-nrpe-plugin) is not installed here"),
]

NRPE = "/usr/sbin/nrpe"
PLAIN = Listener(protocol="nrpe", login="never")
TLS = Listener(protocol="nrpe", login="never", tls=True)
CERTIFIED = Listener(protocol="nrpe", login="required", tls=True)
VERSIONS: tuple[list[str], ...] = (["-2"], ["-3"], [])
EVERY_WAY = [(listener, version) for listener in (PLAIN, TLS) for version in VERSIONS]
every_way = pytest.mark.parametrize(
    ("listener", "version"),
    EVERY_WAY,
    ids=[f"{listener} {' '.join(version) or '-4'}" for listener, version in EVERY_WAY],
)

READS = {"read_only": True}
#: Of plugins, for nrpe as well as for us.
SCRIPTS = {
    "plugin-ok": "echo 'LOAD OK | load=0.1;1;2;0'",
    "plugin-critical": "echo CRITICAL; echo more; echo and more; exit 2",
    "plugin-unknown": "echo 'what: \u00e9\u20ac'; exit 3",
}
COMMANDS = {
    **{name: shell(script, check=True) for name, script in SCRIPTS.items()},
    "hello": {"run": ["echo", "hello"], **READS},
    "disk": shell(
        "echo 'DISK WARNING - 83% | /=83%;80;90'; echo '/var is well'; echo 'more | /var=10%'; exit 1", check=True
    ),
    "crash": shell("echo gone; kill -SEGV $$", check=True),
    "odd": shell("echo odd >&2; exit 7", **READS),
    "silent": {"run": ["true"], **READS},
    "slow": shell("echo begun; exec sleep 60", timeout_seconds=0.3, **READS),
    "big": {"run": ["python3", "-c", "print('\u00e9' * 40000)"], **READS},
    "touch": {"run": ["touch", "{path}"], "parameters": [{"name": "path", "type": "string"}]},
    "restart": shell('echo restarted; echo >"$OUT"'),
    "say": {
        "run": ["printf", "<%s>", "{first}", "{second}"],
        "parameters": [
            {"name": "first", "type": "string", "min_length": 0},
            {"name": "second", "type": "string", "min_length": 0},
        ],
        **READS,
    },
    "long": {"run": ["sleep", "60"], **READS},
}


def check(listener: Listener, *words: str) -> tuple[int, str]:
    """Ask with check_nrpe; return its exit status and what it has printed."""
    tls = [] if listener.tls else ["-n"]
    command = [CHECK_NRPE, "-H", "127.0.0.1", "-p", str(listener.port), "-t", str(LIMIT_SECONDS), *tls, *words]
    asked = subprocess.run(command, capture_output=True, timeout=2 * LIMIT_SECONDS, check=False)
    return asked.returncode, asked.stdout.decode().removesuffix("\n")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates for the daemon, for ada, and for somebody whom nobody believes."""
    directory, ours, theirs = tmp_path_factory.mktemp("pki"), trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(directory / "ca.crt"))
    theirs.cert_pem.write_to_path(str(directory / "other-ca.crt"))
    write_certificate(directory, "server", ours.issue_cert("localhost", "127.0.0.1"))
    write_certificate(directory, "ada", ours.issue_cert(common_name="ada"))
    write_certificate(directory, "eve", theirs.issue_cert(common_name="ada"))
    write_certificate(directory, "bob", ours.issue_cert(common_name="bob"))
    return directory


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Iterator[Daemon]:
    """A daemon for monitoring."""
    tls = {"certificate": str(pki / "server.crt"), "key": str(pki / "server.key"), "client_ca": str(pki / "ca.crt")}
    directory = tmp_path_factory.mktemp("nrpe")
    commands = {name: dict(each) for name, each in COMMANDS.items()}
    commands["restart"]["environment"] = {"OUT": str(directory / "restarted")}
    roles = {"anonymous": {"commands": ["*"]}, "staff": {"commands": ["hello", "restart"], "users": ["ada"]}}
    limits = {"login_seconds": 2, "connections_per_source": 60}
    listeners = (PLAIN, TLS, CERTIFIED)
    with running(directory, commands, listeners=listeners, roles=roles, tls=tls, limits=limits) as daemon:
        yield daemon


@every_way
def test_every_answer(listener: Listener, version: list[str]) -> None:
    """What check_nrpe prints, and how it ends, is what the command did."""

    def ask(*words: str) -> tuple[int, str]:
        return check(listener, *version, *words)

    assert ask() == (0, f"cmdserver v{VERSION}")
    assert ask("-c", "hello") == (0, "hello")
    assert ask("-c", "disk") == (1, "DISK WARNING - 83% | /=83%;80;90\n/var is well\nmore | /var=10%")
    status, text = ask("-c", "crash")
    assert (status, text) == (3, "ended by SIGSEGV: gone")
    assert ask("-c", "odd") == (7, "odd")
    assert ask("-c", "silent") == (0, "cmdserver: silent: printed nothing")
    status, text = ask("-c", "slow")
    assert (status, text) == (3, "cmdserver: slow: timeout: ran longer than 0.3 s and was ended\nbegun")
    assert ask("-c", "say", "-a", "one", "two three") == (0, "<one><two three>")
    assert ask("-c", "say", "-a", "", "") == (0, "<><>")
    assert ask("-c", "say", "-a", "second=x", "$(id);|`id`") == (0, "<second=x><$(id);|`id`>")


@pytest.fixture
def nrpe(tmp_path: Path) -> Iterator[int]:
    """Run nrpe's own daemon; give its port."""
    if not Path(NRPE).exists():
        pytest.skip("nrpe (nagios-nrpe-server) is not installed here")
    port, config = free_port(), tmp_path / "nrpe.cfg"
    lines = [f"server_port={port}", "server_address=127.0.0.1", "allowed_hosts=127.0.0.1", "nrpe_user=nobody"]
    lines += ["nrpe_group=nogroup", f"pid_file={tmp_path}/pid"]
    lines += [f"command[{name}]=/bin/sh -c {shlex.quote(script)}" for name, script in SCRIPTS.items()]
    config.write_text("\n".join(lines) + "\n", "utf-8")
    process = subprocess.Popen([NRPE, "-c", config, "-f", "-n"])
    try:
        wait_until(lambda: is_listening(("127.0.0.1", port)), "nrpe listens")
        yield port
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


@pytest.mark.parametrize("version", [["-2"], []], ids=["-2", "-4"])
def test_as_nrpe_does(nrpe: int, version: list[str]) -> None:
    """The same plugin has the same answer; in version 3 nrpe 4.1.0 resets the connection."""
    theirs = Listener(protocol="nrpe", login="never", port=nrpe)
    for name in SCRIPTS:
        assert check(PLAIN, *version, "-c", name) == check(theirs, *version, "-c", name), name


@every_way
def test_what_is_cut_says_so(listener: Listener, version: list[str]) -> None:
    """1023 bytes in version 2, and 65,535 in the others, in whole characters."""
    status, text = check(listener, *version, "-c", "big")
    beginning, _, end = text.partition("\n")

    assert (status, set(beginning)) == (0, {"\u00e9"})
    assert end == "cmdserver: the rest does not fit into an answer of this version of NRPE"
    longest = 1023 if version == ["-2"] else 65_535
    assert longest - 1 <= len(text.encode()) <= longest


@every_way
def test_what_is_refused(daemon: Daemon, listener: Listener, version: list[str]) -> None:
    """Nothing is run, the caller is told why, and so is the audit file."""
    canary = daemon.directory / "restarted"
    before = len(daemon.audit())
    cases = (
        (["-c", "restart"], "unknown_command"),
        (["-c", "touch", "-a", str(canary)], "unknown_command"),
        (["-c", "nothing"], "unknown_command"),
        (["-c", f"hello;touch {canary}"], "unknown_command"),
        (["-c", "hello", "-a", "x"], "bad_argument"),
        (["-c", "say", "-a", "x"], "bad_argument"),
        (["-c", "say", "-a", "x", f"y\ntouch {canary}"], "bad_argument"),
        (["-c", "say", "-a", "x", "-y"], "bad_argument"),
        (["-c", "say", "-a", "x", "y" * 3000], "malformed"),
    )
    for words, code in cases:
        status, text = check(listener, *version, *words)
        assert (status, text.partition(": ")[2].partition(":")[0]) == (3, code), (words, text)

    assert not canary.exists()
    records = daemon.audit()[before:]
    assert [each["outcome"] for each in records] == [code for _, code in cases]
    assert {each["protocol"] for each in records} == {"nrpe"}


@pytest.mark.parametrize("version", VERSIONS, ids=["-2", "-3", "-4"])
def test_certificates(daemon: Daemon, pki: Path, version: list[str]) -> None:
    """Who shows one is somebody; who shows none, or one that nobody believes, has nothing run."""

    def ask(name: str, ca: str, *words: str) -> tuple[int, str]:
        shown = ["-C", str(pki / f"{name}.crt"), "-K", str(pki / f"{name}.key"), "-A", str(pki / ca)]
        return check(CERTIFIED, *version, *shown, *words)

    assert ask("ada", "ca.crt", "-c", "hello") == (0, "hello")
    assert (daemon.audit()[-1]["user"], daemon.audit()[-1]["method"]) == ("ada", "certificate")
    assert ask("ada", "ca.crt")[0] == 0
    assert ask("ada", "ca.crt", "-c", "restart")[1].startswith("cmdserver: unknown_command: ")
    assert ask("ada", "ca.crt", "-c", "odd")[1].startswith("cmdserver: denied: no role of ada includes odd")
    assert ask("bob", "ca.crt", "-c", "hello")[1].startswith("cmdserver: denied: no role of bob includes hello")
    before = [each for each in daemon.audit() if each["outcome"] == "ok"]
    assert ask("eve", "other-ca.crt", "-c", "hello")[0] != 0
    status, text = check(CERTIFIED, *version, "-c", "hello")
    assert (status, text) == (3, "cmdserver: denied: a login is required here: check_nrpe -C CERTIFICATE -K KEY")
    assert check(CERTIFIED, *version)[0] == 3
    assert [each for each in daemon.audit() if each["outcome"] == "ok"] == before
    assert not (daemon.directory / "restarted").exists()


def test_who_is_gone(daemon: Daemon) -> None:
    """A run whose caller has left is ended."""
    with _connected() as client:
        client.sendall(serialize(Packet(Version.V4, b"long"), Type.QUERY))
        wait_until(lambda: _sleeps(daemon), "the command runs")
    wait_until(lambda: daemon.audit()[-1]["ended_by"] == "disconnect", "the run is ended")


def test_the_wrong_way_in() -> None:
    """check_nrpe without TLS where that is spoken, and the other way round: closed, and the next one is served."""
    crossed = Listener(protocol="nrpe", login="never", tls=True, port=PLAIN.port)
    assert check(crossed, "-c", "hello")[0] != 0
    crossed = Listener(protocol="nrpe", login="never", tls=False, port=TLS.port)
    assert check(crossed, "-c", "hello")[0] != 0
    assert check(PLAIN, "-c", "hello") == check(TLS, "-c", "hello") == (0, "hello")


def test_old_tls() -> None:
    """Neither old versions nor anonymous key exchange, for which nrpe is known (README.SSL.md)."""
    assert check(TLS, "-S", "TLSv1.1", "-c", "hello")[0] != 0
    assert check(TLS, "-d", "2", "-S", "TLSv1.2", "-c", "hello")[0] != 0
    assert check(TLS, "-S", "TLSv1.2", "-c", "hello") == (0, "hello")


@settings(
    max_examples=150,
    deadline=None,
)
@given(
    st.sampled_from([serialize(Packet(version, b"hello"), Type.QUERY) for version in Version]),
    st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 255)), max_size=4),
    st.integers(0, 1100),
    st.binary(max_size=100),
)
def test_packets_that_are_none(packet: bytes, changes: list[tuple[int, int]], length: int, behind: bytes) -> None:
    """Bytes that are wrong, missing or too many: an answer, or the end, in time."""
    mangled = bytearray(packet)
    for at, byte in changes:
        if at < len(mangled):
            mangled[at] = byte
    with _connected() as client:
        client.sendall(bytes(mangled[:length]) + behind)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        answered = _read_all(client)
    assert not answered or parse(answered, kind=Type.ANSWER) is not None


def test_after_all_that(daemon: Daemon) -> None:
    """Whoever is slow, or announces too much, is closed in time; and check_nrpe is answered all the while."""
    silent, slow, greedy = _connected(), _connected(), _connected()
    idle = [_connected() for _ in range(40)]
    slow.sendall(serialize(Packet(Version.V4, b"hello"), Type.QUERY)[:-1])
    greedy.sendall(pack("!hhIhhI", 4, 1, 0, 0, 0, 1 << 31))
    for client in (*idle, silent, slow, greedy):
        assert check(PLAIN, "-c", "hello") == (0, "hello") if client in {silent, slow} else True
        assert _read_all(client) == b""
        client.close()
    before = daemon.rss_bytes()
    for _ in range(50):
        with _connected() as client, suppress(OSError):
            client.sendall(pack("!hhIhhI", 3, 1, 0, 0, 0, 65_000) + bytes(60_000))
    assert daemon.rss_bytes() < before + (10 << 20)
    with ssl_connected() as client, suppress(OSError):
        client.sendall(b"\0\4" * 50_000)
    for listener, version in EVERY_WAY:
        assert check(listener, *version, "-c", "hello") == (0, "hello")
    assert "malformed" in {each["outcome"] for each in daemon.audit() if each["protocol"] == "nrpe"}


def _sleeps(daemon: Daemon) -> bool:
    for pid in daemon.processes():
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
    return False


def _connected() -> socket.socket:
    client = socket.create_connection(("127.0.0.1", PLAIN.port), LIMIT_SECONDS)
    client.settimeout(LIMIT_SECONDS)
    return client


def ssl_connected() -> ssl.SSLSocket:
    """Connect to the listener with TLS, whoever it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", TLS.port), LIMIT_SECONDS))


def _read_all(client: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionResetError):
        while data := client.recv(1 << 16):
            received += data
    return received
