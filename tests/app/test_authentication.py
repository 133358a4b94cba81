"""What logs people in, put together, on a reactor that does nothing by itself."""

from base64 import b64decode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.testing import MemoryReactorClock

from cmdserver.app.authentication import build_authentication
from cmdserver.auth.credential_formats import Token, token_digest
from cmdserver.auth.credentials import BearerToken, Credentials, PublicKey
from cmdserver.core.events import EventLog
from cmdserver.core.model import Caller
from cmdserver.core.protocols import Protocol
from cmdserver.core.site import DEFAULT_FLEET, FleetHost
from cmdserver.files.last_uses import SOON_SECONDS, key_id, read_uses, token_id
from tests.auth.doubles import HERE, IdentityTestCase
from tests.auth.test_checkers import string
from tests.auth.test_credential_store import public_key


class AuthenticationTests(IdentityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.blob = b64decode(public.split()[1])
        self.files.add_keys("bob", public.decode())
        self.files.add_keys("abe", public_key())
        self.files.add_token(Token(name="mon", sha256=token_digest("good")))
        self.reactor: Any = MemoryReactorClock()
        self.authentication = build_authentication(
            self.reactor,
            self.files,
            self.files.directory,
            self.login_limit,
            EventLog(self.ledger),
            lambda _: False,
            lambda: FleetHost(DEFAULT_FLEET, "web-1"),
        )

    def log_in(self, credentials: Credentials) -> Caller | Exception:
        """Try, and return what comes of it."""
        caller: Caller = self.successResultOf(self.authentication.authenticator.log_in(HERE, credentials))
        return caller

    def test_uses_are_written_down(self) -> None:
        """Of tokens and keys; what is not written yet when the daemon ends is written then."""
        signature = string(b"ssh-ed25519") + string(self.key.sign(b"x"))
        self.log_in(BearerToken(secret="good", source="192.0.2.1"))
        self.reactor.advance(SOON_SECONDS)
        token = ("mon", token_id(token_digest("good")))
        self.assertEqual([token], list(read_uses(self.files.directory)))

        self.log_in(PublicKey(name="bob", blob=self.blob, signed=b"x", signature=signature, source="192.0.2.1"))
        self.authentication.close()
        key = ("bob", key_id(self.files.keys("bob")[0].fingerprint))
        self.assertEqual([token, key], list(read_uses(self.files.directory)))

    def test_who_can_log_in(self) -> None:
        """By what a person types: passwords everywhere, keys over SSH; in the order of the file, no token's owner."""
        self.addCleanup(self.authentication.close)
        self.assertEqual(("ada",), self.authentication.users_at(Protocol.WEB))
        self.assertEqual(("ada", "abe", "bob"), self.authentication.users_at(Protocol.SSH))
