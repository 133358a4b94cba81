"""The one authenticator, with all that it rests on; imported when the first listener asks for a login."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from cmdserver.app.bootstrap import require_user
from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.checkers import CertificateChecker, PasswordChecker, PublicKeyChecker, TokenChecker
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.auth.password_cache import PasswordCache
from cmdserver.auth.password_verifier import HashingThreads, PasswordVerifier, threads_for
from cmdserver.core.events import EventLog
from cmdserver.limits.login_limit import LoginLimit

_log = Logger()


@dataclass(frozen=True, slots=True)
class Authentication:
    """The authenticator, and the threads that have to be stopped at the end."""

    authenticator: Authenticator
    verifier: PasswordVerifier


def build_authentication(
    reactor: Any, files: CredentialStore, state_directory: Path, login_limit: LoginLimit, events: EventLog
) -> Authentication:
    """Read the users' credentials; where there are none, make the first user.

    Raises:
        CannotStart: The first user cannot be made.
    """
    require_user(files, state_directory)
    for complaint in files.complaints():
        _log.warn("{complaint}", complaint=complaint)
    verifier = PasswordVerifier(reactor, HashingThreads(threads_for(os.cpu_count() or 1)))
    public_keys = PublicKeyChecker(files, _now)
    checkers = [
        PasswordChecker(files, verifier, PasswordCache(os.urandom(32)), reactor.seconds),
        public_keys,
        TokenChecker(files, _now),
        CertificateChecker(),
    ]
    authenticator = Authenticator(checkers, login_limit, events, time.time, public_keys.is_acceptable)
    return Authentication(authenticator, verifier)


def _now() -> datetime:
    return datetime.now(UTC)
