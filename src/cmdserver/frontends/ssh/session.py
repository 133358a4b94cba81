"""A session channel's requests (RFC 4254, section 6).

A client may ask for a terminal, then for one command or for a shell, which is a prompt if there is a terminal and a
reader of lines if there is none. Environment, X11, agents and subsystems are refused.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from cmdserver.frontends.common.help_text import TerminalView
from cmdserver.frontends.ssh import channel as channels
from cmdserver.frontends.ssh.channel import Channel, Sending
from cmdserver.frontends.ssh.lines import Lines
from cmdserver.frontends.ssh.programs import Command, Context, Program
from cmdserver.frontends.ssh.shell import Shell
from cmdserver.frontends.ssh.terminal.kind import TerminalKind
from cmdserver.sshtransport.encoding import Fields

#: Messages about one channel (RFC 4254, section 9).
OF_SESSION: Final = range(channels.WINDOW_ADJUST, channels.REQUEST + 1)
#: RFC 4254, section 6.10, as far as they end a process.
_ENDING_SIGNALS: Final = frozenset({b"HUP", b"INT", b"QUIT", b"TERM", b"KILL", b"ABRT"})

#: What to do about a request, once the client has been told that it is granted.
Then = Callable[[], None]


class Session:
    """One session."""

    __slots__ = ("_context", "_terminal", "channel", "program")

    def __init__(self, context: Context, channel: Channel) -> None:
        self._context = context
        self.channel = channel
        #: Once there is one.
        self._terminal: TerminalKind | None = None
        #: What runs; a plain `Program` until something is asked for.
        self.program = Program(context, channel)

    def receive(self, number: int, packet: Fields) -> None:
        """Take one of the messages `OF_SESSION`, whose channel is this one.

        Raises:
            Malformed: It breaks the protocol.
        """
        match number:
            case channels.WINDOW_ADJUST:
                self.channel.widen(packet.uint32())
                self.program.proceed()
            case channels.DATA if self.channel.sending is Sending.OPEN:
                self.program.feed(self.channel.take(packet.string()))
            case channels.DATA | channels.EXTENDED_DATA:
                if number == channels.EXTENDED_DATA:
                    packet.uint32()
                self.channel.take(packet.string())  # nobody reads it
                self.channel.read_on()
            case channels.EOF:
                self.channel.is_input_over = True
                self.program.end_input()
            case channels.CLOSE:
                self.channel.close()
                self.program.leave()
            case channels.REQUEST:
                self._request(packet)

    def _request(self, packet: Fields) -> None:
        kind, wants_reply = packet.string(), packet.boolean()
        then = self._decide(kind, packet)
        if wants_reply:
            self.channel.reply(is_granted=then is not None)
        if then is not None:
            then()

    def _decide(self, kind: bytes, details: Fields) -> Then | None:
        """Return what to do about a request when the client has been told that it is granted; None to refuse it."""
        match kind:
            case b"pty-req":
                return self._request_terminal(details)
            case b"window-change":
                return self._resize(details.uint32())
            case b"exec" | b"shell":
                return self._request_program(details.string() if kind == b"exec" else None)
            case b"signal":
                name = details.string()
                return self._interruption(f"SIG{name.decode('ascii')}") if name in _ENDING_SIGNALS else None
            case b"eow@openssh.com":
                # Nobody reads the output any more, as in `ssh HOST COMMAND | head`: what SIGPIPE is for.
                return self._interruption("SIGPIPE")
            case _:
                return None

    @property
    def _may_begin(self) -> bool:
        """Whether nothing was run yet, and something may be."""
        return type(self.program) is Program and self.channel.sending is Sending.OPEN

    def _request_terminal(self, details: Fields) -> Then | None:
        if not self._context.caller.permits_pty or not self._may_begin or self._terminal is not None:
            return None
        name = details.string()
        self._terminal = TerminalKind.of(name, details.uint32())
        return _nothing

    def _resize(self, columns: int) -> Then | None:
        if self._terminal is None:
            return None
        self._terminal = replace(self._terminal, columns=columns)
        self.program.resize(columns)
        return _nothing

    def _request_program(self, command: bytes | None) -> Then | None:
        if not self._may_begin:
            return None
        self.program = program = self._make(command)

        def start() -> None:
            program.start()
            if self.channel.is_input_over:
                program.end_input()

        return start

    def _make(self, command: bytes | None) -> Program:
        context, channel = self._context, self.channel
        if command is not None or context.caller.forced_words is not None:
            view = None if self._terminal is None else TerminalView(self._terminal.columns)
            return Command(context, channel, command or b"", view)
        return Lines(context, channel) if self._terminal is None else Shell(context, channel, self._terminal)

    def _interruption(self, signal: str) -> Then:
        return lambda: self.program.interrupt(signal) if self.channel.sending is Sending.OPEN else None


def _nothing() -> None:
    """There is nothing more to do."""
