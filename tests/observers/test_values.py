"""What the last runs have found, as Prometheus reads it."""

import unittest
from typing import Any

from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from cmdserver.checks.check import Check
from cmdserver.checks.data import Json
from cmdserver.checks.performance import Performance
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.core.output import Assessment, Parsed
from cmdserver.observers.values import MOST_CHARACTERS, MOST_SERIES, LastValues, probe_families
from tests.doubles import a_command, a_grant, an_answer

DISKS: Json = [{"mounted_on": "/", "use_percent": 12, "size": None}, {"mounted_on": "/var", "use_percent": 93.5}]


#: Commands whose numbers are told, and those of a check as well.
DF = a_command(name="df", metrics=True)
BOTH = a_command(name="df", metrics=True, check=Check())


class Families(Collector):
    """Some families."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """Collect them."""
        return self._families


def read(families: list[Metric]) -> dict[str, dict[tuple[str, ...], float]]:
    """Write families, and read them as Prometheus does: by name, then by labels."""
    registry = CollectorRegistry()
    registry.register(Families(families))
    text = generate_latest(registry).decode()
    return {
        family.name: {tuple(each.labels.values()): each.value for each in family.samples}
        for family in text_string_to_metric_families(text)
    }


def found(data: Json = None, check: CheckResult | None = None) -> Assessment:
    """Say what a run has found."""
    return Assessment(parsed=Parsed(json=b"1", value=data) if data is not None else None, check=check)


def critical(*values: Performance, omitted: int = 0) -> CheckResult:
    """Make the result of a check."""
    return CheckResult(state=CheckState.CRITICAL, text="bad", performance=values, omitted_values=omitted)


class LastValuesTests(unittest.TestCase):
    def setUp(self) -> None:
        self.last = LastValues()

    def families(self, **commands: Any) -> dict[str, dict[tuple[str, ...], float]]:
        """Tell of commands that are as said."""
        made = {name: a_command(name=name, **each) for name, each in commands.items()}
        return read(list(self.last.families(made, made)))

    def test_numbers(self) -> None:
        """By key and row, with the time that they are from."""
        self.last.note(DF, 1700.5, found(DISKS))
        told = self.families(df={"metrics": True})

        self.assertEqual(told["cmdserver_value"], {("df", "use_percent", "/"): 12, ("df", "use_percent", "/var"): 93.5})
        self.assertEqual(told["cmdserver_value_timestamp_seconds"], {("df",): 1700.5})
        self.assertEqual(told["cmdserver_series_left_out"], {("df",): 0})

    def test_checks(self) -> None:
        """A state is one of four; what was measured has its unit; what is undetermined has no value."""
        values = (Performance(label="a", value=0.5, unit="s"), Performance(label="b", value=None))
        self.last.note(a_command(name="web", check=Check()), 1.0, found(check=critical(*values)))
        told = self.families(web={"check": Check()})

        states = {("web", state.name): float(state is CheckState.CRITICAL) for state in CheckState}
        self.assertEqual(told["cmdserver_check_state"], states)
        self.assertEqual(told["cmdserver_performance"], {("web", "a", "s"): 0.5})
        self.assertEqual(told["cmdserver_value"], {})

    def test_only_what_is_wanted(self) -> None:
        """Without ``metrics`` no numbers; what is neither is not told."""
        self.last.note(a_command(name="df", check=Check()), 1.0, found(DISKS, critical()))
        self.assertEqual(self.families(df={"check": Check()})["cmdserver_value"], {})
        self.last.note(a_command(name="df"), 1.0, found(DISKS, critical()))
        self.assertEqual(self.families(df={})["cmdserver_value_timestamp_seconds"], {})

    def test_a_command_that_is_another(self) -> None:
        """What it has found before a reload is forgotten, also once it was told."""
        for changed in ({"check": Check()}, {"metrics": True, "argv": ("/bin/other",)}, {}):
            self.last.note(DF, 1.0, found(DISKS, critical()))
            self.assertNotEqual(self.families(df={"metrics": True})["cmdserver_value"], {})
            told = self.families(df=changed)
            self.assertEqual((told["cmdserver_value"], told["cmdserver_check_state"]), ({}, {}), changed)
            self.assertEqual(self.families(df={"metrics": True})["cmdserver_value"], {}, "it is forgotten")

    def test_who_may_know(self) -> None:
        """Only what is visible is told, and nothing is forgotten for that."""
        self.last.note(DF, 1.0, found(DISKS))
        self.assertEqual(read(list(self.last.families({"df": DF}, ["other"])))["cmdserver_value"], {})
        self.assertNotEqual(self.families(df={"metrics": True})["cmdserver_value"], {})

    def test_the_last_run_counts(self) -> None:
        """Rows that are gone have no series."""
        self.last.note(DF, 1.0, found(DISKS))
        self.families(df={"metrics": True})
        self.last.note(DF, 2.0, found([{"mounted_on": "/", "use_percent": 13}]))
        told = self.families(df={"metrics": True})

        self.assertEqual(told["cmdserver_value"], {("df", "use_percent", "/"): 13})
        self.assertEqual(told["cmdserver_value_timestamp_seconds"], {("df",): 2})

    def test_the_same_name_twice(self) -> None:
        """Prometheus would take nothing at all."""
        rows: Json = [{"name": name, "x": each} for each, name in enumerate(["a", "a", "a (2)", "a", "a"])]
        self.last.note(BOTH, 1.0, found(rows, critical(*[Performance(label="l", value=each) for each in (1, 2)])))
        told = self.families(df={"metrics": True, "check": Check()})

        self.assertEqual(
            told["cmdserver_value"],
            {("df", "x", row): each for each, row in enumerate(["a", "a (2)", "a (2) (2)", "a (3)", "a (4)"])},
        )
        self.assertEqual(told["cmdserver_performance"], {("df", "l", ""): 1, ("df", "l (2)", ""): 2})

    def test_bounds(self) -> None:
        """So many series a command, values first; how many are left out is told."""
        rows: Json = [{"name": f"r{each}", "x": each} for each in range(MOST_SERIES - 1)]
        values = [Performance(label=f"l{each}", value=each) for each in range(3)]
        self.last.note(BOTH, 1.0, found(rows, critical(*values, omitted=5)))
        told = self.families(df={"metrics": True, "check": Check()})

        self.assertEqual((len(told["cmdserver_value"]), len(told["cmdserver_performance"])), (MOST_SERIES - 1, 1))
        self.assertEqual(told["cmdserver_series_left_out"], {("df",): 7})

    def test_hostile_labels(self) -> None:
        """What output says makes no other series, whatever it is; it is cut, and the cut is seen."""
        rows: Json = [
            {"name": 'a"} 1\ncmdserver_up 1', "x": 1},
            {"name": "b\\", "x": 2},
            {"name": "\ud800", "x": 3},
            {"name": "c" * 1000, "x": 4},
        ]
        self.last.note(DF, 1.0, found(rows))
        told = self.families(df={"metrics": True})

        self.assertEqual(
            [row for _, _, row in told["cmdserver_value"]],
            ['a"} 1\ncmdserver_up 1', "b\\", "?", "c" * (MOST_CHARACTERS - 1) + "…"],
        )
        self.assertNotIn("cmdserver_up", told)


class ProbeTests(unittest.TestCase):
    def probe(self, check: CheckResult | None = None, **differences: Any) -> dict[str, dict[tuple[str, ...], float]]:
        """Probe a command whose run has ended so."""
        answer = replace(an_answer(a_grant(), **differences), check=check)
        return read(list(probe_families(answer)))

    def test_success(self) -> None:
        """OK and WARNING are; without a check, what the run's own state says."""
        for state in CheckState:
            told = self.probe(CheckResult(state=state, text=""), exit_status=state.value)
            self.assertEqual(told["probe_success"], {(): float(state in {CheckState.OK, CheckState.WARNING})})
        self.assertEqual(self.probe()["probe_success"], {(): 1})
        self.assertEqual(self.probe(exit_status=1)["probe_success"], {(): 0})
        self.assertEqual(self.probe(timed_out=True)["probe_success"], {(): 0})

    def test_seconds(self) -> None:
        """How long it took."""
        self.assertEqual(self.probe(duration_seconds=0.75)["probe_duration_seconds"], {(): 0.75})
