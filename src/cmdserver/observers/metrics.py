"""Metrics for Prometheus: counted from events, and looked up at a scrape.

A label has no value that a client has chosen: a command that there is not counts as ``(unknown)``. What can happen
has its series from the start, see `series`; what is known only of a run has none before there was one.
Imported only if there is a web listener.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, assert_never

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from cmdserver.audit.receivers import ForwardCounts
from cmdserver.core.events import Event, LoggedIn, Requested, Started
from cmdserver.core.output import Answer
from cmdserver.core.run_states import EndedBy
from cmdserver.core.version import VERSION
from cmdserver.observers import series
from cmdserver.observers.counts import BOUNDS, Counts
from cmdserver.observers.series import UNKNOWN, WORDS, Offer
from cmdserver.observers.values import LastValues, probe_families

#: Upper bounds of durations as Prometheus spells them, and the one above all.
_BUCKETS: Final = (*map(floatToGoString, BOUNDS), "+Inf")


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
        self._now = now
        self._counts = Counts()
        self._values = LastValues()
        self._process = ProcessCollector(registry=None)

    def __call__(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Started():
                pass  # `Now` counts what runs
            case Requested():
                self._counts.count_request(self._label(event.command), event)
                if event.assessment is not None and (ran := self._now.offer().commands.get(event.command or "")):
                    self._values.note(ran, event.time, event.assessment)
            case LoggedIn():
                self._counts.count_login(event)
            case _:
                assert_never(event)

    def render(self, commands: Collection[str], found: Collection[str]) -> bytes:
        """Render all metrics in Prometheus' text format 0.0.4.

        Args:
            commands: Those that have series.
            found: Those of which it is told what they have found.
        """
        offer = self._now.offer()
        registry = CollectorRegistry()
        registry.register(_Families(_counted(self._counts, offer, {*commands, *WORDS, UNKNOWN})))
        registry.register(self._now)
        registry.register(self._process)
        registry.register(_Families(self._values.families(offer.commands, found)))
        return generate_latest(registry)

    def probe(self, answer: Answer) -> bytes:
        """Render what one run has found, which data and check were added to."""
        registry = CollectorRegistry()
        registry.register(_Families(probe_families(answer)))
        return generate_latest(registry)

    def _label(self, command: str | None) -> str:
        if command is not None and (command in self._now.offer().commands or command in WORDS):
            return command
        return UNKNOWN


def _counted(counts: Counts, offer: Offer, visible: Collection[str]) -> Iterator[Metric]:
    """Tell what was counted of visible commands, and of logins: what can happen, and what has happened."""
    requests = CounterMetricFamily(
        "cmdserver_requests", "Requests by how they ended", labels=["protocol", "command", "outcome"]
    )
    for protocol, command, outcome in dict.fromkeys((*series.requests(offer), *counts.requests)):
        if command in visible:
            requests.add_metric([protocol, command, outcome], counts.requests[protocol, command, outcome])
    yield requests
    durations = HistogramMetricFamily(
        "cmdserver_run_duration_seconds", "How long the process ran that answered a request", labels=["command"]
    )
    for name in dict.fromkeys((*offer.commands, *counts.durations)):
        if name in visible:
            of_command = counts.durations[name]
            cumulative = map(float, accumulate(of_command.counts))
            durations.add_metric([name], list(zip(_BUCKETS, cumulative, strict=True)), of_command.seconds)
    yield durations
    ended_early = CounterMetricFamily(
        "cmdserver_requests_ended_early",
        "Requests whose command would have gone on, by who ended it",
        labels=["command", "ended_by"],
    )
    possible = ((name, ended_by) for name in offer.commands for ended_by in EndedBy)
    for name, ended_by in dict.fromkeys((*possible, *counts.ended_early)):
        if name in visible:
            ended_early.add_metric([name, ended_by], counts.ended_early[name, ended_by])
    yield ended_early
    logins = CounterMetricFamily("cmdserver_logins", "Logins by how they ended", labels=["protocol", "outcome"])
    for protocol, outcome in dict.fromkeys((*series.logins(offer), *counts.logins)):
        logins.add_metric([protocol, outcome], counts.logins[protocol, outcome])
    yield logins
    yield from _last_runs(counts, visible)


def _last_runs(counts: Counts, visible: Collection[str]) -> Iterator[Metric]:
    """Tell of last runs; nothing of a command before there was one."""
    for name, documentation, values in (
        (
            "cmdserver_last_exit_status",
            "Exit status of the last run that nobody ended before its end; 128 and the signal's number after a signal",
            counts.last_status,
        ),
        (
            "cmdserver_last_success_timestamp_seconds",
            "When the last run ended that was a success, in seconds since the epoch",
            counts.last_success,
        ),
    ):
        family = GaugeMetricFamily(name, documentation, labels=["command"])
        for command, value in values.items():
            if command in visible:
                family.add_metric([command], value)
        yield family


class _Families(Collector):
    """Families that were made for one scrape."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        """Collect them."""
        return iter(self._families)
