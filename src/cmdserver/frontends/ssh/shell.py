"""A session at a terminal: a prompt, a line, its answer, and the next prompt. There is no shell behind it."""

from collections.abc import Collection
from typing import Final

from cmdserver.core.names import RESERVED_WORDS
from cmdserver.frontends.common.text_sink import Style
from cmdserver.frontends.ssh.channel import Channel, Sending
from cmdserver.frontends.ssh.exit_status import ExitStatus
from cmdserver.frontends.ssh.lines import LineProgram
from cmdserver.frontends.ssh.programs import CTRL_C, Context, TerminalOutput
from cmdserver.frontends.ssh.terminal.terminal import Gesture, Terminal

PROMPT: Final = "cmdserver> "
GREETING: Final = b"What can I do for you? (Try help; Ctrl-D leaves.)\n"

#: After these words comes a command's name, after `json` a whole line.
_BEFORE_NAMES: Final = frozenset({"help", "explain"})


class Shell(LineProgram):
    """A person at a terminal so many columns wide; 0 if that is not known."""

    __slots__ = ("_screen", "_terminal")

    #: Each line, and each `KEYS_IN_A_ROW`, is a turn of its own.
    lines_in_a_row = 1

    def __init__(self, context: Context, channel: Channel, columns: int) -> None:
        super().__init__(context, channel)
        self._screen = TerminalOutput(channel)
        self._terminal = Terminal(PROMPT, context.line_bytes, lambda before: _completions(context, before))
        self._terminal.resize(columns)

    def start(self) -> None:
        self._screen.write(GREETING)
        self._prompt()

    def feed(self, data: bytes) -> None:
        self._terminal.feed(data)
        self._interrupt_if_typed()
        self.proceed()

    def end_input(self) -> None:
        self.feed(b"\r\x04")

    def resize(self, columns: int) -> None:
        self._terminal.resize(columns)

    def interrupt(self, signal: str = "SIGINT") -> None:
        """End what runs, or forget what was typed, and prompt again; any other signal hangs up."""
        if signal != "SIGINT":
            self.leave()
            self._channel.exit(ExitStatus(signal=signal))
        elif self._answering is not None:
            self._channel.write(b"^C")
            self._screen.ends_line = False
            self._answering.cancel()
        else:
            self._terminal.feed(CTRL_C)
            self.proceed()

    def expire(self, farewell: str) -> None:
        self._exit(farewell)

    def close_when_idle(self) -> None:
        """Exit as soon as the command that runs has its answer; what was typed ahead is dropped."""
        self._is_leaving = True
        if self._answering is None:
            self._exit("cmdserver: the daemon is stopping")

    @property
    def _is_input_full(self) -> bool:
        return self._terminal.is_full

    def _take_line(self) -> bool:
        entered = self._terminal.read()
        self._channel.write(self._terminal.show())
        match entered:
            case Gesture.INTERRUPT:
                self._prompt()
            case Gesture.LEAVE:
                self._quit()
            case str() if entered.strip():
                self._screen.ends_line = True
                self._perform(entered.strip().encode(), self._screen, Style.AS_IT_COMES)
            case str():
                self._prompt()
        self._interrupt_if_typed()
        return self._terminal.has_keys

    def _interrupt_if_typed(self) -> None:
        """While a command runs Ctrl-C is for that, whatever was typed before it."""
        if self._answering is not None and self._terminal.take_interrupt():
            self.interrupt()

    def _answered(self, exit_status: ExitStatus) -> None:  # noqa: ARG002 - a person has been told
        if self._channel.sending is not Sending.OPEN:
            return
        if self._is_leaving:
            self._exit("cmdserver: the daemon is stopping")
            return
        self._prompt()
        self.proceed()

    def _prompt(self) -> None:
        if not self._screen.ends_line:
            self._screen.write(b"\n")
        self._terminal.ask()
        self._channel.write(self._terminal.show())

    def _exit(self, farewell: str) -> None:
        self._screen.write(f"\n{farewell}\n".encode())
        self._quit()


def _completions(context: Context, before: str) -> Collection[str]:
    """Return what could come next: names of commands first of all, and the words of the protocol."""
    words = [word for word in before.split(" ")[:-1] if word]
    if words[:1] == ["json"]:
        words = words[1:]
    if not words:
        return context.dispatcher.names(context.caller) | RESERVED_WORDS
    return context.dispatcher.names(context.caller) if len(words) == 1 and words[0] in _BEFORE_NAMES else ()
