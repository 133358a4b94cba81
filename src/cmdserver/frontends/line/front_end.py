"""The front end of a line listener."""

from twisted.internet.protocol import Protocol

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import CertificateOf, FrontEndContext, FrontEndResources
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.line.connection import LineConnection

_NETCAT = "echo {command} | nc {host} {port}", "echo {command} | nc -U {path}"
_OPENSSL = "openssl s_client -quiet -connect {endpoint}", "openssl s_client -quiet -unix {path}"


class LineFrontEnd(FrontEnd):
    """One line listener."""

    @property
    def examples(self) -> tuple[str, str]:
        return _NETCAT if self.certificate_of is None else _OPENSSL

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        return LineConnection(self, source, pending_login)

    def refusal(self, refusal: Refusal) -> bytes:
        return error_text(refusal)


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    _resources: FrontEndResources,
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of a line listener."""
    return LineFrontEnd(listener_auth, context, certificate_of)
