"""The front end of a line listener."""

from collections.abc import Callable, Iterable, Mapping
from shlex import quote
from typing import Any

from twisted.internet.protocol import Protocol

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.core.listening import Listening
from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import CertificateOf, FrontEndContext, FrontEndResources
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.line.connection import GREETING, LineConnection


class LineFrontEnd(FrontEnd):
    """One line listener.

    Args:
        greeting: Says what is said before the first request, with its line break, as it is now; empty for nothing.
        rest: As for `FrontEnd`.
    """

    def __init__(self, *rest: Any, greeting: Callable[[], bytes] = lambda: GREETING) -> None:
        super().__init__(*rest)
        self._greeting = greeting

    def example(self, place: Place, trial: Trial) -> str | None:
        if place.is_proxied:
            return None
        path = quote(place.path)
        if self.certificate_of is None:
            client = f"nc -U {path}" if place.path else f"nc {place.host} {place.port}"
        else:
            client = f"openssl s_client -quiet {f'-unix {path}' if place.path else f'-connect {place.endpoint}'}"
        if trial.user is not None:
            return f"{client}  # log in as {trial.user}"
        return f"echo {trial.command or 'help'} | {client}"

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        return LineConnection(self, source, pending_login, self._greeting)

    def refusal(self, refusal: Refusal, received: bytes) -> bytes:  # noqa: ARG002 - nothing has come
        return error_text(refusal)


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    resources: FrontEndResources,
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of a line listener."""
    greetings = resources.latest(lambda configuration: _greetings(configuration.listening))
    place = listener_auth.place
    # A listener that is being closed by a reload is in the new configuration no more.
    return LineFrontEnd(listener_auth, context, certificate_of, greeting=lambda: greetings().get(place, GREETING))


def _greetings(listening: Iterable[Listening]) -> Mapping[str, bytes]:
    """List what listeners say, by their endpoints, no two of which are the same."""
    return {str(each.endpoint): _said(each.greeting) for each in listening}


def _said(greeting: str | None) -> bytes:
    if greeting is None:
        return GREETING
    return f"{greeting}\n".encode() if greeting else b""
