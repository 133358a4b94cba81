"""What is asked of every request before anything else: is the daemon open, is the caller's allowance used up.

Here is the policy of this moment, and every answer that takes no process, with its line in the audit file.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from cmdserver.core.errors import Busy, Refusal
from cmdserver.core.events import new_id
from cmdserver.core.model import Caller, Somebody
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.limits.rate_limit import Throttle

T = TypeVar("T")


class Admission:
    """Lets requests in.

    Args:
        policy: Who may do what; replaced by a reload.
        throttle: Callers' own allowances.
        log: Writes every request down before its answer is given.
        clock: For measuring, not the time of day.
    """

    def __init__(self, policy: Policy, throttle: Throttle, log: RequestLog, clock: IReactorTime) -> None:
        self.policy = policy
        self.is_closed = False
        self._throttle = throttle
        self._log = log
        self._clock = clock

    def count(self, somebody: Somebody) -> None:
        """Count a request; raise a `Refusal` if it is one too many, or the daemon is stopping."""
        if self.is_closed:
            raise closing()
        if self._throttle.per_minute:
            self._throttle.spend(somebody.key, self._clock.seconds())

    def require_open(self) -> None:
        """Raise `Busy` if the daemon is stopping."""
        if self.is_closed:
            raise closing()

    def consult(self, caller: Caller, word: str, arguments: tuple[str, ...], query: Callable[[], T]) -> T:
        """Answer what needs no process; counted and written down like everything else.

        Raises:
            RequestError: There is no answer.
        """
        request_id = new_id()
        try:
            self.count(caller)
            self.policy.admit(caller)
            result = query()
        except Refusal as refusal:
            raise self._log.refused(request_id, caller, word, arguments, refusal) from None
        self._log.consulted(request_id, caller, word, arguments)
        return result

    async def consult_later(
        self, caller: Caller, word: str, arguments: tuple[str, ...], query: Callable[[], Awaitable[T]]
    ) -> T:
        """Do the same where the answer takes a while."""
        request_id = new_id()
        try:
            self.count(caller)
            self.policy.admit(caller)
            result = await query()
        except Refusal as refusal:
            raise self._log.refused(request_id, caller, word, arguments, refusal) from None
        except CancelledError:  # whoever has asked does not wait, but what they have asked for may be done
            self._log.consulted(request_id, caller, word, arguments)
            raise
        self._log.consulted(request_id, caller, word, arguments)
        return result


def closing() -> Busy:
    """Say that nothing more is taken."""
    return Busy("the daemon is stopping", 10)
