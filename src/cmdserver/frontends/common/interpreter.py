"""The meaning of a line: its request to the dispatcher, the answer as bytes to whoever sent it.

Listeners that speak lines (plain, TLS, SSH) differ in how bytes travel, not in what is said.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, assert_never

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Code, Refusal, RequestError
from cmdserver.core.escaping import visible
from cmdserver.core.model import Caller, Somebody
from cmdserver.core.output import Answer, Stream
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.requests import JOINED, Request
from cmdserver.frontends.common import help_text, line_protocol, rendering, run_text
from cmdserver.frontends.common.help_text import NO_TERMINAL, TerminalView
from cmdserver.frontends.common.json_answer import write_json
from cmdserver.frontends.common.text_sink import Output, Style, TextSink
from cmdserver.runs.waiting import Waiting

#: How a request ended: with the answer of a process, or with why there is none; `Code.OK` if none was needed, or if the
#: request was cancelled. Not the error itself: kept in a local, it would be a cycle with the frames of its traceback.
Ending = Answer | Code


#: Says why a run has not begun, when it is called; None if it has.
Why = Callable[[], Waiting | None]

#: Asks a person a question; fires with whether they say yes.
Confirm = Callable[[str], Deferred[bool]]


class Interpreter:
    """Answers lines.

    Args:
        dispatcher: Authorizes and runs requests.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def perform(
        self,
        caller: Caller,
        question: line_protocol.Question,
        output: Output,
        *,
        as_json: bool,
        style: Style = Style.IN_ONE,
        terminal: TerminalView | None = None,
        confirm: Confirm | None = None,
        asked: Callable[[Request], None] | None = None,
        waits: Callable[[Why], None] | None = None,
    ) -> Deferred[Ending] | Ending:
        """Answer one question.

        Args:
            caller: Who asks.
            question: What.
            output: Where the answer goes, its errors included.
            as_json: Whether it is to be one JSON object on one line.
            style: How the output of a run is told otherwise.
            terminal: Where a person reads the answer; None: where that is, nobody knows.
            confirm: Asks a person whether a command is to be run that says so; None: programs are not asked.
            asked: Told of the request, if a command is run.
            waits: Told when a run does not begin at once whose output is to be text, before anything is written.

        Returns:
            How it ended, if the answer has been written already; else what fires with that, and never fails. To cancel
            it is to leave: nothing more is written.
        """
        try:
            match question:
                case line_protocol.Run(words):
                    sink = None if as_json else TextSink(output, style, is_at_terminal=terminal is not None)
                    return self._run(caller, words, output, sink, confirm, asked, waits)
                case line_protocol.Attach(run_id):
                    sink = None if as_json else TextSink(output, style, is_at_terminal=terminal is not None)
                    attached = self._dispatcher.runs.attach(caller, run_id, sink)
                    if waits is not None and sink is not None:
                        waits(partial(self._dispatcher.runs.waiting, caller, run_id))
                    return self._finish(attached.addCallback(lambda ended: ended.answer), output, sink)
                case line_protocol.Start() | line_protocol.Runs() | line_protocol.Stop():
                    telling = self._tell_of_runs(caller, question, output, confirm, as_json=as_json)
                    written = Deferred.fromCoroutine(telling).addCallback(_write_answer, output)
                    return written.addErrback(self._failed, output, as_json=as_json)
            output.write(self._consult(caller, question, terminal or NO_TERMINAL, as_json=as_json))
        except RequestError as error:
            return _write_error(error, output, as_json=as_json)
        return Code.OK

    def refuse(self, somebody: Somebody, refusal: Refusal, output: Output, *, as_json: bool) -> Code:
        """Answer bytes that were no request."""
        return _write_error(self._dispatcher.refuse(somebody, refusal), output, as_json=as_json)

    def _run(
        self,
        caller: Caller,
        words: tuple[str, ...],
        output: Output,
        sink: TextSink | None,
        confirm: Confirm | None,
        asked: Callable[[Request], None] | None,
        waits: Callable[[Why], None] | None,
    ) -> Deferred[Ending]:
        """Run a command; without a sink, its answer is written as JSON."""
        request = self._dispatcher.authorize(caller, words)
        if asked is not None:
            asked(request)
        running: Deferred[Answer]
        if confirm is not None and (wanted := _ask(request, confirm)) is not None:
            running = Deferred.fromCoroutine(self._run_if_wanted(request, sink, wanted, waits))
        elif waits is None:
            running = self._dispatcher.run(request, sink)
        else:
            running = self._begin(request, sink, waits)
        return self._finish(running, output, sink)

    def _begin(self, request: Request, sink: TextSink | None, waits: Callable[[Why], None] | None) -> Deferred[Answer]:
        running = self._dispatcher.run(request, sink)
        if waits is not None and sink is not None and not (running.called or request.has_begun):
            waits(partial(self._dispatcher.waiting, request))
        return running

    def _finish(self, running: Deferred[Any], output: Output, sink: TextSink | None) -> Deferred[Ending]:
        """Write how a run ends, when it does."""
        if sink is not None:
            return running.addBoth(self._conclude, output, sink)
        running.addCallback(self._dispatcher.assessor.complete).addCallback(write_json, output)
        return running.addErrback(self._failed, output, as_json=True)

    def _conclude(self, ended: Answer | Failure, output: Output, sink: TextSink) -> Ending:
        """Write how a run ends as text."""
        if isinstance(ended, Failure):
            return self._failed(ended, output, sink)
        try:
            return sink.finish(ended)
        except Exception:  # noqa: BLE001 - whatever it is, it is told as a fault
            return self._failed(Failure(), output, sink)

    async def _tell_of_runs(
        self,
        caller: Caller,
        question: line_protocol.Start | line_protocol.Runs | line_protocol.Stop,
        output: Output,
        confirm: Confirm | None,
        *,
        as_json: bool,
    ) -> bytes:
        """Answer what is asked about runs.

        Raises:
            RequestError: There is no answer.
        """
        runs = self._dispatcher.runs
        match question:
            case line_protocol.Start(words):
                request = self._dispatcher.authorize(caller, words)
                if (wanted := _ask(request, confirm)) is not None:
                    await self._require_wanted(request, wanted)
                record = await self._dispatcher.start(request)
                if as_json:
                    return run_text.record_json(record, joined=request.is_joined)
                if request.is_joined:
                    output.write(rendering.complaint(JOINED), Stream.STDERR)
                return run_text.started_text(record.id)
            case line_protocol.Runs(words) if bare := [word for word in words if "=" not in word]:
                said = visible(bare[0][:64])
                raise self._dispatcher.refuse(caller, BadArgument(f"runs takes KEY=VALUE, as state=failed, not {said}"))
            case line_protocol.Runs(words):
                found = await runs.find(caller, [_field(word) for word in words])
                return run_text.list_json(found.records) if as_json else run_text.list_text(found.records)
            case line_protocol.Stop(run_id):
                record = await runs.stop(caller, run_id)
                return run_text.record_json(record) if as_json else run_text.record_text(record)

    async def _run_if_wanted(
        self,
        request: Request,
        sink: TextSink | None,
        wanted: Deferred[bool],
        waits: Callable[[Why], None] | None,
    ) -> Answer:
        await self._require_wanted(request, wanted)
        return await self._begin(request, sink, waits)

    async def _require_wanted(self, request: Request, wanted: Deferred[bool]) -> None:
        """Wait for a yes; a no, or nobody any more, cancels what was asked for."""
        is_wanted = False
        try:
            is_wanted = await wanted
            if not is_wanted:
                self._dispatcher.interrupt(request)
                raise CancelledError
        finally:
            if not is_wanted:
                self._dispatcher.withdraw(request)

    def _failed(
        self, failure: Failure, output: Output, sink: TextSink | None = None, *, as_json: bool = False
    ) -> Ending:
        output.follow(None)
        if failure.check(CancelledError):
            if sink is not None:
                sink.leave()
            return Code.OK  # there is nobody to complain to
        error = failure.value
        if not isinstance(error, RequestError):
            error = self._dispatcher.fault(failure)
        if sink is None:
            return _write_error(error, output, as_json=as_json)
        sink.fail(error)
        return error.code

    def _consult(
        self, caller: Caller, question: line_protocol.Question, terminal: TerminalView, *, as_json: bool
    ) -> bytes:
        """Answer what needs no process.

        Raises:
            RequestError: There is no answer.
        """
        match question:
            case line_protocol.Help(name):
                said = None if name is None or as_json else help_text.word_text(name, terminal)
                if said is not None:
                    self._dispatcher.help(caller)
                    return said
                commands = self._dispatcher.help(caller, name)
                if as_json:
                    return help_text.help_json(commands)
                return help_text.list_text(commands, terminal) if name is None else help_text.command_text(commands[0])
            case line_protocol.Explain(words):
                grant, rule = self._dispatcher.explain(caller, words)
                render = rendering.explanation_json if as_json else rendering.explanation_text
                return render(grant, rule)
            case line_protocol.Word.WHOAMI:
                roles = self._dispatcher.whoami(caller)
                return (rendering.whoami_json if as_json else rendering.whoami_text)(caller, roles)
            case line_protocol.Word.WHO:
                connected = self._dispatcher.who(caller)
                return rendering.who_json(connected) if as_json else rendering.who_text(connected)
            case (
                line_protocol.Run()
                | line_protocol.Runs()
                | line_protocol.Start()
                | line_protocol.Attach()
                | line_protocol.Stop()
            ):
                raise AssertionError(question)  # see `perform`
            case _:
                assert_never(question)


def _ask(request: Request, confirm: Confirm | None) -> Deferred[bool] | None:
    """Ask a person whether a command is to be run; None if there is nobody, or nothing, to be asked."""
    question = request.grant.question if confirm is not None and request.mistake is None else ""
    return confirm(question) if confirm is not None and question else None


def _field(word: str) -> tuple[str, str]:
    """Split ``KEY=VALUE``."""
    key, _, value = word.partition("=")
    return key, value


def _write_answer(answer: bytes, output: Output) -> Code:
    output.write(answer)
    return Code.OK


def _write_error(error: RequestError, output: Output, *, as_json: bool) -> Code:
    """Say why there is no answer: to programs that want JSON where they read it."""
    if as_json:
        output.write(rendering.error_json(error))
    else:
        output.write(rendering.error_text(error), Stream.STDERR)
    return error.code
