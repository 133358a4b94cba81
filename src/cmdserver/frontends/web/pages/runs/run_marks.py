"""What pages say of a run: the mark of its state, times, who has asked, and the button that ends it.

A state is a shape, a word and a colour, in that order; the style sheet draws the shape. The time is an argument.
"""

from typing import Final, Self

from msgspec import Struct

from cmdserver.core.model import Command
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.web.pages.checks import words as check_words
from cmdserver.frontends.web.pages.markup import Content, Markup, element
from cmdserver.frontends.web.pages.relative_time import day_of, full, local, short, whole
from cmdserver.runs.record import RunRecord
from cmdserver.runs.waiting import Waiting, WaitsFor

_WORDS: Final = {
    RunState.QUEUED: "Waiting for its turn",
    RunState.RUNNING: "Running",
    RunState.OK: "Done",
    RunState.TRUNCATED: "Stopped: too much output",
    RunState.LOST: "Lost: the server stopped",
}
_BRIEFLY: Final = {
    RunState.QUEUED: "waiting",
    RunState.RUNNING: "running",
    RunState.TIMEOUT: "timed out",
    RunState.TRUNCATED: "too much output",
    RunState.STOPPED: "stopped",
    RunState.FAULT: "fault",
    RunState.LOST: "lost",
}
#: Of a check it is said why nobody knows.
_CUT_SHORT: Final = frozenset({RunState.TIMEOUT, RunState.TRUNCATED})
_SHORT_WORDS: Final = {RunState.FAILED: "Failed", RunState.QUEUED: "Waiting"}
#: What stands before the title of a run's window.
_SIGNS: Final = {RunState.QUEUED: "◷", RunState.RUNNING: "●", RunState.OK: "✓", RunState.STOPPED: "■"}


class Shown(Struct, frozen=True):
    """A run as it is shown to somebody."""

    record: RunRecord
    #: None if it is not in the file any more.
    command: Command | None
    may_stop: bool = False
    #: Why it has not begun, if it is alive and has not.
    waiting: Waiting | None = None

    @classmethod
    def of(cls, seen: SeenRun) -> Self:
        """Make one of a run that somebody looks at."""
        return cls(seen.record, seen.grant.command, may_stop=seen.may_stop, waiting=seen.waiting)

    @property
    def title(self) -> str:
        """What people call its command."""
        return (self.command.title if self.command is not None else "") or self.record.command

    @property
    def values(self) -> str:
        """Its values, in short."""
        return ", ".join(word.partition("=")[2] or word for word in self.record.arguments)


def is_kept(command: Command, record: RunRecord) -> bool:
    """Whether a run has a page, now and when it is over."""
    return record.state.is_alive or command.history.keeps(record.state, record.check_state)


def is_own(record: RunRecord, name: str | None) -> bool:
    """Whether somebody of a name has asked for a run; who has no name has none of their own."""
    return record.user is not None and record.user == name


# States


def mark(shown: Shown, name: str | None, *, is_short: bool = False) -> Markup:
    """Make the mark of a state, whose sign the script puts before the title of a window.

    Args:
        shown: The run.
        name: Who looks.
        is_short: Whether what is more stands beside it.
    """
    record = shown.record
    return element("span", _said(shown, name, is_short=is_short), class_=mark_class(record), data_sign=sign(record))


def _said(shown: Shown, name: str | None, *, is_short: bool) -> str:
    record, found = shown.record, check_words.state_of(shown.record)
    if is_short and found is not None:
        return found.name
    return (_SHORT_WORDS.get(record.state) if is_short else None) or state_words(record, name, shown.waiting)


def mark_class(record: RunRecord) -> str:
    """Return the classes of the shape and the colour of a run's state: of a check's, if it has found one."""
    found = check_words.state_of(record)
    return f"mark {record.state if found is None else check_words.mark_name(found)}"


def brief_state(record: RunRecord) -> str:
    """Say how a run ended where there is little room, and nothing if its shape says it; of a check what it found."""
    if (found := check_words.state_of(record)) is not None:
        return found.name
    match record.state:
        case RunState.FAILED if record.signal is None:
            return f"exit {record.exit_status}"
        case RunState.FAILED:
            return (record.signal or "").removeprefix("SIG")
        case RunState.STOPPED if record.stopped_by is not None:
            return f"stopped by {record.stopped_by}"
        case state:
            return _BRIEFLY.get(state, "")


def reason(record: RunRecord) -> str | None:
    """Say why a run has failed; None if that is said by its state."""
    if record.state is not RunState.FAILED:
        return None
    if record.signal is not None:
        return f"signal {record.signal.removeprefix('SIG')}"
    return f"exit status {record.exit_status}"


def sign(record: RunRecord) -> str:
    """Return what stands for a run's state where nothing can be drawn."""
    found = check_words.state_of(record)
    return _SIGNS.get(record.state, "✗") if found is None else check_words.sign(found)


def state_words(record: RunRecord, name: str | None, waiting: Waiting | None = None) -> str:
    """Say what a run is doing, or how it ended, to somebody of a name; of a check what it found."""
    found = check_words.state_of(record)
    if found is not None and record.state not in _CUT_SHORT:
        return found.name
    own = _own_words(record, name, waiting)
    return own if found is None else f"{found.name}: {own[0].lower()}{own[1:]}"


def _own_words(record: RunRecord, name: str | None, waiting: Waiting | None) -> str:
    match record.state:
        case RunState.QUEUED if waiting is not None and waiting.waits_for is WaitsFor.RUN:
            return f"Waiting for {_whose(waiting.run, name)}"
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


def _whose(run: RunRecord | None, name: str | None) -> str:
    """Call the run that somebody waits for by who has asked for it, as far as they may know of it."""
    if run is None or run.user is None:
        return "another run"
    return "a run of yours" if is_own(run, name) else f"{run.user}\N{RIGHT SINGLE QUOTATION MARK}s run"


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


def started(record: RunRecord, now: float, *, is_dated: bool = True) -> Markup:
    """Make the time at which a run began, or was asked for; all of it is its title.

    Args:
        record: The run.
        now: Seconds since the epoch.
        is_dated: Whether the day is said, if it is not today.
    """
    begun = local(record.asked_at if record.started_at is None else record.started_at)
    is_short = not is_dated or begun.date() == day_of(now)
    return element(
        "time",
        begun.strftime("%H:%M:%S" if is_short else "%d %b %H:%M"),
        datetime=begun.isoformat(timespec="seconds"),
        title=full(begun),
    )


def day_and_time(seconds: float, now: float, *, to: float | None = None) -> str:
    """Say when something was: ``today 22:40:51``, or from when to when.

    Args:
        seconds: Since the epoch.
        now: The same.
        to: When it ended; not said if that is the same second.
    """
    begun, today = local(seconds), day_of(now)
    days = (today - begun.date()).days
    day = ("Today", "Yesterday")[days] if 0 <= days <= 1 else begun.strftime("%a %d %b %Y")
    said = f"{day} {begun:%H:%M:%S}"
    if to is None or int(to) == int(seconds):
        return said
    end = local(to)
    return f"{said} – {end:%H:%M:%S}" if end.date() == begun.date() else f"{said} – {end:%d %b %H:%M:%S}"


def took(record: RunRecord, now: float) -> Markup | None:
    """Make how long a run took, has run, or has waited; of what is alive the script counts the seconds on."""
    seconds = record.duration_seconds
    if record.state.is_alive:
        seconds = max(0.0, now - record.asked_at) if seconds is None else seconds
        return element("span", whole(seconds), class_="ticks", data_seconds=str(int(seconds)))
    if seconds is None:
        return None
    return element("span", short(seconds))


# Who


def who(record: RunRecord, name: str | None) -> tuple[Content, ...]:
    """Say who has asked for a run, and how, to somebody of a name."""
    user = record.user or "somebody without a login"
    you = " (you)" if is_own(record, name) else ""
    protocol = "" if record.user == record.protocol else f", {record.protocol}"
    return element("b", user), element("span", f"{you}{protocol}", class_="quiet") if you or protocol else None
