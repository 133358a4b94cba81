"""Bytes to messages and messages to bytes, under the keys of the moment; what waits, and how a connection ends.

Whatever is wrong with what the peer says is raised, as `Disconnection`, `PacketCorrupt` or `Malformed`, and is handled
in `Framing.dataReceived`.
"""

import os
import time
from typing import Any, Final

from twisted.conch.ssh.transport import (
    DISCONNECT_BY_APPLICATION,
    DISCONNECT_PROTOCOL_ERROR,
    DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED,
)
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from cmdserver.sshtransport import identification, strict
from cmdserver.sshtransport.congestion import Congestion
from cmdserver.sshtransport.dispatching import Disconnection, Dispatching, printable
from cmdserver.sshtransport.encoding import Malformed, string, uint32
from cmdserver.sshtransport.packets import (
    MAX_PACKET_LENGTH,
    SEQUENCE_NUMBERS,
    PacketBuffer,
    PacketCorrupt,
    Plain,
    Protection,
)
from cmdserver.sshtransport.rekeying import KeyUse, RekeyLimits

#: What may wait for a key exchange to end. More comes from who pays no attention to `Framing.outputHeld`, or goes to a
#: peer that asks a lot and never exchanges keys.
MAX_HELD_BYTES: Final = 8 * 1024 * 1024
#: What a message costs beside its content: many answers have none.
HELD_MESSAGE_BYTES: Final = 128


class Framing(Dispatching):
    """A connection's bytes, in both directions."""

    rekeyLimits = RekeyLimits()
    maxPacketLength = MAX_PACKET_LENGTH
    maxHeldBytes = MAX_HELD_BYTES
    #: Whether what is offered depends on who the peer says it is (RFC 4253 section 4.2: both say so at once).
    waitsForIdentification = False
    seconds = staticmethod(time.monotonic)
    random = staticmethod(os.urandom)

    transport: Any

    _is_over = False
    #: Whether a key exchange holds output back.
    _is_holding = False
    _is_held_told = False

    def connectionMade(self) -> None:
        """Say who we are, without waiting for the peer to do so, and what we have."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)  # otherwise each answer waits until the last one is acknowledged
        plain = Plain(self.random)
        self._sealer: Protection = plain
        self._opener: Protection = plain
        self._sealing = self._fresh_use()
        self._opening = self._fresh_use()
        self._buffer = PacketBuffer(self.maxPacketLength)
        self._held: list[tuple[int, bytes]] = []
        self._held_bytes = 0
        self._congestion = Congestion(self.transport, self._tell_held)
        self.transport.registerProducer(self._congestion, True)
        self.transport.write(self.ourVersionString + b"\r\n")
        if not self.waitsForIdentification:
            self.sendKexInit()

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:  # noqa: ARG002
        self._is_over = True
        self._held = []
        if self.service is not None:
            self.service.serviceStopped()
        if hasattr(self, "avatar"):
            self.logoutFunction()

    # Input

    def dataReceived(self, data: bytes) -> None:
        try:
            self._read(data)
        except Disconnection as disconnection:
            self.sendDisconnect(disconnection.code, disconnection.text)
        except PacketCorrupt:
            self.sendDisconnect(DISCONNECT_PROTOCOL_ERROR, b"Packet corrupt")
        except Malformed:
            self.sendDisconnect(DISCONNECT_PROTOCOL_ERROR, b"Malformed message")
        except Exception:  # noqa: BLE001 # the outer edge: what comes here is a mistake of ours
            self._log.failure("a message could not be handled")
            self.sendDisconnect(DISCONNECT_BY_APPLICATION, b"Internal error")

    def _read(self, data: bytes) -> None:
        if not (self._is_over or self.gotVersion):
            self.buf += data
            data = self._identify()
        if self._is_over or not self.gotVersion:
            return
        self._buffer.feed(data)
        while not self._is_over:
            payload = self._buffer.next(self._opener, self.incomingPacketSequence)
            if payload is None:
                return
            self._received(payload)

    def _identify(self) -> bytes:
        """Find out who the peer is, if it has said so; return what follows that."""
        try:
            peer = identification.read(self.buf)
        except identification.NotSSH as error:
            raise Disconnection(DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED, str(error).encode()) from None
        if peer is None:
            return b""
        self.gotVersion = True
        self.otherVersionString, size = peer
        rest, self.buf = self.buf[size:], b""
        if self.waitsForIdentification:
            self.sendKexInit()
        return rest

    def _received(self, payload: bytes) -> None:
        self._opening.count(len(payload))
        if self._opening.is_exhausted:
            raise Disconnection(DISCONNECT_PROTOCOL_ERROR, b"No key exchange for too long")
        self.incomingPacketSequence = (self.incomingPacketSequence + 1) % SEQUENCE_NUMBERS
        if self._is_wanted(payload[0]):
            self.dispatchMessage(payload[0], payload[1:])
        self._rekey_if_due()

    def _is_wanted(self, number: int) -> bool:
        """Tell whether a message is to be dispatched; raise Disconnection if it must not come now."""
        raise NotImplementedError

    # Output

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """Send a message; in the middle of a key exchange, send it afterwards."""
        if self._is_over:
            return
        if self._is_holding and not strict.may_send(messageType):
            self._hold(messageType, payload)
        else:
            self._send(messageType, payload)
            self._rekey_if_due()

    def _send(self, number: int, message: bytes) -> None:
        if self._sealing.is_exhausted:
            self._end_connection()
            return
        packet = self._sealer.seal(self.outgoingPacketSequence, bytes((number,)) + message)
        self.outgoingPacketSequence = (self.outgoingPacketSequence + 1) % SEQUENCE_NUMBERS
        self._sealing.count(len(packet))
        self.transport.write(packet)
        self._congestion.wrote(len(packet))

    def _hold(self, number: int, message: bytes) -> None:
        self._held_bytes += len(message) + HELD_MESSAGE_BYTES
        if self._held_bytes > self.maxHeldBytes:
            self.sendDisconnect(DISCONNECT_BY_APPLICATION, b"Too much output waits for a key exchange")
        else:
            self._held.append((number, message))

    def _release(self) -> None:
        """Send what was held, in its order; some of it may be held again."""
        held, self._held, self._held_bytes = self._held, [], 0
        for number, message in held:
            self.sendPacket(number, message)
        self._tell_held()

    def _rekey_if_due(self) -> None:
        """Start a key exchange if the keys have been used enough."""
        raise NotImplementedError

    def _fresh_use(self) -> KeyUse:
        return KeyUse(self.rekeyLimits, self.seconds())

    # Who produces output

    @property
    def isOutputHeld(self) -> bool:
        """Whether more output would wait here: in a key exchange, or because the peer does not take what there is."""
        return self._is_holding or self._congestion.is_congested

    def outputHeld(self) -> None:
        """Hear that output should stop; called when `isOutputHeld` becomes true. Override it."""

    def outputReleased(self) -> None:
        """Hear that output can go on; called when `isOutputHeld` becomes false. Override it."""

    def _tell_held(self) -> None:
        if self._is_over or self.isOutputHeld == self._is_held_told:
            return
        self._is_held_told = not self._is_held_told
        if self._is_held_told:
            self.outputHeld()
        else:
            self.outputReleased()

    # The end

    def sendDisconnect(self, reason: int, desc: bytes | str) -> None:
        """Tell the peer why this ends, and end it: what is received from now on is dropped, unread.

        What was sent before is still delivered, if the peer takes it; to wait no longer is the caller's to decide, by
        ``transport.abortConnection()``. The reason is one of RFC 4253 section 11.1.
        """
        if self._is_over:
            return
        text = desc.encode() if isinstance(desc, str) else desc
        self._send(strict.DISCONNECT, uint32(reason) + string(text) + string(b""))
        self._log.info("disconnected, reason {code}: {text}", code=reason, text=printable(text))
        self._end_connection()

    def _end_connection(self) -> None:
        self._is_over = True
        self._held = []
        self.transport.unregisterProducer()
        self.transport.loseConnection()
