"""The front end of an NRPE listener."""

from typing import Final

from twisted.internet.protocol import Protocol

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import CertificateOf, FrontEndContext, FrontEndResources
from cmdserver.frontends.nrpe.answers import error_answer
from cmdserver.frontends.nrpe.connection import NRPEConnection
from cmdserver.frontends.nrpe.packets import serialize, version_of

#: Where Debian's nagios-nrpe-plugin and most others put it; it is in nobody's PATH.
CHECK_NRPE: Final = "/usr/lib/nagios/plugins/check_nrpe"


class NRPEFrontEnd(FrontEnd):
    """One NRPE listener."""

    client_speaks_first = True

    def example(self, place: Place, trial: Trial) -> str | None:
        if place.is_proxied or place.path:
            return None  # check_nrpe speaks neither PROXY nor to UNIX sockets
        words = [CHECK_NRPE, "-H", place.host, "-p", place.port]
        if self.certificate_of is None:
            words.append("-n")
        elif trial.user is not None:
            words += ["-C", "CERTIFICATE.pem", "-K", "KEY.pem"]
        if trial.command is not None:
            words += ["-c", trial.command]
        return " ".join(words)

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        return NRPEConnection(self, source, pending_login)

    def refusal(self, refusal: Refusal, received: bytes) -> bytes:
        return serialize(error_answer(version_of(received), refusal))


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    resources: FrontEndResources,  # noqa: ARG001 - it has no options of its own
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of an NRPE listener."""
    return NRPEFrontEnd(listener_auth, context, certificate_of)
