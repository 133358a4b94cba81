"""Key exchange, as far as both sides do the same.

1. One side sends KEXINIT, the other answers with its own. From ours on, output is held, but for what the exchange
   needs. What the peer sent before its own is read as ever; after it, it too may send nothing else.
2. The client sends its part and the server answers: both know the secret.
3. Each sends NEWKEYS as its last packet under its old key. The next one is under the new key, and has the number 0 if
   both are strict. Our output goes on at once; input is read with the old key until the peer's NEWKEYS comes.

Rule: the two directions change keys independently of each other, and a key comes into use together with
its count of packets and bytes.
"""

from typing import Any

from twisted.conch.ssh.transport import DISCONNECT_KEY_EXCHANGE_FAILED, DISCONNECT_PROTOCOL_ERROR

from cmdserver.sshtransport import algorithms, strict
from cmdserver.sshtransport.dispatching import Disconnection
from cmdserver.sshtransport.framing import Framing
from cmdserver.sshtransport.key_exchange import KeyMaterial
from cmdserver.sshtransport.negotiation import COOKIE_BYTES, Agreed, KexInit, NothingInCommon, agree
from cmdserver.sshtransport.packets import Protection
from cmdserver.sshtransport.protections import INWARD, OUTWARD, protection
from cmdserver.sshtransport.strict import Phase


class ProtectedTransport(Framing):
    """One side of a transport.

    A side has its part of the methods as the ``ssh_`` method of the peer's part, which comes to `_use_secret`.
    """

    supportedKeyExchanges = list(algorithms.KEY_EXCHANGES)  # noqa: RUF012 # as Conch has them
    supportedPublicKeys = list(algorithms.HOST_KEYS)  # noqa: RUF012 # as Conch has them
    supportedCiphers = list(algorithms.CIPHERS)  # noqa: RUF012 # as Conch has them
    supportedMACs = list(algorithms.MACS)  # noqa: RUF012 # as Conch has them
    supportedCompressions = list(algorithms.COMPRESSIONS)  # noqa: RUF012 # as Conch has them

    #: The number of the peer's part of the method.
    _peer_method_number: int

    _phase = Phase.UNAGREED
    _is_first = True
    _is_strict = False
    _is_guess_to_skip = False
    _ours: KexInit
    _agreed: Agreed
    _next_opener: Protection

    # What a side adds

    def _markers(self) -> tuple[bytes, ...]:
        """Name what this side announces among its methods in its first KEXINIT."""
        raise NotImplementedError

    def _is_peer_strict(self, theirs: KexInit) -> bool:
        """Learn from the peer's first KEXINIT what it announces; tell whether it is strict."""
        raise NotImplementedError

    def _may_exchange_again(self) -> bool:
        """Tell whether keys may be exchanged again already."""
        raise NotImplementedError

    def _legacy_macs(self) -> tuple[bytes, ...]:
        """Name what is offered to this peer besides what is offered to all."""
        return ()

    def _is_agreed(self) -> None:
        """Go on, now that the methods are agreed on."""

    def _is_sealed_first(self) -> None:
        """Go on, now that our first key is in use."""

    # KEXINIT

    def sendKexInit(self) -> None:
        """Start a key exchange, or answer the peer's start.

        Raises:
            RuntimeError: One is under way.
        """
        if self._is_holding:
            raise RuntimeError("a key exchange is under way")
        marks = self._markers() if self._is_first else ()
        ciphers, macs = tuple(self.supportedCiphers), (*self.supportedMACs, *self._legacy_macs())
        compressions = tuple(self.supportedCompressions)
        methods, host_keys = (*self.supportedKeyExchanges, *marks), self._host_keys()
        self._ours = KexInit(methods, host_keys, ciphers, ciphers, macs, macs, compressions, compressions)
        message = self._ours.encode(self.random(COOKIE_BYTES))
        self.ourKexInitPayload = bytes((strict.KEXINIT,)) + message
        self._send(strict.KEXINIT, message)
        self._is_holding = True
        self._tell_held()

    def _host_keys(self) -> tuple[bytes, ...]:
        return tuple(self.supportedPublicKeys)

    def ssh_KEXINIT(self, packet: bytes) -> Any:
        """Agree on what will be done, and answer, if it was the peer that started."""
        theirs = KexInit.parse(packet)
        self.otherKexInitPayload = bytes((strict.KEXINIT,)) + packet
        if self._is_first:
            self._is_strict = self._is_peer_strict(theirs)
        if not self._is_holding:
            self.sendKexInit()
        client, server = (self._ours, theirs) if self.isClient else (theirs, self._ours)
        try:
            self._agreed = agree(client, server)
        except NothingInCommon as error:
            raise Disconnection(DISCONNECT_KEY_EXCHANGE_FAILED, str(error).encode()) from None
        self.kexAlg, self.keyAlg = self._agreed.key_exchange, self._agreed.host_key
        self._is_guess_to_skip = theirs.is_followed and self._agreed.is_guess_wrong
        self._phase = Phase.EXCHANGING
        self._is_agreed()

    def _is_wanted(self, number: int) -> bool:
        """Refuse what must not come now, and skip the guess of a peer that was wrong."""
        if not strict.may_receive(self._phase, number, is_first=self._is_first, part=self._peer_method_number):
            raise Disconnection(DISCONNECT_PROTOCOL_ERROR, b"Unexpected message")
        if number == strict.KEXINIT and self._phase is Phase.OPEN and not self._may_exchange_again():
            raise Disconnection(DISCONNECT_PROTOCOL_ERROR, b"Unexpected key exchange")
        if number == self._peer_method_number and self._is_guess_to_skip:
            self._is_guess_to_skip = False
            return False
        return True

    # NEWKEYS

    def _use_secret(self, secret: bytes, exchange_hash: bytes) -> None:
        """Go over to new keys, both of which follow from the exchange; the peer's comes into use with its NEWKEYS."""
        if self.sessionID is None:
            self.sessionID = exchange_hash
        material = KeyMaterial(secret=secret, exchange_hash=exchange_hash, session_id=self.sessionID)
        inward, outward = (self._agreed.inward, material, INWARD), (self._agreed.outward, material, OUTWARD)
        sealed, opened = (inward, outward) if self.isClient else (outward, inward)
        self._next_opener = protection(*opened)
        self._phase = Phase.CHANGING
        self._send(strict.NEWKEYS, b"")
        self._sealer = protection(*sealed, self.random)
        self._sealing = self._fresh_use()
        if self._is_strict:
            self.outgoingPacketSequence = 0
        self._is_holding = False
        if self._is_first:
            self._is_sealed_first()
        self._release()

    def ssh_NEWKEYS(self, packet: bytes) -> None:
        if packet:
            raise Disconnection(DISCONNECT_PROTOCOL_ERROR, b"Malformed message")
        self._opener = self._next_opener
        self._opening = self._fresh_use()
        if self._is_strict:
            self.incomingPacketSequence = 0
        self._phase = Phase.OPEN
        self._is_first = False
        # Some 3 KB, of no use until the next exchange makes new ones.
        self.ourKexInitPayload = self.otherKexInitPayload = b""
        del self._ours

    def _rekey_if_due(self) -> None:
        if self._is_over or self._is_holding or self._phase is not Phase.OPEN or not self._may_exchange_again():
            return
        now = self.seconds()
        if self._sealing.is_spent(now) or self._opening.is_spent(now):
            self.sendKexInit()

    # What services ask

    def isEncrypted(self, direction: str = "out") -> bool:
        """Tell whether packets are protected: in direction "in", "out" or "both"."""
        sealed, opened = self.sessionID is not None, not self._is_first
        return {"out": sealed, "in": opened, "both": sealed and opened}[direction]

    def isVerified(self, direction: str = "out") -> bool:
        """Tell whether packets are authentic, which they are if they are encrypted."""
        return self.isEncrypted(direction)
