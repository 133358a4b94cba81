"""Twisted's epoll reactor, but for what it does for log messages of the old kind.

Twisted sets up a logging context around each event, so that `twisted.python.log.msg` can say which connection it is
about: a dozen calls, three times a request. `twisted.logger`, which writes this daemon's log, does not ask for it.

Rests on how `twisted.internet.epollreactor` looks events up; ``tests/app/test_epoll_reactor.py`` fails where that
changes.
"""

from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

_log = Logger()


class DirectEPollReactor(EPollReactor):
    """Calls who waits for an event, and nobody before."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events at most so many seconds, None: without end; and tell those who wait for them."""
        do_read_or_write: Any = self._doReadOrWrite
        for descriptor, event in self._poller.poll(-1 if timeout is None else timeout, len(self._selectables)):
            selectable = self._selectables.get(descriptor)
            if selectable is None:  # closed by what an event before this one has led to
                continue
            try:
                do_read_or_write(selectable, descriptor, event)
            except Exception:  # noqa: BLE001 - whatever it is, it is one descriptor's
                _log.failure("an event of {selectable} was not dealt with", selectable=selectable)

    doIteration = doPoll


def install() -> None:
    """Make it the process's reactor; to be called before anybody has imported that."""
    reactor: Any = DirectEPollReactor
    installReactor(reactor())
