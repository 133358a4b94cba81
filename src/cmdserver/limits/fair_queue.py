"""A round-robin fair queue for processes: one FIFO for each caller (a lane), served in turn.

A caller with a thousand requests waiting costs another caller one turn, not a thousand. When the queue is full, the
newest entry of the longest lane is turned away, which may be the one that asks.
"""

from typing import Generic, TypeVar

from cmdserver.core.errors import Busy

#: Weight of the newest duration in the running mean that ``retry_after_seconds`` is guessed from.
_NEWEST = 0.1


class QueueEntry:
    """What waits for a slot and then holds it; to be subclassed by whoever needs it.

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


SomeEntry = TypeVar("SomeEntry", bound=QueueEntry)


class FairQueue(Generic[SomeEntry]):
    """The queue, and the slots that its entries wait for.

    Args:
        running: Processes at once, >= 1.
        queued: Entries that may wait, >= 0.
    """

    def __init__(self, running: int, queued: int) -> None:
        self.reconfigure(running, queued)
        self._lanes: dict[str, dict[SomeEntry, None]] = {}
        #: Entries that wait, and those that hold a slot.
        self.queued = self.running = 0
        self._by_command: dict[str, int] = {}
        self._mean_seconds = 0.1

    def reconfigure(self, running: int, queued: int) -> None:
        """Go by other limits from now on; what runs or waits beyond them goes on."""
        self.running_limit = running
        self.queued_limit = queued

    def ask(self, entry: SomeEntry, lane: str) -> SomeEntry | None:
        """Let an entry wait in a lane; `grant` says when its turn has come.

        Returns:
            The entry that lost its place to this one, if the queue was full; its owner is to be told `busy`.

        Raises:
            Busy: There is no room, and nobody has at least two entries more waiting than this lane.
        """
        loser = None
        if self.queued >= self.queued_limit and not self._may_run(entry):
            loser = self._last_of_longest(lane)
            if loser is None:
                text = f"{self.running} commands are running and {self.queued} are waiting"
                raise Busy(text, self.wait_seconds())
            self.withdraw(loser)
        self.queued += 1
        self._stand(entry, lane)
        return loser

    def join(self, entry: SomeEntry, lane: str) -> None:
        """Let a waiting entry stand in one more lane, for another caller of the same run; the first turn counts."""
        if entry.lanes and not entry.is_running:
            self._stand(entry, lane)

    def grant(self) -> SomeEntry | None:
        """Give the next free slot to the entry whose turn it is.

        Returns:
            That entry, which holds the slot until `leave`; None when there is no slot, or no entry that may have it.
        """
        for lane, entries in self._lanes.items():
            for entry in entries:
                if self._may_run(entry):
                    self.withdraw(entry)
                    if lane in self._lanes:
                        self._lanes[lane] = self._lanes.pop(lane)  # its turn is over: to the end
                    entry.is_running = True
                    self._by_command[entry.command] = self._by_command.get(entry.command, 0) + 1
                    self.running += 1
                    return entry
            if self.running >= self.running_limit:
                return None
        return None

    def withdraw(self, entry: SomeEntry) -> None:
        """Take a waiting entry out of the queue; harmless if it does not wait."""
        if entry.lanes:
            self.queued -= 1
            for lane in entry.lanes:
                entries = self._lanes[lane]
                del entries[entry]
                if not entries:
                    del self._lanes[lane]
            entry.lanes = set()

    def leave(self, entry: SomeEntry, duration_seconds: float) -> None:
        """Give a held slot back.

        Args:
            entry: As `grant` returned it.
            duration_seconds: How long it was held, for guessing how long others will have to wait.
        """
        entry.is_running = False
        self.running -= 1
        self._by_command[entry.command] -= 1
        if not self._by_command[entry.command]:
            del self._by_command[entry.command]
        self._mean_seconds += _NEWEST * (duration_seconds - self._mean_seconds)

    def wait_seconds(self) -> float:
        """Guess how many seconds it takes until all who wait now are served."""
        return self._mean_seconds * (self.queued + 1) / self.running_limit

    def _may_run(self, entry: SomeEntry) -> bool:
        return self.running < self.running_limit and (
            entry.max_running is None or self._by_command.get(entry.command, 0) < entry.max_running
        )

    def _stand(self, entry: SomeEntry, lane: str) -> None:
        entry.lanes.add(lane)
        if lane not in self._lanes:
            self._lanes[lane] = {}
        self._lanes[lane][entry] = None

    def _last_of_longest(self, asking: str) -> SomeEntry | None:
        longest = max(self._lanes.values(), key=len, default={})
        if len(longest) <= len(self._lanes.get(asking, ())) + 1:
            return None
        # An entry in several lanes is others' hope too.
        return next((entry for entry in reversed(longest) if len(entry.lanes) == 1), None)
