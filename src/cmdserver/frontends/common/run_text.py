"""Runs as text and as JSON: a list of them, or one; their output is told as answers are."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from cmdserver.core.escaping import printable_line
from cmdserver.core.output import Stream, outcome_of
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.common.rendering import json_line
from cmdserver.parameters.number_types import span
from cmdserver.runs.record import RunRecord
from cmdserver.runs.waiting import Waiting, WaitsFor

_DAY_SECONDS = 86_400
_HEADS = ("ID", "STATE", "STARTED", "TOOK", "WHO", "COMMAND")


def list_text(records: Sequence[RunRecord]) -> bytes:
    """Render runs, one a line, under the names of the columns; the last column has no end."""
    if not records:
        return b"no runs\n"
    rows = [_HEADS, *(_row(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS) - 1)]
    lines = (
        "  ".join((*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1])) for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines).encode(errors="replace")


def list_json(records: Iterable[RunRecord]) -> bytes:
    """Render the same for programs."""
    return json_line({"runs": [run_fields(record) for record in records]})


def started_text(run_id: str) -> bytes:
    """Tell the id of a run that was started, and nothing else, for scripts."""
    return f"{run_id}\n".encode("ascii")


def record_text(record: RunRecord) -> bytes:
    """Tell in a line what has become of a run that somebody wanted to be stopped."""
    goes_on = ", as others wait for it, too; you have left it" if record.state.is_alive else ""
    text = printable_line(f"{record.command} ({record.id}): {state_text(record)}{goes_on}")
    return text.encode(errors="replace") + b"\n"


def record_json(record: RunRecord, *, joined: bool = False) -> bytes:
    """Render what is known of a run, without its output; and whether it was under way when it was asked for."""
    return json_line(run_fields(record) | ({"joined": True} if joined else {}))


def seen_json(seen: SeenRun) -> bytes:
    """Render a run with what it has said up to now."""
    output = {stream.name.lower(): seen.output.of(stream).decode(errors="replace") for stream in Stream}
    omitted = {"omitted_bytes": seen.output.omitted_bytes} if seen.output.omitted_bytes else {}
    return json_line({**run_fields(seen.record), **output, **omitted})


def run_fields(record: RunRecord) -> dict[str, object]:
    """Name what is known of a run, for programs."""
    seconds = record.duration_seconds
    return {
        "id": record.id,
        "command": record.command,
        "arguments": record.arguments,
        "state": record.state,
        "outcome": None if record.state.is_alive else outcome_of(record.state),
        "ended_by": record.ended_by,
        "stopped_by": record.stopped_by,
        "user": record.user,
        "protocol": record.protocol,
        "asked": utc(record.asked_at),
        "started": None if record.started_at is None else utc(record.started_at),
        "duration_seconds": None if seconds is None else round(seconds, 6),
        "exit_status": record.exit_status,
        "signal": record.signal,
        "truncated": record.truncated,
        "stdout_bytes": record.stdout_bytes,
        "stderr_bytes": record.stderr_bytes,
        "shared": bool(record.others),
        **_check_fields(record),
    }


def _check_fields(record: RunRecord) -> dict[str, object]:
    if record.check_state is None:
        return {}
    return {"check": {"state": record.check_state.name, "text": record.check_text}}


def state_text(record: RunRecord) -> str:
    """Say what a run is doing, or how it has ended, with the one fact that explains it."""
    if record.check_state is None:
        return _state_text(record)
    return record.check_state.name if record.state.is_own_end else f"{record.check_state.name} ({_state_text(record)})"


def _state_text(record: RunRecord) -> str:
    match record.state:
        case RunState.FAILED if record.problem:
            return f"failed ({record.problem})"
        case RunState.STOPPED if record.stopped_by is not None:
            return f"stopped by {record.stopped_by}"
        case state:
            return state.value


def waiting_text(waiting: Waiting, caller_name: str | None) -> bytes:
    """Say in a line why a run has not begun, and how to look at the run that is in its way."""
    run = waiting.run
    if waiting.waits_for is WaitsFor.TURN:
        text = "Waiting for its turn."
    elif run is None or run.started_at is None:
        text = "Waiting for another run."
    else:
        who = "you have" if run.is_of(caller_name) else f"{run.user or 'somebody'} has"
        text = f"Waiting: {who} been running this since {_since(run)} (attach {run.id})"
    return printable_line(text).encode(errors="replace") + b"\n"


def _since(run: RunRecord) -> str:
    """Spell when a run began: in hours and minutes, if there was only one such time since."""
    began = datetime.fromtimestamp(run.started_at or 0.0, UTC)
    is_of_today = (run.duration_seconds or 0.0) < _DAY_SECONDS
    return began.strftime("%H:%M UTC" if is_of_today else "%Y-%m-%d %H:%M UTC")


def took_text(seconds: float | None) -> str:
    """Say how long a run took, or has run up to now."""
    if seconds is None:
        return "-"
    return f"{seconds:.1f}s" if seconds < 60 else span(int(seconds))  # noqa: PLR2004


def utc(seconds: float) -> str:
    """Spell a time as ISO 8601 does, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _row(record: RunRecord) -> tuple[str, ...]:
    who = record.user or "(anonymous)"
    return (
        record.id,
        state_text(record),
        utc(record.started_at if record.started_at is not None else record.asked_at),
        took_text(record.duration_seconds),
        who if who == record.protocol else f"{who}, {record.protocol}",
        printable_line(" ".join((record.command, *record.arguments))),
    )
