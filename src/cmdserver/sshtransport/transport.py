"""The server's side of the transport; see `cmdserver.sshtransport` for how to use it."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from twisted.conch.ssh.transport import (
    DISCONNECT_KEY_EXCHANGE_FAILED,
    DISCONNECT_PROTOCOL_ERROR,
    DISCONNECT_SERVICE_NOT_AVAILABLE,
    MSG_EXT_INFO,
    MSG_SERVICE_ACCEPT,
    SSHServerTransport,
)

from cmdserver.sshtransport import algorithms, strict
from cmdserver.sshtransport.dispatching import Disconnection
from cmdserver.sshtransport.encoding import Fields, string
from cmdserver.sshtransport.key_exchange import METHODS, BadPublicKey, Exchanged, exchange_hash
from cmdserver.sshtransport.negotiation import EXTENSION_INFO_CLIENT, SERVER_EXTENSIONS, KexInit, encode_extensions
from cmdserver.sshtransport.protected import ProtectedTransport

_FIRST_SERVICE = b"ssh-userauth"


class ServerTransport(ProtectedTransport, SSHServerTransport):
    """A drop-in for Conch's server transport: set it as an `SSHFactory`'s ``protocol``."""

    ourVersionString = b"SSH-2.0-Twisted"
    factory: Any

    #: Makes the key of one exchange.
    ephemeral = staticmethod(X25519PrivateKey.generate)

    waitsForIdentification = True

    _peer_method_number = strict.KEX_INIT
    _is_service_asked_for = False

    def _markers(self) -> tuple[bytes, ...]:
        return (strict.SERVER_MARKER,)

    def _is_peer_strict(self, theirs: KexInit) -> bool:
        self._peerSupportsExtensions = EXTENSION_INFO_CLIENT in theirs.key_exchanges
        return strict.CLIENT_MARKER in theirs.key_exchanges

    def _legacy_macs(self) -> tuple[bytes, ...]:
        return algorithms.LEGACY_MACS if algorithms.is_legacy(self.otherVersionString) else ()

    def _may_exchange_again(self) -> bool:
        """Tell whether somebody has logged in: strangers have sent too little to need other keys, and each costs us."""
        return hasattr(self, "avatar")

    def _host_keys(self) -> tuple[bytes, ...]:
        """Name what our keys can sign with; the factory's own choice has SHA-1 and NIST curves in it."""
        formats = self.factory.privateKeys
        return tuple(name for name in algorithms.HOST_KEYS if algorithms.key_type(name) in formats)

    def ssh_KEX_DH_GEX_REQUEST_OLD(self, packet: bytes) -> None:
        """Take the client's part of the method, which shares this number with two others; answer with ours."""
        fields = Fields(packet)
        theirs = fields.string()
        fields.end()
        try:
            exchanged = METHODS[self._agreed.key_exchange](theirs, self.ephemeral())
        except BadPublicKey:
            raise Disconnection(DISCONNECT_KEY_EXCHANGE_FAILED, b"Invalid public key") from None
        self._answer(theirs, exchanged)

    def _answer(self, theirs: bytes, exchanged: Exchanged) -> None:
        key_type = algorithms.key_type(self._agreed.host_key)
        host_key = self.factory.publicKeys[key_type].blob()
        hashed = exchange_hash(
            versions=(self.otherVersionString, self.ourVersionString),
            kexinits=(self.otherKexInitPayload, self.ourKexInitPayload),
            host_key=host_key,
            publics=(theirs, exchanged.answer),
            secret=exchanged.secret,
        )
        signature = self.factory.privateKeys[key_type].sign(hashed, signatureType=self._agreed.host_key)
        self._send(strict.KEX_REPLY, string(host_key) + string(exchanged.answer) + string(signature))
        self._use_secret(exchanged.secret, hashed)

    def _is_sealed_first(self) -> None:
        """Tell what else we can do, as the first packet under a key (RFC 8308 section 2.4)."""
        if self._peerSupportsExtensions:
            self._send(MSG_EXT_INFO, encode_extensions(SERVER_EXTENSIONS))

    def serviceFor(self, name: bytes) -> Any:
        """Return what makes the service of that name, None if there is none; the factory knows, as with Conch."""
        return self.factory.getService(self, name)

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """Start authentication, once.

        A second request would start it anew, with as many attempts as before; what comes after it is started by it.
        """
        fields = Fields(packet)
        name = fields.string()
        fields.end()
        if self._is_service_asked_for:
            raise Disconnection(DISCONNECT_PROTOCOL_ERROR, b"Unexpected message")
        service = self.serviceFor(name) if name == _FIRST_SERVICE else None
        if service is None:
            raise Disconnection(DISCONNECT_SERVICE_NOT_AVAILABLE, b"Service not available")
        self._is_service_asked_for = True
        self.sendPacket(MSG_SERVICE_ACCEPT, string(name))
        self.setService(service())
