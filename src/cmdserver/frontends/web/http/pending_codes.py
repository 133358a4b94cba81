"""Logins by a form whose password was right, and that wait for a code.

The number of one is in the page that asks for the code, and nowhere else, and is good for one try. Rule of this file:
pure; time and randomness are passed in.
"""

from dataclasses import dataclass
from typing import Final

from cmdserver.auth.credentials import CodeRequired

#: In which the code is to be typed: it counts for a minute and a half.
SECONDS: Final = 120.0
#: Of everybody; each costs a right password. The oldest makes room.
MOST: Final = 1000
#: Of randomness in a number.
NUMBER_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class PendingCode:
    """One of them."""

    required: CodeRequired
    source: str
    began_at: float


class PendingCodes:
    """The logins of one listener that wait for a code."""

    def __init__(self) -> None:
        self._pending: dict[str, PendingCode] = {}

    def begin(self, required: CodeRequired, source: str, now: float, random: bytes) -> tuple[str, list[PendingCode]]:
        """Let a login wait.

        Args:
            required: What was shown.
            source: Where from.
            now: In seconds, of a clock that does not go back.
            random: `NUMBER_BYTES` of randomness, used for nothing else.

        Returns:
            Its number, and those that have waited too long.
        """
        over = self.over(now)
        while len(self._pending) >= MOST:
            over.append(self._pending.pop(next(iter(self._pending))))
        number = random.hex()
        self._pending[number] = PendingCode(required, source, now)
        return number, over

    def take(self, number: str, now: float) -> PendingCode | None:
        """Take the login of a number, which is good for nothing from then on; None if there is none any more."""
        pending = self._pending.get(number)
        if pending is None or now - pending.began_at > SECONDS:
            return None
        return self._pending.pop(number)

    def over(self, now: float) -> list[PendingCode]:
        """Forget those that have waited too long, and return them."""
        # They stand in the order in which they began.
        late = [number for number, each in self._pending.items() if now - each.began_at > SECONDS]
        return [self._pending.pop(number) for number in late]
