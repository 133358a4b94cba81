"""Runs that are over and known from the history alone, as those see them who hear runs that are alive."""

from cmdserver.core.model import Command, Grant
from cmdserver.core.output import Answer, ProcessResult, Stream
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.policy import Policy
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import RunRecord


def grant_of(record: RunRecord, policy: Policy) -> Grant:
    """Say what was run: the command of that name, if there is one, with what is known of its values."""
    return Grant(command=policy.command(record.command) or _unknown(record.command), arguments=record.arguments)


def answer_of(record: RunRecord, output: KeptOutput, request_id: str, command: Command) -> Answer:
    """Make the answer that a run was; parser and check are those that its command has now."""
    return Answer(
        id=request_id,
        command=record.command,
        arguments=record.arguments,
        finished=ProcessResult(
            exit_status=record.exit_status,
            signal=record.signal,
            timed_out=record.state is RunState.TIMEOUT,
            truncated=record.truncated,
            duration_seconds=record.duration_seconds or 0.0,
            stdout_bytes=record.stdout_bytes,
            stderr_bytes=record.stderr_bytes,
            stdout=output.of(Stream.STDOUT),
            stderr=output.of(Stream.STDERR),
            ended_by=record.ended_by,
            stopped_by=record.stopped_by,
        ),
        state=record.state,
        problem=record.problem,
        parser=command.parser,
        examines=command.check,
        shared=bool(record.others),
        omitted_bytes=output.omitted_bytes,
    )


def _unknown(name: str) -> Command:
    """Make what is shown of a command that is not in the file any more; it is never run."""
    return Command(
        name=name,
        argv=(),
        run=(),
        executable="",
        help="",
        read_only=False,
        timeout_seconds=0.0,
        output_limit_bytes=0,
        working_directory="/",
        environment=(),
        user="",
        group="",
        share=False,
        max_running=None,
        raw=False,
        parser=None,
    )
