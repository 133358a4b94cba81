"""Metrics for Prometheus: counted from events, and looked up at a scrape.

A label has no value that a client has chosen: a command that there is not counts as ``(unknown)``. Commands that there
are have their series from the start, so that a rate does not begin with a jump.
Imported only if there is a web listener.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, assert_never

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from cmdserver.core.errors import Code
from cmdserver.core.events import Event, LoggedIn, Requested, Started
from cmdserver.core.run_states import EndedBy

#: In place of a command's name, where there is no such command, or the bytes were no request.
UNKNOWN: Final = "(unknown)"

#: What the dispatcher answers itself; everybody may ask it.
WORDS: Final = ("help", "explain", "who", "whoami", "runs", "attach", "stop")

#: Upper bounds in seconds; an ordinary command takes some milliseconds, and 30 s is the usual time limit.
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

#: Looked up now: later the files of packages may be out of our reach, see `preloading`.
_VERSION: Final = version("cmdserver")


@dataclass(frozen=True, eq=False, kw_only=True)
class Now(Collector):
    """What is not counted but looked up: how things are at this moment."""

    running: Callable[[], int]
    queued: Callable[[], int]
    #: By protocol.
    connections: Callable[[], Mapping[str, int]]
    #: Names of those that there are.
    commands: Callable[[], Collection[str]]

    def collect(self) -> Iterator[Metric]:
        """Collect gauges."""
        yield GaugeMetricFamily("cmdserver_running", "Processes that are running", self.running())
        yield GaugeMetricFamily("cmdserver_queued", "Runs that wait for a place", self.queued())
        connections = GaugeMetricFamily("cmdserver_connections", "Open connections", labels=["protocol"])
        for protocol, count in sorted(self.connections().items()):
            connections.add_metric([protocol], count)
        yield connections
        info = GaugeMetricFamily("cmdserver_build_info", "Which cmdserver this is", labels=["version"])
        info.add_metric([_VERSION], 1)
        yield info


class Metrics:
    """Counts events, of all protocols that there are; an `Observer`."""

    def __init__(self, protocols: Iterable[str], now: Now) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # when a series began is of no use, and half of all there is
        self._protocols = tuple(protocols)
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
        self._registry.register(now)
        ProcessCollector(registry=self._registry)
        self._known: frozenset[str] = frozenset()
        for protocol in self._protocols:
            for outcome in Code:
                self._logins.labels(protocol, outcome)

    def __call__(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Started():
                pass  # `Now` counts what runs
            case Requested():
                command = self._label(event.command)
                self._requests.labels(event.caller.protocol, command, event.outcome).inc()
                if event.ended_by is not None:
                    self._ended_early.labels(command, event.ended_by).inc()
                if event.finished is not None and event.finished.is_over:
                    self._durations.labels(command).observe(event.finished.duration_seconds)
            case LoggedIn():
                self._logins.labels(event.protocol, event.outcome).inc()
            case _:
                assert_never(event)

    def render(self, commands: Collection[str]) -> bytes:
        """Render all metrics, with the series of the given commands only, in Prometheus' text format 0.0.4."""
        self._begin_series()
        visible = CollectorRegistry()
        visible.register(_Visible(self._registry, {*commands, *WORDS, UNKNOWN}))
        return generate_latest(visible)

    def _label(self, command: str | None) -> str:
        return command if command is not None and (command in self._now.commands() or command in WORDS) else UNKNOWN

    def _begin_series(self) -> None:
        """Create all series of commands that are new since the last scrape."""
        commands = frozenset(self._now.commands())
        for command in commands - self._known:
            self._durations.labels(command)
            for ended_by in EndedBy:
                self._ended_early.labels(command, ended_by)
        for command in (*(commands - self._known), *(() if self._known else (*WORDS, UNKNOWN))):
            for protocol in self._protocols:
                for outcome in Code:
                    self._requests.labels(protocol, command, outcome)
        self._known = commands


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
