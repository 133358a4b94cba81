"""What commands have found, for Prometheus: numbers of their data, states of checks, performance data.

They are those of the last run that said something; a scrape starts none. Values are known from the output of commands,
which is anybody's: so many series a command, and so many characters a label, are bounded, and what is left out is
counted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from msgspec import Struct
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from cmdserver.checks.data import as_number, numbers
from cmdserver.checks.result import CheckResult, shortened
from cmdserver.checks.states import CheckState
from cmdserver.core.model import Command
from cmdserver.core.output import Answer, Assessment, Parsed
from cmdserver.core.run_states import RunState

#: Of one command.
MOST_SERIES: Final = 2000
#: Of the numbers of its data: more are not even counted, as everybody waits meanwhile.
MOST_COUNTED: Final = 20_000
#: Of the value of a label.
MOST_CHARACTERS: Final = 256

#: Labels' values, and what is measured.
_Sample = tuple[tuple[str, ...], float]


class _Told(Struct, frozen=True, eq=False):
    """What is told of one command."""

    values: tuple[_Sample, ...] = ()
    performance: tuple[_Sample, ...] = ()
    state: CheckState | None = None
    left_out: int = 0


class _Last(Struct, eq=False):
    """The last run of a command that has said something."""

    #: As it was then.
    command: Command
    #: Seconds since the epoch.
    time: float
    assessment: Assessment
    #: Made at the first scrape.
    told: _Told | None = None


class LastValues:
    """What the last runs have found."""

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}

    def note(self, command: Command, time: float, assessment: Assessment) -> None:
        """Remember what a run has found, and forget what the one before it had.

        Args:
            command: What has run.
            time: When it ended, in seconds since the epoch.
            assessment: What it has found.
        """
        self._last[command.name] = _Last(command, time, assessment)

    def families(self, commands: Mapping[str, Command], visible: Collection[str]) -> Iterator[Metric]:
        """Tell what is known of commands, and forget it of those that a reload has changed.

        Args:
            commands: As they are now, by their names.
            visible: The names of those that are told.
        """
        self._last = {name: last for name, last in self._last.items() if commands.get(name) == last.command}
        shown = {name: last for name, last in self._last.items() if name in visible and _is_told(last.command)}
        told = {name: _told(last) for name, last in shown.items()}
        yield from _families(told)
        time = GaugeMetricFamily(
            "cmdserver_value_timestamp_seconds",
            "When the run ended that values, state and performance data are from, in seconds since the epoch",
            labels=["command"],
        )
        for name, last in shown.items():
            time.add_metric([name], last.time)
        yield time


def probe_families(answer: Answer) -> Iterator[Metric]:
    """Tell what one run has found, as blackbox_exporter does: whether it went well, how long it took, and its values.

    Args:
        answer: With data and check.
    """
    check = answer.check
    is_success = check.state.is_passed if check is not None else answer.state is RunState.OK
    yield GaugeMetricFamily("probe_success", "Whether the command went well", int(is_success))
    seconds = answer.finished.duration_seconds
    yield GaugeMetricFamily("probe_duration_seconds", "How long the command took", seconds)
    yield from _families({answer.command: _tell(answer.parsed, check)})


def _is_told(command: Command) -> bool:
    return command.metrics or command.check is not None


def _told(last: _Last) -> _Told:
    if last.told is None:
        parsed = last.assessment.parsed if last.command.metrics else None
        last.told = _tell(parsed, last.assessment.check)
    return last.told


def _tell(parsed: Parsed | None, check: CheckResult | None) -> _Told:
    found = _different(
        (
            ((_label(each.key), _label(each.row or "")), as_number(each.value) or 0.0)
            for each in islice(numbers(parsed.value if parsed is not None else None), MOST_COUNTED)
        ),
        named=1,
    )
    values = tuple(islice(found, MOST_SERIES))
    left_out = sum(1 for _ in found)
    if check is None:
        return _Told(values, left_out=left_out)
    measured = _different(
        (((_label(each.label), _label(each.unit)), each.value) for each in check.performance if each.value is not None),
        named=0,
    )
    performance = tuple(islice(measured, MOST_SERIES - len(values)))
    left_out += sum(1 for _ in measured) + check.omitted_values
    return _Told(values, performance, check.state, left_out)


def _label(text: str) -> str:
    """Make a label's value of text that is anybody's: of bounded length, and of what UTF-8 can spell."""
    return shortened(text, MOST_CHARACTERS).encode(errors="replace").decode()


def _different(samples: Iterable[_Sample], named: int) -> Iterator[_Sample]:
    """Number what has the same labels as another: Prometheus takes nothing of an answer that has two of a kind.

    Args:
        samples: With labels that may be the same.
        named: Which label gets the number.
    """
    counts: dict[tuple[str, ...], int] = {}
    seen: set[tuple[str, ...]] = set()
    for labels, value in samples:
        count, different = counts.get(labels, 1), labels
        while different in seen:
            count += 1
            different = (*labels[:named], f"{labels[named]} ({count})", *labels[named + 1 :])
        counts[labels] = count
        seen.add(different)
        yield different, value


def _families(told: Mapping[str, _Told]) -> Iterator[Metric]:
    value = GaugeMetricFamily("cmdserver_value", "A number of a command's data", labels=["command", "key", "row"])
    measured = GaugeMetricFamily(
        "cmdserver_performance", "What a check has measured", labels=["command", "label", "unit"]
    )
    state = GaugeMetricFamily(
        "cmdserver_check_state", "1 for the state that a check has found", labels=["command", "state"]
    )
    left_out = GaugeMetricFamily(
        "cmdserver_series_left_out",
        f"Values that are not told, as a command has at most {MOST_SERIES}; of {MOST_COUNTED} that are looked at",
        labels=["command"],
    )
    for command, each in told.items():
        for labels, number in each.values:
            value.add_metric([command, *labels], number)
        for labels, number in each.performance:
            measured.add_metric([command, *labels], number)
        if each.state is not None:
            for known in CheckState:
                state.add_metric([command, known.name], int(known is each.state))
        left_out.add_metric([command], each.left_out)
    yield from (value, measured, state, left_out)
