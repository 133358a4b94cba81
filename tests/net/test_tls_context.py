"""Certificates and keys to contexts: what is refused and how, and what clients can and cannot agree on with us."""

from datetime import UTC, datetime, timedelta
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolNegotiationFactory
from twisted.internet.testing import StringTransport
from zope.interface import implementer
from zope.interface.verify import verifyObject

from cmdserver.app import bootstrap
from cmdserver.core.errors import BadTLSFiles
from cmdserver.net.tls_context import PeerCertificate, ServerCredentials, TLSFiles, load, peer_name
from cmdserver.net.tls_transport import TLSFactory
from tests.tls_doubles import (
    NOW,
    Client,
    Composition,
    TLSFilesTestCase,
    Wire,
    client_context,
    files_in,
    issue,
    pem_of,
    self_signed,
    write_pair,
)


class LoadTests(TLSFilesTestCase):
    """Reading files."""

    def _refusal(self, files: TLSFiles | None = None) -> str:
        return str(self.assertRaises(BadTLSFiles, load, files or files_in(self.directory), NOW))

    def test_good_files(self) -> None:
        """Good ones are taken without a word."""
        loaded = load(files_in(self.directory, client_ca=self.ca_path), NOW)

        self.assertEqual((), loaded.warnings)

    def test_every_kind_of_key(self) -> None:
        """ECDSA, RSA and Ed25519 certificates are served."""
        write = self.directory
        for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
            certificate, path = self_signed(write, key)
            load(TLSFiles(certificate=certificate, key=path), NOW)

    def test_missing(self) -> None:
        """A file that is not there is named, whichever it is."""
        missing = self.directory / "nothing"
        certificate, key = self.directory / "tls.crt", self.directory / "tls.key"
        for files in (
            TLSFiles(certificate=missing, key=key),
            TLSFiles(certificate=certificate, key=missing),
            TLSFiles(certificate=certificate, key=key, client_ca=missing),
        ):
            self.assertEqual(f"{missing}: No such file or directory", self._refusal(files))

    def test_directory(self) -> None:
        """So is one that is no file."""
        self.assertIn("Is a directory", self._refusal(TLSFiles(certificate=self.directory, key=self.directory)))

    def test_not_pem(self) -> None:
        """Whatever is in a file that should be PEM, the answer is that it is not, and which file."""
        for name, what in (("tls.crt", "no certificate in PEM format"), ("tls.key", "no private key in PEM format")):
            path = self.directory / name
            good = path.read_bytes()
            broken = good.replace(b"BEGIN", b"BEGUN"), good[:60], good[: len(good) // 2] + b"%%" + good[80:]
            for content in (b"", b"\0\xff", b"nonsense", *broken):
                path.write_bytes(content)
                self.assertTrue(self._refusal().startswith(f"{path}: {what}"), self._refusal())
            path.write_bytes(good)

    def test_authorities_not_pem(self) -> None:
        """The same for the authorities."""
        self.ca_path.write_bytes(b"nonsense")

        text = self._refusal(files_in(self.directory, client_ca=self.ca_path))

        self.assertTrue(text.startswith(f"{self.ca_path}: no certificate in PEM format"), text)

    def test_another_key(self) -> None:
        """A key that belongs to another certificate is refused; both files are named."""
        (self.directory / "tls.key").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))

        self.assertEqual(
            f"the key {self.directory}/tls.key does not belong to the certificate {self.directory}/tls.crt",
            self._refusal(),
        )

    def test_encrypted_key(self) -> None:
        """A key with a passphrase is refused, because a daemon cannot be asked for it."""
        key = pem_of(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"secret"))
        (self.directory / "tls.key").write_bytes(key)

        self.assertIn("tls.key: the key is encrypted", self._refusal())

    def test_weak_key(self) -> None:
        """A key that OpenSSL finds too weak is refused, and why is said."""
        certificate, key = self_signed(self.directory, rsa.generate_private_key(65537, 1024))  # noqa: S505 - it is the point

        text = self._refusal(TLSFiles(certificate=certificate, key=key))

        self.assertEqual(f"{certificate}: OpenSSL refuses it: its key is too short; RSA takes 2048 bits at least", text)

    def test_key_of_no_certificate(self) -> None:
        """A key of a kind that is never a certificate's is another's key."""
        (self.directory / "tls.key").write_bytes(pem_of(ed25519.Ed25519PrivateKey.generate()))

        self.assertIn("does not belong", self._refusal())

    def test_unheard_of_key(self) -> None:
        """A key of a kind that TLS cannot use here is refused: one for no signatures, one of tomorrow."""
        for key, text in (
            (x25519.X25519PrivateKey.generate(), "its key is of a kind that is of no use for TLS here"),
            (mldsa.MLDSA65PrivateKey.generate(), "its key is of a kind that is of no use for TLS here"),
        ):
            name = x509.Name([])
            certificate = (
                x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
                .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
                .sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
            )
            (self.directory / "tls.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
            (self.directory / "tls.key").write_bytes(pem_of(key))

            self.assertIn(f"tls.crt: OpenSSL refuses it: {text}", self._refusal())

    def test_expired(self) -> None:
        """An expired certificate, or one of the future, is served with a warning: clients say what they think of it."""
        for days, begins, what in ((-1, -10, "expired on"), (9, 5, "is not valid before")):
            certificate, key = self_signed(self.directory, days=days, begins=begins)

            warnings = load(TLSFiles(certificate=certificate, key=key, client_ca=certificate), NOW).warnings

            self.assertEqual(2, len(warnings), "once as ours, once as an authority's")
            self.assertTrue(warnings[0].startswith(f"{certificate}: the certificate of CN=self {what} 2"), warnings)

    def test_public_key_file(self) -> None:
        """A key that everybody on the host can read is used with a warning."""
        key = self.directory / "tls.key"
        key.chmod(0o644)

        self.assertEqual(
            (f"every user of this host can reach the key {key}; chmod it to 600",),
            load(files_in(self.directory), NOW).warnings,
        )

    def test_intermediate_certificates(self) -> None:
        """Those between ours and the root are sent along."""
        root = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = issue(root.create_child_ca(key_type=trustme.KeyType.ECDSA), "localhost")
        write_pair(self.directory, leaf)

        wire = Wire(TLSFactory(Composition(), self.load(), Composition().clock), client := Client())

        chain = client.connection.get_peer_cert_chain(as_cryptography=True)
        self.assertTrue(wire.client.is_connected)
        self.assertEqual(len(leaf.cert_chain_pems), len(chain or []))

    def test_no_other_certificates(self) -> None:
        """An authority of clients is not sent along, even if it has signed the server's certificate too."""
        Wire(TLSFactory(Composition(), self.load(client_ca=self.ca_path), Composition().clock), client := Client())

        self.assertEqual(1, len(client.connection.get_peer_cert_chain(as_cryptography=True) or []))


class AgreementTests(TLSFilesTestCase):
    """What client and server agree on."""

    def connect(self, client: Client, factory: Any = None, **others: Any) -> Wire:
        factory = factory or Composition()
        self.credentials = self.load(**others)
        return Wire(TLSFactory(factory, self.credentials, Composition().clock), client)

    def test_interface(self) -> None:
        """Twisted can begin connections with it."""
        verifyObject(IOpenSSLServerConnectionCreator, self.load())

    def test_versions(self) -> None:
        """1.3 if the client can, else 1.2."""
        for maximum, version in ((0, "TLSv1.3"), (SSL.TLS1_2_VERSION, "TLSv1.2")):
            client = Client(client_context(maximum=maximum))
            self.connect(client)
            self.assertEqual(version, client.connection.get_protocol_version_name())

    def test_old_versions(self) -> None:
        """Nothing older than 1.2, whatever the client would settle for."""
        for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
            context = client_context(maximum=version)
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            client = Client(context)
            self.connect(client)
            self.assertFalse(client.is_connected)

    def test_minimum_version(self) -> None:
        """Where 1.3 is demanded, 1.2 is refused."""
        client = Client(client_context(maximum=SSL.TLS1_2_VERSION))
        self.connect(client, minimum_version="1.3")
        self.assertFalse(client.is_connected)

        client = Client()
        self.connect(client, minimum_version="1.3")
        self.assertTrue(client.is_connected)

    def test_weak_suites(self) -> None:
        """Neither CBC nor static RSA nor anonymous keys are agreed on, even if the client knows nothing else."""
        certificate, key = self_signed(self.directory, rsa.generate_private_key(65537, 2048))
        credentials = ServerCredentials(load(TLSFiles(certificate=certificate, key=key), NOW))
        for suites, is_good in (
            (b"ECDHE-RSA-AES128-GCM-SHA256", True),
            (b"ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384", False),
            (b"ECDHE-RSA-AES128-SHA:AES128-SHA", False),
            (b"AES128-GCM-SHA256:AES256-GCM-SHA384", False),
            (b"ADH-AES128-GCM-SHA256:@SECLEVEL=0", False),
        ):
            context = client_context(maximum=SSL.TLS1_2_VERSION)
            context.set_cipher_list(suites)
            client = Client(context)
            Wire(TLSFactory(Composition(), credentials, Composition().clock), client)
            self.assertEqual(is_good, client.is_connected, suites)

    def test_renegotiation(self) -> None:
        """A client that wants to renegotiate is refused, which costs it the connection at most."""
        client = Client(client_context(maximum=SSL.TLS1_2_VERSION))
        wire = self.connect(client)
        client.connection.renegotiate()

        client.send(b"after\n")
        wire.settle()

        self.assertEqual(0, wire.server._tlsConnection.total_renegotiations() if wire.tcp.is_open else 0)
        self.assertIn("no renegotiation", str(client.error))

    def test_alpn_without_ours(self) -> None:
        """A client that offers protocols, none of which we have, is served; none is agreed on."""
        client = Client(alpn=[b"h2", b"http/1.1"])

        wire = self.connect(client)

        self.assertTrue(client.is_connected)
        self.assertEqual(b"", client.connection.get_alpn_proto_negotiated())
        self.assertIsNone(wire.server.negotiatedProtocol)

    def test_alpn_with_ours(self) -> None:
        """Of those that the factory has, the first that the client knows; none if it knows none; none if not asked."""

        @implementer(IProtocolNegotiationFactory)
        class Web(Composition):
            def acceptableProtocols(self) -> list[bytes]:
                return [b"h2", b"http/1.1"]

        for offered, agreed in (
            ([b"http/1.1", b"h2"], b"h2"),
            ([b"http/1.1", b"x"], b"http/1.1"),
            ([b"x"], b""),
            (None, b""),
        ):
            client = Client(alpn=offered)
            self.connect(client, Web())
            self.assertTrue(client.is_connected)
            self.assertEqual(agreed, client.connection.get_alpn_proto_negotiated(), offered)

    def test_resumption(self) -> None:
        """A client that comes back is spared most of the handshake, in 1.2 and 1.3, with client certificates or not."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for leaf in (None, issue(self.ca, "alice")):
                context = client_context(maximum=version, leaf=leaf)
                client = Client(context)
                wire = self.connect(client, client_ca=self.ca_path)
                peer = peer_name(wire.server, NOW)
                self.assertFalse(client.is_resumed)
                session = client.connection.get_session()

                client = Client(context, session=session)
                wire = Wire(TLSFactory(Composition(), self.credentials, Composition().clock), client)

                self.assertTrue(client.is_connected)
                self.assertTrue(client.is_resumed, (version, leaf))
                self.assertEqual(peer, peer_name(wire.server, NOW), "it is who it was")
                self.assertEqual(leaf is None, peer is None)

    def test_resumption_after_expiry(self) -> None:
        """A session that is resumed when the client's certificate has expired is a stranger's."""
        context = client_context(leaf=issue(self.ca, "alice", not_after=NOW + timedelta(days=1)))
        client = Client(context)
        wire = self.connect(client, client_ca=self.ca_path)

        self.assertIsNotNone(peer_name(wire.server, NOW))
        self.assertIsNone(peer_name(wire.server, NOW + timedelta(days=2)))


class ClientCertificateTests(TLSFilesTestCase):
    """Who a client is."""

    def _connect(self, leaf: trustme.LeafCert | None, **others: Any) -> Wire:
        credentials = self.load(**({"client_ca": self.ca_path} | others))
        return Wire(TLSFactory(Composition(), credentials, Composition().clock), Client(client_context(leaf=leaf)))

    def _peer(self, leaf: trustme.LeafCert | None, **others: Any) -> PeerCertificate | None:
        wire = self._connect(leaf, **others)
        self.assertTrue(wire.tcp.is_open)
        return peer_name(wire.server, NOW)

    def test_good(self) -> None:
        """A certificate of our authority names its holder."""
        leaf = issue(self.ca, "alice@example.org", "alice.example.org", common_name="alice")

        peer = self._peer(leaf)

        assert peer is not None
        self.assertEqual(("alice@example.org", "alice.example.org", "alice"), peer.names)
        self.assertIsNone(peer.trouble)
        self.assertRegex(peer.fingerprint, "^SHA256:[A-Za-z0-9+/]{43}$")

    def test_names_once(self) -> None:
        """A name that stands in both places is one."""
        peer = self._peer(issue(self.ca, "alice", common_name="alice"))

        assert peer is not None
        self.assertEqual(("alice",), peer.names)

    def test_common_name_alone(self) -> None:
        """A certificate without alternative names has its common name."""
        certificate, key = self_signed(self.directory)
        credentials = self.load(client_ca=certificate)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.use_certificate_file(str(certificate))
        context.use_privatekey_file(str(key))

        wire = Wire(TLSFactory(Composition(), credentials, Composition().clock), Client(context))

        peer = peer_name(wire.server, NOW)
        assert peer is not None
        self.assertEqual(("self",), peer.names)

    def test_none(self) -> None:
        """A client without one is served, and a stranger."""
        self.assertIsNone(self._peer(None))

    def test_not_asked(self) -> None:
        """Where no authority is known nobody is asked, and nobody is anybody."""
        self.assertIsNone(self._peer(issue(self.ca, "alice"), client_ca=None))

    def test_names_of_authorities(self) -> None:
        """A client is told whose certificates are asked for, so that it can choose among its own."""
        wire = self._connect(None)

        names = [name.O for name in wire.client.connection.get_client_ca_list()]

        self.assertEqual(1, len(names))
        self.assertIn("trustme", names[0])

    def test_refused(self) -> None:
        """Foreign or expired: the handshake fails, and nothing that was sent is looked at."""
        foreign = trustme.CA(key_type=trustme.KeyType.ECDSA)
        yesterday = datetime.now(UTC) - timedelta(days=1)
        for leaf in (issue(foreign, "alice"), issue(self.ca, "alice", not_after=yesterday)):
            credentials = self.load(client_ca=self.ca_path)
            composition = Composition()
            client = Client(client_context(leaf=leaf))
            client.send(b"uptime\n")
            wire = Wire(TLSFactory(composition, credentials, composition.clock), client)
            wire.settle()

            self.assertFalse(wire.tcp.is_open)
            self.assertEqual(["made", "lost: Error"], composition.protocols[0].told)
            self.assertEqual(b"", composition.protocols[0].got)
            self.assertIn("alert", str(client.error), "the client is told why")

    def test_for_servers(self) -> None:
        """A certificate that is for servers alone logs nobody in."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = bootstrap.self_signed(key, NOW, "alice")
        self.ca_path.write_bytes(certificate.public_bytes(Encoding.PEM))
        context = client_context()
        context.use_certificate(certificate)
        context.use_privatekey(key)

        wire = Wire(TLSFactory(Composition(), self.load(client_ca=self.ca_path), Composition().clock), Client(context))
        wire.settle()

        self.assertFalse(wire.tcp.is_open)

    def test_no_tls(self) -> None:
        """On a connection without TLS nobody has a certificate."""
        transport: Any = StringTransport()
        transport.getHandle = object

        self.assertIsNone(peer_name(transport, NOW))
