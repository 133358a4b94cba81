"""What pages say of checks: states, what a plugin has said, numbers with their units, and how often one runs."""

import re
from collections.abc import Sequence
from typing import Final

from cmdserver.checks.result import shortened
from cmdserver.checks.states import CheckState
from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.pages.markup import Content, Markup, element
from cmdserver.frontends.web.pages.relative_time import whole
from cmdserver.frontends.web.pages.tables.units import bytes_text, number_text
from cmdserver.runs.check_trends import Trend
from cmdserver.runs.record import RunRecord

#: Runs that say nothing of what is looked at: a person has ended them, or there was none. They are shown as any run.
_SAYS_NOTHING: Final = frozenset({RunState.STOPPED, RunState.FAULT, RunState.LOST})
#: What stands before the title of a window.
_SIGNS: Final = {CheckState.OK: "✓", CheckState.WARNING: "▲", CheckState.CRITICAL: "✗", CheckState.UNKNOWN: "?"}
#: Of what a plugin has said; the text has all.
_MOST_CHARACTERS: Final = 300
#: From here on a number has no digits that tell anybody anything.
_HUGE: Final = 1e15
#: From here on there is nothing behind the point.
_ROUND: Final = 1000
#: A state that is younger is not worth a word.
_SHORT_SECONDS: Final = 60
_MINUTES, _HOURS = 60, 24


def state_of(record: RunRecord) -> CheckState | None:
    """Say which state of a check stands for a run; None: that of the run itself does, as it is none or has found none.

    One that ran out of time, or said too much, is `CheckState.UNKNOWN`. One that somebody has stopped is not: that says
    nothing of what it looks at, and who has stopped it is what one wants to know.
    """
    return None if record.state.is_alive or record.state in _SAYS_NOTHING else record.check_state


def mark_name(state: CheckState) -> str:
    """Return the class of a state's shape and colour."""
    return state.name.lower()


def sign(state: CheckState) -> str:
    """Return what stands for a state where nothing can be drawn."""
    return f"{_SIGNS[state]} {state.name}"


def sentence(record: RunRecord) -> str | None:
    """Return what a check has said, without the state before it; None if that was all."""
    if (state := state_of(record)) is None or record.check_text is None:
        return None
    said = re.sub(rf"^{state.name}\b[\s:–—-]*", "", record.check_text.strip())
    return shortened(said, _MOST_CHARACTERS) or None


def how_long_so(record: RunRecord, trend: Trend | None) -> str | None:
    """Say for how long a check had found the same when it was run; None if that is not known, or it was not long.

    Args:
        record: The run.
        trend: What its command has found; None if it is not known.
    """
    if trend is None or trend.state is not state_of(record) or trend.arguments != record.arguments:
        return None
    begun = record.asked_at if record.started_at is None else record.started_at
    seconds = begun + (record.duration_seconds or 0.0) - trend.since
    if seconds < _SHORT_SECONDS:
        return None
    return whole(seconds) if trend.has_changed else f"at least {whole(seconds)}"


# Numbers


def number_with_unit(value: float, unit: str) -> str:
    """Write what was measured, with the unit that the plugin has given; bytes in powers of 1024, a counter bare."""
    if unit == "B":
        return bytes_text(value) if abs(value) < _HUGE else f"{value:g} B"
    text = number_text(value) if abs(value) < _HUGE else f"{value:g}"
    return text if unit in {"", "c"} else f"{text} {unit}"


def bare_number(value: float, unit: str) -> str:
    """Write a number beside one that has its unit."""
    return number_with_unit(value, unit if unit == "B" else "")


def rough_number(value: float, unit: str) -> str:
    """Write the end of what a plot shows: three digits, more only if it is larger."""
    return bare_number(round(value) if _ROUND <= abs(value) < _HUGE else float(f"{value:.3g}"), unit)


# Schedules


def by_schedule(lines: Sequence[str]) -> tuple[Content, ...]:
    """Say how often a command runs by itself: in words if they are simple, else as the schedule has it."""
    how_often = _how_often(lines[0]) if len(lines) == 1 else None
    if how_often is not None:
        return (f"{how_often} by ", element("b", "schedule"))
    codes: list[Markup] = [element("code", each) for each in lines]
    return ("By ", element("b", "schedule"), " ", codes[0], *(part for each in codes[1:] for part in (", ", each)))


def _how_often(line: str) -> str | None:
    """Say how often the five fields of a line come; None if it takes more than a word."""
    fields = line.split()
    if len(fields) != len(("minute", "hour", "day", "month", "weekday")) or fields[2:] != ["*"] * 3:
        return None
    minute, hour = fields[:2]
    if hour == "*" and (every := _every(minute, _MINUTES)) is not None:
        return f"Every {every} min" if every > 1 else "Every minute"
    if minute.isdigit() and (every := _every(hour, _HOURS)) is not None:
        return f"Every {every} h" if every > 1 else "Every hour"
    if minute.isdigit() and hour.isdigit():
        return f"Every day at {int(hour):02}:{int(minute):02}"
    return None


def _every(field: str, whole_turn: int) -> int | None:
    """Return the step of ``*`` or ``*/5``, if it comes at equal intervals all the time."""
    found = re.fullmatch(r"\*(?:/(\d{1,2}))?", field, re.ASCII)
    step = int(found[1] or 1) if found is not None else 0
    return step if 0 < step < whole_turn and whole_turn % step == 0 else None
