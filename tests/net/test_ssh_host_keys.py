"""Tests of reading SSH host keys: a damaged one is named before anybody connects."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)
from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver.core.errors import CannotStart
from cmdserver.net.ssh_host_keys import read_host_keys, require_host_keys
from tests.app.test_bootstrap import DirectoryTestCase


class HostKeyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.directory / "key"

    def write(
        self,
        key: object,
        form: PrivateFormat = PrivateFormat.OpenSSH,
        encryption: KeySerializationEncryption | None = None,
    ) -> None:
        """Write a private key."""
        private: Ed25519PrivateKey = key  # type: ignore[assignment]
        self.path.write_bytes(private.private_bytes(Encoding.PEM, form, encryption or NoEncryption()))

    def assert_refused(self, why: str) -> None:
        """The daemon does not start, and says which key it is and why."""
        with self.assertRaises(CannotStart) as raised:
            read_host_keys([self.path])
        self.assertIn(str(self.path), str(raised.exception))
        self.assertIn(why, str(raised.exception))

    def test_those_of_the_first_start(self) -> None:
        """What the first start makes can be read, the best first."""
        keys = read_host_keys(require_host_keys(self.directory))

        self.assertEqual([type(key).__name__ for key in keys], ["Ed25519PrivateKey", "RSAPrivateKey"])

    def test_pem(self) -> None:
        """PEM does, too."""
        self.write(Ed25519PrivateKey.generate(), PrivateFormat.PKCS8)

        self.assertEqual(len(read_host_keys([self.path])), 1)

    def test_a_byte_order_mark(self) -> None:
        """A key that has been through an editor of Windows is still one."""
        for form in (PrivateFormat.OpenSSH, PrivateFormat.PKCS8):
            with self.subTest(form):
                self.write(Ed25519PrivateKey.generate(), form)
                self.path.write_bytes(b"\xef\xbb\xbf" + self.path.read_bytes().replace(b"\n", b"\r\n"))

                self.assertEqual(len(read_host_keys([self.path])), 1)

    def test_missing(self) -> None:
        """A file that is not there is named."""
        self.assert_refused("No such file")

    def test_damaged(self) -> None:
        """So is one that is damaged, in whatever way."""
        self.write(Ed25519PrivateKey.generate())
        whole = self.path.read_bytes()
        for content in (b"", b"nonsense", whole[:100], whole.replace(b"A", b"B"), b"\xff" * 100):
            self.path.write_bytes(content)
            self.assert_refused("is damaged, or has a passphrase")

    def test_damaged_numbers(self) -> None:
        """An RSA key whose numbers do not fit together would give itself away with its first signature."""
        good = generate_rsa_key(public_exponent=65537, key_size=2048).private_numbers()
        bad = RSAPrivateNumbers(
            p=good.p,
            q=good.q,
            d=good.d ^ 4,
            dmp1=good.dmp1 ^ 4,
            dmq1=good.dmq1,
            iqmp=good.iqmp,
            public_numbers=good.public_numbers,
        )
        self.write(bad.private_key(unsafe_skip_rsa_key_validation=True), PrivateFormat.TraditionalOpenSSL)

        self.assert_refused("is damaged")

    def test_passphrase(self) -> None:
        """Nobody is there to say one."""
        self.write(Ed25519PrivateKey.generate(), PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))

        self.assert_refused("is damaged, or has a passphrase")

    def test_other_kinds(self) -> None:
        """What clients would not be shown is no host key."""
        self.write(generate_private_key(SECP256R1()))

        self.assert_refused("is neither an Ed25519 nor an RSA key")


class MadeTests(DirectoryTestCase):
    """Those that are missing."""

    def test_made(self) -> None:
        """Ed25519 and RSA of 3072 bits, in OpenSSH's format, which Conch reads."""
        paths = require_host_keys(self.directory)

        names = {"ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "ssh_host_rsa_key", "ssh_host_rsa_key.pub"}
        self.assertEqual(names, set(self.read_all()))
        self.assert_for_us_alone()
        self.assertEqual(["ssh_host_ed25519_key", "ssh_host_rsa_key"], [path.name for path in paths])
        ed, big = (load_ssh_private_key(path.read_bytes(), None) for path in paths)
        self.assertIsInstance(ed, ed25519.Ed25519PrivateKey)
        assert isinstance(big, rsa.RSAPrivateKey)
        self.assertEqual(3072, big.key_size)
        for path in paths:
            self.assertTrue(path.read_bytes().startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----\n"))
            public = Key.fromFile(f"{path}.pub")
            self.assertEqual(public, Key.fromFile(str(path)).public())

    def test_not_again(self) -> None:
        """What is there stays; what is missing is made."""
        ed, big = require_host_keys(self.directory)
        before = self.read_all()
        require_host_keys(self.directory)
        self.assertEqual(before, self.read_all())

        ed.unlink()
        require_host_keys(self.directory)

        self.assertNotEqual(before["ssh_host_ed25519_key"], ed.read_bytes())
        self.assertEqual(before["ssh_host_rsa_key"], big.read_bytes())

    def test_nowhere(self) -> None:
        """A directory that cannot be written is said to be so."""
        error = self.assertRaises(CannotStart, require_host_keys, self.directory / "missing")

        self.assertIn("No such file or directory", str(error))


class SSHClientTests(DirectoryTestCase):
    """What OpenSSH says."""

    def test_ssh_keygen(self) -> None:
        """ssh-keygen derives from each private key the public one that is beside it."""
        if shutil.which("ssh-keygen") is None:
            raise SkipTest("no ssh-keygen here")
        for path in require_host_keys(self.directory):
            said = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, check=True, timeout=20).stdout
            self.assertEqual(path.with_name(f"{path.name}.pub").read_bytes().split()[:2], said.split()[:2])
