"""How often commands are started, whoever asks (``rate_limit``): a window that slides."""

from collections import deque

from cmdserver.core.errors import Throttled
from cmdserver.core.model import Rate
from cmdserver.parameters.number_types import span


class StartRates:
    """The times of the last starts, by command; of each as many as its rate counts."""

    def __init__(self) -> None:
        self._starts: dict[str, deque[float]] = {}

    def require(self, command: str, rate: Rate, now: float) -> None:
        """Raise `Throttled` if a command may not be started now."""
        starts = self._starts.get(command, ())
        if len(starts) >= rate.count and (wait := starts[-rate.count] + rate.seconds - now) > 0:
            times = "once" if rate.count == 1 else f"{rate.count} times"
            raise Throttled(
                f"{command} may run {times} in {span(rate.seconds)}, and has", wait, f"commands.{command}.rate_limit"
            )

    def spend(self, command: str, rate: Rate, now: float) -> None:
        """Count a start, or raise `Throttled` if there may be none."""
        self.require(command, rate, now)
        starts = self._starts.get(command)
        if starts is None or starts.maxlen != rate.count:  # a reload has changed the rate
            starts = self._starts[command] = deque(starts or (), maxlen=rate.count)
        starts.append(now)

    def give_back(self, command: str) -> None:
        """Forget the last start of a command: it was none."""
        if starts := self._starts.get(command):
            starts.pop()
