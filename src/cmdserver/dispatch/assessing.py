"""What a run says of what its command looks at: data, if it has a parser, and the state of a check.

A check is judged once a run, before anybody is answered: all who share it are told the same. The state of a run that is
known from the history alone is the one that was found then, whatever the rules are now.
"""

from msgspec.structs import replace
from twisted.internet.defer import Deferred, succeed

from cmdserver.checks import plugin_output, rules
from cmdserver.checks.check import Check
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import EXIT_STATUSES
from cmdserver.core.model import Command
from cmdserver.core.output import Answer, Assessment, Parsed, ProcessResult
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.output_parsers import OutputParsers
from cmdserver.runs.outcome import problem_of
from cmdserver.runs.record import RunRecord


class Assessor:
    """Assesses runs.

    Args:
        parsers: Make data of output.
    """

    def __init__(self, parsers: OutputParsers) -> None:
        self._parsers = parsers

    def assess(self, command: Command, result: ProcessResult) -> Deferred[Assessment]:
        """Assess a run that has ended, with its output; never fails."""
        problem = problem_of(command, result)
        if command.parser is None or (command.check is not None and command.check.is_plugin and not command.metrics):
            return succeed(Assessment(check=check_of(command.check, result, problem, None)))
        return self._parsers.parse(command.parser, result).addCallback(
            lambda parsed: Assessment(parsed=parsed, check=check_of(command.check, result, problem, parsed))
        )

    def complete(self, answer: Answer) -> Deferred[Answer]:
        """Add to an answer what is not in it yet: data, or why there are none, and the state of the check.

        Returns:
            Fires with the answer, never fails. To cancel it is to leave.
        """
        if answer.parser is None or answer.parsed is not None:
            return succeed(_checked(answer, answer.parsed))
        return self._parsers.parse(answer.parser, answer.finished).addCallback(
            lambda parsed: _checked(replace(answer, parsed=parsed), parsed)
        )


def as_recorded(answer: Answer, record: RunRecord) -> Answer:
    """Return the answer of a run as it was judged then; what it measured is told as long as that comes to the same."""
    state, check = record.check_state, answer.check
    if state is None:
        return answer
    text = record.check_text or state.name
    is_same = check is not None and check.state is state
    found = replace(check, text=text) if check is not None and is_same else CheckResult(state=state, text=text)
    return replace(answer, check=found)


def check_of(
    check: Check | None, result: ProcessResult, problem: str | None, parsed: Parsed | None
) -> CheckResult | None:
    """Judge a run; None if its command is no check.

    Args:
        check: How.
        result: With its output.
        problem: What went wrong with the run, in words.
        parsed: What the parser has made of it.
    """
    if check is None:
        return None
    if check.is_plugin:
        is_state = _has_ended_by_itself(result) and result.exit_status in EXIT_STATUSES
        return plugin_output.parse(result.stdout, result.exit_status, None if is_state else problem or _end_of(result))
    if problem is None and parsed is not None:
        problem = parsed.problem
    return rules.judge(check.rules, parsed.value if parsed is not None else None, problem)


def _checked(answer: Answer, parsed: Parsed | None) -> Answer:
    if answer.examines is None or answer.check is not None or answer.state in {RunState.FAULT, RunState.LOST}:
        return answer
    return replace(answer, check=check_of(answer.examines, answer.finished, answer.problem, parsed))


def _end_of(result: ProcessResult) -> str:
    """Say how a plugin has ended with whom its command is content (``ok_statuses``), and Nagios is not."""
    return f"exit status {result.exit_status}" if result.is_over else "it is not known how it has ended"


def _has_ended_by_itself(result: ProcessResult) -> bool:
    return not (result.timed_out or result.truncated) and result.ended_by is None
