"""A session at a terminal: a prompt, a line, its answer, and the next prompt.

There is no shell behind it. Rule of this file: it knows no packets; keys and rows are the terminal's.
"""

from collections.abc import Collection

from twisted.internet.interfaces import IReactorTime

from cmdserver.core.model import Stream
from cmdserver.core.names import RESERVED_WORDS
from cmdserver.frontends.ssh.answers import Answers
from cmdserver.frontends.ssh.channel import Channel, Sending
from cmdserver.frontends.ssh.exit_status import ExitStatus
from cmdserver.frontends.ssh.programs import Program, TerminalOutput
from cmdserver.frontends.ssh.terminal.terminal import Gesture, Terminal

PROMPT = "cmdserver> "
GREETING = b"What can I do for you? (Try help; Ctrl-D leaves.)\n"

#: After these words comes a command's name, after `json` a whole line.
_BEFORE_NAMES = frozenset({"help", "explain"})


class Shell(Program):
    """A person at a terminal.

    Args:
        answers: What answers their lines.
        channel: Its input and output.
        clock: To let others have a turn.
        columns: The terminal's width; 0 if it is not known.
    """

    def __init__(self, answers: Answers, channel: Channel, clock: IReactorTime, columns: int) -> None:
        super().__init__(answers, channel)
        self._clock = clock
        self._screen = TerminalOutput(channel)
        self._terminal = Terminal(PROMPT, answers.line_bytes, self._completions)
        self._terminal.resize(columns)
        self._is_leaving = False
        self._is_proceeding = False

    def start(self) -> None:
        """See `Program`."""
        self._screen.write(Stream.STDOUT, GREETING)
        self._prompt()

    def feed(self, data: bytes) -> None:
        """See `Program`."""
        self._terminal.feed(data)
        self._interrupt_if_typed()
        self.proceed()

    def end_input(self) -> None:
        """Answer what was typed, and leave."""
        self.feed(b"\r\x04")

    def resize(self, columns: int) -> None:
        """See `Program`."""
        self._terminal.resize(columns)

    def interrupt(self, signal: str = "SIGINT") -> None:
        """End what runs, or forget what was typed, and prompt again; any other signal hangs up."""
        if signal != "SIGINT":
            self.leave()
            self._channel.exit(ExitStatus(signal=signal))
        elif self._answering is not None:
            self._channel.write(Stream.STDOUT, b"^C")
            self._screen.ends_line = False
            self._answering.cancel()
        else:
            self._terminal.feed(b"\x03")
            self.proceed()

    def expire(self, farewell: str) -> None:
        """See `Program`."""
        self._exit(farewell)

    def close_when_idle(self) -> None:
        """See `Program`."""
        self._is_leaving = True
        if self._answering is None:
            self._exit("cmdserver: the daemon is stopping")

    def proceed(self) -> None:
        """Take what was typed, until there is a reason to wait."""
        if self._is_proceeding:
            return
        self._is_proceeding = True
        if self._may_proceed:
            self._read()
        self._is_proceeding = False
        if not self._terminal.is_full:
            self._channel.read_on()

    def _read(self) -> None:
        entered = self._terminal.read()
        self._channel.write(Stream.STDOUT, self._terminal.show())
        match entered:
            case Gesture.INTERRUPT:
                self._prompt()
            case Gesture.LEAVE:
                self._channel.exit(ExitStatus())
            case str() if entered.strip():
                self._perform(entered.strip().encode())
            case str():
                self._prompt()
        self._interrupt_if_typed()
        if self._terminal.has_keys:
            # Each line, and each so many keys, is a turn of its own.
            self._clock.callLater(0, self.proceed)

    def _interrupt_if_typed(self) -> None:
        """While a command runs Ctrl-C is for that, whatever was typed before it."""
        if self._answering is not None and self._terminal.take_interrupt():
            self.interrupt()

    def _perform(self, line: bytes) -> None:
        self._screen.ends_line = True
        answering = self._answers.perform(line, self._screen, is_for_person=True)
        if answering is None:
            self._channel.exit(ExitStatus())
        else:
            self._await(answering)

    def _answered(self, ending: ExitStatus) -> None:  # noqa: ARG002 - a person has been told
        if self._channel.sending is not Sending.OPEN:
            return
        if self._is_leaving:
            self._exit("cmdserver: the daemon is stopping")
            return
        self._prompt()
        self.proceed()

    def _prompt(self) -> None:
        if not self._screen.ends_line:
            self._screen.write(Stream.STDOUT, b"\n")
        self._terminal.ask()
        self._channel.write(Stream.STDOUT, self._terminal.show())

    def _exit(self, farewell: str) -> None:
        self._screen.write(Stream.STDOUT, f"\n{farewell}\n".encode())
        self._channel.exit(ExitStatus())

    def _completions(self, before: str) -> Collection[str]:
        """Name what could come next: names of commands first of all, and the words of the protocol."""
        words = [word for word in before.split(" ")[:-1] if word]
        if words[:1] == ["json"]:
            words = words[1:]
        if not words:
            return self._answers.names() | RESERVED_WORDS
        return self._answers.names() if len(words) == 1 and words[0] in _BEFORE_NAMES else ()
