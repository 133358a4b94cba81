"""An authenticator with all checkers, and a user whose password is `right`."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import bcrypt
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.callers import Arrival
from cmdserver.auth.checkers import CertificateChecker, PasswordChecker, ProxyChecker, PublicKeyChecker, TokenChecker
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.credentials import Credentials, Password
from cmdserver.auth.password_cache import PasswordCache
from cmdserver.auth.password_verifier import PasswordVerifier, is_match
from cmdserver.core.errors import (
    Code,
)
from cmdserver.core.events import EventLog, LoggedIn
from cmdserver.core.model import Caller
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.max_startups import MaxStartups, UnauthenticatedConnections
from cmdserver.limits.source_penalties import Penalties
from tests.running_doubles import MemoryLedger

HERE = Arrival("line", "192.0.2.1")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ADA = bcrypt.hashpw(b"right", bcrypt.gensalt(4))


class InstantVerifier:
    """A `PasswordVerifier` without threads; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes | None, str, int]] = []
        self.trouble: Exception | None = None

    def verify(self, password: bytes, hashed: bytes | None, *, source: str, cost: int) -> Deferred[bool]:
        self.asked.append((password, hashed, source, cost))
        return fail(self.trouble) if self.trouble else succeed(is_match(password, hashed, cost))


class IdentityTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = CredentialStore(Path(folder.name))
        self.files.add_user("ada", ADA)
        self.verifier = InstantVerifier()
        self.ledger = MemoryLedger()
        self.clock = Clock()
        self.now = 0.0
        self.login_limit = LoginLimit(
            UnauthenticatedConnections(MaxStartups(2, 100, 2)), Penalties(), self.clock, lambda: 0.5
        )
        checkers: list[ICredentialsChecker] = [
            PasswordChecker(
                self.files, cast("PasswordVerifier", self.verifier), PasswordCache(bytes(32)), lambda: self.now
            ),
            PublicKeyChecker(self.files, lambda: NOON),
            TokenChecker(self.files, lambda: NOON),
            CertificateChecker(),
            ProxyChecker(),
        ]
        self.authenticator = Authenticator(checkers, self.login_limit, EventLog(self.ledger), lambda: 1_700_000_000.0)

    def log_in(self, credentials: Credentials) -> Caller | Exception:
        """Try, and return what comes of it."""
        results: list[Any] = []
        self.authenticator.log_in(HERE, credentials).addBoth(results.append)
        (result,) = results
        return result if isinstance(result, Caller) else cast("Exception", result.value)

    @property
    def written(self) -> list[tuple[str | None, str, Code, str | None]]:
        """What was written down of logins."""
        return [
            (event.user, event.method, event.outcome, event.reason)
            for event in self.ledger.events
            if isinstance(event, LoggedIn)
        ]


def password(name: str, secret: bytes) -> Password:
    """Show a name and a password."""
    return Password(name=name, password=secret, source=HERE.source)
