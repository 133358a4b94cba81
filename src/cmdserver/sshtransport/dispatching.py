"""Gives each message to the method, or the service, that handles it.

Rule: nothing that a peer sends makes a traceback, and no message makes more than one log line, of bounded length
(Conch's transport writes one, or a traceback, for each surprise). Mistakes of ours still make a traceback.
"""

import struct
from traceback import extract_tb
from typing import Final

from twisted.conch.ssh.service import SSHService
from twisted.conch.ssh.transport import DISCONNECT_BY_APPLICATION, DISCONNECT_PROTOCOL_ERROR, SSHTransportBase, messages
from twisted.logger import Logger

from cmdserver.sshtransport import strict
from cmdserver.sshtransport.encoding import Fields, Malformed, string, uint32
from cmdserver.sshtransport.negotiation import parse_extensions
from cmdserver.sshtransport.packets import SEQUENCE_NUMBERS

#: Messages from here on are for the service that runs over the transport (RFC 4250 section 4.1.1).
_FIRST_OF_SERVICES: Final = 50
#: OpenSSH's ``ping@openssh.com`` (PROTOCOL, section 1.9).
PING: Final = 192
PONG: Final = 193
#: How much of a peer's text goes into the log, in bytes.
MAX_LOGGED_BYTES: Final = 200


class Disconnection(Exception):  # noqa: N818
    """The connection has to end.

    Args:
        code: A reason of RFC 4253 section 11.1.
        text: For the peer; says nothing that it does not know.
    """

    def __init__(self, code: int, text: bytes) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def printable(text: bytes) -> str:
    """Make a peer's text fit for a log: bounded, and with nothing in it that acts on a terminal."""
    return repr(text[:MAX_LOGGED_BYTES])[2:-1] + "..." * (len(text) > MAX_LOGGED_BYTES)


class Dispatching(SSHTransportBase):
    """Gives each message to the method or the service that takes it."""

    #: What a service's parsers raise when a message makes no sense, beside `Malformed`: Conch's, also when it speaks of
    #: a channel that there is not. Other exceptions are mistakes of ours.
    parserErrors: tuple[type[Exception], ...] = (struct.error, IndexError, KeyError, TypeError, ValueError)

    _log = Logger()

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        """Give a message to who takes it; if nobody does, say so to the peer alone.

        Raises:
            Disconnection: The service cannot make sense of it.
            Malformed: It is not what its number says.
        """
        if messageNum < _FIRST_OF_SERVICES:
            takes = getattr(self, f"ssh_{messages.get(messageNum, '')[4:]}", None)
            if takes is None:
                self.sendUnimplemented()
            else:
                takes(payload)
        elif messageNum == PING:
            self._answer_ping(payload)
        elif self.service is None or messageNum not in self.service.protocolMessages:
            self.sendUnimplemented()
        else:
            self._give(self.service, messageNum, payload)

    def _give(self, service: SSHService, number: int, payload: bytes) -> None:
        try:
            service.packetReceived(number, payload)
        except Malformed:
            raise
        except self.parserErrors as error:
            place = extract_tb(error.__traceback__)[-1]
            self._log.info(
                "{error} at message {number}, in line {line} of {file}",
                error=type(error).__name__,
                number=number,
                line=place.lineno,
                file=place.filename,
            )
            raise Disconnection(DISCONNECT_PROTOCOL_ERROR, b"Malformed message") from None

    def sendUnimplemented(self) -> None:
        """Say that the message that was received last is not implemented (RFC 4253 section 11.4)."""
        self.sendPacket(strict.UNIMPLEMENTED, uint32((self.incomingPacketSequence - 1) % SEQUENCE_NUMBERS))

    def ssh_DISCONNECT(self, packet: bytes) -> None:
        fields = Fields(packet)
        code = fields.uint32()
        self.receiveError(code, fields.string())
        self._end_connection()

    def _end_connection(self) -> None:
        """End the connection without another word."""
        raise NotImplementedError

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        log = self._log.debug if reasonCode == DISCONNECT_BY_APPLICATION else self._log.info
        log("the peer leaves, reason {code}: {text}", code=reasonCode, text=printable(description))

    def ssh_UNIMPLEMENTED(self, packet: bytes) -> None:
        """Ignore that something is not implemented: nothing that we send needs an answer."""

    def ssh_DEBUG(self, packet: bytes) -> None:
        """Ignore what the peer wants to have displayed."""

    def ssh_EXT_INFO(self, packet: bytes) -> None:
        self.peerExtensions = parse_extensions(packet)

    def _answer_ping(self, packet: bytes) -> None:
        fields = Fields(packet)
        data = fields.string()
        fields.end()
        self.sendPacket(PONG, string(data))
