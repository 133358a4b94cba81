"""Credential files that the runner opens for the daemon: several at once, and each once, however many wait for it.

When the runner does not answer in time, requests fail at once until it says anything again.
"""

import errno
import os
from collections.abc import Callable

from msgspec import Struct, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cmdserver.core.errors import Unavailable
from cmdserver.privsep.channel import close_all
from cmdserver.privsep.messages import Fetched

#: For the runner to answer: it opens a file and waits for nobody, but a machine may be busy.
FETCH_SECONDS = 2.0
#: Names at once. Those who have not logged in are fewer (MaxStartups), and each asks for one after the other.
MOST_NAMES = 256

#: The runner is short of something; the file is as it was.
_SHORT = frozenset({0, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN})

_log = Logger()


class _Question(Struct, kw_only=True):
    """A name that the runner was asked for."""

    timer: IDelayedCall
    waiting: list[Deferred[int]] = field(default_factory=list)


class Fetches:
    """What the runner was asked to open."""

    def __init__(self, clock: IReactorTime, send: Callable[[str], None]) -> None:
        self._clock = clock
        self._send = send
        self._questions: dict[str, _Question] = {}
        #: Whether an answer was late, and nothing was heard since.
        self.is_unresponsive = False

    def fetch(self, name: str) -> Deferred[int]:
        """Have ``passwd``, ``tokens`` or ``authorized_keys/NAME`` opened.

        Returns:
            Fires with a descriptor to read from, the caller's; its offset is shared with others who wait for the same
            file. Fails with an OSError if there is no such file, or with `Unavailable`. To cancel it is harmless.
        """
        if self.is_unresponsive:
            return fail(_unanswered())
        question = self._questions.get(name)
        if question is None:
            if len(self._questions) >= MOST_NAMES:
                return fail(Unavailable(errno.EAGAIN, "too many files are asked for"))
            timer = self._clock.callLater(FETCH_SECONDS, self._give_up)
            question = self._questions[name] = _Question(timer=timer)
            self._send(name)
        answer: Deferred[int] = Deferred(question.waiting.remove)
        question.waiting.append(answer)
        return answer

    def answered(self, fetched: Fetched, descriptors: tuple[int, ...]) -> None:
        """Take an answer; one that nobody waits for any more is closed."""
        question = self._questions.pop(fetched.name, None)
        if question is not None:
            question.timer.cancel()
            if not fetched.errno and len(descriptors) == 1:
                _hand_out(descriptors[0], question.waiting)
            else:
                _tell(question.waiting, _trouble(fetched.errno))
        close_all(descriptors)

    def heard(self) -> None:
        """Note that the runner has said something."""
        if self.is_unresponsive:
            self.is_unresponsive = False
            _log.info("the runner process answers again")

    def ask_again(self) -> None:
        """Send what was asked to another runner, which has taken its place."""
        for name in self._questions:
            self._send(name)

    def end(self) -> None:
        """Fail everything that is asked: there is no runner any more."""
        questions, self._questions = self._questions, {}
        for question in questions.values():
            if question.timer.active():
                question.timer.cancel()
            _tell(question.waiting, _unanswered())

    def _give_up(self) -> None:
        """One answer is late, and so are those behind it: it answers in the order in which it was asked."""
        self.is_unresponsive = True
        _log.error(
            "the runner process has not answered within {seconds:g} s; logins that take a file which only it may open"
            " are refused until it does",
            seconds=FETCH_SECONDS,
        )
        self.end()


def _hand_out(descriptor: int, waiting: list[Deferred[int]]) -> None:
    """Give everybody who waits a descriptor."""
    for answer in list(waiting):
        if not answer.called:  # cancelled by another who was told before
            try:
                own = os.dup(descriptor)
            except OSError as error:
                answer.errback(Unavailable(error.errno, error.strerror))
            else:
                answer.callback(own)


def _tell(waiting: list[Deferred[int]], error: OSError) -> None:
    for answer in list(waiting):
        if not answer.called:
            answer.errback(error)


def _trouble(number: int) -> OSError:
    """Make an error of the runner's reason; without one the descriptor has found no room with us."""
    if number in _SHORT:
        return Unavailable(number or errno.EMFILE, os.strerror(number or errno.EMFILE))
    return OSError(number, os.strerror(number))


def _unanswered() -> Unavailable:
    return Unavailable(errno.ETIMEDOUT, "the runner process does not answer")
