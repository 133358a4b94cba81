"""Twisted's own command, with the profiler at hand: ``python counted_twistd.py DIRECTORY OPTIONS...``.

SIGUSR2 lets it count, and lets it end that: then all that was called is in ``DIRECTORY/calls``, for `pstats`. Whoever
sends the signal finds ``DIRECTORY/counting`` there as long as it counts.
"""

import cProfile
import signal
import sys
from pathlib import Path
from types import FrameType

from twisted.scripts.twistd import run


class Toggle:
    """Begins and ends to count.

    Args:
        directory: For what it has to say; whoever the daemon becomes may write there.
    """

    def __init__(self, directory: Path) -> None:
        self._calls = directory / "calls"
        self._flag = directory / "counting"
        self._profile: cProfile.Profile | None = None

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Do the other of the two."""
        profile, self._profile = self._profile, None
        if profile is not None:
            profile.disable()
            profile.dump_stats(self._calls)
            self._flag.unlink()
            return
        self._profile = cProfile.Profile()
        self._flag.touch()
        self._profile.enable()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, Toggle(Path(sys.argv.pop(1))))
    run()
