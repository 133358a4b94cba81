"""Metrics for Prometheus: counted from events, and looked up at a scrape.

A label has no value that a client has chosen: a command that there is not counts as ``(unknown)``. What can happen
has its series from the start, see `series`; what is known only of a run has none before there was one.
Imported only if there is a web listener.
"""

import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from cmdserver.audit.receivers import ForwardCounts
from cmdserver.core.errors import Code
from cmdserver.core.events import Event, LoggedIn, Requested, Started
from cmdserver.core.output import Answer, ProcessResult
from cmdserver.core.run_states import EndedBy
from cmdserver.core.version import VERSION
from cmdserver.observers import series
from cmdserver.observers.series import UNKNOWN, WORDS, Offer
from cmdserver.observers.values import LastValues, probe_families

#: Upper bounds in seconds; an ordinary command takes some milliseconds, and 30 s is the usual time limit.
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

#: Looked up now: later the files of packages may be out of our reach, see `preloading`.


@dataclass(frozen=True, eq=False, kw_only=True)
class Now(Collector):
    """What is not counted but looked up: how things are at this moment."""

    running: Callable[[], int]
    queued: Callable[[], int]
    #: By protocol.
    connections: Callable[[], Mapping[str, int]]
    #: Closed as their source may not call, by protocol; those at which some may not.
    refused: Callable[[], Mapping[str, int]]
    #: What became of lines of the audit file, by receiver.
    forwarded: Callable[[], Mapping[str, ForwardCounts]] = dict
    #: What can be asked for; the same value until there is another.
    offer: Callable[[], Offer]

    def collect(self) -> Iterator[Metric]:
        """Collect gauges."""
        yield GaugeMetricFamily("cmdserver_running", "Processes that are running", self.running())
        yield GaugeMetricFamily("cmdserver_queued", "Runs that wait for a place", self.queued())
        connections = GaugeMetricFamily("cmdserver_connections", "Open connections", labels=["protocol"])
        for protocol, count in sorted(self.connections().items()):
            connections.add_metric([protocol], count)
        yield connections
        refused = CounterMetricFamily(
            "cmdserver_connections_refused", "Connections closed without a word", labels=["protocol", "reason"]
        )
        for protocol, count in sorted(self.refused().items()):
            refused.add_metric([protocol, "from"], count)
        yield refused
        yield from _forwarding(self.forwarded())
        info = GaugeMetricFamily("cmdserver_build_info", "Which cmdserver this is", labels=["version"])
        info.add_metric([VERSION], 1)
        yield info


def _forwarding(counts: Mapping[str, ForwardCounts]) -> Iterator[Metric]:
    sent = CounterMetricFamily("cmdserver_audit_forward_sent", "Lines of the audit file sent on", labels=["to"])
    lost = CounterMetricFamily(
        "cmdserver_audit_forward_lost", "Lines of the audit file that could not be sent on", labels=["to"]
    )
    waiting = GaugeMetricFamily(
        "cmdserver_audit_forward_waiting", "Lines of the audit file that wait for a receiver", labels=["to"]
    )
    for to, each in counts.items():
        sent.add_metric([to], each.sent)
        lost.add_metric([to], each.lost)
        waiting.add_metric([to], each.waiting)
    if counts:
        yield from (sent, lost, waiting)


class Metrics:
    """Counts events; an `Observer`."""

    def __init__(self, now: Now) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # when a series began is of no use, and half of all there is
        self._now = now
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "cmdserver_requests",
            "Requests by how they ended",
            ["protocol", "command", "outcome"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "cmdserver_run_duration_seconds",
            "How long the process ran that answered a request",
            ["command"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._ended_early = Counter(
            "cmdserver_requests_ended_early",
            "Requests whose command would have gone on, by who ended it",
            ["command", "ended_by"],
            registry=self._registry,
        )
        self._logins = Counter(
            "cmdserver_logins", "Logins by how they ended", ["protocol", "outcome"], registry=self._registry
        )
        self._last_status = Gauge(
            "cmdserver_last_exit_status",
            "Exit status of the last run that nobody ended before its end; 128 and the signal's number after a signal",
            ["command"],
            registry=self._registry,
        )
        self._last_success = Gauge(
            "cmdserver_last_success_timestamp_seconds",
            "When the last run ended that was a success, in seconds since the epoch",
            ["command"],
            registry=self._registry,
        )
        # A series is looked for once: no event finds another one.
        self._requests_of = cache(self._requests.labels)
        self._duration_of = cache(self._durations.labels)
        self._last_status_of = cache(self._last_status.labels)
        self._last_success_of = cache(self._last_success.labels)
        self._values = LastValues()
        self._registry.register(now)
        ProcessCollector(registry=self._registry)
        #: Whose series there are.
        self._begun: Offer | None = None

    def __call__(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Started():
                pass  # `Now` counts what runs
            case Requested():
                command = self._label(event.command)
                self._requests_of(event.caller.protocol, command, event.outcome).inc()
                if event.ended_by is not None:
                    self._ended_early.labels(command, event.ended_by).inc()
                if event.finished is not None and event.finished.is_over:
                    self._note_end(command, event, event.finished)
                if event.assessment is not None and (ran := self._now.offer().commands.get(event.command or "")):
                    self._values.note(ran, event.time, event.assessment)
            case LoggedIn():
                self._logins.labels(event.protocol, event.outcome).inc()
            case _:
                assert_never(event)

    def render(self, commands: Collection[str], found: Collection[str]) -> bytes:
        """Render all metrics in Prometheus' text format 0.0.4.

        Args:
            commands: Those that have series.
            found: Those of which it is told what they have found.
        """
        self._begin_series()
        visible = CollectorRegistry()
        visible.register(_Visible(self._registry, {*commands, *WORDS, UNKNOWN}))
        visible.register(_Families(self._values.families(self._now.offer().commands, found)))
        return generate_latest(visible)

    def probe(self, answer: Answer) -> bytes:
        """Render what one run has found, which data and check were added to."""
        registry = CollectorRegistry()
        registry.register(_Families(probe_families(answer)))
        return generate_latest(registry)

    def _label(self, command: str | None) -> str:
        if command is not None and (command in self._now.offer().commands or command in WORDS):
            return command
        return UNKNOWN

    def _note_end(self, command: str, event: Requested, finished: ProcessResult) -> None:
        """Remember how a run has ended, unless somebody has ended it: that says nothing of the command."""
        self._duration_of(command).observe(finished.duration_seconds)
        if finished.tells_of_command:
            self._last_status_of(command).set(_status_of(finished))
        if event.outcome is Code.OK:
            self._last_success_of(command).set(event.time)

    def _begin_series(self) -> None:
        """Create all series of what is new since the last scrape."""
        offer = self._now.offer()
        if offer is self._begun:
            return
        for command in offer.commands:
            self._durations.labels(command)
            for ended_by in EndedBy:
                self._ended_early.labels(command, ended_by)
        for labels in series.requests(offer):
            self._requests.labels(*labels)
        for protocol, outcome in series.logins(offer):
            self._logins.labels(protocol, outcome)
        self._begun = offer


def _status_of(finished: ProcessResult) -> int:
    """Return an exit status as a shell gives it."""
    if finished.exit_status is not None:
        return finished.exit_status
    name = finished.signal or ""
    return 128 + (signal.Signals[name].value if name in signal.Signals.__members__ else 0)


class _Families(Collector):
    """Families that were made for one scrape."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        """Collect them."""
        return iter(self._families)


class _Visible(Collector):
    """A registry's metrics without the series of commands that are not named."""

    def __init__(self, registry: CollectorRegistry, commands: Collection[str]) -> None:
        self._all = registry
        self._commands = commands

    def collect(self) -> Iterator[Metric]:
        """Collect what is visible."""
        for metric in self._all.collect():
            visible = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            visible.samples = [each for each in metric.samples if each.labels.get("command", UNKNOWN) in self._commands]
            yield visible
