"""Certificates and keys as there are: odd ones, old ones, damaged ones, and what is put in their place by mistake."""

import contextlib
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from OpenSSL import SSL, crypto
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.checkers import CertificateChecker
from cmdserver.auth.credentials import Certificate
from cmdserver.core.errors import BadTLSFiles
from cmdserver.core.names import is_user_name
from cmdserver.net import tls_context
from cmdserver.net.certificates import (
    holder_of,
    is_authority,
    is_self_issued,
    names_of,
    read_certificates,
    read_key,
    validity_of,
    without_warnings,
)
from cmdserver.net.tls_context import PeerCertificate, TLSFiles, check_authorities, load, peer_name
from cmdserver.net.tls_transport import TLSFactory
from tests.auth.doubles import NO_SECOND_FACTORS
from tests.odd_certificates import BMP, ODD, ODD_KEYS, TELETEX, Odd, name, pem, short_key
from tests.tls_doubles import NOW, Client, Composition, TLSFilesTestCase, Wire, issue, pem_of, self_signed

#: What libraries say, and nobody else.
INNER_WORDS = ("ParseError", "cryptography.io", "pyca", "MalformedFraming", "Error(", "routines", "asn1", "ASN.1")
SECRET = b"secret"


class OddTestCase(TLSFilesTestCase):
    """An authority that signs anything."""

    def setUp(self) -> None:
        super().setUp()
        self.holder = ec.generate_private_key(ec.SECP256R1())
        ca_key = load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        self._ca_key = ca_key
        ca = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        self._issuer = ca.subject.public_bytes()

    def sign(self, odd: Odd) -> bytes:
        """Make a certificate, in DER."""
        return odd.sign(self.holder, self._issuer, self._ca_key)


class OddClientTests(OddTestCase):
    """Certificates of clients that our authority has signed."""

    def shown(self, odd: Odd) -> PeerCertificate | None:
        """Let a client show one, and say what is seen; None: OpenSSL has refused it."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, self.sign(odd))
        context.use_certificate(certificate)
        context.use_privatekey(self.holder)
        composition = Composition()
        wire = Wire(TLSFactory(composition, self.load(client_ca=self.ca_path), composition.clock), Client(context))
        if not wire.tcp.is_open:
            self.assertEqual(composition.protocols[0].told, ["made", "lost: Error"])
            return None
        peer = peer_name(wire.server, NOW)
        assert peer is not None
        digest = bytes.fromhex(certificate.digest("sha256").decode().replace(":", ""))
        self.assertEqual(peer.fingerprint, "SHA256:" + b64encode(digest).decode().rstrip("="))
        return peer

    def test_each(self) -> None:
        """It is taken, or refused in the handshake, or with a reason for the audit file; nothing is raised."""
        for what, (odd, user) in ODD.items():
            peer = self.shown(odd)
            if peer is None:
                self.assertIsNone(user, what)
                continue
            claim = Certificate(names=peer.names, trouble=peer.trouble, fingerprint="SHA256:00", source="192.0.2.1")
            self.assertEqual(claim.name, user, what)
            if user is None:
                failure = self.failureResultOf(CertificateChecker(NO_SECOND_FACTORS).requestAvatarId(claim))
                reason = failure.getErrorMessage()
                self.assertTrue(reason.startswith("no user's name in the certificate: "), reason)
                self.assertTrue(reason.isascii() and reason.isprintable(), reason)
                self.assertLess(len(reason), 300, what)

    def test_what_cannot_be_read_is_said(self) -> None:
        """Which part of it, so that whoever has it made can do something about it."""
        for what, trouble in (
            ("TeletexString", "its subject cannot be read"),
            ("TeletexString, and a name", "its subject cannot be read"),
            ("version of tomorrow", "it cannot be read"),
            ("NUL in a name", None),
        ):
            peer = self.shown(ODD[what][0])
            assert peer is not None
            self.assertEqual(peer.trouble, trouble, what)

    def test_whom_they_name(self) -> None:
        """OpenSSL refuses most of what cannot be read; where it does not, no name counts that might be another's."""
        loaded = {}
        for what, (odd, user) in ODD.items():
            with contextlib.suppress(Exception), without_warnings():
                certificate = x509.load_der_x509_certificate(self.sign(odd))
                loaded[what] = certificate, odd, user
        self.assertGreater(len(loaded), len(ODD) / 2)
        for what, (certificate, odd, user) in loaded.items():
            if what == "year zero":
                self.assertIsNone(validity_of(certificate))
                continue
            names = names_of(certificate)
            self.assertEqual(next(filter(is_user_name, names.names), None), user, what)
            if odd.extensions and user is None:
                self.assertEqual(names.trouble, "its extensions cannot be read", what)

    def test_a_codec_that_is_missing(self) -> None:
        """Whatever the library raises is a certificate that cannot be read, and no name of it counts."""

        class Late:
            @property
            def extensions(self) -> Any:
                raise LookupError("unknown encoding: utf_16_be")

        self.assertEqual(names_of(Late()).names, ())  # type: ignore[arg-type]

    def test_thousands_of_names(self) -> None:
        """The reason has some of them, and how many more."""
        claim = Certificate(names=("\x1b[2J" * 100,) * 2000, fingerprint="SHA256:00", source="192.0.2.1")
        reason = self.failureResultOf(CertificateChecker(NO_SECOND_FACTORS).requestAvatarId(claim)).getErrorMessage()

        self.assertIn("and 1990 more", reason)
        self.assertTrue(reason.isascii() and reason.isprintable())
        self.assertLess(len(reason), 3000)


class OddFileTests(OddTestCase):
    """The same in files."""

    def test_ours(self) -> None:
        """As our own: it is used, or refused with a sentence that names the file."""
        self.key.write_bytes(pem_of(self.holder))
        for what, (odd, _) in ODD.items():
            self.certificate.write_bytes(pem("CERTIFICATE", self.sign(odd)))
            try:
                load(TLSFiles(certificate=self.certificate, key=self.key), NOW)
            except BadTLSFiles as error:
                self.assertTrue(str(error).startswith(f"{self.certificate}: "), what)
                self.assertFalse([word for word in INNER_WORDS if word in str(error)], str(error))

    def test_keys_in_ours(self) -> None:
        """A key in it that cannot be read is a sentence, too."""
        for odd in ODD_KEYS.values():
            self.certificate.write_bytes(pem("CERTIFICATE", self.sign(odd)))
            error = self.assertRaises(BadTLSFiles, load, TLSFiles(certificate=self.certificate, key=self.key), NOW)
            self.assertEqual(
                str(error), f"{self.certificate}: the key in the certificate is damaged, or of a kind that is not known"
            )

    def test_authorities(self) -> None:
        """As a client's authority it is no authority, whatever is odd about it."""
        for what, (odd, _) in ODD.items():
            self.ca_path.write_bytes(pem("CERTIFICATE", self.sign(odd)))
            error = self.assertRaises(BadTLSFiles, check_authorities, self.ca_path)
            self.assertTrue(str(error).startswith(f"{self.ca_path}: no"), what)
            self.assertFalse([word for word in INNER_WORDS if word in str(error)], str(error))

    def test_people_are_told_of_it(self) -> None:
        """A warning names its holder as well as it can."""
        for subject, told in (
            (name(b"M\xfcller", TELETEX), "somebody whose name cannot be read (serial number 2a)"),
            (name("Müller".encode("utf-16-be"), BMP), "CN=Müller"),
        ):
            certificate = x509.load_der_x509_certificate(self.sign(Odd(subject=subject, serial=b"\x2a")))
            self.assertEqual(holder_of(certificate), told)

    def test_roots_whose_names_cannot_be_read(self) -> None:
        """They are compared, and their signature tells."""
        own = name(b"M\xfcller", TELETEX)
        root = Odd(subject=own).sign(self.holder, own, self.holder)
        other = Odd(subject=own).sign(self.holder, self._issuer, self._ca_key)

        self.assertTrue(is_self_issued(x509.load_der_x509_certificate(root)))
        self.assertFalse(is_self_issued(x509.load_der_x509_certificate(other)))


class InsteadTests(TLSFilesTestCase):
    """What is in a file by mistake: the sentence says what it is, and what to do."""

    def require(self, read: Callable[[Path], object], content: bytes, *said: str) -> None:
        path = self.directory / "file"
        path.write_bytes(content)
        text = str(self.assertRaises(BadTLSFiles, read, path))
        self.assertTrue(text.startswith(f"{path}: "), text)
        for each in said:
            self.assertIn(each.replace("FILE", str(path)), text)
        without_path = text.replace(str(path), "")
        self.assertFalse([word for word in INNER_WORDS if word in without_path], text)

    def test_instead_of_a_certificate(self) -> None:
        """A request, a key, a list, a bundle, another encoding, nothing."""
        good = self.certificate.read_bytes()
        der = x509.load_pem_x509_certificate(good).public_bytes(Encoding.DER)
        for content, said in (
            (pem("CERTIFICATE REQUEST", b"x"), "the file has a certificate request"),
            (pem("NEW CERTIFICATE REQUEST", b"x"), "the file has a certificate request"),
            (self.key.read_bytes(), "the file has a private key"),
            (pem("X509 CRL", b"x"), "the file has a revocation list"),
            (pem("PKCS7", b"x"), "openssl pkcs7 -print_certs -in FILE"),
            (good.replace(b" CERT", b" TRUSTED CERT"), "openssl x509 -in FILE"),
            (pem("SOMETHING", b"x"), 'something called "SOMETHING"'),
            (der, "the file is binary"),
            (b"", "the file is empty"),
            (b" \n", "the file is empty"),
            (good.decode().encode("utf-16"), "the file is UTF-16"),
            (b"hello", "it begins with -----BEGIN"),
            (good.replace(b"M", b"%"), "it is damaged"),
            (good[:100], "the file has a certificate"),
            (good + good.replace(b"M", b"%"), "number 2 of 2 is damaged"),
        ):
            self.require(read_certificates, content, "no certificate in PEM format: ", said)

    def test_instead_of_a_key(self) -> None:
        """A certificate, the public half, parameters, another program's form, one that is encrypted."""
        key = ec.generate_private_key(ec.SECP256R1())
        openssh = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        for content, said in (
            (self.certificate.read_bytes(), "the file has a certificate"),
            (public, "the file has a public key"),
            (pem("EC PARAMETERS", b"x"), "parameters of a curve, and no key behind them"),
            (openssh, "ssh-keygen -p -m PEM -f FILE"),
            (der, "the file is binary"),
            (b"", "the file is empty"),
            (pem_of(key).decode().encode("utf-16"), "the file is UTF-16"),
            (pem_of(key)[:60], "openssl pkey -in FILE -noout -check"),
            (pem("PRIVATE KEY", b"x"), "openssl pkey -in FILE -noout -check"),
        ):
            self.require(read_key, content, "no private key in PEM format: ", said)
        traditional = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(SECRET))
        for content in (pem_of(key, BestAvailableEncryption(SECRET)), traditional):
            self.require(read_key, content, "the key is encrypted", "openssl pkey -in FILE decrypts it")

    def test_a_chain_in_another_order(self) -> None:
        """Whose key it is, is said."""
        root = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = issue(root.create_child_ca(key_type=trustme.KeyType.ECDSA), "localhost")
        self.certificate.write_bytes(b"".join(each.bytes() for each in reversed(leaf.cert_chain_pems)))
        self.key.write_bytes(leaf.private_key_pem.bytes())

        error = self.assertRaises(BadTLSFiles, load, TLSFiles(certificate=self.certificate, key=self.key), NOW)

        self.assertIn("to the first certificate in", str(error))
        self.assertIn(f"but to number {len(leaf.cert_chain_pems)}; that one has to come first", str(error))


class FormTests(TLSFilesTestCase):
    """Keys and certificates in all the forms that tools write."""

    def pairs(self) -> dict[str, tuple[bytes, bytes]]:
        """Certificates with their keys, as files."""
        made: dict[str, tuple[bytes, bytes]] = {}
        for what, secret in (
            ("P-256", ec.derive_private_key(int.from_bytes(bytes(range(1, 32)), "big"), ec.SECP256R1())),
            ("P-521", ec.generate_private_key(ec.SECP521R1())),
            ("RSA", rsa.generate_private_key(65537, 2048)),
        ):
            public, pkcs8 = (each.read_bytes() for each in self_signed(self.directory, secret))
            traditional = secret.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            made |= {f"{what}, PKCS #8": (public, pkcs8), f"{what}, traditional": (public, traditional)}
            if what == "P-256":
                assert isinstance(secret, ec.EllipticCurvePrivateKey)
                made["short"] = (public, short_key(secret))
        certificate, key_text = made["P-256, traditional"]
        made["parameters"] = (certificate, pem("EC PARAMETERS", bytes.fromhex("06082a8648ce3d030107")) + key_text)
        made["CR LF"] = (certificate.replace(b"\n", b"\r\n"), key_text.replace(b"\n", b"\r\n"))
        made["byte order mark"] = (b"\xef\xbb\xbf" + certificate, b"\xef\xbb\xbf" + key_text)
        made["one file"] = (key_text + certificate, key_text + certificate)
        made["text before"] = (b"subject=CN = ann\n\n" + certificate, b"Bag Attributes: <Empty>\n" + key_text)
        made["old label"] = (certificate.replace(b"CERT", b"X509 CERT"), key_text)
        return made

    def test_each(self) -> None:
        """It is taken without a word, and a client is served with it."""
        for what, (certificate, key) in self.pairs().items():
            self.certificate.write_bytes(certificate)
            self.key.write_bytes(key)
            loaded = load(TLSFiles(certificate=self.certificate, key=self.key), NOW)
            self.assertEqual(loaded.warnings, (), what)
            composition = Composition()
            Wire(TLSFactory(composition, tls_context.ServerCredentials(loaded), composition.clock), client := Client())
            self.assertTrue(client.is_connected, what)

    def test_ed25519(self) -> None:
        """Ed25519, which signs without a hash, too."""
        key = ed25519.Ed25519PrivateKey.generate()
        certificate = (
            x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), 1, NOW, NOW)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
            .sign(key, None)
        )
        self.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        self.key.write_bytes(pem_of(key))

        load(TLSFiles(certificate=self.certificate, key=self.key), NOW)


class AuthorityTests(TLSFilesTestCase):
    """Whom the authorities that are named may let in."""

    def setUp(self) -> None:
        super().setUp()
        self.root = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.issuing = self.root.create_child_ca(key_type=trustme.KeyType.ECDSA)
        self.other = self.root.create_child_ca(key_type=trustme.KeyType.ECDSA)
        self.lower = self.issuing.create_child_ca(key_type=trustme.KeyType.ECDSA)

    def is_let_in(self, leaf: trustme.LeafCert, *chain: trustme.Blob) -> bool:
        """Show a certificate, and others that are to lead to it."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.use_certificate(x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()))
        for each in chain:
            context.add_extra_chain_cert(x509.load_pem_x509_certificate(each.bytes()))
        context.use_privatekey(load_pem_private_key(leaf.private_key_pem.bytes(), None))  # type: ignore[arg-type]
        composition = Composition()
        wire = Wire(TLSFactory(composition, self.load(client_ca=self.ca_path), composition.clock), Client(context))
        peer = peer_name(wire.server, NOW) if wire.tcp.is_open else None
        return peer is not None and "ann" in peer.names

    def believe(self, *authorities: trustme.Blob) -> None:
        self.ca_path.write_bytes(b"".join(each.bytes() for each in authorities))

    def test_an_issuing_authority_alone(self) -> None:
        """Those whom it has issued certificates to, and those below it; its sisters' are strangers."""
        self.believe(self.issuing.cert_pem)

        self.assertTrue(self.is_let_in(issue(self.issuing, "ann")))
        self.assertTrue(self.is_let_in(issue(self.issuing, "ann"), self.issuing.cert_pem))
        self.assertTrue(self.is_let_in(issue(self.issuing, "ann"), self.issuing.cert_pem, self.root.cert_pem))
        self.assertTrue(self.is_let_in(issue(self.lower, "ann"), self.lower.cert_pem))
        self.assertFalse(self.is_let_in(issue(self.lower, "ann")), "nobody can know what is between")
        self.assertFalse(self.is_let_in(issue(self.root, "ann"), self.root.cert_pem))
        self.assertFalse(self.is_let_in(issue(self.other, "ann"), self.other.cert_pem, self.root.cert_pem))

    def test_a_root(self) -> None:
        """As ever: with what is between."""
        self.believe(self.root.cert_pem)

        self.assertTrue(self.is_let_in(issue(self.issuing, "ann"), self.issuing.cert_pem))
        self.assertFalse(self.is_let_in(issue(self.issuing, "ann")))
        self.assertTrue(self.is_let_in(issue(self.lower, "ann"), self.lower.cert_pem, self.issuing.cert_pem))

    def test_both(self) -> None:
        """Whoever either would let in."""
        self.believe(self.issuing.cert_pem, self.root.cert_pem)

        self.assertTrue(self.is_let_in(issue(self.issuing, "ann")))
        self.assertTrue(self.is_let_in(issue(self.other, "ann"), self.other.cert_pem))

    def test_no_authority_is_one_by_being_named(self) -> None:
        """A certificate that may not issue any is left out, with a warning: neither it nor what it signs counts."""
        leaf = issue(self.root, "ann")
        self.believe(self.issuing.cert_pem, leaf.cert_chain_pems[0])

        self.assertFalse(self.is_let_in(leaf))
        warnings = load(TLSFiles(certificate=self.certificate, key=self.key, client_ca=self.ca_path), NOW).warnings
        self.assertEqual(len(warnings), 1)
        self.assertIn("is no authority's (CA:TRUE is missing), and is left out", warnings[0])

    def test_no_authority_at_all(self) -> None:
        """A file without one is a mistake, at the start and in a check."""
        self.believe(issue(self.root, "ann").cert_chain_pems[0])
        files = TLSFiles(certificate=self.certificate, key=self.key, client_ca=self.ca_path)

        for attempt in (lambda: load(files, NOW), lambda: check_authorities(self.ca_path)):
            text = str(self.assertRaises(BadTLSFiles, attempt))
            self.assertEqual(text, f"{self.ca_path}: none of the certificates in it is an authority's (CA:TRUE)")

    def test_a_leaf_issues_nothing(self) -> None:
        """What the holder of a certificate signs is nobody's."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue(self.issuing, "ann")
        leaf_key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        assert isinstance(leaf_key, ec.EllipticCurvePrivateKey)
        issuer = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).subject.public_bytes()
        forged = Odd().sign(key, issuer, leaf_key)
        self.believe(self.issuing.cert_pem)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.use_certificate(x509.load_der_x509_certificate(forged))
        context.add_extra_chain_cert(x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()))
        context.use_privatekey(key)
        composition = Composition()

        wire = Wire(TLSFactory(composition, self.load(client_ca=self.ca_path), composition.clock), Client(context))

        self.assertFalse(wire.tcp.is_open)

    def test_an_expired_authority(self) -> None:
        """Nobody is let in by an authority that is out of date, be it a root or not; it is warned of."""
        certificate, key_file = self_signed(self.directory, days=-1)
        del key_file
        self.ca_path.write_bytes(certificate.read_bytes())
        warnings = load(TLSFiles(certificate=self.certificate, key=self.key, client_ca=self.ca_path), NOW).warnings

        self.assertIn("expired on", warnings[0])

    def test_which_is_an_authority(self) -> None:
        """Whoever says so in its basic constraints."""
        for pem_text, is_one in ((self.issuing.cert_pem, True), (issue(self.root, "ann").cert_chain_pems[0], False)):
            self.assertEqual(is_authority(x509.load_pem_x509_certificate(pem_text.bytes())), is_one)


class OpenSSLTests(SynchronousTestCase):
    """What the tool makes today, if it is there."""

    def test_ecparam(self) -> None:
        """``openssl ecparam -genkey`` puts the parameters in front of the key."""
        program = shutil.which("openssl")
        if program is None:
            self.skipTest("openssl is not installed here")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "key"
        subprocess.run(
            [program, "ecparam", "-name", "prime256v1", "-genkey", "-out", path], check=True, capture_output=True
        )

        self.assertIsInstance(read_key(path), ec.EllipticCurvePrivateKey)
