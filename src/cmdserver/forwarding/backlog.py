"""What waits for a receiver: bounded, the oldest lost first, every loss counted. Pure."""

from collections import deque


class Backlog:
    """Messages in their order. When there are too many, the oldest are lost: the newest tell how the chain ends."""

    def __init__(self, most_lines: int, most_bytes: int) -> None:
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        #: Since the start.
        self.sent = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: bytes) -> int:
        """Take a message; return how many were lost for that."""
        self._messages.append(message)
        self._bytes += len(message)
        before = self.lost
        while len(self._messages) > self._most_lines or self._bytes > self._most_bytes:
            self._bytes -= len(self._messages.popleft())
            self.lost += 1
        return self.lost - before

    def first(self) -> bytes | None:
        """Return the message that is next; None if there is none."""
        return self._messages[0] if self._messages else None

    def take_first(self) -> None:
        """Remove the message that is next: it was sent."""
        self._bytes -= len(self._messages.popleft())
        self.sent += 1

    def lose_sent(self) -> None:
        """Count one as lost that was thought to be sent."""
        self.sent -= 1
        self.lost += 1

    def lose_all(self) -> int:
        """Give up all that waits; return how many."""
        count = len(self._messages)
        self.lost += count
        self._messages.clear()
        self._bytes = 0
        return count
