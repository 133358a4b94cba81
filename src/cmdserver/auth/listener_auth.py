"""What one listener asks about who its clients are."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from cmdserver.auth import callers
from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.callers import Arrival
from cmdserver.auth.credentials import Certificate, CodeRequired, Credentials, RequestSignature
from cmdserver.auth.pending_login import NO_LOGIN, PendingLogin
from cmdserver.core.errors import LoginRefused
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller, Stranger


class ListenerAuth:
    """Authentication at one listener, whose callers' ``source`` is as `cmdserver.net.listener.source_of` says it.

    Args:
        name: The listener's protocol, as the audit file and ``whoami`` say it.
        login: Whether its callers log in.
        authenticator: Shared by all listeners; None for one at which nobody logs in.
        place: The listener's endpoint: unauthenticated connections are counted for each.
        tls: Whether it speaks TLS.
        takes_signatures_only: Whether nothing else logs anybody in. Those whose requests come by there share one
            connection with whoever can write to a bus, so what they get wrong is held against nobody.
    """

    def __init__(
        self,
        name: str,
        login: Login,
        authenticator: Authenticator | None = None,
        place: str = "",
        *,
        tls: bool = False,
        takes_signatures_only: bool = False,
    ) -> None:
        self.name = name
        self.place = place
        self.tls = tls
        self.login = login
        self._authenticator = authenticator
        self._takes_signatures_only = takes_signatures_only

    def stranger(self, source: str) -> Stranger:
        """Name somebody who is not authenticated, to audit what they get wrong."""
        return Stranger(protocol=self.name, source=source, tls=self.tls)

    def anonymous(self, source: str) -> Caller:
        """Make a caller of a client that was asked nothing; raises `LoginRequired` where it has to log in."""
        return callers.anonymous(Arrival(self.name, source, self.place, self.tls), self.login)

    def log_in(self, source: str, credentials: Credentials) -> Deferred[Caller]:
        """See `Authenticator.log_in`."""
        if self._takes_signatures_only and not isinstance(credentials, RequestSignature):
            return fail(LoginRefused())
        return self._require_authenticator().log_in(self.arrival(source), credentials)

    def log_in_by_certificate(
        self, source: str, certificate: Callable[[], Credentials | None], *, can_ask: bool = False
    ) -> Deferred[Caller] | None:
        """Log in whoever has shown a certificate.

        Clients decide what ``certificate`` reads: should it raise anything, that is a login that failed.

        Args:
            source: Where from.
            certificate: Says what the client has shown.
            can_ask: Whether its holder can be asked for a one-time code, if a role of theirs wants one.

        Returns:
            As `log_in`; None if there is no certificate, or nobody logs in here.
        """
        if self.login is Login.NEVER:
            return None
        try:
            credentials = certificate()
        except Exception:  # noqa: BLE001 - see above
            return fail(self._require_authenticator().failed_before(self.arrival(source), "certificate", Failure()))
        if can_ask and isinstance(credentials, Certificate):
            credentials = credentials.before_code()
        return self.log_in(source, credentials) if credentials is not None else None

    def left_without_code(self, source: str, required: CodeRequired) -> None:
        """See `Authenticator.left_without_code`."""
        self._require_authenticator().left_without_code(self.arrival(source), required)

    def is_acceptable_key(self, source: str, name: str, blob: bytes) -> Deferred[bool]:
        """Whether a signature by a key would log somebody in; SSH clients ask before they sign (RFC 4252, section 7).

        Fails with `Busy` if that cannot be found out now. To cancel it is to give up.
        """
        return self._require_authenticator().is_acceptable_key(name, blob, source)

    def refused_in_handshake(self, source: str, reason: str) -> None:
        """See `Authenticator.refused_in_handshake`; nobody logs in at a listener without an authenticator."""
        if self._authenticator is not None:
            self._authenticator.refused_in_handshake(self.arrival(source), reason)

    def arrive(self, source: str) -> PendingLogin:
        """Begin the accounting of a connection that was accepted; raises `Throttled` or `Busy` to refuse it.

        Its ``source`` is as `cmdserver.net.listener.charged_source_of` says it.
        """
        return self._account(source, is_required=self.login is Login.REQUIRED)

    def pending(self, source: str) -> PendingLogin:
        """Return what charges a source that is connected to a proxy, and not to us: it is counted nowhere."""
        return self._account(source, is_required=False)

    def _account(self, source: str, *, is_required: bool) -> PendingLogin:
        if self.login is Login.NEVER or self._takes_signatures_only:
            return NO_LOGIN
        return PendingLogin(self._require_authenticator().login_limit, self.place, source, is_required=is_required)

    def arrival(self, source: str) -> Arrival:
        """Say where somebody stands who calls here."""
        return Arrival(self.name, source, self.place, self.tls)

    def _require_authenticator(self) -> Authenticator:
        if self._authenticator is None:
            raise ValueError("nobody logs in at this listener")
        return self._authenticator
