"""What a session runs: nothing yet, or one command; lines and the prompt have modules of their own."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Code, Malformed, Refusal
from cmdserver.core.escaping import ends_line
from cmdserver.core.model import Caller
from cmdserver.core.output import Producer, Stream
from cmdserver.core.site import Site
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.common.help_text import TerminalView
from cmdserver.frontends.common.interpreter import Confirm, Ending, Interpreter, Why
from cmdserver.frontends.common.run_text import waiting_text
from cmdserver.frontends.common.text_sink import Output, Style
from cmdserver.frontends.ssh.channel import Channel, Sending
from cmdserver.frontends.ssh.exit_status import STATUS, ExitStatus, of_ending
from cmdserver.frontends.ssh.kept_lines import LineHistory

CTRL_C: Final = b"\x03"
#: How long a run may wait without a word.
WAITING_SECONDS: Final = 1.0

_log = Logger()


class Context(Struct, frozen=True):
    """What all sessions of a connection share."""

    caller: Caller
    #: Authorizes and runs requests.
    dispatcher: Dispatcher
    interpreter: Interpreter
    clock: IReactorTime
    #: The longest line.
    line_bytes: int
    #: As it is now.
    site: Callable[[], Site]
    #: Of the prompt.
    line_history: LineHistory


class TerminalOutput:
    """The output of a terminal: both streams are one, and lines end in CR LF (termios(3), ONLCR)."""

    __slots__ = ("_channel", "ends_line")

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        #: Whether the cursor is at the beginning of a row.
        self.ends_line = True

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:  # noqa: ARG002 - see above
        self.ends_line = data[-1:] == b"\n" or (data[-1:] == b"m" and ends_line(data, self.ends_line))
        self._channel.write(data.replace(b"\n", b"\r\n"))

    def follow(self, producer: Producer | None) -> None:
        self._channel.follow(producer)


class Program:
    """A session's program, which counts its requests at the connection.

    This class itself is the one of a session that has not asked for any: it does nothing.
    """

    __slots__ = ("_answering", "_asked", "_channel", "_context", "_has_left", "_waiting")

    def __init__(self, context: Context, channel: Channel) -> None:
        self._context = context
        self._channel = channel
        self._answering: Deferred[Any] | None = None
        #: What runs for it.
        self._asked: Request | None = None
        self._has_left = False
        #: Tells a person that what they have asked for waits, and why.
        self._waiting: IDelayedCall | None = None

    def start(self) -> None:
        """Begin; the client has been told that it does."""

    def feed(self, data: bytes) -> None:  # noqa: ARG002 - nobody reads it
        """Take input, and acknowledge it when more is wanted."""
        self._channel.read_on()

    def end_input(self) -> None:
        """Hear that there will be no more input."""

    def proceed(self) -> None:
        """Go on with what waited for output to be sent."""

    def resize(self, columns: int) -> None:
        """Hear of the terminal's new width; 0 if it is not known."""

    def interrupt(self, signal: str = "SIGINT") -> None:
        """End the request that is being answered, as that signal would."""

    def leave(self) -> None:
        """Cancel the request that is being answered, as nobody listens any more. Idempotent."""
        self._has_left = True
        if self._answering is not None:
            self._answering.cancel()

    def _want_no_more(self) -> None:
        """Say that a person wants what runs to end; to be followed by what cancels it."""
        if self._asked is not None:
            self._context.dispatcher.interrupt(self._asked)

    def _cancel(self) -> None:
        """End what runs, as a person wants."""
        self._want_no_more()
        if self._answering is not None:
            self._answering.cancel()

    def expire(self, farewell: str) -> None:  # noqa: ARG002 - nobody reads it
        """Exit, as nothing was asked for too long; a person is told ``farewell``."""
        self._channel.exit(None)

    def close_when_idle(self) -> None:
        """Exit as soon as the request that is being answered has its answer."""
        self._channel.exit(None)

    # For subclasses

    @property
    def _view(self) -> TerminalView | None:
        """What a person sees answers through; None: there is none, or no terminal."""
        return None

    #: Asks a person; None: there is none.
    _confirm: Confirm | None = None

    @property
    def _may_proceed(self) -> bool:
        """Whether the next request may be taken."""
        channel = self._channel
        return not (self._answering or channel.is_full or channel.sending is not Sending.OPEN or self._has_left)

    def _perform(self, line: bytes, output: Output, style: Style = Style.APART) -> None:
        """Answer a line, and call `_answered` with its exit status, or `_quit`; perhaps at once."""
        context = self._context
        try:
            parsed = self._parse(line)
        except Refusal as refusal:
            self._refuse(refusal, output, as_json=line_protocol.wants_json(line))
            return
        match parsed.request:
            case line_protocol.Word.QUIT:
                self._quit()
            case line_protocol.Word.SESSION:
                self._answered(ExitStatus())
            case line_protocol.Word.LOGIN:
                self._refuse(BadArgument("you have logged in"), output)
            case question:
                perform = context.interpreter.perform
                as_json, confirm = parsed.as_json, self._confirm
                ending = perform(
                    context.caller,
                    question,
                    output,
                    as_json=as_json,
                    style=style,
                    terminal=self._view,
                    confirm=confirm,
                    asked=self._note_request,
                    waits=partial(self._tell_why_later, output),
                )
                if isinstance(ending, Deferred):
                    self._answering = ending
                    self._channel.link.request_began()
                    ending.addBoth(self._count_out).addCallback(self._finish).addErrback(self._broken)
                else:
                    self._answered(of_ending(ending))

    def _refuse(self, refusal: Refusal, output: Output, *, as_json: bool = False) -> None:
        """Answer what is no request."""
        context = self._context
        self._answered(of_ending(context.interpreter.refuse(context.caller, refusal, output, as_json=as_json)))

    def _parse(self, line: bytes) -> line_protocol.Line:
        context = self._context
        if context.caller.forced_words is not None:
            return line_protocol.Line(line_protocol.Run(context.caller.forced_words), as_json=False)
        if len(line) > context.line_bytes:
            raise Malformed(f"the line is longer than {context.line_bytes} bytes")
        return line_protocol.parse(line)

    def _note_request(self, request: Request) -> None:
        self._asked = request

    def _tell_why_later(self, output: Output, why: Why) -> None:
        self._waiting = self._context.clock.callLater(WAITING_SECONDS, self._tell_why, output, why)

    def _tell_why(self, output: Output, why: Why) -> None:
        self._waiting = None
        waiting = None if self._has_left else why()
        if waiting is not None:
            output.write(waiting_text(waiting, self._context.caller.name), Stream.STDERR)

    def _count_out(self, result: Any) -> Any:
        self._answering = self._asked = None
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._channel.link.request_ended()
        return result

    def _finish(self, ending: Ending) -> None:
        if not self._has_left:
            self._answered(of_ending(ending))

    def _quit(self) -> None:
        self._channel.exit(ExitStatus())

    def _answered(self, exit_status: ExitStatus) -> None:
        """Go on after a request; not called after `leave`."""

    def _broken(self, failure: Failure) -> None:
        """Log a mistake of ours, and end the session."""
        _log.failure("SSH session", failure)
        self._channel.exit(ExitStatus(STATUS[Code.FAULT]))


class Command(Program):
    """One command, as ``ssh HOST COMMAND`` asks for it, perhaps at a terminal (``ssh -t``)."""

    __slots__ = ("_interrupted_by", "_line", "_terminal")

    def __init__(self, context: Context, channel: Channel, line: bytes, terminal: TerminalView | None) -> None:
        super().__init__(context, channel)
        self._line = line
        self._terminal = terminal
        self._interrupted_by: str | None = None

    def start(self) -> None:
        output = self._channel if self._terminal is None else TerminalOutput(self._channel)
        self._perform(self._line.strip(), output)

    def feed(self, data: bytes) -> None:
        """Interrupt the command if that is typed at a terminal; no command reads input."""
        if self._terminal is not None and CTRL_C in data:
            self.interrupt()
        self._channel.read_on()

    def interrupt(self, signal: str = "SIGINT") -> None:
        """Cancel the command; the exit signal is ``signal``. That nobody reads any more is no wish to end it."""
        if self._answering is not None:
            self._interrupted_by = signal
            if signal != "SIGPIPE":
                self._want_no_more()
            self._answering.cancel()

    def expire(self, farewell: str) -> None:
        """Nothing: either the command runs, or it has exited."""

    def close_when_idle(self) -> None:
        """Nothing: it exits anyway."""

    @property
    def _view(self) -> TerminalView | None:
        return self._terminal

    def _answered(self, exit_status: ExitStatus) -> None:
        self._channel.exit(ExitStatus(signal=self._interrupted_by) if self._interrupted_by else exit_status)
