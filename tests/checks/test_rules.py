"""Rules on data: what is wrong, in which words, and what was measured."""

from collections.abc import Mapping, Sequence

import pytest

from cmdserver.checks.check import CheckRule
from cmdserver.checks.data import Json
from cmdserver.checks.performance import MOST_VALUES, joined
from cmdserver.checks.ranges import Range
from cmdserver.checks.rules import MOST_ROWS, judge
from cmdserver.checks.states import CheckState

DISKS: Sequence[Mapping[str, Json]] = [
    {"filesystem": "/dev/sda1", "use_percent": 12, "mounted_on": "/"},
    {"filesystem": "/dev/sda2", "use_percent": 93, "mounted_on": "/var"},
    {"filesystem": "/dev/sda3", "use_percent": 85, "mounted_on": "/home"},
    {"filesystem": "none", "use_percent": None, "mounted_on": "/run"},
]


def rule(
    value: str, warning: str = "", critical: str = "", row: str | None = None, rows: tuple[str, ...] = ()
) -> CheckRule:
    """Make a rule."""
    return CheckRule(
        value=value,
        row=row,
        rows=rows,
        warning=Range.parse(warning) if warning else None,
        critical=Range.parse(critical) if critical else None,
    )


FULL = rule("use_percent", "80", "90", "mounted_on")


def test_the_worst_counts() -> None:
    """The first line names what is wrong, the worst first; all is measured that is a number."""
    found = judge([FULL], DISKS)
    assert found.state is CheckState.CRITICAL
    assert found.text == "CRITICAL: use_percent of /var is 93 (over 90), use_percent of /home is 85 (over 80)"
    assert joined(found.performance) == (
        "'use_percent /'=12%;80;90 'use_percent /var'=93%;80;90 'use_percent /home'=85%;80;90"
    )
    assert found.plugin_output == f"{found.text} | {joined(found.performance)}\n"


def test_one_value() -> None:
    """As the contract has it."""
    assert judge([FULL], [DISKS[1]]).text == "CRITICAL: use_percent of /var is 93 (over 90)"
    assert judge([rule("load_1m", "4")], {"load_1m": 0.25}).text == "OK: load_1m is 0.25"


def test_all_is_well() -> None:
    """How many were looked at is told."""
    assert judge([FULL], [DISKS[0], DISKS[0]]).text == "OK: 2 values are within their limits"


def test_rows() -> None:
    """Globs say which rows are looked at; one that is named has to be there."""
    assert judge([rule("use_percent", "80", "90", "mounted_on", ("/", "/h*"))], DISKS).state is CheckState.WARNING
    found = judge([rule("use_percent", "80", "90", "mounted_on", ("/", "/srv"))], DISKS)
    assert (found.state, found.text) == (CheckState.UNKNOWN, "UNKNOWN: there is no /srv in the data")
    assert judge([rule("use_percent", "80", "90", "mounted_on", ("/", "/s*"))], DISKS).state is CheckState.OK


@pytest.mark.parametrize("data", [None, [], {}, "text", {"use_percent": "93"}, {"use_percent": True}, [{"other": 1}]])
def test_no_data(data: Json) -> None:
    """It is UNKNOWN, and which value was looked for is told."""
    found = judge([FULL], data)
    assert (found.state, found.text) == (CheckState.UNKNOWN, "UNKNOWN: there is no number use_percent in the data")


def test_no_data_is_worse_than_a_warning() -> None:
    """Silence is not taken for success, nor for less than it may be."""
    data = {"a": 5, "b": 50}
    assert judge([rule("a", "4"), rule("missing")], data).state is CheckState.UNKNOWN
    assert judge([rule("b", "4", "10"), rule("missing")], data).state is CheckState.CRITICAL
    assert judge([rule("a", "4"), rule("b")], data).state is CheckState.WARNING


def test_paths() -> None:
    """Dots go into objects, and through the rows of lists."""
    data: Json = {"memory": {"used": 5}, "disks": [{"name": "sda", "size": {"used": 7}}], "a.b": 3}
    assert judge([rule("memory.used", "4")], data).text == "WARNING: memory.used is 5 (over 4)"
    assert judge([rule("disks.size.used", "4")], data).text == "WARNING: disks.size.used of sda is 7 (over 4)"
    assert judge([rule("a.b", "2")], data).text == "WARNING: a.b is 3 (over 2)"


def test_rows_without_a_name() -> None:
    """They are called by their numbers."""
    assert judge([rule("x", "4", row="name")], [{"x": 1}, {"x": 5}]).text == "WARNING: x of 2 is 5 (over 4)"


def test_hostile_names() -> None:
    """What output says cannot begin performance data, another line, or another value."""
    data: Json = [{"name": "a|b=1\nOK'", "x": 5}]
    found = judge([rule("x", "4", row="name")], data)
    assert found.text == "WARNING: x of a/b=1?OK' is 5 (over 4)"
    assert found.plugin_output == f"{found.text} | 'x a_b_1_OK'''=5;4\n"


def test_too_many() -> None:
    """What would hold everybody up is not looked at, and that is told; rows count wherever they are."""
    rows: Json = [{"name": f"n{each}", "x": 5} for each in range(MOST_ROWS // 2 + 1)]
    assert judge([rule("x", "4")], rows).state is CheckState.WARNING
    for data in (rows, {"a": {"x": rows}}, [{"x": [1] * 5}] * (MOST_ROWS // 6)):
        found = judge([rule("x", "4"), rule("y", "4")], data)
        assert found.state is CheckState.UNKNOWN
        assert found.text == "UNKNOWN: the data have too many rows; 2 rules look at 10,000 together"


def test_many() -> None:
    """What is cut is told, in text and in number."""
    data: Json = [{"name": f"n{each}", "x": 5} for each in range(MOST_VALUES + 3)]
    found = judge([rule("x", "4")], data)
    assert found.text.endswith(f"and {MOST_VALUES - 2} more")
    assert found.long_text.splitlines()[-1] == f"and {MOST_VALUES - 202} more"
    assert (len(found.performance), found.omitted_values) == (MOST_VALUES, 3)
