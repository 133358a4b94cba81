"""Refuse sources for a time whose logins fail: sshd's PerSourcePenalties.

Every offence costs seconds, which add up for a source and run off by themselves. When more than `MIN_SECONDS` are
outstanding, the source is refused until all of them have run off. Four wrong passwords within five seconds do that; a
person who types them, one in five seconds or slower, never gets there, on the local host or elsewhere, so the local
host needs no exception (sshd makes none either). Many people behind one address may: exempt networks are for those,
and for a proxy in front that does not say whom it speaks for.

A source is what `block_of` says: an IPv4 address, but an IPv6 network of 64 bits.
"""

import heapq
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from cmdserver.core.addresses import Address, Network, address_of, block_of

#: What must be outstanding, and more, before a source is refused: sshd's ``min``.
MIN_SECONDS = 15.0
#: More than this is never outstanding: sshd's ``max``.
MAX_SECONDS = 600.0
#: Sources remembered, of each address family: sshd's ``max-sources4`` and ``max-sources6``.
MAX_SOURCES = 65536


class Offence(StrEnum):
    """What a connection did wrong, in sshd's words; at most one a connection, when it ends."""

    #: It tried to log in and did not get in. An unknown user is this too, and not, as in sshd, an ``invaliduser`` of
    #: its own: what does not differ cannot tell a client which users exist.
    AUTHFAIL = "authfail"
    #: It left without having tried.
    NOAUTH = "noauth"
    #: It had not logged in when ``login_seconds`` were over.
    GRACE_EXCEEDED = "grace-exceeded"


#: sshd's defaults.
SECONDS = {Offence.AUTHFAIL: 5.0, Offence.NOAUTH: 1.0, Offence.GRACE_EXCEEDED: 10.0}


class Penalties:
    """What sources have outstanding, in bounded memory.

    ``unix`` and ``unknown`` have nothing, ever: who they are cannot be told apart.

    Args:
        exempt: Networks that are neither charged nor refused.
        max_sources: How many sources are remembered, of each address family. When there are more, those who have the
            least outstanding are forgotten (sshd's ``overflow permissive``): a flood from everywhere must not lock out
            everybody.
    """

    def __init__(self, exempt: Iterable[Network] = (), max_sources: int = MAX_SOURCES) -> None:
        self.reconfigure(exempt)
        self._tables = {4: _Table(max_sources), 6: _Table(max_sources)}
        self._elapsed = 0.0
        self._last: float | None = None

    def reconfigure(self, exempt: Iterable[Network]) -> None:
        """Exempt these networks and no others, from now on: who is refused there is welcome at once."""
        self._exempt = tuple(exempt)

    def __len__(self) -> int:
        """Sources that are remembered, some perhaps with nothing outstanding any more."""
        return sum(map(len, self._tables.values()))

    def charge(self, source: str, offence: Offence, now: float) -> bool:
        """Add an offence to what a source has outstanding.

        Returns:
            Whether this is what gets the source refused; once for each time that it is locked out, for the log.
        """
        address = self._liable(source)
        now = self._forward(now)
        return address is not None and self._tables[address.version].charge(block_of(source), SECONDS[offence], now)

    def is_refused(self, source: str, now: float) -> float | None:
        """Say for how long a source is refused.

        Returns:
            The seconds that are left, > 0, or None: it is welcome.
        """
        address = self._liable(source)
        now = self._forward(now)
        return None if address is None else self._tables[address.version].refused_seconds(block_of(source), now)

    def _liable(self, source: str) -> Address | None:
        address = address_of(source)
        if address is None or any(address in network for network in self._exempt):
            return None
        return address

    def _forward(self, now: float) -> float:
        """Return a time that never goes back, whatever the clock does."""
        if self._last is not None:
            self._elapsed += max(0.0, now - self._last)
        self._last = now
        return self._elapsed


class _Penalty(Struct):
    expiry: float
    #: Has been above the minimum, and not at zero since.
    is_active: bool = False


class _Table:
    """The blocks of one address family."""

    def __init__(self, max_sources: int) -> None:
        self._max_sources = max_sources
        self._by_block: dict[str, _Penalty] = {}
        #: One entry a block; its expiry may have moved on since, never back.
        self._soonest: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._by_block)

    def charge(self, block: str, seconds: float, now: float) -> bool:
        while self._soonest and self._soonest[0][0] <= now:
            self._forget_soonest()
        penalty = self._by_block.get(block)
        if penalty is None:
            penalty = self._by_block[block] = _Penalty(now + seconds)
            heapq.heappush(self._soonest, (penalty.expiry, block))
        else:
            penalty.expiry = min(penalty.expiry + seconds, now + MAX_SECONDS)
        was_active = penalty.is_active
        penalty.is_active = was_active or penalty.expiry - now > MIN_SECONDS
        while len(self._by_block) > self._max_sources:
            self._forget_soonest()
        return penalty.is_active and not was_active

    def refused_seconds(self, block: str, now: float) -> float | None:
        penalty = self._by_block.get(block)
        if penalty is None or not penalty.is_active or penalty.expiry <= now:
            return None
        return penalty.expiry - now

    def _forget_soonest(self) -> None:
        """Forget the first entry; or, if its expiry has moved on, put it in its new place."""
        expiry, block = self._soonest[0]
        moved_on = self._by_block[block].expiry
        if moved_on > expiry:
            heapq.heapreplace(self._soonest, (moved_on, block))
        else:
            heapq.heappop(self._soonest)
            del self._by_block[block]
