"""The hooks: a program elsewhere starts a command by a request that it has signed.

It needs no login, whatever the listener requires; and what protects people from pages of other sites does not concern
it, as no page knows the secret. Nothing of the body is read before the signature is known to be right.
"""

import json
from http import HTTPStatus
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cmdserver.auth.hook_authenticator import HookAuthenticator
from cmdserver.core.errors import Code, LoginRefused, Malformed, RequestError
from cmdserver.core.model import Caller
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.common.rendering import error_json, error_text
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.http.target import parse_target
from cmdserver.frontends.web.site import Leaf, Site
from cmdserver.triggers.hook import Hook
from cmdserver.triggers.hook_rules import HookRequest, arguments, is_meant, parse_body

#: Below ``/-/``.
NAME: Final = "hooks"

#: For programs: the first for those who take anything. Errors are as everywhere.
_OFFERED: Final = (Representation.JSON, Representation.TEXT)
_OFFERED_ERRORS: Final = (Representation.TEXT, Representation.JSON)
#: RFC 9110, section 15.5.2, wants one; that it is no password says nothing of why it was not right.
_CHALLENGE: Final = ((b"WWW-Authenticate", b'Signature realm="cmdserver"'),)


class Hooks(Leaf):
    """All hooks, by their names.

    Args:
        site: What resources share.
        authenticator: Knows whose requests they are.
    """

    allowed = b"POST"
    takes_rest = True
    is_for_any_host = True
    is_public = True

    def __init__(self, site: Site, authenticator: HookAuthenticator) -> None:
        super().__init__(site)
        self._authenticator = authenticator

    def publish(self, request: WebRequest) -> None:
        """See `Leaf`; whoever asks is found out here."""
        name = "/".join(request.target.parts[2:])
        body = request.content.getvalue()
        try:
            hook, caller = self._authenticator.log_in(
                self.site.listener_auth.arrival(request.sender.source),
                name,
                lambda header: request.requestHeaders.getRawHeaders(header.encode("ascii")) or (),
                body,
            )
        except LoginRefused as refusal:
            self._refuse(request, refusal)
        except RequestError as error:
            self.site.answer_error(request, None, error)
        else:
            request.caller = caller
            request.sender.pending_login.settle()
            self._serve(request, hook, caller, body)

    def _refuse(self, request: WebRequest, refusal: LoginRefused) -> None:
        """Answer who has not shown that they know the secret; it is written down already."""
        representation = request.representation(_OFFERED_ERRORS)
        body = error_json(refusal) if representation is Representation.JSON else error_text(refusal)
        request.respond(HTTPStatus.UNAUTHORIZED, representation, body, _CHALLENGE)

    def _serve(self, request: WebRequest, hook: Hook, caller: Caller, body: bytes) -> None:
        if len(body) > hook.body_bytes:
            refusal = Malformed(f"the body is longer than {hook.body_bytes} bytes")
            self.site.refuse(request, caller, refusal, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        said = _said(request, body)
        if not is_meant(hook.only_if, said):
            self.site.dispatcher.unasked(caller, hook.command, Code.SKIPPED)
            _respond(request, HTTPStatus.OK, {"skipped": True}, "skipped")
            return
        fields = arguments(hook, said)
        try:
            granted = self.site.dispatcher.authorize(caller, (hook.command,), fields)
        except RequestError as error:
            self.site.answer_error(request, caller, error)
        else:
            self._start(request, granted)

    def _start(self, request: WebRequest, granted: Request) -> None:
        """Run what was granted, whether its sender waits or not."""

        def begun(_: object) -> None:
            location = f"{request.target.base_path}/-/runs/{granted.id}".encode("ascii")
            request.responseHeaders.setRawHeaders(b"Location", [location])
            _respond(request, HTTPStatus.ACCEPTED, {"id": granted.id}, granted.id)

        def refused(failure: Failure) -> None:
            self.site.complain(request, failure)

        started: Deferred[object] = self.site.dispatcher.start(granted)  # type: ignore[assignment] # whatever it says
        started.addCallback(begun).addErrback(refused)


def is_hook(target: bytes, base_path: str) -> bool:
    """Whether a request target is a hook's, be there such a hook or not."""
    try:
        return parse_target(target, base_path).parts[:2] == ("-", NAME)
    except Malformed:
        return False


def _said(request: WebRequest, body: bytes) -> HookRequest:
    """Return what a signed request says.

    Raises:
        Malformed: Its body cannot be read.
    """
    headers = {
        name.decode("latin-1").lower(): [value.decode("utf-8", "replace") for value in values]
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    return HookRequest(
        body=parse_body(request.header(b"content-type"), body), headers=headers, query=request.target.query
    )


def _respond(request: WebRequest, status: int, found: dict[str, object], text: str) -> None:
    representation = request.representation(_OFFERED)
    line = json.dumps(found) if representation is Representation.JSON else text
    request.respond(status, representation, f"{line}\n".encode("ascii"))
