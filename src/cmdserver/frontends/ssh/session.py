"""A session channel's requests (RFC 4254, section 6): what of them there is here, and what is refused.

No environment, no X11, no agent, no subsystem: whoever asks for these is told no, and may go on.
Rule of this file: it decides what is run, not how.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from cmdserver.frontends.ssh.answers import Answers
from cmdserver.frontends.ssh.channel import Channel
from cmdserver.frontends.ssh.lines import Lines
from cmdserver.frontends.ssh.programs import Command, Program
from cmdserver.frontends.ssh.shell import Shell
from cmdserver.sshtransport.encoding import Fields

#: RFC 4254, section 6.10, as far as they end a process.
_ENDING_SIGNALS = frozenset({b"HUP", b"INT", b"QUIT", b"TERM", b"KILL", b"ABRT"})

#: What to do about a request, once the client has been told that it will be done.
Then = Callable[[], None]


class Session:
    """One session.

    Args:
        channel: Its streams.
        answers: What answers its requests.
        clock: For its programs.
        permits_pty: Whether it may have a terminal.
    """

    def __init__(self, channel: Channel, answers: Answers, clock: IReactorTime, *, permits_pty: bool) -> None:
        self.channel = channel
        self._answers = answers
        self._clock = clock
        self._permits_pty = permits_pty
        #: The terminal's width, once there is a terminal.
        self._columns: int | None = None
        self._program: Program | None = None
        self._is_input_over = False
        self._is_leaving = False

    @property
    def is_busy(self) -> bool:
        """Whether it is not the client who is waited for."""
        return self._program is not None and self._program.is_busy

    # What the client sends

    def request(self, kind: bytes, details: Fields) -> Then | None:
        """Look at a request.

        Returns:
            What to do about it, when the client has been told so; None to refuse it.

        Raises:
            Malformed: It is none.
        """
        match kind:
            case b"pty-req":
                return self._request_terminal(details)
            case b"window-change":
                return self._resize(details.uint32())
            case b"exec" | b"shell":
                return self._request_program(details.string() if kind == b"exec" else None)
            case b"signal":
                return self._signal(details.string())
            case b"eow@openssh.com":
                # Nobody reads the output any more, as in `ssh HOST COMMAND | head`: what SIGPIPE is for.
                return lambda: self._interrupt("SIGPIPE")
            case _:
                return None

    def feed(self, data: bytes) -> None:
        """Take input; what comes before there is a program is for nobody."""
        if self._program is not None and not self.channel.is_exiting:
            self._program.feed(data)
        else:
            self.channel.read_on()

    def end_input(self) -> None:
        """There will be no more input."""
        self._is_input_over = True
        if self._program is not None:
            self._program.end_input()

    def leave(self) -> None:
        """The client closes the channel, or is gone: nobody wants an answer any more."""
        self.channel.follow(None)
        if self._program is not None:
            self._program.leave()

    # What the connection knows

    def send_on(self) -> None:
        """There is room for output."""
        self.channel.send_on()
        if self._program is not None and not self.channel.is_full and not self.channel.is_exiting:
            self._program.proceed()

    def expire(self, farewell: str) -> None:
        """Nothing was asked for too long."""
        if self._program is None:
            self.channel.close()
        elif not self.channel.is_exiting:
            self._program.expire(farewell)

    def close_when_idle(self) -> None:
        """Exit as soon as what runs has ended."""
        self._is_leaving = True
        if self._program is None:
            self.channel.close()
        else:
            self._program.close_when_idle()

    # Requests

    def _request_terminal(self, details: Fields) -> Then | None:
        if not self._permits_pty or self._program is not None or self._columns is not None:
            return None
        details.string()  # TERM: what is drawn here, all of them know
        self._columns = details.uint32()
        return _nothing

    def _resize(self, columns: int) -> Then | None:
        if self._columns is None:
            return None
        self._columns = columns
        if self._program is not None:
            self._program.resize(columns)
        return _nothing

    def _request_program(self, command: bytes | None) -> Then | None:
        if self._program is not None or self._is_leaving:
            return None
        self._program = program = self._make(command)

        def start() -> None:
            program.start()
            if self._is_input_over:
                program.end_input()

        return start

    def _make(self, command: bytes | None) -> Program:
        if command is not None or self._answers.is_forced:
            is_at_terminal = self._columns is not None
            return Command(self._answers, self.channel, command or b"", is_at_terminal=is_at_terminal)
        if self._columns is not None:
            return Shell(self._answers, self.channel, self._clock, self._columns)
        return Lines(self._answers, self.channel, self._clock)

    def _signal(self, name: bytes) -> Then | None:
        if name not in _ENDING_SIGNALS:
            return None
        return lambda: self._interrupt(f"SIG{name.decode('ascii')}")

    def _interrupt(self, signal: str) -> None:
        if self._program is not None and not self.channel.is_exiting:
            self._program.interrupt(signal)


def _nothing() -> None:
    """There is nothing more to do."""
