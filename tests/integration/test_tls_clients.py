"""TLS with the clients that people have: all answers arrive, nothing weak is agreed on, sessions are resumed."""

import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
import trustme

from tests.tls_doubles import issue, write_pair
from tests.waiting import LIMIT_SECONDS, wait_until_steady

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
VERSIONS = ("-tls1_2", "-tls1_3")

versions = pytest.mark.parametrize("version", VERSIONS)


class Server:
    """A running `tls_echo` with its certificates.

    Args:
        directory: For them.
        minimum_version: Of TLS.
        linger_seconds: How long a client that was told everything may stay; usually longer than any test waits.
    """

    def __init__(self, directory: Path, minimum_version: str = "1.2", linger_seconds: float = 1000) -> None:
        self.directory = directory
        self.ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.ca_path = directory / "ca.crt"
        self.ca_path.write_bytes(self.ca.cert_pem.bytes())
        self.renew()
        files = [str(each) for each in (directory / "tls.crt", directory / "tls.key", self.ca_path)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.tls_echo", *files, minimum_version, str(linger_seconds)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.port = int(self.next_word("listening"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        self.process.stdout.close()
        assert "Traceback" not in said, said

    def renew(self) -> None:
        """Make another certificate for it."""
        write_pair(self.directory, issue(self.ca, "localhost", "127.0.0.1"))

    def user(self, name: str, ca: trustme.CA | None = None, **options: datetime) -> tuple[Path, Path]:
        """Make a client's certificate."""
        return write_pair(self.directory, issue(ca or self.ca, name, **options), f"client-{name}")

    def next_word(self, kind: str) -> str:
        """Wait for the server to say something of a kind; what else it says before is dropped."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            assert "Traceback" not in line, line + self.process.stdout.read()
            word, _, rest = line.strip().partition(" ")
            if word.rstrip(":") == kind:
                return str(rest)
        raise AssertionError(f"the server has ended without saying {kind}")

    def reload(self) -> None:
        """Have it read its files again."""
        self.process.send_signal(signal.SIGHUP)

    def memory(self) -> int:
        """Say how much memory it uses, in bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give a running server."""
    with Server(tmp_path) as server:
        yield server


def ask(program: str, arguments: list[object], said: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a client with its input; it has ended by itself."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")
    command = [program, *map(str, arguments)]
    return subprocess.run(command, input=said, capture_output=True, timeout=LIMIT_SECONDS, check=False)


def s_client(server: Server, said: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Ask with openssl, as the documentation says."""
    common = ["s_client", "-quiet", "-connect", f"localhost:{server.port}", "-CAfile", server.ca_path]
    return ask("openssl", [*common, "-verify_return_error", *arguments], said)


def python(server: Server, certificate: tuple[Path, Path] | None = None) -> ssl.SSLSocket:
    """Connect with Python's own TLS."""
    context = ssl.create_default_context(cafile=server.ca_path)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_SECONDS)
    return context.wrap_socket(connection, server_hostname="localhost")


# All answers


@versions
def test_openssl(server: Server, version: str) -> None:
    """``s_client -quiet`` gets all answers after its input has ended; the server ends it."""
    done = s_client(server, b"one\ntwo\nquit\n", version)

    assert done.stdout == b"hello stranger\necho: one\necho: two\n"
    assert done.returncode == 0
    assert server.next_word("lost") == "ConnectionDone"


@pytest.mark.parametrize("options", [[], ["--no-shutdown"]])
def test_ncat(server: Server, options: list[object]) -> None:
    """So does ncat, which ends its input with a FIN and nothing else, or not at all; it does not wait for us to go."""
    said = b"one\ntwo\nquit\n" if options else b"one\ntwo\n"

    done = ask("ncat", ["--ssl", *options, "127.0.0.1", server.port], said)

    assert done.stdout == b"hello stranger\necho: one\necho: two\n"
    assert done.returncode == 0


def test_ncat_without_a_line_end(server: Server) -> None:
    """What may be half a line is known to be so."""
    done = ask("ncat", ["--ssl", "127.0.0.1", server.port], b"one\nupti")

    assert done.stdout == b"hello stranger\necho: one\ncut\n"


def test_socat(server: Server) -> None:
    """So does socat, which ends its input properly, the last line included."""
    address = f"OPENSSL:localhost:{server.port},cafile={server.ca_path}"

    done = ask("socat", ["-t10", "-", address], b"one\ntwo\nthree")

    assert done.stdout == b"hello stranger\necho: one\necho: two\nlast: three\n"
    assert done.returncode == 0


def test_much_to_send(server: Server) -> None:
    """All of a long answer arrives before the end does."""
    done = ask("ncat", ["--ssl", "127.0.0.1", server.port], b"flood 300\nlast\n")

    assert len(done.stdout) == len(b"hello stranger\n") + 300 * 65_536 + len(b"echo: last\n")
    assert done.stdout.endswith(b"x\necho: last\n")


def test_client_that_does_not_read(server: Server) -> None:
    """A client that asks for a gigabyte and reads none of it costs the server next to nothing."""
    with python(server) as connection:
        connection.sendall(b"flood 1\n")
        wait_until_steady(server.memory, "what is sent fits into the network")
        before = server.memory()
        connection.sendall(b"flood 16384\n")

        assert wait_until_steady(server.memory, "what is sent is bounded") - before < 4_000_000
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert server.next_word("lost").startswith("Connection")


def test_client_that_stays(tmp_path: Path) -> None:
    """One who does not leave when everything is said is left after a while, without a reset."""
    with Server(tmp_path, linger_seconds=0.3) as server, python(server) as connection:
        started = time.monotonic()
        connection.sendall(b"quit\n")
        assert connection.recv(100) == b"hello stranger\n"
        assert connection.recv(100) == b""
        assert server.next_word("lost") == "ConnectionDone"
        assert time.monotonic() - started >= 0.3


def test_killed_client(server: Server) -> None:
    """A connection that is reset is lost at once."""
    with python(server) as connection:
        connection.sendall(b"one\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert server.next_word("lost").startswith("Connection")


# What is agreed on


@versions
@pytest.mark.parametrize("alpn", ["h2,http/1.1", "x"])
def test_alpn(server: Server, version: str, alpn: str) -> None:
    """A client that offers application protocols is served."""
    done = s_client(server, b"one\nquit\n", version, "-alpn", alpn)

    assert done.stdout == b"hello stranger\necho: one\n"


@versions
@pytest.mark.parametrize("has_certificate", [False, True])
def test_resumption(server: Server, version: str, has_certificate: bool) -> None:
    """A client that comes back resumes its session, and is who it was."""
    session = server.directory / "session"
    options: list[object] = [version]
    name = b"stranger"
    if has_certificate:
        certificate, key = server.user("alice")
        options += ["-cert", certificate, "-key", key]
        name = b"alice"

    first = s_client(server, b"quit\n", *options, "-sess_out", session)
    arguments = ["s_client", "-ign_eof", "-connect", f"localhost:{server.port}", "-sess_in", session, *options]
    second = ask("openssl", arguments, b"quit\n")

    assert b"hello " + name in first.stdout
    assert b"\nReused, TLSv1" in second.stdout
    assert b"hello " + name in second.stdout


def test_renegotiation(server: Server) -> None:
    """A client's wish to renegotiate is refused."""
    address = ["-connect", f"localhost:{server.port}", "-CAfile", server.ca_path]

    done = ask("openssl", ["s_client", "-tls1_2", "-legacy_renegotiation", *address], b"R\nquit\n")

    assert b"RENEGOTIATING" in done.stdout + done.stderr
    assert b"no renegotiation" in done.stderr


def test_sslscan(server: Server) -> None:
    """The scanner finds TLS 1.2 and 1.3, suites with GCM or ChaCha20 alone, and nothing to complain of."""
    done = ask("sslscan", ["--no-colour", f"127.0.0.1:{server.port}"], b"")
    said = done.stdout.decode()

    assert re.findall(r"^((?:SSL|TLS)v\S+) +enabled", said, re.MULTILINE) == ["TLSv1.2", "TLSv1.3"], said
    suites = re.findall(r"^(?:Preferred|Accepted) +TLSv\S+ +\d+ bits +(\S+)", said, re.MULTILINE)
    assert len(suites) == 6, said
    for suite in suites:
        assert "GCM" in suite or "CHACHA20" in suite, said
    assert "Session renegotiation not supported" in said
    assert "Compression enabled" not in said
    assert "vulnerable" not in said.replace("not vulnerable", "")


def test_minimum_version(tmp_path: Path) -> None:
    """Where 1.3 is the least, 1.2 is refused."""
    with Server(tmp_path, "1.3") as server:
        assert s_client(server, b"quit\n", "-tls1_2").returncode != 0
        assert s_client(server, b"quit\n", "-tls1_3").stdout == b"hello stranger\n"


@versions
@pytest.mark.parametrize("kind", ["foreign", "expired"])
def test_refused_certificate(server: Server, version: str, kind: str) -> None:
    """A certificate that proves nothing lets nobody in, not even as a stranger, and the client is told why."""
    if kind == "expired":
        pair = server.user("alice", not_after=datetime.now(UTC) - timedelta(days=1))
    else:
        pair = server.user("alice", trustme.CA(key_type=trustme.KeyType.ECDSA))

    done = s_client(server, b"one\nquit\n", version, "-cert", pair[0], "-key", pair[1])

    assert done.stdout == b""
    assert done.returncode != 0
    assert (b"certificate expired" if kind == "expired" else b"unknown ca") in done.stderr, done.stderr
    assert server.next_word("lost") == "Error"


@versions
def test_certificate(server: Server, version: str) -> None:
    """A good one names its holder; with openssl, and with ncat and socat too."""
    certificate, key = server.user("alice")

    done = s_client(server, b"quit\n", version, "-cert", certificate, "-key", key)

    assert done.stdout == b"hello alice\n"
    done = ask("ncat", ["--ssl", "--ssl-cert", certificate, "--ssl-key", key, "127.0.0.1", server.port], b"one\n")
    assert done.stdout == b"hello alice\necho: one\n"
    address = f"OPENSSL:localhost:{server.port},cafile={server.ca_path},cert={certificate},key={key}"
    done = ask("socat", ["-t10", "-", address], b"one\n")
    assert done.stdout == b"hello alice\necho: one\n"


# New certificates


def test_reload(server: Server) -> None:
    """A new pair is for new connections; one that is open lives on."""
    with python(server) as old:
        server.renew()
        server.reload()
        server.next_word("reloaded")
        with python(server) as new:
            assert old.getpeercert(binary_form=True) != new.getpeercert(binary_form=True)
        old.sendall(b"still here\nquit\n")
        said = b"".join(iter(lambda: old.recv(1000), b""))
        assert said == b"hello stranger\necho: still here\n"


def test_bad_reload(server: Server) -> None:
    """A bad pair is refused by name, and the old one stays in use."""
    with python(server) as old:
        (server.directory / "tls.key").write_bytes(b"nonsense")
        server.reload()
        assert f"{server.directory}/tls.key: no private key" in server.next_word("refused")
        with python(server) as new:
            assert old.getpeercert(binary_form=True) == new.getpeercert(binary_form=True)
