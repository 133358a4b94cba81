"""Logins by a form whose password was right, and that wait for a code.

The number of one is in the page that asks for the code, and nowhere else, and is good for one try. Rule of this file:
pure; randomness is passed in, and whoever keeps the time says when one is over.
"""

from typing import Final

from cmdserver.auth.credentials import CodeRequired

#: In which the code is to be typed: it counts for a minute and a half.
SECONDS: Final = 120.0
#: Of one user; the oldest makes room.
MOST_OF_A_USER: Final = 20
#: Of everybody; each costs a right password.
MOST: Final = 1000
#: Of randomness in a number.
NUMBER_BYTES: Final = 32


class PendingCodes:
    """The logins of one listener that wait for a code."""

    def __init__(self) -> None:
        #: By number, in the order in which they began.
        self._pending: dict[str, CodeRequired] = {}

    def begin(self, required: CodeRequired, random: bytes) -> tuple[str, str | None]:
        """Let a login wait.

        Args:
            required: What was shown.
            random: `NUMBER_BYTES` of randomness, used for nothing else.

        Returns:
            Its number, and that of the one which is over, as it has made room; `take` it.
        """
        name = required.proof.name
        own = [number for number, each in self._pending.items() if each.proof.name == name]
        over = own[0] if len(own) >= MOST_OF_A_USER else None
        if over is None and len(self._pending) >= MOST:
            over = next(iter(self._pending))
        number = random.hex()
        self._pending[number] = required
        return number, over

    def take(self, number: str) -> CodeRequired | None:
        """Take the login of a number, which is good for nothing from then on; None if there is none any more."""
        return self._pending.pop(number, None)
