"""What commands print, as data, for those who ask for it: made once a run, beside everything else.

Those who share a run share its output, and with it the data. Output that a parser can make nothing of has no data,
which is never an error, but a reason that is told. The parser itself works in another process, within a time limit;
what is to be parsed waits in a line, in which there is an end.

Rule of this module: nobody waits for a parser in the reactor's thread.
"""

from collections import Counter, OrderedDict, deque
from typing import Final, Protocol

from msgspec import Struct, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.core.output import NotParsed, Parsed, ProcessResult
from cmdserver.parsers.jc_library import NotInstalled, load, load_if_installed

__all__ = ["NotInstalled", "OutputParsers", "ParserProcess", "load", "load_if_installed", "readable"]

#: More output than this is not parsed: the slowest parsers take a second for it.
OUTPUT_BYTES: Final = 1 << 18
#: For a parser. Some have regular expressions that take minutes for odd output.
PARSE_SECONDS: Final = 2.0
#: The most outputs that wait for others to be parsed.
MOST_WAITING: Final = 50
#: A parser that was late so often, without having been in time once, is left alone for a while.
PATIENCE: Final = 3
PAUSE_SECONDS: Final = 60.0
#: How many runs' data are kept, for those who ask a moment later: sharers, and a page's table after its text.
_KEPT: Final = 8

_Key = tuple[str, bytes]

_log = Logger()


class ParserProcess(Protocol):
    """Where output is parsed."""

    def parse(self, parser: str, output: bytes) -> Deferred[Parsed]:
        """Parse output, while nothing else is; fail with `NotParsed`; end the work when it is cancelled."""


class _Job(Struct):
    """One output, and those who wait for its data."""

    key: _Key
    waiting: list[Deferred[Parsed]] = field(default_factory=list)
    running: Deferred[None] | None = None


class OutputParsers:
    """Makes data of what commands print.

    Args:
        process: Does the work.
        clock: For deadlines, not the time of day.
    """

    def __init__(self, process: ParserProcess, clock: IReactorTime) -> None:
        self._process = process
        self._clock = clock
        self._kept: OrderedDict[_Key, Parsed] = OrderedDict()
        self._jobs: dict[_Key, _Job] = {}
        self._line: deque[_Job] = deque()
        self._current: _Job | None = None
        #: How often parsers were late since they were in time.
        self._late: Counter[str] = Counter()
        #: When parsers that are left alone are asked again.
        self._paused_until: dict[str, float] = {}
        #: What was logged: once each, as a command's output may be anybody's.
        self._told: set[str] = set()

    def parse(self, parser: str, finished: ProcessResult) -> Deferred[Parsed]:
        """Make data of the output of a run.

        Args:
            parser: Its name.
            finished: With the output.

        Returns:
            Fires with the data, or why there is none; never fails, but when it is cancelled. To cancel it is to leave.
        """
        try:
            key = parser, readable(finished)
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return succeed(kept)
            return self._join(key)
        except NotParsed as reason:
            return succeed(Parsed(problem=str(reason)))

    def _join(self, key: _Key) -> Deferred[Parsed]:
        """Wait for the data of an output; raises `NotParsed` if there is no place in the line."""
        job = self._jobs.get(key)
        if job is None:
            self._require_asked(key[0])
            if len(self._line) >= MOST_WAITING:
                raise NotParsed("too much output waits for a parser")
            job = self._jobs[key] = _Job(key)
            self._line.append(job)
        waiting: Deferred[Parsed] = Deferred(lambda left: self._leave(job, left))
        job.waiting.append(waiting)
        self._go_on()
        return waiting

    def _leave(self, job: _Job, waiting: Deferred[Parsed]) -> None:
        """Let somebody wait no more; what nobody waits for is not parsed."""
        job.waiting.remove(waiting)
        if job.waiting:
            return
        if job.running is not None:
            job.running.cancel()
        elif self._jobs.get(job.key) is job:
            del self._jobs[job.key]
            self._line.remove(job)

    def _require_asked(self, parser: str) -> None:
        until = self._paused_until.get(parser)
        if until is None:
            return
        if self._clock.seconds() < until:
            raise NotParsed(f"the parser {parser} was too slow {PATIENCE} times, and is left alone for a while")
        del self._paused_until[parser]

    def _go_on(self) -> None:
        """Parse what is first in the line, unless something is being parsed."""
        while self._current is None and self._line:
            job = self._current = self._line.popleft()
            parsing = self._process.parse(*job.key)
            running = parsing.addTimeout(PARSE_SECONDS, self._clock, _late).addCallbacks(
                self._parsed, self._failed, callbackArgs=(job,), errbackArgs=(job,)
            )
            if self._current is job:
                job.running = running

    def _parsed(self, parsed: Parsed, job: _Job) -> None:
        self._late[job.key[0]] = 0
        self._tell(job, parsed, is_kept=True)

    def _failed(self, failure: Failure, job: _Job) -> None:
        parser, _ = job.key
        is_kept = False
        match failure.value:
            case _Late():
                reason = f"the parser {parser} took longer than {PARSE_SECONDS:g} s"
                self._late[parser] += 1
                if self._late[parser] >= PATIENCE:
                    self._paused_until[parser] = self._clock.seconds() + PAUSE_SECONDS
                    self._late[parser] = 0
                is_kept = True
            case NotParsed() as error:
                reason = str(error)
                # What the parser itself says it will say again; what becomes of its process may differ.
                is_kept = type(error) is NotParsed
            case CancelledError():
                reason = "nobody has waited for it"
            case _:
                _log.failure("output could not be parsed", failure)
                reason = "of a mistake of this server, which its log tells of"
        if not failure.check(CancelledError):
            self._complain(parser, reason)
        self._tell(job, Parsed(problem=reason), is_kept=is_kept)

    def _tell(self, job: _Job, parsed: Parsed, *, is_kept: bool) -> None:
        del self._jobs[job.key]
        self._current = None
        if is_kept:
            self._kept[job.key] = parsed
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        waiting, job.waiting = job.waiting, []
        for each in waiting:
            each.callback(parsed)
        self._go_on()

    def _complain(self, parser: str, reason: str) -> None:
        text = f"{parser}: {reason}"
        if text not in self._told:
            self._told.add(text)
            _log.warn("there are no data of what a command prints: {reason}", reason=text)


class _Late(Exception):  # noqa: N818 - a statement
    """The time limit of a parser is over."""


def _late(result: object, _: float) -> object:
    if isinstance(result, Failure) and result.check(CancelledError):
        raise _Late
    return result


def readable(finished: ProcessResult) -> bytes:
    """Find what a parser may look at: the output.

    Raises:
        NotParsed: It is missing, cut or too long.
    """
    output = finished.stdout
    if finished.truncated or finished.timed_out or finished.ended_by is not None:
        raise NotParsed("the command was ended, so its output is not complete")
    if len(output) != finished.stdout_bytes:
        raise NotParsed("the output is not kept as a whole")
    if len(output) > OUTPUT_BYTES:
        raise NotParsed(f"the output is longer than {OUTPUT_BYTES} bytes")
    return output
