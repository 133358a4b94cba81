"""Tests of fingerprints."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.fingerprints import fingerprint_of


class FingerprintTests(SynchronousTestCase):
    def test_as_openssh_writes_them(self) -> None:
        """The digest of nothing, as ``openssl dgst -sha256 -binary /dev/null | base64`` has it, without padding."""
        self.assertEqual(fingerprint_of(b""), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
