"""The loop over the lines of one client: each waits for the answer before it, and none keeps others waiting."""

from typing import Final

from twisted.internet.interfaces import IReactorTime

#: Lines of one client that are answered in a row before others have a turn.
LINES_IN_A_ROW: Final = 16


class LineLoop:
    """Takes lines while there are some and nothing has to be waited for.

    A base class, not a component, for the reason that `cmdserver.net.backpressure.Backpressure` has.
    """

    __slots__ = tuple[str, ...]()

    lines_in_a_row = LINES_IN_A_ROW
    _is_proceeding = False

    def proceed(self) -> None:
        """Take lines; called whenever there may be more, or less to wait for. A call within another does nothing."""
        if self._is_proceeding:
            return
        self._is_proceeding = True
        try:
            for _ in range(self.lines_in_a_row):
                if not self._may_proceed or not self._take_line():
                    return
            self._clock.callLater(0, self.proceed)
        finally:
            self._is_proceeding = False

    # For subclasses

    @property
    def _clock(self) -> IReactorTime:
        """What gives others their turn."""
        raise NotImplementedError

    @property
    def _may_proceed(self) -> bool:
        """Whether the next line may be taken."""
        raise NotImplementedError

    def _take_line(self) -> bool:
        """Answer the next line; return whether there may be another one."""
        raise NotImplementedError
