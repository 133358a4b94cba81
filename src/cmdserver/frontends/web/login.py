"""Logging in and out with a browser: the form, what is done with it, and the way back.

Rule of this file: who somebody is, is for `authentication` to find out.
"""

from http import HTTPStatus

from twisted.python.failure import Failure

from cmdserver.auth.credentials import CodeRequired
from cmdserver.core.errors import LoginRefused
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller, Somebody, Stranger
from cmdserver.frontends.web.http import cross_site
from cmdserver.frontends.web.http.form_data import Fields
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import pages
from cmdserver.frontends.web.pages.layout import CODE_FIELD, LOGIN_FIELD, NAME_FIELD, NEXT_FIELD, PASSWORD_FIELD
from cmdserver.frontends.web.site import Leaf


class LogIn(Leaf):
    """The form, and what somebody has put into it."""

    allowed = b"GET, HEAD, POST"
    is_for_strangers = True

    def serve(self, request: WebRequest, caller: Somebody) -> None:
        """See `Leaf`."""
        if request.sender.users is not None:  # a proxy says who that is, and the form would change nothing
            request.redirect_to(cross_site.safe_next(_value(request.target.query, NEXT_FIELD)))
        elif request.is_read_only:
            self._show(request, caller, _value(request.target.query, NEXT_FIELD), None)
        elif self.site.listener_auth.login is Login.NEVER:
            request.redirect_to("/")
        else:
            fields = request.form()
            self.site.authentication.require_meant(request, caller, fields)
            self._try(request, caller, fields)

    def meet(self, request: WebRequest, stranger: Stranger) -> None:
        """See `Leaf`: whoever has to log in needs the form."""
        self.serve(request, stranger)

    def _try(self, request: WebRequest, caller: Somebody, fields: Fields) -> None:
        following = cross_site.safe_next(_value(fields, NEXT_FIELD))

        name, code = _value(fields, NAME_FIELD), _value(fields, CODE_FIELD)

        def refused(failure: Failure) -> None:
            if isinstance(failure.value, CodeRequired) and not request.is_gone:
                self._ask_for_code(request, caller, following, failure.value)
            elif isinstance(failure.value, LoginRefused) and not request.is_gone:
                self._show(request, caller, following, pages.why_log_in(failure.value), name)
            else:
                self.site.complain(request, failure)

        def made(user: Caller) -> None:
            request.caller = user
            request.sender.pending_login.settle()
            request.redirect_to(following)

        authentication = self.site.authentication
        if number := _value(fields, LOGIN_FIELD):
            trying = authentication.log_in_with_code(request, number, code)
        else:
            trying = authentication.log_in(request, name, _value(fields, PASSWORD_FIELD), code)
        trying.addCallbacks(made, refused).addErrback(lambda failure: self.site.complain(request, failure))

    def _ask_for_code(self, request: WebRequest, caller: Somebody, following: str, required: CodeRequired) -> None:
        number = self.site.authentication.wait_for_code(request, required)
        body = pages.login_code(self.site.visitor(request, caller), following, number)
        request.respond(HTTPStatus.OK, Representation.PAGE, body)

    def _show(
        self, request: WebRequest, caller: Somebody, following: str, complaint: str | None, name: str = ""
    ) -> None:
        visitor = self.site.visitor(request, caller)
        status = HTTPStatus.OK if complaint is None else HTTPStatus.FORBIDDEN
        body = pages.login(visitor, cross_site.safe_next(following), complaint, name)
        request.respond(status, Representation.PAGE, body)


class LogOut(Leaf):
    """The end of a session."""

    allowed = b"POST"

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        self.site.authentication.require_meant(request, caller, request.form())
        self.site.authentication.log_out(request)
        request.redirect_to("/")


def _value(fields: Fields, wanted: str) -> str:
    return next((value for name, value in fields if name == wanted), "")
