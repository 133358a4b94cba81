"""The steps of a probe and the time that each takes. Pure: the clock is an argument."""

from collections.abc import Callable
from types import TracebackType


class Steps:
    """What was done, how long it took, and what is being done now.

    The watchdog's thread reads it while the probe goes on.

    Attributes:
        finished: Name and seconds of each step that came to its end, in order. A step that comes twice is one.
        current: The step that is under way, or at which the probe stopped.
    """

    __slots__ = ("_begun", "_clock", "current", "finished")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self.finished: dict[str, float] = {}
        self.current: str | None = None

    def seconds(self) -> float:
        """Tell how long it has taken in all."""
        return self._clock() - self._begun

    def step(self, name: str) -> "Step":
        """Measure a step; it stays the current one if an error ends it."""
        return Step(self, name, self._clock)


class Step:
    """A step under way."""

    __slots__ = ("_begun", "_clock", "_name", "_steps")

    def __init__(self, steps: Steps, name: str, clock: Callable[[], float]) -> None:
        self._steps = steps
        self._name = name
        self._clock = clock
        self._begun = 0.0

    def __enter__(self) -> None:
        self._steps.current = self._name
        self._begun = self._clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            finished = self._steps.finished
            finished[self._name] = finished.get(self._name, 0.0) + self._clock() - self._begun
            self._steps.current = None
