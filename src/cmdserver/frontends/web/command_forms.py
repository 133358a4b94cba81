"""Pages that ask before a command is run: for its values, for better ones, or whether it is to be run at all.

What a caller has typed is given back to them, but no secret.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Denied, RequestError
from cmdserver.core.model import Caller, Command
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import command_pages
from cmdserver.frontends.web.pages.command_parts import texts_of
from cmdserver.frontends.web.pages.forms.beside_form import Experience
from cmdserver.frontends.web.pages.forms.filled_form import FilledForm
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.frontends.web.request_values import RequestValues
from cmdserver.frontends.web.site import Site
from cmdserver.parameters.mistakes import ValueMistake

#: What is wrong with a form that asks whether to run it, and was sent without a yes.
_NO_YES = "must be confirmed before it runs"


class CommandForms:
    """The forms of one listener's commands.

    Args:
        site: What resources share.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: WebRequest, granted: Request, asked: RequestValues, status: HTTPStatus, why: str) -> None:
        """Ask for values instead of running what was granted; it is written down as ``help``.

        Args:
            request: To be answered.
            granted: As the dispatcher has granted it.
            asked: The values that there are already.
            status: Of the answer.
            why: Why it is not run at once; may be empty.
        """
        command = self._site.dispatcher.describe(granted)
        mistakes = granted.mistake.mistakes if granted.mistake is not None else ()
        given = command.parameters.given(asked.words[1:], asked.fields)
        # Nobody has done wrong who has not yet begun.
        begun = [each for each in mistakes if each.parameter is None or each.parameter in given]
        filled = self.filled(asked, command, begun if not asked.is_empty else ())
        self._answer(request, granted.caller, filled, status, why)

    def refuse(self, request: WebRequest, granted: Request, asked: RequestValues, mistake: BadArgument) -> None:
        """Show what is wrong with values, each at its field; it is written down already."""
        filled = self.filled(asked, self._site.dispatcher.as_seen(granted), mistake.mistakes)
        self._answer(request, granted.caller, filled, HTTPStatus.UNPROCESSABLE_ENTITY)

    def deny(self, request: WebRequest, caller: Caller, asked: RequestValues, denied: Denied) -> bool:
        """Show which values a caller may not give; it is written down already.

        Returns:
            Whether it was that which was denied, and not the command.
        """
        offered = self._site.dispatcher.offered(caller)
        command = next((each for each in offered if each.name == asked.words[0]), None)
        if command is None or not denied.mistakes:
            return False
        self._answer(request, caller, self.filled(asked, command, denied.mistakes), HTTPStatus.FORBIDDEN)
        return True

    def confirm(self, request: WebRequest, granted: Request, asked: RequestValues) -> None:
        """Ask whether to run what was granted; whoever says yes sends the same values again.

        No secret is put into a page: of a command that takes some, the form itself has a box for the yes.
        """
        dispatcher = self._site.dispatcher
        if not granted.grant.command.parameters.secrets:
            filled = self.filled(asked, dispatcher.describe(granted))

            def draw(experience: Experience) -> bytes:
                visitor = self._site.visitor(request, granted.caller)
                return command_pages.confirmation(visitor, filled, granted.grant, experience)

            drawing = self._draw(request, granted.caller, filled.command, HTTPStatus.OK, draw)
            self._site.await_answer(request, Deferred.fromCoroutine(drawing))
            return
        mistake = BadArgument(_NO_YES, (ValueMistake(None, _NO_YES),))
        error = dispatcher.reject(granted, mistake)
        if error is mistake:
            filled = self.filled(asked, dispatcher.as_seen(granted)).without_yes()
            self._answer(request, granted.caller, filled, HTTPStatus.UNPROCESSABLE_ENTITY)
        else:
            self._site.answer_error(request, granted.caller, error)

    def filled(self, asked: RequestValues, command: Command, mistakes: Sequence[ValueMistake] = ()) -> FilledForm:
        """Return the form of a command, as its caller may see it, with what they have typed."""
        texts = texts_of(command, asked.words[1:], asked.fields)
        return FilledForm(command=command, texts=texts, mistakes=tuple(mistakes), host=self._site.about().name)

    def listed(self, caller: Caller, command: Command) -> Deferred[Command]:
        """Have the choices listed that other commands print; where that fails, people type what they know."""
        if not command.parameters.has_sources:
            return succeed(command)

        def unlisted(failure: Failure) -> Command:
            failure.trap(RequestError)
            return command

        return self._site.dispatcher.with_choices(caller, command).addErrback(unlisted)

    def _answer(
        self, request: WebRequest, caller: Caller, filled: FilledForm, status: HTTPStatus, why: str = ""
    ) -> None:
        async def answer() -> None:
            command = await self.listed(caller, filled.command)

            def draw(experience: Experience) -> bytes:
                return command_pages.form(self._site.visitor(request, caller), filled.of(command), experience, why)

            await self._draw(request, caller, command, status, draw)

        self._site.await_answer(request, Deferred.fromCoroutine(answer()))

    async def _draw(
        self,
        request: WebRequest,
        caller: Caller,
        command: Command,
        status: HTTPStatus,
        draw: Callable[[Experience], bytes],
    ) -> None:
        """Answer with a page that tells what is known of runs that were."""
        runs = self._site.dispatcher.runs
        usual = await runs.usual_seconds(command.name)
        last = await runs.last_runs(caller, command.name)
        shown = [Shown(each, command) for each in last]
        request.when_gone = None
        request.respond(
            status,
            Representation.PAGE,
            draw(Experience(usual_seconds=usual, last=shown, now=self._site.time_of_day())),
        )
