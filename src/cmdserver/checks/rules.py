"""Rules that make a check of data: each looks at one value, of each row of a list, with the ranges of plugins."""

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from cmdserver.checks.check import CheckRule, among
from cmdserver.checks.data import Found, Json, as_number, at_path, rows_in
from cmdserver.checks.performance import MOST_VALUES, Performance
from cmdserver.checks.ranges import plain
from cmdserver.checks.result import CheckResult, one_line
from cmdserver.checks.states import CheckState

#: What is wrong in so many places is named in the first line; the others follow, a line each.
_NAMED: Final = 5
_MOST_LINES: Final = 200

_UNITS: Final = {"percent": "%", "bytes": "B", "seconds": "s"}
#: Rows that all rules of a check look at together: it takes a tenth of a second, in which everybody else waits.
MOST_ROWS: Final = 10_000
_WILD: Final = frozenset("*?[")


class _Finding(Struct, frozen=True):
    """What one value, or that there is none, comes to."""

    state: CheckState
    #: Without the state.
    text: str
    measured: Performance | None = None


def judge(rules: Sequence[CheckRule], data: Json, problem: str | None = None) -> CheckResult:
    """Judge data by all rules: the worst counts, and the first line names what is wrong.

    Args:
        rules: At least one.
        data: What a parser has made of the output.
        problem: Why there are none, or why they are not to be believed; None if they are.
    """
    if problem is None and rows_in(data, MOST_ROWS) * len(rules) > MOST_ROWS:
        problem = f"the data have too many rows; {len(rules)} rules look at {MOST_ROWS:,} together"
    if problem is not None:
        return CheckResult(state=CheckState.UNKNOWN, text=one_line(f"UNKNOWN: {problem}"))
    findings = [finding for rule in rules for finding in _findings(rule, data)]
    values = [each.measured for each in findings if each.measured is not None]
    state = max((each.state for each in findings), key=lambda each: each.severity, default=CheckState.UNKNOWN)
    wrong = sorted(
        (each for each in findings if each.state is not CheckState.OK), key=lambda each: -each.state.severity
    )
    return CheckResult(
        state=state,
        text=one_line(f"{state.name}: {_first_line(wrong, findings)}"),
        long_text="\n".join(_lines(wrong)),
        performance=tuple(values[:MOST_VALUES]),
        omitted_values=max(0, len(values) - MOST_VALUES),
    )


def _first_line(wrong: Sequence[_Finding], findings: Sequence[_Finding]) -> str:
    if wrong:
        named = ", ".join(each.text for each in wrong[:_NAMED])
        return named if len(wrong) <= _NAMED else f"{named}, and {len(wrong) - _NAMED} more"
    if len(findings) == 1:
        return findings[0].text
    return f"{len(findings)} values are within their limits"


def _lines(wrong: Sequence[_Finding]) -> Iterator[str]:
    """Name what the first line has no room for."""
    others = wrong[_NAMED:]
    yield from (one_line(f"{each.state.name}: {each.text}") for each in islice(others, _MOST_LINES))
    if len(others) > _MOST_LINES:
        yield f"and {len(others) - _MOST_LINES} more"


def _findings(rule: CheckRule, data: Json) -> Iterator[_Finding]:
    looked_at = [each for each in at_path(data, rule.value, rule.row) if _is_meant(rule, each)]
    measured = [(each, number) for each in looked_at if (number := as_number(each.value)) is not None]
    if not measured:
        yield _Finding(CheckState.UNKNOWN, f"there is no number {rule.value}{among(rule.rows)} in the data")
        return
    yield from (_judged(rule, found, value) for found, value in measured)
    yield from _missing(rule.rows, [found.row for found, _ in measured])


def _is_meant(rule: CheckRule, found: Found) -> bool:
    return not rule.rows or any(fnmatch.fnmatchcase(found.row or "", each) for each in rule.rows)


def _missing(rows: Iterable[str], there: Sequence[str | None]) -> Iterator[_Finding]:
    """What is named without a wildcard has to be there."""
    for name in rows:
        if _WILD.isdisjoint(name) and name not in there:
            yield _Finding(CheckState.UNKNOWN, f"there is no {name} in the data")


def _judged(rule: CheckRule, found: Found, value: float) -> _Finding:
    named = found.key if found.row is None else f"{found.key} of {found.row}"
    measured = Performance(
        label=found.key if found.row is None else f"{found.key} {found.row}",
        value=value,
        unit=_UNITS.get(found.key.rpartition(".")[2].rpartition("_")[2], ""),
        warning=rule.warning,
        critical=rule.critical,
    )
    alert = measured.alert
    if alert is None:
        return _Finding(CheckState.OK, f"{named} is {plain(value)}", measured)
    state, limit = alert
    return _Finding(state, f"{named} is {plain(value)} ({limit.reason(value)})", measured)
