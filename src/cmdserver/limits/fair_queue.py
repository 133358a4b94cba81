"""A round-robin fair queue for processes: who may start one now, who waits, and who is turned away.

Each caller has a lane, first in first out, and the lanes are served in turn: a caller with a thousand requests waiting
costs another caller one turn, not a thousand. When the queue is full, the newest entry of the longest lane is turned
away, which may be the one that asks.

Rule of this file: pure; it starts nothing, and the only clock is the durations that it is told.
"""

from typing import Generic, TypeVar

from cmdserver.core.errors import Busy

#: Weight of the newest duration in the running mean that ``retry_after_seconds`` is guessed from.
_NEWEST = 0.1


class QueueEntry:
    """One place, asked for, waited for, held, or given back; to be subclassed by whoever needs it.

    Args:
        command: The command's name, for its own limit.
        max_running: How many of this command may run at once; None for no limit of its own.
    """

    __slots__ = ("command", "is_running", "lanes", "max_running")

    def __init__(self, command: str, max_running: int | None) -> None:
        self.command = command
        self.max_running = max_running
        self.lanes: set[str] = set()
        self.is_running = False


SomeTicket = TypeVar("SomeTicket", bound=QueueEntry)


class FairQueue(Generic[SomeTicket]):
    """The places.

    Args:
        running: Processes at once, >= 1.
        queued: Tickets that may wait, >= 0.
    """

    def __init__(self, running: int, queued: int) -> None:
        self.running_limit = running
        self.queued_limit = queued
        self._lanes: dict[str, dict[SomeTicket, None]] = {}
        self._queued = 0
        self._running: dict[str, int] = {}
        self._running_total = 0
        self._mean_seconds = 0.1

    @property
    def running(self) -> int:
        """Places that are held."""
        return self._running_total

    @property
    def queued(self) -> int:
        """Tickets that wait."""
        return self._queued

    def ask(self, ticket: SomeTicket, lane: str) -> SomeTicket | None:
        """Let a ticket wait in a lane; `grant` says when its turn has come.

        Returns:
            The ticket that lost its place to this one, if the line was full; its owner is to be told `busy`.

        Raises:
            Busy: There is no room, and nobody has at least two tickets more waiting than this lane.
        """
        loser = None
        if self._queued >= self.queued_limit and not self._may_run(ticket):
            loser = self._last_of_longest(lane)
            if loser is None:
                text = f"{self._running_total} commands are running and {self._queued} are waiting"
                raise Busy(text, self.wait_seconds())
            self.withdraw(loser)
        self._queued += 1
        self._stand(ticket, lane)
        return loser

    def join(self, ticket: SomeTicket, lane: str) -> None:
        """Let a waiting ticket stand in one more lane, for somebody who shares it; the first turn counts."""
        if ticket.lanes and not ticket.is_running:
            self._stand(ticket, lane)

    def grant(self) -> SomeTicket | None:
        """Give the next free place to the ticket whose turn it is.

        Returns:
            That ticket, which holds the place until `leave`; None when there is no place or nobody who may have it.
        """
        for lane, tickets in self._lanes.items():
            for ticket in tickets:
                if self._may_run(ticket):
                    self.withdraw(ticket)
                    if (rest := self._lanes.pop(lane, None)) is not None:
                        self._lanes[lane] = rest  # its turn is over: to the end of the line
                    ticket.is_running = True
                    self._running[ticket.command] = self._running.get(ticket.command, 0) + 1
                    self._running_total += 1
                    return ticket
            if self._running_total >= self.running_limit:
                return None
        return None

    def withdraw(self, ticket: SomeTicket) -> None:
        """Take a waiting ticket out of the line; harmless if it does not wait."""
        if ticket.lanes:
            self._queued -= 1
            for lane in ticket.lanes:
                tickets = self._lanes[lane]
                del tickets[ticket]
                if not tickets:
                    del self._lanes[lane]
            ticket.lanes.clear()

    def leave(self, ticket: SomeTicket, duration_seconds: float) -> None:
        """Give a held place back.

        Args:
            ticket: As `grant` returned it.
            duration_seconds: How long it was held, for guessing how long others will have to wait.
        """
        ticket.is_running = False
        self._running_total -= 1
        self._running[ticket.command] -= 1
        if not self._running[ticket.command]:
            del self._running[ticket.command]
        self._mean_seconds += _NEWEST * (duration_seconds - self._mean_seconds)

    def wait_seconds(self) -> float:
        """Guess how long it takes until the line of today is served."""
        return self._mean_seconds * (self._queued + 1) / self.running_limit

    def _may_run(self, ticket: SomeTicket) -> bool:
        return self._running_total < self.running_limit and (
            ticket.max_running is None or self._running.get(ticket.command, 0) < ticket.max_running
        )

    def _stand(self, ticket: SomeTicket, lane: str) -> None:
        ticket.lanes.add(lane)
        self._lanes.setdefault(lane, {})[ticket] = None

    def _last_of_longest(self, asking: str) -> SomeTicket | None:
        longest = max(self._lanes.values(), key=len, default={})
        if len(longest) <= len(self._lanes.get(asking, ())) + 1:
            return None
        # A ticket in several lanes is others' hope too.
        return next((ticket for ticket in reversed(longest) if len(ticket.lanes) == 1), None)
