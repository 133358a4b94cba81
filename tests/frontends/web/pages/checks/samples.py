"""A check of a shop, with a day of values, for the tests of its page."""

import math

from cmdserver.checks import performance
from cmdserver.checks.performance import Performance
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.runs.check_trends import POINT_SECONDS, Trend

#: Seconds since the epoch.
NOW = 1_700_000_000.0
DAY_SECONDS = 86_400
DATA = (
    "orders_waiting=14;10;50;0 certificate=12days;14:;7:;0;30 response=0.42s;1;3 mail_queue=3;50;100"
    " disk=6012534784B;8000000000;9000000000;0;10737418240 load=U lines=7c temperature=-12;-20:30;-30:40;-40;60"
)


def values(text: str) -> tuple[Performance, ...]:
    """Read performance data."""
    return performance.parse(text)[0]


def result(text: str = DATA, state: CheckState = CheckState.WARNING, said: str = "", omitted: int = 0) -> CheckResult:
    """Make what a check has found."""
    return CheckResult(state=state, text=said, performance=values(text), omitted_values=omitted)


def a_day(found: CheckResult, ended_at: float = NOW, state: CheckState = CheckState.WARNING) -> Trend:
    """Make the trend of a check that has found much the same all day; two hours and ten minutes ago it was OK."""
    first = ended_at - DAY_SECONDS + POINT_SECONDS
    trend = Trend((), CheckResult(state=CheckState.OK, text=""), first)
    for number in range(96):
        time = first + number * POINT_SECONDS
        share = number / 95
        measured = [
            Performance(
                label=each.label,
                value=None if each.value is None else each.value * (0.5 + share / 2 + 0.2 * math.sin(number * place)),
            )
            for place, each in enumerate(found.performance)
        ]
        is_now = time > ended_at - 130 * 60
        trend.note(
            (), CheckResult(state=state if is_now else CheckState.OK, text="", performance=tuple(measured)), time
        )
    trend.note((), found, ended_at)
    trend.since = ended_at - 130 * 60
    return trend
