"""What the state directory gets on a first start, and never again."""

import ipaddress
import os
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.app import bootstrap
from cmdserver.app.bootstrap import (
    RENEW_DAYS,
    VALID_DAYS,
    make_initial_password,
    require_tls_pair,
    require_user,
)
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.core.errors import CannotStart
from cmdserver.net.tls_context import TLSFiles, load
from tests.odd_certificates import TELETEX, Odd, name, pem
from tests.tls_doubles import pem_of, self_signed

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
#: A password hash of the lowest cost.
HASH = b"$2b$04$abcdefghijklmnopqrstuuSPBjf.Dv45MJmR/aZW02LD5oQ5kiJYW"


class DirectoryTestCase(SynchronousTestCase):
    """A state directory of our own."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.logged: list[str] = []
        observer: Any = lambda event: self.logged.append(event["log_format"].format(**event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def read_all(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.iterdir() if path.name != ".lock"}

    def assert_for_us_alone(self) -> None:
        for path in self.directory.iterdir():
            self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode), path)


class PairTests(DirectoryTestCase):
    """Certificate and key."""

    def _certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.directory / "tls.crt").read_bytes())

    def test_made(self) -> None:
        """An ECDSA P-256 key, and a certificate for this host that TLS takes without a warning."""
        certificate, key = require_tls_pair(self.directory, NOW, "web1")

        self.assertEqual((self.directory / "tls.crt", self.directory / "tls.key"), (certificate, key))
        self.assertEqual((), load(TLSFiles(certificate=certificate, key=key), NOW).warnings)
        loaded = load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self.assertIsInstance(loaded.curve, ec.SECP256R1)
        self.assert_for_us_alone()
        self.assertEqual({"tls.crt", "tls.key"}, set(self.read_all()))
        self.assertEqual([f"made a self-signed certificate: {certificate}"], self.logged)

    def test_certificate(self) -> None:
        """It names what a client on this host or another may call it, and can issue nothing."""
        require_tls_pair(self.directory, NOW, "web1")

        certificate = self._certificate()
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(["web1", "localhost"], names.get_values_for_type(x509.DNSName))
        addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
        self.assertEqual(addresses, names.get_values_for_type(x509.IPAddress))
        self.assertFalse(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertLess(certificate.not_valid_before_utc, NOW)
        self.assertEqual(timedelta(days=VALID_DAYS), certificate.not_valid_after_utc - certificate.not_valid_before_utc)

    def test_any_host_name(self) -> None:
        """A host may be called anything."""
        for host_name in ("localhost", "b\u00fccher", "x" * 64, "a." * 40 + "example", "_under_score", "two words"):
            certificate = bootstrap.self_signed(ec.generate_private_key(ec.SECP256R1()), NOW, host_name)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            found = names.get_values_for_type(x509.DNSName)
            self.assertEqual(1, found.count("localhost"), host_name)
            self.assertEqual(host_name.isascii(), host_name in found)

    def test_own_name(self) -> None:
        """Without one given it is the host's own."""
        with patch("socket.gethostname", return_value="of-its-own"):
            require_tls_pair(self.directory, NOW)

        self.assertIn("CN=of-its-own", self._certificate().subject.rfc4514_string())

    def test_not_again(self) -> None:
        """What is there stays as it is."""
        require_tls_pair(self.directory, NOW)
        before = self.read_all()

        require_tls_pair(self.directory, NOW + timedelta(days=VALID_DAYS - RENEW_DAYS - 2))

        self.assertEqual(before, self.read_all())

    def test_renewed(self) -> None:
        """Our own certificate is renewed before it ends, and after; the key stays."""
        for days in (VALID_DAYS - RENEW_DAYS, VALID_DAYS + 100):
            require_tls_pair(self.directory, NOW)
            before = self.read_all()
            self.logged.clear()

            require_tls_pair(self.directory, NOW + timedelta(days=days))

            self.assertEqual(before["tls.key"], self.read_all()["tls.key"])
            self.assertGreater(self._certificate().not_valid_after_utc, NOW + timedelta(days=days + 800))
            self.assertEqual(1, len(self.logged))
            self.assertIn("is renewed", self.logged[0])
            (self.directory / "tls.crt").unlink()

    def test_somebody_elses(self) -> None:
        """A certificate that is not ours is not renewed, even if nobody can read it."""
        certificate, key = self_signed(self.directory)
        secret = ec.generate_private_key(ec.SECP256R1())
        unreadable = name(b"M\xfcller", TELETEX)
        of_old = pem("CERTIFICATE", Odd(subject=unreadable).sign(secret, unreadable, secret))
        for content in (certificate.read_bytes(), b"nonsense", of_old):
            (self.directory / "tls.crt").write_bytes(content)
            (self.directory / "tls.key").write_bytes(key.read_bytes())
            require_tls_pair(self.directory, NOW + timedelta(days=10_000))
            self.assertEqual(content, (self.directory / "tls.crt").read_bytes())

    def test_issued_in_our_name(self) -> None:
        """Nor is one that another has issued, whatever the issuer is called."""
        ours = ec.generate_private_key(ec.SECP256R1())
        certificate = bootstrap.self_signed(ours, NOW, "web1")
        copy = x509.CertificateBuilder(
            certificate.issuer,
            certificate.subject,
            ours.public_key(),
            1,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        ).sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
        (self.directory / "tls.key").write_bytes(pem_of(ours))
        pem = copy.public_bytes(Encoding.PEM)
        (self.directory / "tls.crt").write_bytes(pem)

        require_tls_pair(self.directory, NOW + timedelta(days=10_000))

        self.assertEqual(pem, (self.directory / "tls.crt").read_bytes())

    def test_key_alone(self) -> None:
        """A key that is there gets a certificate: ours when we were killed in between, or an administrator's."""
        for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
            (self.directory / "tls.crt").unlink(missing_ok=True)
            (self.directory / "tls.key").write_bytes(pem_of(key))

            require_tls_pair(self.directory, NOW)

            self.assertEqual(key.public_key(), self._certificate().public_key())
            self.assertEqual(pem_of(key), (self.directory / "tls.key").read_bytes())

    def test_key_of_no_use(self) -> None:
        """A key that is none, or that few clients would know, is refused and left alone."""
        path = self.directory / "tls.key"
        for content, text in (
            (b"nonsense", "no private key in PEM format"),
            (pem_of(ed25519.Ed25519PrivateKey.generate()), "neither an ECDSA nor an RSA key"),
        ):
            path.write_bytes(content)
            error = self.assertRaises(CannotStart, require_tls_pair, self.directory, NOW)
            self.assertIn(f"{path}: {text}", str(error))
            self.assertEqual({"tls.key": content}, self.read_all())

    def test_certificate_alone(self) -> None:
        """A certificate without its key is refused, with what to do."""
        (self.directory / "tls.crt").write_bytes(b"")

        error = self.assertRaises(CannotStart, require_tls_pair, self.directory, NOW)

        self.assertIn("tls.key is missing; remove", str(error))

    def test_killed(self) -> None:
        """Killed at any moment, we leave whole files or none, and the next start makes what is missing."""
        for number in range(8):
            with self._dying(number), self.assertRaises(_KilledError):
                require_tls_pair(self.directory, NOW)
            self.assertLessEqual(set(self.read_all()), {"tls.crt", "tls.key", ".tls.crt.new", ".tls.key.new"})
            if (self.directory / "tls.key").exists():
                load_pem_private_key((self.directory / "tls.key").read_bytes(), None)
            certificate, key = require_tls_pair(self.directory, NOW)
            load(TLSFiles(certificate=certificate, key=key), NOW)
            self.assert_for_us_alone()
            for path in (certificate, key):
                path.unlink()

    def _dying(self, number: int) -> Any:
        """Let a system call of ``replace`` be the last, as far as Python can."""
        calls = iter(range(100))
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if next(calls) == number % 4:
                raise _KilledError
            real(descriptor)

        return patch("os.fsync", fsync)

    def test_nowhere(self) -> None:
        """A directory that cannot be written is said to be so."""
        error = self.assertRaises(CannotStart, require_tls_pair, self.directory / "missing", NOW)

        self.assertIn("No such file or directory", str(error))


class _KilledError(BaseException):
    """The end."""


class UserTests(DirectoryTestCase):
    """The first user."""

    def _require(self) -> CredentialStore:
        files = CredentialStore(self.directory)
        with patch.object(bootstrap, "hash_password", self._hash):
            require_user(files, self.directory)
        return files

    def _hash(self, password: str) -> bytes:
        self.hashed = password
        return HASH

    def test_made(self) -> None:
        """Where there is nobody there is ``admin``, with a password that only we can read, and that is not logged."""
        files = self._require()

        password = (self.directory / "initial-password").read_text()
        self.assertEqual({"admin": HASH}, dict(files.passwords()))
        self.assertEqual(f"{self.hashed}\n", password)
        self.assert_for_us_alone()
        self.assertEqual(1, len(self.logged))
        self.assertIn(f"{self.directory}/initial-password", self.logged[0])
        self.assertNotIn(self.hashed, self.logged[0])

    def test_not_again(self) -> None:
        """Where there is somebody, nothing is made, whatever they log in with."""
        files = self._require()
        before = self.read_all()
        self._require()
        self.assertEqual(before, self.read_all())

        files.set_password("admin", HASH)
        self._require()
        self.assertEqual({"passwd"}, set(self.read_all()))

    def test_nothing_understood(self) -> None:
        """A file of users that nobody understands is for somebody to mend, not for us to add to."""
        (self.directory / "passwd").write_bytes(b"alice\n")

        self._require()

        self.assertEqual({"passwd": b"alice\n"}, self.read_all())

    def test_nowhere(self) -> None:
        """A directory that cannot be written is said to be so."""
        files = CredentialStore(self.directory / "missing")

        error = self.assertRaises(CannotStart, require_user, files, self.directory / "missing")

        self.assertIn("No such file or directory", str(error))

    def test_password(self) -> None:
        """It is easy to type, hard to guess, and another each time."""
        made = {make_initial_password() for _ in range(100)}

        self.assertEqual(100, len(made))
        for password in made:
            self.assertRegex(password, r"^([2-9a-kmnp-z]{4}-){6}[2-9a-kmnp-z]{4}$")

    def test_real_hash(self) -> None:
        """Nothing about the password keeps it from being hashed."""
        require_user(files := CredentialStore(self.directory), self.directory)

        self.assertEqual(("admin",), files.users())
