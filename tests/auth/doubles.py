"""An authenticator with all checkers, and a user whose password is `right`."""

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import bcrypt
import pyotp
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.callers import Arrival
from cmdserver.auth.checkers import CertificateChecker, PasswordChecker, ProxyChecker, PublicKeyChecker, TokenChecker
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.credentials import Credentials, Password, Proof
from cmdserver.auth.password_cache import PasswordCache
from cmdserver.auth.password_verifier import PasswordVerifier, is_match
from cmdserver.auth.second_factors.enrolment_file import EnrolmentFile
from cmdserver.auth.second_factors.enrolments import Enrolment, recovery_digest
from cmdserver.auth.second_factors.second_factors import SecondFactors
from cmdserver.auth.second_factors.spent_codes import SpentCodes
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
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - of RFC 6238, appendix B
CODE_TIME = 1_700_000_000.0
ADA = bcrypt.hashpw(b"right", bcrypt.gensalt(4))


class InstantVerifier:
    """A `PasswordVerifier` without threads; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes | None, str, int]] = []
        self.trouble: Exception | None = None

    def verify(self, password: bytes, hashed: bytes | None, *, source: str, cost: int) -> Deferred[bool]:
        self.asked.append((password, hashed, source, cost))
        return fail(self.trouble) if self.trouble else succeed(is_match(password, hashed, cost))


class NoSecondFactors:
    """`SecondFactors` of a host where nobody has one."""

    async def has_one(self, name: str) -> bool:
        return False

    async def require_where_wanted(self, proof: Proof, *, can_ask: bool) -> Proof:
        return proof


NO_SECOND_FACTORS = cast("SecondFactors", NoSecondFactors())


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
        #: Users who have a role that wants a second factor.
        self.wanting: set[str] = set()
        #: The time of day, by which codes go.
        self.time_of_day = CODE_TIME
        self.enrolments = EnrolmentFile(self.files)
        self.second_factors = SecondFactors(
            self.enrolments,
            SpentCodes(self.files.directory),
            lambda: self.time_of_day,
            lambda: self.now,
            self.wanting.__contains__,
        )
        checkers: list[ICredentialsChecker] = [
            PasswordChecker(
                self.files,
                cast("PasswordVerifier", self.verifier),
                PasswordCache(bytes(32)),
                lambda: self.now,
                self.second_factors,
            ),
            PublicKeyChecker(self.files, lambda: NOON, self.second_factors),
            TokenChecker(self.files, lambda: NOON),
            CertificateChecker(self.second_factors),
            ProxyChecker(),
            self.second_factors,
        ]
        self.authenticator = Authenticator(checkers, self.login_limit, EventLog(self.ledger), lambda: 1_700_000_000.0)

    def log_in(self, credentials: Credentials) -> Caller | Exception:
        """Try, and return what comes of it."""
        results: list[Any] = []
        self.authenticator.log_in(HERE, credentials).addBoth(results.append)
        (result,) = results
        return result if isinstance(result, Caller) else cast("Exception", result.value)

    def enrol(self, name: str = "ada", recovery: Iterable[str] = ()) -> None:
        """Give somebody a second factor."""
        digests = frozenset(map(recovery_digest, recovery))
        self.enrolments.add(Enrolment(name=name, secret=SECRET, recovery=digests))

    def code(self, off: int = 0) -> str:
        """Make the code of now, or of so many steps later."""
        return pyotp.TOTP(SECRET).generate_otp(int(self.time_of_day // 30) + off)

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
