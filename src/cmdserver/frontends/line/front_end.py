"""The front end of line listeners: plain TCP, TLS and UNIX sockets."""

import os

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import CertificateOf, FrontEndContext, FrontEndResources
from cmdserver.frontends.common.interpreter import Interpreter
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.line.connection import LineConnection
from cmdserver.net.listener import endpoint_of


class LineFrontEnd(FrontEnd):
    """One line listener."""

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        """See `FrontEnd`."""
        return LineConnection(self, self._interpreter, source, pending_login)

    def __init__(
        self, listener_auth: ListenerAuth, context: FrontEndContext, certificate_of: CertificateOf | None = None
    ) -> None:
        super().__init__(listener_auth, context, certificate_of)
        self._interpreter = Interpreter(context.dispatcher)

    def refusal(self, refusal: Refusal) -> bytes:
        """See `FrontEnd`."""
        return error_text(refusal)

    def example_command(self, address: IAddress, command: str) -> str:
        """See `FrontEnd`."""
        is_inet = isinstance(address, IPv4Address | IPv6Address)
        path = os.fsdecode(getattr(address, "name", b"") or b"")
        if self.certificate_of is not None:
            where = f"-connect {endpoint_of(address)}" if is_inet else f"-unix {path}"
            return f"openssl s_client -quiet {where}"
        where = endpoint_of(address, " ") if is_inet else f"-U {path}"
        return f"echo {command} | nc {where}"


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    _resources: FrontEndResources,
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of a line listener."""
    return LineFrontEnd(listener_auth, context, certificate_of)
