"""A composition with an NRPE listener, and what check_nrpe sends."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.config.schema.host import Limits
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.frontends.common.interface import CertificateOf
from cmdserver.frontends.nrpe.front_end import NRPEFrontEnd
from cmdserver.frontends.nrpe.packets import Packet, Type, Version, parse, serialize
from tests.frontends.doubles import a_context
from tests.frontends.line.doubles import CLIENT, Client, FakeListenerAuth, FakeLiveness
from tests.running_doubles import Composition, FakeProcess

#: What `FakeListenerAuth` says of who comes.
STRANGER = Caller(name=None, protocol="nrpe", source="192.0.2.1", method="none")


def query(text: bytes | str, version: Version = Version.V4) -> bytes:
    """Spell a query."""
    return serialize(Packet(version, text.encode() if isinstance(text, str) else text), Type.QUERY)


def answer(data: bytes) -> Packet:
    """Read an answer, which is to be all that there is."""
    packet = parse(data, kind=Type.ANSWER)
    assert packet is not None, data
    assert serialize(packet) == data, data
    return packet


class NRPEComposition(Composition):
    """A composition with an NRPE listener; the arguments are those of `LineComposition`."""

    def __init__(
        self,
        test: SynchronousTestCase,
        *commands: Any,
        limits: Limits | None = None,
        login: Login = Login.NEVER,
        certificate_of: CertificateOf | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(test, *commands, **rest)
        self.log_in: Any = None
        self.liveness = FakeLiveness()
        self.limits = limits or Limits()
        context = a_context(self, self.liveness, lambda: self.limits)
        auth = FakeListenerAuth(self, login)  # type: ignore[arg-type] # it wants `log_in` alone
        auth.name = "nrpe"
        self.front_end = NRPEFrontEnd(auth, context, certificate_of)
        self._clients = 100

    def connect(self) -> Client:
        """Let a client in."""
        self._clients += 1
        client = Client(self, self._clients)  # type: ignore[arg-type] # as above
        client.protocol = self.front_end.buildProtocol(CLIENT)
        client.protocol.makeConnection(client)
        return client

    @property
    def process(self) -> FakeProcess:
        """The process that was started last."""
        return self.spawner.last

    def asks(self, text: bytes | str, version: Version = Version.V4) -> Client:
        """Let a client in that asks for something."""
        client = self.connect()
        client.says(query(text, version))
        return client
