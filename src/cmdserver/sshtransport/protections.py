"""The packet protections that OpenSSH has: AES-CTR with an HMAC, AES-GCM, and ChaCha20 with Poly1305.

Every primitive is from `cryptography`. All tags are compared in constant time: by OpenSSL for GCM, by `cryptography`
for the others. How many packets a key may protect is decided by `cmdserver.sshtransport.rekeying`.

Rule: an object serves one direction under one key, so it either seals or opens. To do both with one would use a
counter or a stretch of key stream twice.
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

from cmdserver.sshtransport.algorithms import CIPHER_SIZES, LEGACY_MACS, MAC_HASHES
from cmdserver.sshtransport.key_exchange import KeyMaterial
from cmdserver.sshtransport.negotiation import Suite
from cmdserver.sshtransport.packets import LENGTH_BYTES, PacketCorrupt, Protection, pad

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

#: By which letters nonce, key and MAC key of a direction are derived (RFC 4253 section 7.2): from client to server.
INWARD: Final = (b"A", b"C", b"E")
#: From server to client.
OUTWARD: Final = (b"B", b"D", b"F")

Random = Callable[[int], bytes]


def protection(
    suite: Suite, material: KeyMaterial, letters: tuple[bytes, bytes, bytes], random: Random = os.urandom
) -> Protection:
    """Make the protection of one direction, whose letters are `INWARD` or `OUTWARD`."""
    sizes = CIPHER_SIZES[suite.cipher]
    nonce, key = material.derive(letters[0], sizes.nonce), material.derive(letters[1], sizes.key)
    if suite.mac is not None:
        algorithm = MAC_HASHES[suite.mac]()
        mac_key = material.derive(letters[2], algorithm.digest_size)
        return AESCTRWithHMAC(key, nonce, mac_key, algorithm, random, encrypts_first=suite.mac not in LEGACY_MACS)
    if nonce:
        return AESGCMPackets(key, nonce, random)
    return ChaCha20Poly1305(key, random)


class AESCTRWithHMAC(Protection):
    """AES in counter mode (RFC 4344 section 4), and an HMAC.

    Encrypt-then-MAC (OpenSSH's PROTOCOL, section 1.5): ``packet_length`` is sent in the clear, and the MAC, of what is
    sent, is verified before anything is decrypted. Encrypt-and-MAC (RFC 4253 section 6.4): ``packet_length`` is
    encrypted with the rest and used, within its bounds, before the MAC, of the plaintext, is verified; only for peers
    that have nothing better.

    Args:
        key: For AES: 16, 24 or 32 bytes.
        counter: The first counter block, 16 bytes.
        mac_key: As long as the hash (RFC 6668 section 2).
        algorithm: The HMAC's hash.
        encrypts_first: Encrypt-then-MAC; else encrypt-and-MAC.
    """

    __slots__ = ("_encrypts_first", "_length", "_mac", "_stream", "tag_bytes", "unpadded_bytes")
    block_bytes = AES_BLOCK_BYTES

    def __init__(
        self,
        key: bytes,
        counter: bytes,
        mac_key: bytes,
        algorithm: HashAlgorithm,
        random: Random = os.urandom,
        *,
        encrypts_first: bool,
    ) -> None:
        super().__init__(random)
        self._encrypts_first = encrypts_first
        self.unpadded_bytes = 0 if encrypts_first else LENGTH_BYTES
        self.tag_bytes = algorithm.digest_size
        self._mac = HMAC(mac_key, algorithm)
        # In counter mode, to encrypt and to decrypt are the same operation.
        self._stream: CipherContext = Cipher(AES(key), CTR(counter)).encryptor()
        self._length = b""

    def seal(self, sequence: int, payload: bytes) -> bytes:
        length, body = pad(payload, block=AES_BLOCK_BYTES, counted=self.unpadded_bytes, random=self._random)
        if self._encrypts_first:
            packet = authenticated = length + self._stream.update(body)
        else:
            authenticated = length + body
            packet = self._stream.update(authenticated)
        return packet + self._hmac(sequence, authenticated).finalize()

    def length(self, sequence: int, field: bytes) -> int:  # noqa: ARG002
        self._length = field if self._encrypts_first else self._stream.update(field)
        return int.from_bytes(self._length, "big")

    def open(self, sequence: int, packet: bytes) -> bytes:
        end = len(packet) - self.tag_bytes
        body = packet[LENGTH_BYTES:end]
        if not self._encrypts_first:
            body = self._stream.update(body)
        try:
            self._hmac(sequence, self._length + body).verify(packet[end:])
        except InvalidSignature:
            raise PacketCorrupt from None
        return self._stream.update(body) if self._encrypts_first else body

    def _hmac(self, sequence: int, authenticated: bytes) -> HMAC:
        mac = self._mac.copy()
        mac.update(sequence.to_bytes(4, "big") + authenticated)
        return mac


class AESGCMPackets(Protection):
    """AES-GCM as in RFC 5647, negotiated as OpenSSH does (PROTOCOL, section 1.6).

    ``packet_length`` goes in the clear and is authenticated. The nonce is not sent: its last eight bytes count the
    packets under this key, whatever the sequence numbers are.

    Args:
        key: 16 or 32 bytes.
        nonce: The first packet's, 12 bytes.
    """

    __slots__ = ("_aead", "_counter", "_fixed")
    block_bytes = AES_BLOCK_BYTES
    tag_bytes = GCM_TAG_BYTES

    def __init__(self, key: bytes, nonce: bytes, random: Random = os.urandom) -> None:
        super().__init__(random)
        self._aead = AESGCM(key)
        self._fixed = nonce[:GCM_FIXED_BYTES]
        self._counter = int.from_bytes(nonce[GCM_FIXED_BYTES:GCM_NONCE_BYTES], "big")

    def seal(self, sequence: int, payload: bytes) -> bytes:  # noqa: ARG002
        length, body = pad(payload, block=AES_BLOCK_BYTES, counted=0, random=self._random)
        return length + self._aead.encrypt(self._next_nonce(), body, length)

    def open(self, sequence: int, packet: bytes) -> bytes:  # noqa: ARG002
        """Verify the tag and decrypt; OpenSSL gives nothing out if it is wrong."""
        try:
            return self._aead.decrypt(self._next_nonce(), packet[LENGTH_BYTES:], packet[:LENGTH_BYTES])
        except InvalidTag:
            raise PacketCorrupt from None

    def _next_nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter = (self._counter + 1) % (1 << 64)
        return nonce


class ChaCha20Poly1305(Protection):
    """``chacha20-poly1305@openssh.com``: PROTOCOL.chacha20poly1305, draft-ietf-sshm-chacha20-poly1305.

    The nonce is the sequence number. ``packet_length`` is encrypted with a key of its own, because it must be
    decrypted before the tag can be verified: what an attacker can learn by changing it then says nothing of the rest.

    Args:
        key: 64 bytes: for the content and the tag, and for the length.
    """

    __slots__ = ("_content_stream", "_length_stream")
    block_bytes = CHACHA_PADDED_BYTES
    tag_bytes = POLY1305_TAG_BYTES

    def __init__(self, key: bytes, random: Random = os.urandom) -> None:
        super().__init__(random)
        # A context is set back to another nonce for each packet, which costs a third of making one.
        self._content_stream = _chacha20(key[:CHACHA_KEY_BYTES])
        self._length_stream = _chacha20(key[CHACHA_KEY_BYTES : 2 * CHACHA_KEY_BYTES])

    def seal(self, sequence: int, payload: bytes) -> bytes:
        length, body = pad(payload, block=CHACHA_PADDED_BYTES, counted=0, random=self._random)
        tag = self._tag(sequence)
        packet = self._crypted_length(sequence, length) + self._content_stream.update(body)
        tag.update(packet)
        return packet + tag.finalize()

    def length(self, sequence: int, field: bytes) -> int:
        return int.from_bytes(self._crypted_length(sequence, field), "big")

    def open(self, sequence: int, packet: bytes) -> bytes:
        end = len(packet) - POLY1305_TAG_BYTES
        tag = self._tag(sequence)
        tag.update(packet[:end])
        try:
            tag.verify(packet[end:])
        except InvalidSignature:
            raise PacketCorrupt from None
        return self._content_stream.update(packet[LENGTH_BYTES:end])

    def _crypted_length(self, sequence: int, field: bytes) -> bytes:
        """Encrypt or decrypt ``packet_length``: with a stream cipher the same operation."""
        self._length_stream.reset_nonce(_nonce(sequence))
        return self._length_stream.update(field)

    def _tag(self, sequence: int) -> Poly1305:
        """Key this packet's tag with the first block of the content's stream; the next ones are for the content."""
        self._content_stream.reset_nonce(_nonce(sequence))
        return Poly1305(self._content_stream.update(bytes(CHACHA_BLOCK_BYTES))[:CHACHA_KEY_BYTES])


def _chacha20(key: bytes) -> CipherContext:
    return Cipher(ChaCha20(key, _nonce(0)), mode=None).encryptor()


def _nonce(sequence: int) -> bytes:
    """Name the start of a packet's stream to OpenSSL: a block counter of 8 bytes, and the nonce of 8."""
    return bytes(8) + sequence.to_bytes(8, "big")
