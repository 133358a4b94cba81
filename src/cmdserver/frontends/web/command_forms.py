"""Pages that ask before a command is run: for its values, for better ones, or whether it is to be run at all.

What a caller has typed is given back to them, but no secret.
"""

from collections.abc import Sequence
from http import HTTPStatus

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, RequestError
from cmdserver.core.model import Caller, Command
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.web.asked import Asked
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import command_pages
from cmdserver.frontends.web.pages.filled_form import FilledForm
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

    def show(self, request: WebRequest, granted: Request, asked: Asked, status: HTTPStatus, why: str) -> None:
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
        given = granted.grant.command.parameters.given(asked.words[1:], asked.fields)
        # Nobody has done wrong who has not yet begun.
        begun = [each for each in mistakes if each.parameter is None or each.parameter in given]
        self._answer(request, granted, asked, command, status, why, begun if not asked.is_empty else ())

    def refuse(self, request: WebRequest, granted: Request, asked: Asked, mistake: BadArgument) -> None:
        """Show what is wrong with values, each at its field; it is written down already."""
        command = self._site.dispatcher.as_seen(granted)
        self._answer(request, granted, asked, command, HTTPStatus.UNPROCESSABLE_ENTITY, "", mistake.mistakes)

    def confirm(self, request: WebRequest, granted: Request, asked: Asked) -> None:
        """Ask whether to run what was granted; whoever says yes sends the same values again.

        No secret is put into a page: of a command that takes some, the form itself has a box for the yes.
        """
        if granted.grant.command.parameters.secrets:
            mistake = BadArgument(_NO_YES, (ValueMistake(None, _NO_YES),))
            error = self._site.dispatcher.reject(granted, mistake)
            if error is mistake:
                command = self._site.dispatcher.as_seen(granted)
                self._answer(request, granted, asked, command, HTTPStatus.UNPROCESSABLE_ENTITY, "", (), lacks_yes=True)
            else:
                self._site.answer_error(request, granted.caller, error)
            return
        command = self._site.dispatcher.describe(granted)
        visitor = self._site.authentication.visitor(request, granted.caller)
        body = command_pages.confirmation(visitor, self.filled(granted, asked, command), granted.grant)
        request.respond(HTTPStatus.OK, Representation.PAGE, body)

    def filled(
        self,
        granted: Request,
        asked: Asked,
        command: Command,
        mistakes: Sequence[ValueMistake] = (),
        *,
        lacks_yes: bool = False,
    ) -> FilledForm:
        """Return the form of a command with what a caller has typed."""
        parameters = granted.grant.command.parameters
        given = parameters.given(asked.words[1:], asked.fields)
        return FilledForm(
            command=command,
            texts={name: tuple(texts) for name, texts in given.items() if name not in parameters.secrets},
            mistakes=tuple(mistakes),
            lacks_yes=lacks_yes,
            host=self._site.options().host_name,
        )

    def listed(self, caller: Caller, command: Command) -> Deferred[Command]:
        """Have the choices listed that other commands print; where that fails, people type what they know."""
        if not command.parameters.has_sources:
            return succeed(command)

        def unlisted(failure: Failure) -> Command:
            failure.trap(RequestError)
            return command

        return self._site.dispatcher.with_choices(caller, command).addErrback(unlisted)

    def _answer(
        self,
        request: WebRequest,
        granted: Request,
        asked: Asked,
        command: Command,
        status: HTTPStatus,
        why: str,
        mistakes: Sequence[ValueMistake],
        *,
        lacks_yes: bool = False,
    ) -> None:
        def answer(command: Command) -> None:
            request.when_gone = None
            visitor = self._site.authentication.visitor(request, granted.caller)
            filled = self.filled(granted, asked, command, mistakes, lacks_yes=lacks_yes)
            request.respond(status, Representation.PAGE, command_pages.form(visitor, filled, why))

        def complain(failure: Failure) -> None:
            if not failure.check(CancelledError):
                self._site.complain(request, failure)

        listing = self.listed(granted.caller, command)
        if not listing.called:
            request.when_gone = listing.cancel
        listing.addCallback(answer).addErrback(complain)
