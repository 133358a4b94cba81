"""Tests of whose certificates are believed, in memory: nothing but the right name of the right authority."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import trustme
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.receivers import Receiver
from cmdserver.core.errors import BadTLSFiles
from cmdserver.files.safe_path import read_file
from cmdserver.forwarding.channel import reason_of
from cmdserver.forwarding.streams import StreamChannel, StreamFactory
from cmdserver.forwarding.tls import load
from tests.forwarding.test_datagrams import FakeOwner


class Listening(Protocol):
    """What a receiver has got."""

    got = b""

    def dataReceived(self, data: bytes) -> None:
        self.got += data


class TLSTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.authority = trustme.CA()
        self.ca = self.directory / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self.clock = Clock()

    def connect(self, receiver: Receiver, certificate: trustme.LeafCert) -> tuple[Deferred[StreamChannel], Listening]:
        """Connect, and shake hands."""
        opened: Deferred[StreamChannel] = Deferred()
        channel = StreamChannel(self.clock, FakeOwner(), opened, is_tls=True)
        pem = certificate.private_key_and_cert_chain_pem.bytes()
        options = PrivateCertificate.loadPEM(pem).options()
        listening = Listening()
        server = TLSMemoryBIOFactory(options, False, Factory.forProtocol(lambda: listening))
        client = TLSMemoryBIOFactory(load([receiver], read_file)[receiver], True, StreamFactory(channel), self.clock)
        _, _, pump = connectedServerAndClient(lambda: server.buildProtocol(None), lambda: client.buildProtocol(None))
        opened.addErrback(self.keep)
        pump.flush()
        if opened.called and isinstance(opened.result, StreamChannel):
            opened.result.send(b"one")
            self.clock.advance(0)
            pump.flush()
        return opened, listening

    def keep(self, failure: Any) -> str:
        """Say why it has failed."""
        return reason_of(failure.value)

    def test_the_right_one(self) -> None:
        """By its name, by another that is said, and by its address."""
        for to, server_name, names in (
            ("tls:logs.example:6514", None, ["logs.example"]),
            ("tls:192.0.2.1:6514", "logs.example", ["logs.example"]),
            ("tls:192.0.2.1:6514", None, ["192.0.2.1"]),
        ):
            receiver = Receiver.parse(to, str(self.ca), server_name)
            opened, listening = self.connect(receiver, self.authority.issue_cert(*names))
            self.assertIsInstance(self.successResultOf(opened), StreamChannel)
            self.assertEqual(listening.got, b"3 one")

    def test_wrong_ones(self) -> None:
        """Nothing is sent to them, and it is said what is wrong."""
        right = Receiver.parse("tls:logs.example:6514", str(self.ca))
        for receiver, authority, name, reason in (
            (right, self.authority, "other.example", "TLS: the certificate is for another name"),
            (right, trustme.CA(), "logs.example", "TLS: certificate verify failed"),
            (Receiver.parse("tls:logs.example:6514"), self.authority, "logs.example", "TLS: certificate verify failed"),
        ):
            opened, listening = self.connect(receiver, authority.issue_cert(name))
            self.assertEqual((self.successResultOf(opened), listening.got), (reason, b""))

    def test_a_file_without_authorities(self) -> None:
        """That is a mistake, and says which file it is."""
        self.ca.write_text("nothing", encoding="ascii")
        error = self.assertRaises(BadTLSFiles, load, [Receiver.parse("tls:logs.example:6514", str(self.ca))], read_file)
        self.assertIn(str(self.ca), str(error))
