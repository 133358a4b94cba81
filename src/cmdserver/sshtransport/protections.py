"""The protections of packets that OpenSSH has: encrypt-then-MAC, AES-GCM, and ChaCha20 with Poly1305.

Every primitive is from `cryptography`. Each class holds one direction's state under one key, and is thrown away at the
next key exchange. All tags are compared in constant time: by OpenSSL for GCM, by `cryptography` for the others.

Rule of this file: what a sealer counts or chains is never used twice; how many packets a key may protect is
`cmdserver.sshtransport.rekeying`'s.
"""

import os
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.poly1305 import Poly1305

from cmdserver.sshtransport.packets import LENGTH_BYTES, PacketCorrupt, pad

#: Of AES, and what packets are padded to with it.
AES_BLOCK_BYTES: Final = 16
#: RFC 5647 section 7.1: a fixed part, and a counter of the packets under this key.
GCM_FIXED_BYTES: Final = 4
GCM_NONCE_BYTES: Final = 12
GCM_TAG_BYTES: Final = 16
#: PROTOCOL.chacha20poly1305: two keys of 32 bytes; packets are padded as if there were blocks of 8.
CHACHA_KEY_BYTES: Final = 32
CHACHA_PADDED_BYTES: Final = 8
CHACHA_BLOCK_BYTES: Final = 64
POLY1305_TAG_BYTES: Final = 16


class EncryptThenMAC:
    """AES in counter mode, and an HMAC over what is sent (OpenSSH's PROTOCOL, section 1.5; RFC 4344 section 4).

    ``packet_length`` goes in the clear and is authenticated; the MAC is verified before anything is decrypted.

    Args:
        key: For AES: 16, 24 or 32 bytes.
        counter: The first counter block, 16 bytes.
        mac_key: As long as the hash (RFC 6668 section 2).
        algorithm: The HMAC's hash.
    """

    block_bytes = AES_BLOCK_BYTES
    unpadded_bytes = 0

    def __init__(self, key: bytes, counter: bytes, mac_key: bytes, algorithm: HashAlgorithm) -> None:
        self.tag_bytes = algorithm.digest_size
        self._mac = HMAC(mac_key, algorithm)
        # One context serves one direction, and in counter mode both directions are the same operation.
        self._stream: CipherContext = Cipher(AES(key), CTR(counter)).encryptor()

    def length(self, sequence: int, field: bytes) -> int:  # noqa: ARG002
        """Tell ``packet_length``."""
        return int.from_bytes(field, "big")

    def _authenticated(self, sequence: int, packet: bytes) -> HMAC:
        mac = self._mac.copy()
        mac.update(sequence.to_bytes(4, "big") + packet)
        return mac


class EncryptThenMACSealer(EncryptThenMAC):
    """The sending side of `EncryptThenMAC`."""

    def __init__(
        self,
        key: bytes,
        counter: bytes,
        mac_key: bytes,
        algorithm: HashAlgorithm,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(key, counter, mac_key, algorithm)
        self._random = random

    def seal(self, sequence: int, payload: bytes) -> bytes:
        """Encrypt the payload, and put the MAC of the result behind it."""
        length, body = pad(payload, block=AES_BLOCK_BYTES, counted=0, random=self._random)
        packet = length + self._stream.update(body)
        return packet + self._authenticated(sequence, packet).finalize()


class EncryptThenMACOpener(EncryptThenMAC):
    """The receiving side of `EncryptThenMAC`."""

    def open(self, sequence: int, packet: bytes) -> bytes:
        """Verify the MAC, then decrypt."""
        end = len(packet) - self.tag_bytes
        try:
            self._authenticated(sequence, packet[:end]).verify(packet[end:])
        except InvalidSignature:
            raise PacketCorrupt from None
        return self._stream.update(packet[LENGTH_BYTES:end])


class EncryptAndMAC:
    """AES in counter mode, and an HMAC over what was encrypted (RFC 4253 section 6.4, RFC 4344 section 4).

    ``packet_length`` is encrypted with the rest, and is believed before it is verified, within its bounds: so this is
    for peers that have nothing better.

    Args:
        key: For AES: 16, 24 or 32 bytes.
        counter: The first counter block, 16 bytes.
        mac_key: As long as the hash (RFC 6668 section 2).
        algorithm: The HMAC's hash.
    """

    block_bytes = AES_BLOCK_BYTES
    unpadded_bytes = LENGTH_BYTES

    def __init__(self, key: bytes, counter: bytes, mac_key: bytes, algorithm: HashAlgorithm) -> None:
        self.tag_bytes = algorithm.digest_size
        self._mac = HMAC(mac_key, algorithm)
        # One context serves one direction, and in counter mode both directions are the same operation.
        self._stream: CipherContext = Cipher(AES(key), CTR(counter)).encryptor()

    def _authenticated(self, sequence: int, plain: bytes) -> HMAC:
        mac = self._mac.copy()
        mac.update(sequence.to_bytes(4, "big") + plain)
        return mac


class EncryptAndMACSealer(EncryptAndMAC):
    """The sending side of `EncryptAndMAC`."""

    def __init__(
        self,
        key: bytes,
        counter: bytes,
        mac_key: bytes,
        algorithm: HashAlgorithm,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(key, counter, mac_key, algorithm)
        self._random = random

    def seal(self, sequence: int, payload: bytes) -> bytes:
        """Encrypt length and payload, and put the MAC of what they were behind them."""
        length, body = pad(payload, block=AES_BLOCK_BYTES, counted=LENGTH_BYTES, random=self._random)
        plain = length + body
        return self._stream.update(plain) + self._authenticated(sequence, plain).finalize()


class EncryptAndMACOpener(EncryptAndMAC):
    """The receiving side of `EncryptAndMAC`."""

    _length = b""

    def length(self, sequence: int, field: bytes) -> int:  # noqa: ARG002
        """Decrypt ``packet_length``; once a packet, as the key stream goes on."""
        self._length = self._stream.update(field)
        return int.from_bytes(self._length, "big")

    def open(self, sequence: int, packet: bytes) -> bytes:
        """Decrypt the rest, and verify the MAC of all of it."""
        end = len(packet) - self.tag_bytes
        body = self._stream.update(packet[LENGTH_BYTES:end])
        try:
            self._authenticated(sequence, self._length + body).verify(packet[end:])
        except InvalidSignature:
            raise PacketCorrupt from None
        return body


class AESGCMPackets:
    """AES-GCM as in RFC 5647, negotiated as OpenSSH does (PROTOCOL, section 1.6).

    ``packet_length`` goes in the clear and is authenticated. The nonce is not sent: its last eight bytes count the
    packets under this key, whatever the sequence numbers are.

    Args:
        key: 16 or 32 bytes.
        nonce: The first packet's, 12 bytes.
    """

    block_bytes = AES_BLOCK_BYTES
    unpadded_bytes = 0
    tag_bytes = GCM_TAG_BYTES

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._aead = AESGCM(key)
        self._fixed = nonce[:GCM_FIXED_BYTES]
        self._counter = int.from_bytes(nonce[GCM_FIXED_BYTES:GCM_NONCE_BYTES], "big")

    def length(self, sequence: int, field: bytes) -> int:  # noqa: ARG002
        """Tell ``packet_length``."""
        return int.from_bytes(field, "big")

    def _next_nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter = (self._counter + 1) % (1 << 64)
        return nonce


class AESGCMSealer(AESGCMPackets):
    """The sending side of `AESGCMPackets`."""

    def __init__(self, key: bytes, nonce: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        super().__init__(key, nonce)
        self._random = random

    def seal(self, sequence: int, payload: bytes) -> bytes:  # noqa: ARG002
        """Encrypt the payload and authenticate it with its length."""
        length, body = pad(payload, block=AES_BLOCK_BYTES, counted=0, random=self._random)
        return length + self._aead.encrypt(self._next_nonce(), body, length)


class AESGCMOpener(AESGCMPackets):
    """The receiving side of `AESGCMPackets`."""

    def open(self, sequence: int, packet: bytes) -> bytes:  # noqa: ARG002
        """Verify the tag and decrypt; OpenSSL gives nothing out if it is wrong."""
        try:
            return self._aead.decrypt(self._next_nonce(), packet[LENGTH_BYTES:], packet[:LENGTH_BYTES])
        except InvalidTag:
            raise PacketCorrupt from None


class ChaCha20Poly1305:
    """``chacha20-poly1305@openssh.com``: PROTOCOL.chacha20poly1305, draft-ietf-sshm-chacha20-poly1305.

    The nonce is the sequence number. ``packet_length`` is encrypted with a key of its own, because it must be
    decrypted before the tag can be verified: what an attacker can learn by changing it then says nothing of the rest.

    Args:
        key: 64 bytes: for the content and the tag, and for the length.
    """

    block_bytes = CHACHA_PADDED_BYTES
    unpadded_bytes = 0
    tag_bytes = POLY1305_TAG_BYTES

    def __init__(self, key: bytes) -> None:
        # A context is set back to another nonce for each packet, which costs a third of making one.
        self._content_stream = _chacha20(key[:CHACHA_KEY_BYTES])
        self._length_stream = _chacha20(key[CHACHA_KEY_BYTES : 2 * CHACHA_KEY_BYTES])

    def length(self, sequence: int, field: bytes) -> int:
        """Decrypt ``packet_length``."""
        return int.from_bytes(self._encrypted_length(sequence, field), "big")

    def _encrypted_length(self, sequence: int, field: bytes) -> bytes:
        self._length_stream.reset_nonce(_nonce(sequence))
        return self._length_stream.update(field)

    def _tag(self, sequence: int) -> Poly1305:
        """Key this packet's tag with the first block of the content's stream; the next ones are for the content."""
        self._content_stream.reset_nonce(_nonce(sequence))
        return Poly1305(self._content_stream.update(bytes(CHACHA_BLOCK_BYTES))[:CHACHA_KEY_BYTES])


class ChaCha20Poly1305Sealer(ChaCha20Poly1305):
    """The sending side of `ChaCha20Poly1305`."""

    def __init__(self, key: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        super().__init__(key)
        self._random = random

    def seal(self, sequence: int, payload: bytes) -> bytes:
        """Encrypt length and payload, and put the tag of both behind them."""
        length, body = pad(payload, block=CHACHA_PADDED_BYTES, counted=0, random=self._random)
        tag = self._tag(sequence)
        packet = self._encrypted_length(sequence, length) + self._content_stream.update(body)
        tag.update(packet)
        return packet + tag.finalize()


class ChaCha20Poly1305Opener(ChaCha20Poly1305):
    """The receiving side of `ChaCha20Poly1305`."""

    def open(self, sequence: int, packet: bytes) -> bytes:
        """Verify the tag, then decrypt."""
        end = len(packet) - POLY1305_TAG_BYTES
        tag = self._tag(sequence)
        tag.update(packet[:end])
        try:
            tag.verify(packet[end:])
        except InvalidSignature:
            raise PacketCorrupt from None
        return self._content_stream.update(packet[LENGTH_BYTES:end])


def _chacha20(key: bytes) -> CipherContext:
    return Cipher(ChaCha20(key, _nonce(0)), mode=None).encryptor()


def _nonce(sequence: int) -> bytes:
    """Name the start of a packet's stream to OpenSSL: a block counter of 8 bytes, and the nonce of 8."""
    return bytes(8) + sequence.to_bytes(8, "big")
