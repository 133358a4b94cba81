"""The accounting of one connection's login: counted while it is pending, and charged if it fails."""

from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.source_penalties import Offence


class PendingLogin:
    """One connection's login, from the accept on.

    A connection that must log in is counted against MaxStartups until `settle` or `fail`, of which the first call
    counts and later ones do nothing.

    Args:
        login_limit: None at a listener where nobody logs in.
        listener: The listener's endpoint: each has a count of its own.
        source: Who is charged, as `cmdserver.net.listener.charged_source_of` says it.
        is_required: Whether the listener requires a login; else nothing is counted.

    Raises:
        Throttled: The source has too much outstanding; nothing was counted.
        Busy: Too many have not logged in; nothing was counted.
    """

    __slots__ = ("_is_settled", "_listener", "_login_limit", "_source", "is_counted")

    def __init__(self, login_limit: LoginLimit | None, listener: str, source: str, *, is_required: bool) -> None:
        self._login_limit = login_limit
        self._listener = listener
        self._source = source
        self._is_settled = False
        #: Whether the connection counts as one that must log in and has not.
        self.is_counted = is_required
        if login_limit is not None and is_required:
            login_limit.enter(listener, source)

    def settle(self) -> None:
        """Count the connection out without a charge: it has logged in, or is not to blame."""
        self._is_settled = True
        if self.is_counted:
            self.is_counted = False
            if self._login_limit is not None:
                self._login_limit.leave(self._listener, self._source)

    def fail(self, offence: Offence) -> None:
        """Count the connection out and charge its source, unless it is settled.

        Where no login is required, only a wrong credential (`Offence.AUTHFAIL`) is charged.
        """
        is_charged = self.is_counted or (offence is Offence.AUTHFAIL and not self._is_settled)
        self.settle()
        if is_charged:
            self.charge(offence)

    def charge(self, offence: Offence) -> None:
        """Charge the source, in any case; the connection stays counted, as it may try again."""
        if self._login_limit is not None:
            self._login_limit.offend(self._source, offence)


#: At every listener where nobody logs in.
NO_LOGIN = PendingLogin(None, "", "", is_required=False)
