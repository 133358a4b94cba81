"""What pages say of a run: the mark of its state, times, who has asked, and the button that ends it.

A state is a shape, a word and a colour, in that order; the style sheet draws the shape. The time is an argument.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Self

from cmdserver.core.model import Command
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.frontends.web.pages.markup import Content, Markup, element
from cmdserver.frontends.web.pages.run_panel import duration
from cmdserver.runs.record import RunRecord

#: From here on tenths of a second tell nobody anything.
_LONG_SECONDS: Final = 10.0

_WORDS: Final = {
    RunState.QUEUED: "Waiting for its turn",
    RunState.RUNNING: "Running",
    RunState.OK: "Done",
    RunState.TRUNCATED: "Stopped: too much output",
    RunState.LOST: "Lost: the server stopped",
}
#: What stands before the title of a run's window.
_SIGNS: Final = {RunState.QUEUED: "◷", RunState.RUNNING: "●", RunState.OK: "✓", RunState.STOPPED: "■"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A run as it is shown to somebody."""

    record: RunRecord
    #: None if it is not in the file any more.
    command: Command | None
    may_stop: bool = False

    @classmethod
    def of(cls, record: RunRecord, command: Command | None, *, may_stop: bool = False) -> Self:
        """Make one."""
        return cls(record=record, command=command, may_stop=may_stop)

    @property
    def title(self) -> str:
        """What people call its command."""
        return (self.command.title if self.command is not None else "") or self.record.command

    @property
    def values(self) -> str:
        """Its values, in short."""
        return ", ".join(word.partition("=")[2] or word for word in self.record.arguments)


# States


def mark(record: RunRecord, name: str | None, *, is_short: bool = False) -> Markup:
    """Make the mark of a state, whose sign the script puts before the title of a window.

    Args:
        record: The run.
        name: Who looks.
        is_short: Whether `reason` stands beside it.
    """
    words = "Failed" if is_short and record.state is RunState.FAILED else state_words(record, name)
    return element("span", words, class_=f"mark {record.state}", data_sign=sign(record.state))


def reason(record: RunRecord) -> str | None:
    """Say why a run has failed; None if that is said by its state."""
    if record.state is not RunState.FAILED:
        return None
    if record.signal is not None:
        return f"signal {record.signal.removeprefix('SIG')}"
    return f"exit status {record.exit_status}"


def sign(state: RunState) -> str:
    """Return the character that stands for a state where nothing can be drawn."""
    return _SIGNS.get(state, "✗")


def state_words(record: RunRecord, name: str | None) -> str:
    """Say what a run is doing, or how it ended, to somebody of a name."""
    match record.state:
        case RunState.FAILED:
            return f"Failed ({reason(record)})"
        case RunState.TIMEOUT:
            return f"Timed out after {whole(round(record.duration_seconds or 0.0))}"
        case RunState.STOPPED:
            return _stopped(record, name)
        case RunState.FAULT:
            return f"Fault, id {record.id}"
        case plain:
            return _WORDS[plain]


def _stopped(record: RunRecord, name: str | None) -> str:
    match record.ended_by:
        case EndedBy.DISCONNECT:
            return "Stopped: its caller left"
        case EndedBy.SHUTDOWN:
            return "Stopped: the server stopped"
        case _ if record.stopped_by is None:
            return "Stopped"
        case _:
            return f"Stopped by {'you' if record.stopped_by == name else record.stopped_by}"


# Times


def day_of(seconds: float) -> date:
    """Return the day of a time, in the host's time zone.

    Args:
        seconds: Since the epoch.
    """
    return _local(seconds).date()


def started(record: RunRecord, now: float, *, is_dated: bool = True) -> Markup:
    """Make the time at which a run began, or was asked for; all of it is its title.

    Args:
        record: The run.
        now: Seconds since the epoch.
        is_dated: Whether the day is said, if it is not today.
    """
    begun = _local(record.asked_at if record.started_at is None else record.started_at)
    is_short = not is_dated or begun.date() == day_of(now)
    return element(
        "time",
        begun.strftime("%H:%M:%S" if is_short else "%d %b %H:%M"),
        datetime=begun.isoformat(timespec="seconds"),
        title=begun.strftime("%Y-%m-%d %H:%M:%S %Z"),
    )


def took(record: RunRecord, now: float) -> Markup | None:
    """Make how long a run took, has run, or has waited; of what is alive the script counts the seconds on."""
    seconds = record.duration_seconds
    if record.state.is_alive:
        seconds = max(0.0, now - record.asked_at) if seconds is None else seconds
        return element("span", whole(seconds), class_="ticks", data_seconds=str(int(seconds)))
    if seconds is None:
        return None
    return element("span", duration(seconds) if seconds < _LONG_SECONDS else whole(seconds))


def whole(seconds: float) -> str:
    """Say how long something takes, to the second, and no more than two units."""
    count = int(seconds)
    for size, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if count >= size:
            rest = count % size // smaller
            return f"{count // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{count} s"


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()


# Who


def who(record: RunRecord, name: str | None) -> tuple[Content, ...]:
    """Say who has asked for a run, and how, to somebody of a name."""
    user = record.user or "somebody without a login"
    you = " (you)" if record.user is not None and record.user == name else ""
    protocol = "" if record.user == record.protocol else f", {record.protocol}"
    return element("b", user), element("span", f"{you}{protocol}", class_="quiet") if you or protocol else None
