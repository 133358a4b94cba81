"""A TCP connection in memory, with a TLS client at its other end, and certificates for both.

What is sent arrives when the test calls `Wire.settle`, and the server's end behaves as Twisted's: it closes its halves
one by one, at once when its output has ended already, and has a producer wait while much is unsent.
"""

import contextlib
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from cmdserver.net.tls_context import ServerCredentials, TLSFiles, load

NOW = datetime.now(UTC)
#: What Twisted's TCP takes before it has the producer wait.
FULL_BYTES = 1 << 16


def issue(ca: trustme.CA, *names: str, **options: Any) -> trustme.LeafCert:
    """Make a certificate of an authority that `trustme` made."""
    return ca.issue_cert(*names, key_type=trustme.KeyType.ECDSA, **options)


def write_pair(directory: Path, leaf: trustme.LeafCert, name: str = "tls") -> tuple[Path, Path]:
    """Write a certificate with its chain, and its key."""
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    certificate.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
    key.touch(0o600)
    key.write_bytes(leaf.private_key_pem.bytes())
    return certificate, key


def self_signed(directory: Path, key: Any = None, *, days: int = 1, begins: int = -10) -> tuple[Path, Path]:
    """Make a pair that any key can be in, and that may be out of date; write it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    paths = directory / "self.crt", directory / "self.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].touch(0o600)
    paths[1].write_bytes(pem_of(key))
    return paths


def pem_of(key: Any, encryption: Any = None) -> bytes:
    """Write a private key as OpenSSL does."""
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )
    return pem


def files_in(directory: Path, **others: Any) -> TLSFiles:
    """Name the files that `write_pair` writes."""
    return TLSFiles(certificate=directory / "tls.crt", key=directory / "tls.key", **others)


def client_context(*, maximum: int = 0, minimum: int = 0, leaf: trustme.LeafCert | None = None) -> SSL.Context:
    """Make what a client connects with; it believes every server."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(minimum)
    context.set_max_proto_version(maximum)
    if leaf is not None:
        context.use_certificate(x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()))
        pem = leaf.private_key_pem.bytes()
        context.use_privatekey(serialization.load_pem_private_key(pem, None))  # type: ignore[arg-type]
    return context


class TLSFilesTestCase(SynchronousTestCase):
    """A directory of our own, with an authority's certificate, and a certificate and a key of the server's in it."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.certificate, self.key = write_pair(self.directory, issue(self.ca, "localhost"))
        self.ca_path = self.directory / "ca.crt"
        self.ca_path.write_bytes(self.ca.cert_pem.bytes())

    def load(self, **others: Any) -> ServerCredentials:
        """Read them."""
        return ServerCredentials(load(files_in(self.directory, **others), NOW))


class Client:
    """OpenSSL's end of a client, with nothing of Twisted's.

    Args:
        context: As `client_context` makes it.
        alpn: Protocols to offer.
        session: To resume.
    """

    def __init__(
        self, context: SSL.Context | None = None, *, alpn: list[bytes] | None = None, session: Any = None
    ) -> None:
        self.connection = SSL.Connection(context or client_context())
        self.connection.set_connect_state()
        if alpn:
            self.connection.set_alpn_protos(alpn)
        if session is not None:
            self.connection.set_session(session)
        self.got = b""
        self.error: SSL.Error | None = None
        self.is_connected = False
        #: What it has seen of the server's end, in order: ``close_notify``, ``fin``, ``reset``.
        self.ends: list[str] = []
        self._waiting = b""

    def send(self, data: bytes) -> None:
        """Send, as soon as the handshake is done."""
        self._waiting += data

    def end_input(self) -> None:
        """Send a close_notify and go on to read."""
        with contextlib.suppress(SSL.Error):
            self.connection.shutdown()

    @property
    def is_resumed(self) -> bool:
        """Whether the server took the session that was offered."""
        from cryptography.hazmat.bindings.openssl.binding import Binding  # noqa: PLC0415 - pyOpenSSL does not tell

        return bool(Binding.lib.SSL_session_reused(self.connection._ssl))

    def take(self, data: bytes) -> None:
        """Take what came from the server."""
        self.connection.bio_write(data)

    def turn(self) -> bytes:
        """Do what can be done, and say what is to be sent."""
        try:
            if not self.is_connected:
                self.connection.do_handshake()
                self.is_connected = True
            if self._waiting:
                self.connection.send(self._waiting)
                self._waiting = b""
            while "close_notify" not in self.ends:
                self.got += self.connection.recv(1 << 16)
        except SSL.ZeroReturnError:
            self.ends.append("close_notify")
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = self.error or error
        try:
            return self.connection.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""


class FakeTCP:
    """The server's end of a connection, as Twisted's TCP transport has it; see `Wire`."""

    #: Twisted's HTTP looks at it.
    disconnecting = False

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.unsent = b""
        self.producer: Any = None
        self.is_producer_paused = False
        self.is_reading = True
        self.is_open = True
        self.is_output_ending = False
        self.is_output_over = False
        self.is_closing = False
        self.is_aborting = False

    def write(self, data: bytes) -> None:
        if self.is_open and not self.is_output_over:
            self.unsent += data
            if self.producer is not None and len(self.unsent) > FULL_BYTES:
                self.is_producer_paused = True
                self.producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.is_reading = False

    def resumeProducing(self) -> None:
        self.is_reading = True

    def loseWriteConnection(self) -> None:
        self.is_output_ending = True

    def loseConnection(self) -> None:
        if self.is_output_over:
            self.lose(ConnectionDone())
        self.is_closing = True

    def abortConnection(self) -> None:
        self.is_aborting = True

    def getHandle(self) -> "FakeTCP":
        return self

    def fileno(self) -> int:
        return 42

    def getPeer(self) -> str:
        return "peer"

    def getHost(self) -> str:
        return "host"

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def lose(self, reason: Exception) -> None:
        if self.is_open:
            self.is_open = False
            self.protocol.connectionLost(Failure(reason))


class Wire:
    """A client and a server with TCP between them.

    Args:
        factory: The server's; its protocol speaks TLS.
        client: At the other end.
    """

    def __init__(self, factory: Any, client: Client) -> None:
        self.client = client
        self.is_client_reading = True
        self._unread = b""
        self.server = factory.buildProtocol(None)
        self.tcp = FakeTCP(self.server)
        self.server.makeConnection(self.tcp)
        self.settle()

    def settle(self) -> None:
        """Let everything that is under way arrive."""
        while self._server_turn() or self._client_turn():
            pass

    def client_fin(self) -> None:
        """The client's half of TCP ends; all that it has sent arrives before."""
        self.settle()
        if IHalfCloseableProtocol.providedBy(self.server):
            self.server.readConnectionLost()
        else:
            self.tcp.lose(ConnectionDone())
        self.settle()

    def _client_turn(self) -> bool:
        self._unread += self.client.turn()
        if not (self._unread and self.tcp.is_open and self.tcp.is_reading):
            return False
        data, self._unread = self._unread, b""
        self.server.dataReceived(data)
        return True

    def _server_turn(self) -> bool:
        tcp = self.tcp
        if not tcp.is_open:
            return False
        if tcp.is_aborting:
            self.client.ends.append("reset")
            tcp.lose(ConnectionAborted())
        elif not self.is_client_reading:
            return False
        elif tcp.unsent:
            self._send()
        elif tcp.is_closing:
            self._fin()
            tcp.lose(ConnectionDone())
        elif tcp.is_output_ending and not tcp.is_output_over:
            tcp.is_output_over = True
            self._fin()
            if IHalfCloseableProtocol.providedBy(self.server):
                self.server.writeConnectionLost()
        else:
            return False
        return True

    def _send(self) -> None:
        data, self.tcp.unsent = self.tcp.unsent, b""
        self.client.take(data)
        if self.tcp.producer is not None and self.tcp.is_producer_paused:
            self.tcp.is_producer_paused = False
            self.tcp.producer.resumeProducing()

    def _fin(self) -> None:
        self._unread += self.client.turn()
        if "fin" not in self.client.ends:
            self.client.ends.append("fin")


class Plain(Protocol):
    """A protocol that knows nothing of half-closing: it writes down what it is told."""

    transport: Any

    def __init__(self) -> None:
        self.told: list[str] = []
        self.got = b""

    def connectionMade(self) -> None:
        self.told.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.told.append(f"lost: {type(reason.value).__name__}")


@implementer(IHalfCloseableProtocol)
class Halves(Plain):
    """One that knows."""

    def readConnectionLost(self) -> None:
        self.told.append("input over")

    def writeConnectionLost(self) -> None:
        self.told.append("output over")


@implementer(IProtocolFactory)
class Composition:
    """A factory of remembered protocols, and a clock.

    Args:
        kind: Of protocol.
    """

    def __init__(self, kind: type[Plain] = Halves) -> None:
        self.kind = kind
        self.clock = Clock()
        self.protocols: list[Any] = []

    def doStart(self) -> None:
        pass

    def doStop(self) -> None:
        pass

    def buildProtocol(self, addr: object) -> Any:
        self.protocols.append(self.kind())
        return self.protocols[-1]
