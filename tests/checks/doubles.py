"""Answers of checks, judged as the dispatcher judges them."""

from typing import Any, Final

from msgspec.structs import replace

from cmdserver.checks.check import Check, CheckRule
from cmdserver.checks.data import Json
from cmdserver.checks.ranges import Range
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Parsed
from cmdserver.dispatch.assessing import check_of
from tests.doubles import a_grant, an_answer

PLUGIN: Final = Check()
#: ``df``'s, as `DISKS` are judged by.
RULES: Final = Check(
    (CheckRule(value="use_percent", row="mounted_on", warning=Range.parse("80"), critical=Range.parse("90")),)
)
#: What a parser makes of ``df``.
DISKS: Final[Json] = [{"mounted_on": "/", "use_percent": 12}, {"mounted_on": "/var", "use_percent": 93}]


def judged(check: Check, data: Json = None, no_data: str | None = None, **finished: Any) -> Answer:
    """Make the answer of a run of ``df`` that is a check.

    Args:
        check: How it is judged.
        data: What its parser has made, if it is judged by rules.
        no_data: Why there are none.
        finished: How it ended, see `an_answer`; what it has printed is counted.
    """
    grant: Grant = a_grant(check=check, parser=None if check.is_plugin else "df")
    for stream in ("stdout", "stderr"):
        finished.setdefault(f"{stream}_bytes", len(finished.get(stream, b"")))
    answer = an_answer(grant, **finished)
    parsed = None if check.is_plugin else Parsed(value=data, problem=no_data)
    result = check_of(check, answer.finished, answer.problem, parsed)
    return replace(answer, examines=check, parsed=parsed, check=result)


def plugin(stdout: bytes = b"", exit_status: int | None = 0, **finished: Any) -> Answer:
    """Make the answer of a plugin."""
    return judged(PLUGIN, stdout=stdout, exit_status=exit_status, **finished)


def by_rules(data: Json = DISKS, no_data: str | None = None, **finished: Any) -> Answer:
    """Make the answer of a check by `RULES`."""
    return judged(RULES, data, no_data, **finished)
