"""Checks as text and as JSON, which are the same for all protocols: text as a plugin prints it.

Rule of this module: pure.
"""

from typing import Any, Final

from cmdserver.checks.performance import Performance
from cmdserver.checks.plugin_output import NO_TEXT
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import EXIT_STATUSES, CheckState
from cmdserver.core.output import Answer

#: From here on not every whole number is a float.
_EXACT: Final = 2.0**53


def is_own_text(answer: Answer) -> bool:
    """Whether a check is told in words of ours: rules have judged it, and what was printed is not the answer."""
    return answer.examines is not None and not answer.examines.is_plugin


def says_itself(answer: Answer) -> bool:
    """Whether nothing need be said of how a run ended, as the check's state, and its text, say it."""
    if answer.check is None:
        return False
    return is_own_text(answer) or (answer.state.is_own_end and answer.check.state == answer.finished.exit_status)


def is_overruled(answer: Answer) -> bool:
    """Whether the exit status of a plugin is that of another state than its own: it was ended, or is not believed."""
    return (
        answer.check is not None
        and not is_own_text(answer)
        and answer.finished.exit_status in EXIT_STATUSES - {answer.check.state}
    )


def check_problem(answer: Answer) -> str | None:
    """Say what is wrong with a run, in words: with its end or, if that was well, with what its plugin has printed."""
    return NO_TEXT if answer.problem is None and is_overruled(answer) else answer.problem


def plugin_text(answer: Answer) -> bytes:
    """Return what a plugin prints that has found the same.

    Of a plugin it is what it has printed, and on standard error if there is nothing else; of rules their finding, and
    behind it what the command has complained of if there were no data.

    Args:
        answer: Of a check, with its output.
    """
    finished, check = answer.finished, answer.check
    if check is None:
        return finished.stdout
    if not is_own_text(answer):
        return finished.stdout or finished.stderr or f"{check.text}\n".encode()
    text = check.plugin_output.encode(errors="replace")
    return text + finished.stderr if check.state is CheckState.UNKNOWN else text


def check_fields(check: CheckResult) -> dict[str, Any]:
    """Name what a check says, for programs."""
    omitted = {"performance_omitted": check.omitted_values} if check.omitted_values else {}
    return {
        "state": check.state.name,
        "text": check.text,
        "long_text": check.long_text,
        "performance": [_performance(each) for each in check.performance],
        **omitted,
    }


def _performance(each: Performance) -> dict[str, Any]:
    return {
        "label": each.label,
        "value": _number(each.value),
        "unit": each.unit,
        "warning": None if each.warning is None else each.warning.text,
        "critical": None if each.critical is None else each.critical.text,
        "minimum": _number(each.minimum),
        "maximum": _number(each.maximum),
    }


def _number(value: float | None) -> int | float | None:
    """Spell a whole number as such, as long as a float knows each of its digits."""
    return int(value) if value is not None and value.is_integer() and abs(value) < _EXACT else value
