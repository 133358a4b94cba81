"""Who listens to events beside the audit file and the log: made when the first front end asks for it.

A daemon without a web listener neither measures nor keeps what checks find.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cmdserver.app.composition.limiters import Limiters
from cmdserver.audit.receivers import ForwardCounts
from cmdserver.config.configuration import Configuration
from cmdserver.core.events import EventLog
from cmdserver.frontends.common.interface import Exposition, latest
from cmdserver.runs.check_trends import CheckTrends, TrendOf

if TYPE_CHECKING:  # the type of what is imported late
    from cmdserver.observers.metrics import Metrics


class Observing:
    """Metrics, and what checks have found.

    Args:
        configuration: As it is now.
        refused: Counts by protocol whom ``from`` has kept out.
        forwarded: What became of lines of the audit file, by receiver.
    """

    def __init__(
        self,
        events: EventLog,
        limiters: Limiters,
        configuration: Callable[[], Configuration],
        refused: Callable[[], Mapping[str, int]],
        forwarded: Callable[[], Mapping[str, ForwardCounts]],
    ) -> None:
        self._events = events
        self._limiters = limiters
        self._configuration = configuration
        self._refused = refused
        self._forwarded = forwarded
        self._metrics: Metrics | None = None
        self._trends: CheckTrends | None = None

    def trends(self) -> TrendOf:
        """Begin to listen to what checks find, if nobody has."""
        if self._trends is None:
            self._trends = CheckTrends()
            self._events.subscribe(self._trends)
        return self._trends.of

    def exposition(self) -> Exposition:
        """Begin to measure, if nobody has: events are counted from now on."""
        if self._metrics is None:
            self._metrics = self._make_metrics()
            self._events.subscribe(self._metrics)
        return self._metrics

    def reconfigure(self, before: Configuration, after: Configuration) -> None:
        """Forget what was found by commands that have changed."""
        if self._trends is not None:
            known = {each.name: each for each in before.commands}
            self._trends.reconfigure(each.name for each in after.commands if known.get(each.name) == each)

    def _make_metrics(self) -> "Metrics":
        from cmdserver.observers.metrics import Metrics, Now  # noqa: PLC0415 - for web listeners only
        from cmdserver.observers.series import Offer  # noqa: PLC0415 - likewise

        def offer_of(configuration: Configuration) -> Offer:
            return Offer(
                commands={each.name: each for each in configuration.commands},
                listening=configuration.all_listening,
                hooked=frozenset(hook.command for hook in configuration.hooks if hook.only_if),
                limits_callers=configuration.limits.caller_requests_per_minute > 0,
            )

        return Metrics(
            Now(
                running=lambda: self._limiters.runs.running,
                queued=lambda: self._limiters.runs.queued,
                connections=self._limiters.connections.counts,
                refused=self._refused,
                forwarded=self._forwarded,
                offer=latest(self._configuration, offer_of),
            )
        )
