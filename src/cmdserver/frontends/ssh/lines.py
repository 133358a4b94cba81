"""Sessions of any number of lines, answered one after the other; as they come, or as a person enters them (`shell`)."""

from twisted.internet.interfaces import IReactorTime

from cmdserver.core.errors import Malformed
from cmdserver.core.output import Stream
from cmdserver.frontends.common.line_loop import LineLoop
from cmdserver.frontends.common.line_protocol import LineBuffer
from cmdserver.frontends.ssh.channel import Channel
from cmdserver.frontends.ssh.exit_status import ExitStatus
from cmdserver.frontends.ssh.programs import Context, Program


class LineProgram(Program, LineLoop):
    """A program that takes lines while there are some, and while it need not wait for an answer or for output."""

    __slots__ = ("_is_leaving", "_is_proceeding")

    def __init__(self, context: Context, channel: Channel) -> None:
        super().__init__(context, channel)
        #: Whether it exits when the request that is being answered has its answer.
        self._is_leaving = False
        self._is_proceeding = False

    def proceed(self) -> None:
        LineLoop.proceed(self)
        if not self._is_input_full:
            self._channel.read_on()

    @property
    def _clock(self) -> IReactorTime:
        return self._context.clock

    @property
    def _is_input_full(self) -> bool:
        """Whether enough input waits."""
        raise NotImplementedError


class Lines(LineProgram):
    """Lines as they come, as in ``ssh -T HOST < FILE``; the exit status is that of the last one, as a shell's is."""

    __slots__ = ("_buffer", "_last")

    def __init__(self, context: Context, channel: Channel) -> None:
        super().__init__(context, channel)
        self._buffer = LineBuffer(context.line_bytes)
        self._last = ExitStatus()

    def feed(self, data: bytes) -> None:
        self._buffer.feed(data)
        self.proceed()

    def end_input(self) -> None:
        self.proceed()

    def interrupt(self, signal: str = "SIGINT") -> None:
        """End what runs, and the rest with it, as a signal ends a shell that reads a file."""
        if signal != "SIGPIPE":
            self._want_no_more()
        self.leave()
        self._channel.exit(ExitStatus(signal=signal))

    def expire(self, farewell: str) -> None:
        self._channel.write(f"{farewell}\n".encode(), Stream.STDERR)
        self._quit()

    def close_when_idle(self) -> None:
        """Exit when all lines that have come are answered, if only by `busy`."""
        self._is_leaving = True
        self.proceed()

    @property
    def _is_input_full(self) -> bool:
        return self._buffer.is_full

    def _take_line(self) -> bool:
        is_input_over = self._channel.is_input_over
        try:
            line = self._buffer.next_line()
        except Malformed as malformed:
            # There is no telling where the next line begins.
            self._is_leaving = True
            self._buffer.clear()
            self._refuse(malformed, self._channel)
            return True
        if line is None and is_input_over:
            line = self._buffer.last_line()
        if line is not None:
            self._perform(line, self._channel)
        elif is_input_over or self._is_leaving:
            self._quit()
        return line is not None

    def _answered(self, exit_status: ExitStatus) -> None:
        self._last = exit_status
        self.proceed()

    def _quit(self) -> None:
        self._channel.exit(self._last)
