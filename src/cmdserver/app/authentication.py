"""The one authenticator, with all that it rests on; imported when the first listener asks for a login."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from twisted.logger import Logger

from cmdserver.app.bootstrap import require_user
from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.checkers import CertificateChecker, PasswordChecker, ProxyChecker, PublicKeyChecker, TokenChecker
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.password_cache import PasswordCache
from cmdserver.auth.password_verifier import HashingThreads, PasswordVerifier, threads_for
from cmdserver.auth.second_factors.enrolment_file import EnrolmentFile
from cmdserver.auth.second_factors.second_factors import SecondFactors
from cmdserver.auth.second_factors.spent_codes import SpentCodes
from cmdserver.auth.signatures.checker import SignatureChecker
from cmdserver.core.events import EventLog
from cmdserver.core.protocols import Protocol
from cmdserver.core.site import FleetHost
from cmdserver.files.last_uses import LastUses
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.nonces import Nonces

_log = Logger()


class Authentication(Struct, frozen=True):
    """The authenticator, and what has to be stopped at the end."""

    authenticator: Authenticator
    verifier: PasswordVerifier
    last_uses: LastUses
    #: Who had a password, and who had a key, when the daemon started.
    with_password: tuple[str, ...]
    with_key: tuple[str, ...]

    def users_at(self, protocol: Protocol) -> tuple[str, ...]:
        """Name who can log in at a listener by what a person types, in the order of the file."""
        return tuple(dict.fromkeys(self.with_password + (self.with_key if protocol is Protocol.SSH else ())))

    def close(self) -> None:
        """Stop threads, and write down what is known."""
        self.verifier.stop()
        self.last_uses.close()


def build_authentication(
    reactor: Any,
    files: CredentialStore,
    state_directory: Path,
    login_limit: LoginLimit,
    events: EventLog,
    wants_second_factor: Callable[[str], bool],
    fleet_host: Callable[[], FleetHost],
) -> Authentication:
    """Read the users' credentials; where there are none, make the first user.

    Args:
        reactor: Tells the time, and has threads.
        files: The credentials.
        state_directory: What is used is noted there.
        login_limit: Who may try.
        events: Who is told of logins.
        wants_second_factor: Whether a role of a user's counts only with a second factor.
        fleet_host: As whom signed requests mean this host, now.

    Raises:
        CannotStart: The first user cannot be made.
    """
    require_user(files, state_directory)
    enrolments = EnrolmentFile(files)
    second_factors = SecondFactors(
        enrolments, SpentCodes(state_directory), time.time, reactor.seconds, wants_second_factor
    )
    for complaint in (*files.complaints(), *enrolments.complaints()):
        _log.warn("{complaint}", complaint=complaint)
    verifier = PasswordVerifier(reactor, HashingThreads(threads_for(os.cpu_count() or 1)))
    last_uses = LastUses(state_directory, reactor, time.time)
    began = reactor.seconds()
    nonces = Nonces(time.time(), lambda: float(reactor.seconds() - began))
    public_keys = PublicKeyChecker(files, _now, second_factors, last_uses.note)
    checkers = [
        PasswordChecker(files, verifier, PasswordCache(os.urandom(32)), reactor.seconds, second_factors),
        public_keys,
        TokenChecker(files, _now, last_uses.note),
        CertificateChecker(second_factors),
        ProxyChecker(),
        SignatureChecker(files, nonces, fleet_host, time.time, last_uses.note),
        second_factors,
    ]
    authenticator = Authenticator(checkers, login_limit, events, time.time, public_keys.is_acceptable)
    with_key = tuple(name for name in files.users() if files.keys(name))
    return Authentication(authenticator, verifier, last_uses, tuple(files.passwords()), with_key)


def _now() -> datetime:
    return datetime.now(UTC)
