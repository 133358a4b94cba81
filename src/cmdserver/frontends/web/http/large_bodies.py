"""The bodies that may be larger than those of other requests: those of hooks.

Who sends one has proved nothing until all of it is there, so what all of them hold at a time is bounded; each has as
long as every request has.
"""

from collections.abc import Callable
from typing import Final

from cmdserver.core.errors import Busy, Malformed

#: Of one web listener. No body may be larger than half of it.
MOST_HELD_BYTES: Final = 1 << 26
_RETRY_SECONDS: Final = 5


class LargeBodies:
    """What large bodies hold.

    Args:
        most_bytes: Says how many bytes a body may have, given the request's target.
    """

    def __init__(self, most_bytes: Callable[[bytes], int]) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0

    def hold(self, target: bytes, size: int, more: int) -> None:
        """Count bytes of a body in.

        Args:
            target: The request's.
            size: What the body has with them.
            more: What of that is not counted yet; 0 for what is only announced.

        Raises:
            Malformed: The body is too long.
            Busy: Others hold too much.
        """
        most = self._most_bytes(target)
        if size > most:
            raise Malformed(f"the body is longer than {most} bytes")
        if self.held_bytes + more > MOST_HELD_BYTES:
            raise Busy("too many large requests are on their way", _RETRY_SECONDS)
        self.held_bytes += more

    def release(self, count: int) -> None:
        """Count bytes out that were counted in."""
        self.held_bytes -= count
