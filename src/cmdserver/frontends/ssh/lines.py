"""A session without a terminal and without a command: lines are read and answered, as in ``ssh -T HOST < FILE``.

Rule of this file: it knows no packets; what lines mean is others'.
"""

from twisted.internet.interfaces import IReactorTime

from cmdserver.core.errors import Malformed
from cmdserver.core.model import Stream
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.ssh.answers import Answers
from cmdserver.frontends.ssh.channel import Channel
from cmdserver.frontends.ssh.exit_status import ExitStatus
from cmdserver.frontends.ssh.programs import Program

#: Lines that are answered in a row before other sessions have a turn.
LINES_IN_A_ROW = 16


class Lines(Program):
    """Answers lines one after the other; its exit status is that of the last one, as a shell's is.

    Args:
        answers: What answers them.
        channel: Its input and output.
        clock: To let others have a turn.
    """

    def __init__(self, answers: Answers, channel: Channel, clock: IReactorTime) -> None:
        super().__init__(answers, channel)
        self._clock = clock
        self._buffer = line_protocol.LineBuffer(answers.line_bytes)
        self._last = ExitStatus()
        self._is_input_over = False
        self._is_leaving = False
        self._is_proceeding = False

    def start(self) -> None:
        """See `Program`; the first line is waited for."""

    def feed(self, data: bytes) -> None:
        """See `Program`."""
        self._buffer.feed(data)
        self.proceed()

    def end_input(self) -> None:
        """Answer what has come, and exit."""
        self._is_input_over = True
        self.proceed()

    def interrupt(self, signal: str = "SIGINT") -> None:
        """End what runs, and the rest with it, as a signal ends a shell that reads a file."""
        self._last = ExitStatus(signal=signal)
        self.leave()
        self._channel.exit(self._last)

    def expire(self, farewell: str) -> None:
        """See `Program`."""
        self._channel.write(Stream.STDERR, f"{farewell}\n".encode())
        self._channel.exit(self._last)

    def close_when_idle(self) -> None:
        """See `Program`; lines that have come are answered, if only by `busy`."""
        self._is_leaving = True
        self.proceed()

    def proceed(self) -> None:
        """Answer lines until there is a reason to wait."""
        if self._is_proceeding:
            return
        self._is_proceeding = True
        for _ in range(LINES_IN_A_ROW):
            if not self._may_proceed or not self._take_line():
                break
        else:
            self._clock.callLater(0, self.proceed)
        self._is_proceeding = False
        if not self._buffer.is_full:
            self._channel.read_on()

    def _take_line(self) -> bool:
        """Answer the next line; return whether there was one."""
        try:
            line = self._buffer.next_line()
        except Malformed as malformed:
            # There is no telling where the next line begins.
            self._is_leaving = True
            self._buffer.clear()
            self._await(self._answers.refuse(malformed, self._channel))
            return True
        if line is None and self._is_input_over:
            line = self._buffer.last_line()
        if line is None:
            if self._is_input_over or self._is_leaving:
                self._channel.exit(self._last)
            return False
        # `quit` exits as the end of the input does.
        answering = self._answers.perform(line, self._channel)
        if answering is None:
            self._channel.exit(self._last)
        else:
            self._await(answering)
        return True

    def _answered(self, ending: ExitStatus) -> None:
        self._last = ending
        self.proceed()
