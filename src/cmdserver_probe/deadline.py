"""The end of every probe: whatever it waits for, it is over in time, and says where it stood.

Timeouts of sockets do not do it: a target that sends a byte a second keeps each of them waiting, and none of them is
looked at while a name is resolved. So a thread waits for the time, and ends the process. Should even that be in
vain (nobody reads what it wants to say), the kernel's timer ends the process a little later, by SIGALRM.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

#: How long after the time the kernel ends what did not end by itself.
GRACE_SECONDS = 0.5


class Deadline:
    """Ends the process when the time is over, unless the result came first.

    The one who claims the end may speak; so there is one answer, never two, nor two mixed.
    """

    def __init__(self, seconds: float, last_words: Callable[[], tuple[bytes, int]]) -> None:
        """Be ready.

        Args:
            seconds: The time.
            last_words: Says what to print and which exit status to leave with if the time is over.
        """
        self._seconds = seconds
        self._last_words = last_words
        self._claimed = threading.Lock()
        self._is_over = threading.Event()

    def start(self) -> None:
        """Start the time."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, self._seconds + GRACE_SECONDS)
        threading.Thread(target=self._wait, daemon=True).start()

    def claim(self) -> bool:
        """Tell whether the caller may speak: it is the first who asks."""
        return self._claimed.acquire(blocking=False)

    def stop(self) -> None:
        """End the wait; for tests, as the process's end ends it otherwise."""
        self._is_over.set()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _wait(self) -> None:
        if not self._is_over.wait(self._seconds) and self.claim():
            text, status = self._last_words()
            write(text)
            os._exit(status)


def write(text: bytes) -> None:
    """Print to standard output, all of it, or as much as somebody wants to read."""
    with suppress(OSError):
        while text:
            text = text[os.write(1, text) :]
