"""The requests of one SSH client, by the line, as in the line protocol."""

from twisted.internet.defer import Deferred

from cmdserver.core.errors import BadArgument, Code, Malformed, Refusal
from cmdserver.core.model import Caller
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.common.interpreter import Ending, Interpreter
from cmdserver.frontends.common.text_sink import Output, Style


class Answers:
    """Answers the requests of one caller.

    Args:
        caller: Who asks.
        dispatcher: Authorizes and runs requests.
        line_bytes: The longest line.
    """

    __slots__ = ("_caller", "_dispatcher", "_interpreter", "line_bytes")

    def __init__(self, caller: Caller, dispatcher: Dispatcher, line_bytes: int) -> None:
        self._caller = caller
        self._dispatcher = dispatcher
        self._interpreter = Interpreter(dispatcher)
        self.line_bytes = line_bytes

    @property
    def is_forced(self) -> bool:
        """Whether the same command is run whatever is asked for (``command=`` of a key)."""
        return self._caller.forced_words is not None

    def names(self) -> frozenset[str]:
        """Return the names of the commands that the caller may run, for completion."""
        return self._dispatcher.names(self._caller)

    def perform(
        self, line: bytes, output: Output, style: Style = Style.APART
    ) -> Deferred[Ending] | Ending | line_protocol.Quit:
        """Answer one line; return how that ended as `Interpreter.perform` does, or that the line asks to leave."""
        try:
            parsed = self._parse(line)
        except Refusal as refusal:
            return self.refuse(refusal, output, as_json=line_protocol.wants_json(line))
        match parsed.request:
            case line_protocol.Quit():
                return parsed.request
            case line_protocol.Session():
                return Code.OK
            case line_protocol.LogIn():
                return self.refuse(BadArgument("you have logged in"), output)
            case question:
                return self._interpreter.perform(self._caller, question, output, as_json=parsed.as_json, style=style)

    def refuse(self, refusal: Refusal, output: Output, *, as_json: bool = False) -> Code:
        """Answer what is no request."""
        return self._interpreter.refuse(self._caller, refusal, output, as_json=as_json)

    def _parse(self, line: bytes) -> line_protocol.Line:
        if self._caller.forced_words is not None:
            return line_protocol.Line(line_protocol.Run(self._caller.forced_words), as_json=False)
        if len(line) > self.line_bytes:
            raise Malformed(f"the line is longer than {self.line_bytes} bytes")
        return line_protocol.parse(line)
