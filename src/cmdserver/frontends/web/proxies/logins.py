"""Whom trusted proxies have named of late: each request of theirs names somebody, and is no login of its own.

A login is written down when a proxy names somebody from a source for the first time, and again when nobody has heard of
them for as long as ends a session. Who they are is still the proxy's word in each request.

Rule of this file: pure; time is passed in.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from cmdserver.core.model import Caller
from cmdserver.frontends.web.sessions import ABSOLUTE_SECONDS, IDLE_SECONDS

#: The one that was not heard of for longest makes room.
MOST: Final = 10_000


class _Login(Struct):
    caller: Caller
    began_at: float
    heard_of_at: float


class ProxiedLogins:
    """The logins at one listener; ``most`` is how many are remembered."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        #: By name and source, in the order in which they were last heard of.
        self._logins: dict[tuple[tuple[str, ...], str], _Login] = {}

    def __len__(self) -> int:
        return len(self._logins)

    def find(self, names: Sequence[str], source: str, now: float) -> Caller | None:
        """Find who was named so, from that source, and note that they were heard of; None: that is a new login.

        Args:
            names: As the proxy says them.
            source: Where the user calls from.
            now: In seconds, of a clock that does not go back.
        """
        key = (tuple(names), source)
        login = self._logins.pop(key, None)
        if login is None or now - login.heard_of_at > IDLE_SECONDS or now - login.began_at > ABSOLUTE_SECONDS:
            return None
        login.heard_of_at = now
        self._logins[key] = login
        return login.caller

    def begin(self, names: Sequence[str], caller: Caller, now: float) -> None:
        """Remember a login that is written down."""
        while len(self._logins) >= self._most:
            del self._logins[next(iter(self._logins))]
        self._logins[(tuple(names), caller.source)] = _Login(caller, now, now)
