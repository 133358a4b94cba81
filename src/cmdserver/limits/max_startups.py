"""Bounds on unauthenticated connections: sshd's MaxStartups and PerSourceMaxStartups, at each listener.

MaxStartups refuses new ones with a probability that grows linearly between START and FULL, so that somebody who tries
again gets in even while an attacker fills every slot that becomes free. PerSourceMaxStartups keeps one source from
getting to where that probability is high.
"""

import re
from typing import Self

from msgspec import Struct

from cmdserver.core.addresses import address_of, block_of
from cmdserver.core.errors import Busy


class MaxStartups(Struct, frozen=True):
    """``START:RATE:FULL``; as in sshd, START and FULL are at least 1, and RATE is 1 to 100.

    Args:
        start: With fewer unauthenticated connections than this, everybody is admitted.
        rate: How many per cent are refused at ``start``; from there on it rises in a straight line.
        full: From this many on, everybody is refused; >= ``start``.
    """

    start: int
    rate: int
    full: int

    def __post_init__(self) -> None:
        if self.start < 1:
            raise ValueError(f"START is {self.start}; it must be at least 1")
        if not 1 <= self.rate <= 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"RATE is {self.rate}; it must be from 1 to 100 per cent")
        if self.full < self.start:
            raise ValueError(f"FULL is {self.full}; it must not be below START, which is {self.start}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``10:30:100``.

        Raises:
            ValueError: It is not three numbers, or they do not fit together; the text says which.
        """
        match = re.fullmatch(r"([0-9]{1,7}):([0-9]{1,7}):([0-9]{1,7})", text)
        if match is None:
            raise ValueError(f'"{text}" is not START:RATE:FULL, like 10:30:100')
        start, rate, full = map(int, match.groups())
        return cls(start, rate, full)

    @property
    def usual_per_source(self) -> int:
        """What one source may have if nobody says otherwise: a quarter of FULL, but START in any case.

        With the default, 10:30:100, a source that has its 25 gets 41 per cent of the others refused at a try. An office
        behind one address gets there only if 25 of its people are at the prompt at once.
        """
        return max(self.start, self.full // 4)

    def refused_per_cent(self, unauthenticated: int) -> int:
        """Say how probable a refusal is, with so many connections that have not logged in, the new one not among them.

        In whole per cent, rounded down, as in sshd.c, should_drop_connection: the numbers that administrators know from
        there mean the same here.
        """
        if unauthenticated < self.start:
            return 0
        if unauthenticated >= self.full:
            return 100
        return self.rate + (100 - self.rate) * (unauthenticated - self.start) // (self.full - self.start)

    def admit(self, unauthenticated: int, dice: float) -> bool:
        """Decide about one more connection than those, with a random number, 0 <= ``dice`` < 1."""
        return dice * 100 >= self.refused_per_cent(unauthenticated)


class UnauthenticatedConnections:
    """The connections that have not logged in, by listener, and at each listener by source.

    Args:
        startups: How many of them.
        per_source: How many of one source, which is what `block_of` says; 0 is no limit, None is
            `MaxStartups.usual_per_source`.
    """

    #: What a client that was turned away is told to wait; a guess, as the dice decide again.
    RETRY_SECONDS = 5

    def __init__(self, startups: MaxStartups, per_source: int | None = None) -> None:
        self.reconfigure(startups, per_source)
        self._by_listener: dict[str, int] = {}
        #: Of sources that are IP addresses; the others (``unix``) cannot be told apart.
        self._by_block: dict[tuple[str, str], int] = {}

    def reconfigure(self, startups: MaxStartups, per_source: int | None = None) -> None:
        """Go by other bounds, for those who come from now on."""
        self._startups = startups
        self._per_source = startups.usual_per_source if per_source is None else per_source

    def enter(self, listener: str, source: str, dice: float) -> None:
        """Count a connection in, at a listener that requires login; each listener has a count of its own.

        Raises:
            Busy: It is refused; nothing was counted.
        """
        waiting = self._by_listener.get(listener, 0)
        if not self._startups.admit(waiting, dice):
            raise Busy(f"{waiting} connections here have not logged in yet", self.RETRY_SECONDS)
        place = (listener, block_of(source))
        of_source = self._by_block.get(place, 0)
        if 0 < self._per_source <= of_source:
            raise Busy(f"{of_source} connections here from {place[1]} have not logged in yet", self.RETRY_SECONDS)
        self._by_listener[listener] = waiting + 1
        if address_of(source) is not None:
            self._by_block[place] = of_source + 1

    def leave(self, listener: str, source: str) -> None:
        """Count a connection out that was counted in: it has logged in, or is closed; once for both."""
        self._by_listener[listener] -= 1
        if address_of(source) is not None:
            place = (listener, block_of(source))
            self._by_block[place] -= 1
            if not self._by_block[place]:
                del self._by_block[place]
