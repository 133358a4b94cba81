"""A session at a terminal: a prompt, a line, its answer, and the next prompt. There is no shell behind it."""

from collections.abc import Collection
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.errors import RequestError
from cmdserver.core.escaping import printable_line
from cmdserver.frontends.common.help_text import TerminalView
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.common.text_sink import Style
from cmdserver.frontends.ssh.channel import Channel, Sending
from cmdserver.frontends.ssh.completion import Completer
from cmdserver.frontends.ssh.exit_status import ExitStatus
from cmdserver.frontends.ssh.greeting import greeting, prompt
from cmdserver.frontends.ssh.lines import LineProgram
from cmdserver.frontends.ssh.programs import CTRL_C, Context, TerminalOutput
from cmdserver.frontends.ssh.prompt_words import PromptWord, described, find_word, spelled_out
from cmdserver.frontends.ssh.remembering import Memory, memory_for
from cmdserver.frontends.ssh.terminal.earlier_lines import EarlierLines
from cmdserver.frontends.ssh.terminal.kind import TerminalKind
from cmdserver.frontends.ssh.terminal.terminal import Gesture, Terminal

#: Behind a question; everything but yes is no.
YES_OR_NO: Final = "[y/N] "
_YES: Final = frozenset({"y", "yes"})
#: How long a question waits for its answer.
CONFIRM_SECONDS: Final = 60.0


class Shell(LineProgram):
    """A person at a terminal."""

    __slots__ = ("_columns", "_completer", "_earlier", "_kind", "_question", "_screen", "_terminal")

    #: Each line, and each `KEYS_IN_A_ROW`, is a turn of its own.
    lines_in_a_row = 1

    def __init__(self, context: Context, channel: Channel, kind: TerminalKind) -> None:
        super().__init__(context, channel)
        self._screen = TerminalOutput(channel)
        self._completer = Completer(context.dispatcher, context.caller)
        self._kind = kind
        self._earlier = EarlierLines(context.line_history.read(context.caller.name or ""))
        self._terminal = Terminal(context.line_bytes, self._completer.words, self._earlier, is_plain=kind.is_plain)
        #: A question that waits for its answer.
        self._question: Deferred[bool] | None = None
        self._columns = kind.columns
        self._terminal.resize(kind.columns)

    def start(self) -> None:
        self._screen.write(greeting(self._context.site(), has_colours=not self._kind.is_plain))
        self._prompt()

    def feed(self, data: bytes) -> None:
        self._terminal.feed(data)
        self._interrupt_if_typed()
        self.proceed()

    def end_input(self) -> None:
        self.feed(b"\r\x04")

    def resize(self, columns: int) -> None:
        self._columns = columns
        self._terminal.resize(columns)

    def interrupt(self, signal: str = "SIGINT") -> None:
        """End what runs, or forget what was typed, and prompt again; any other signal hangs up."""
        if signal != "SIGINT":
            self.leave()
            self._channel.exit(ExitStatus(signal=signal))
        elif self._answering is not None:
            self._channel.write(b"^C")
            self._screen.ends_line = False
            self._cancel()
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
        if self._question is not None:
            if entered is not None and entered is not Gesture.COMPLETE:
                self._screen.ends_line = True
                self._question.callback(isinstance(entered, str) and entered.strip().lower() in _YES)
            return self._terminal.has_keys
        match entered:
            case Gesture.COMPLETE:
                self._list_choices()
            case Gesture.INTERRUPT:
                self._prompt()
            case Gesture.LEAVE:
                self._quit()
            case str() if entered.strip():
                self._remember(entered)
                self._screen.ends_line = True
                self._enter(entered.strip())
            case str():
                self._prompt()
        self._interrupt_if_typed()
        return self._terminal.has_keys

    def _remember(self, line: str) -> None:
        context = self._context
        memory = memory_for(line, context.dispatcher, context.caller)
        if memory is not Memory.NOWHERE and self._earlier.add(line) and memory is Memory.DISK:
            context.line_history.add(context.caller.name or "", line)

    def _enter(self, line: str) -> None:
        match find_word(line, self._names):
            case PromptWord.HISTORY:
                digits = len(str(len(self._earlier)))
                rows = (f"{number:>{digits}}  {each}\n" for number, each in enumerate(self._earlier, 1))
                self._screen.write("".join(rows).encode())
                self._prompt()
            case PromptWord.CLEAR:
                self._terminal.clear_screen()
                self._prompt()
            case PromptWord.EXIT | PromptWord.LOGOUT:
                self._quit()
            case None:
                self._perform(spelled_out(line).encode(), self._screen, Style.AS_IT_COMES)

    def _names(self) -> Collection[str]:
        return self._context.dispatcher.names(self._context.caller)

    @property
    def _view(self) -> TerminalView:
        return TerminalView(self._columns, described(self._names()))

    @property
    def _may_proceed(self) -> bool:
        if self._question is not None:
            return not (self._channel.is_full or self._has_left) and self._channel.sending is Sending.OPEN
        return super()._may_proceed

    def _confirm(self, question: str) -> Deferred[bool]:
        """Ask a person; who says nothing says no."""
        asked: Deferred[bool] = Deferred()
        asked.addTimeout(CONFIRM_SECONDS, self._context.clock, lambda *_: False)
        asked.addBoth(self._confirmed)
        self._question = asked
        self._screen.write(printable_line(question).encode(errors="replace") + b"\n")
        self._terminal.ask(YES_OR_NO, is_question=True)
        self._channel.write(self._terminal.show())
        return asked

    def _confirmed(self, is_wanted: Any) -> Any:
        self._question = None
        if is_wanted is not True:
            self._screen.write(b"Not run.\n" if self._screen.ends_line else b"\nNot run.\n")
        return is_wanted

    def _list_choices(self) -> None:
        """Have the choices listed that other commands print, and complete then."""
        self._answering = Deferred.fromCoroutine(self._completer.list_choices(self._terminal.before_cursor))
        self._channel.link.request_began()
        self._answering.addBoth(self._count_out).addCallbacks(self._complete, self._not_listed).addErrback(self._broken)

    def _complete(self, _: None) -> None:
        if not self._has_left:
            self._terminal.complete()
            self._channel.write(self._terminal.show())
            self.proceed()

    def _not_listed(self, failure: Failure) -> None:
        """Say why there are no choices, and begin the line again as it was."""
        error = failure.value
        if not isinstance(error, RequestError):
            failure.trap(CancelledError)
        if self._has_left:
            return
        if isinstance(error, RequestError):
            self._screen.write(b"\n" + error_text(error))
            self._terminal.ask_again()
            self._channel.write(self._terminal.show())
        else:
            self._prompt()
        self.proceed()

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
        self._completer.forget()
        caller, site = self._context.caller, self._context.site()
        self._terminal.ask(prompt(caller.name or "", site.name))
        self._channel.write(self._terminal.show())

    def _exit(self, farewell: str) -> None:
        self._screen.write(f"\n{farewell}\n".encode())
        self._quit()
