"""Passwords that were right a moment ago, for clients that send theirs with every request, as HTTP Basic does.

To check one takes a fifth of a second of a core, on purpose, and a program that asks twice a second would have most of
it. What is kept is a keyed digest of password *and* hash, under a key that dies with the process: neither can be found
from it, and as soon as the password is changed or its user is gone, the hash is another and nothing is known any more.
"""

import hmac
from typing import Final

#: How long a password that was right need not be checked again.
SECONDS: Final = 60.0
#: Those that were remembered longest ago make room.
MOST: Final = 1000


class PasswordCache:
    """The passwords; the key is random, of 32 bytes, and used for nothing else."""

    def __init__(self, key: bytes, seconds: float = SECONDS, most: int = MOST) -> None:
        self._key = key
        self._seconds = seconds
        self._most = most
        #: Until when, in the order in which they end.
        self._until: dict[bytes, float] = {}

    def knows(self, password: bytes, hashed: bytes, now: float) -> bool:
        """Whether a password was verified against a hash recently."""
        until = self._until.get(self._digest(password, hashed))
        return until is not None and now < until

    def remember(self, password: bytes, hashed: bytes, now: float) -> None:
        """Cache that a password was verified against a hash."""
        digest = self._digest(password, hashed)
        self._until.pop(digest, None)
        if len(self._until) >= self._most:
            del self._until[next(iter(self._until))]
        self._until[digest] = now + self._seconds

    def _digest(self, password: bytes, hashed: bytes) -> bytes:
        # A hash has no NUL in it, so that no two pairs are spelled the same.
        return hmac.digest(self._key, hashed + b"\0" + password, "sha256")
