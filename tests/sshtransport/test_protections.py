"""Tests of the protections of packets: known answers, and that nothing that was changed is opened."""

from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from hypothesis import given
from hypothesis import strategies as st
from twisted.conch.ssh.transport import SSHCiphers
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.packets import MAX_PACKET_LENGTH, PacketBuffer, PacketCorrupt, Plain, Protection
from cmdserver.sshtransport.protections import AESCTRWithHMAC, AESGCMPackets, ChaCha20Poly1305

#: draft-ietf-sshm-chacha20-poly1305-04, appendix A: keys, the packet with sequence number 7, and what is sent.
DRAFT_KEY = bytes.fromhex(
    "8bbff6855fc102338c373e73aac0c914f076a905b2444a32eecaffeae22becc5"
    "e9b7a7a5825a8249346ec1c28301cf394543fc7569887d76e168f37562ac0740"
)
DRAFT_SEQUENCE = 7
DRAFT_PLAIN = bytes.fromhex(
    "00000048065e00000000000000384c6f72656d20697073756d20646f6c6f72207369742061"
    "6d65742c20636f6e73656374657475722061646970697369636"
    "96e6720656c69744e43e804dc6c"
)
DRAFT_SENT = bytes.fromhex(
    "2c3ecce4a5bc05895bf07a7ba956b6c68829ac7c83b780b7000ecde745afc705"
    "bbc378ce03a280236b87b53bed5839662302b164b6286a48cd1e097138e3cb90"
    "9b8b2b829dd18d2a35ff82d995349e855bf02c298ef775f2d1a7e8b8"
)
#: The draft's packet has these six bytes of padding.
DRAFT_PADDING = DRAFT_PLAIN[-6:]

KEY = bytes(range(64))
NONCE = bytes(range(100, 116))

#: What makes each protection, of one direction.
PROTECTIONS: dict[str, Callable[[], Protection]] = {
    "plain": Plain,
    "chacha20-poly1305": lambda: ChaCha20Poly1305(KEY),
    "aes256-gcm": lambda: AESGCMPackets(KEY[:32], NONCE[:12]),
    "aes128-gcm": lambda: AESGCMPackets(KEY[:16], NONCE[:12]),
    "aes256-ctr, sha2-256": lambda: AESCTRWithHMAC(KEY[:32], NONCE, KEY[32:], SHA256(), encrypts_first=True),
    "aes128-ctr, sha2-512": lambda: AESCTRWithHMAC(KEY[:16], NONCE, KEY, SHA512(), encrypts_first=True),
    "aes256-ctr, legacy sha2-512": lambda: AESCTRWithHMAC(KEY[:32], NONCE, KEY, SHA512(), encrypts_first=False),
    "aes128-ctr, legacy sha2-256": lambda: AESCTRWithHMAC(KEY[:16], NONCE, KEY[32:], SHA256(), encrypts_first=False),
}
AUTHENTIC = sorted(set(PROTECTIONS) - {"plain"})

payloads = st.binary(min_size=1, max_size=200)


def opened(opener: Protection, sequence: int, data: bytes) -> list[bytes]:
    """Take all packets out of something that was received."""
    buffer = PacketBuffer()
    buffer.feed(data)
    found: list[bytes] = []
    while (payload := buffer.next(opener, sequence + len(found))) is not None:
        found.append(payload)
    return found


class EncryptAndMACTests(SynchronousTestCase):
    def test_conch_seals_the_same(self) -> None:
        """What is sent is what Conch sends, which has had this from the beginning, packet after packet."""
        conch = SSHCiphers(b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256", b"hmac-sha2-256")
        conch.setKeys(NONCE, KEY[:16], NONCE, KEY[:16], KEY[32:], KEY[32:])
        sealer = AESCTRWithHMAC(KEY[:16], NONCE, KEY[32:], SHA256(), bytes, encrypts_first=False)

        for sequence, payload in enumerate((b"\x15", b"x" * 27, b"y" * 1000)):
            padding = 16 - (5 + len(payload)) % 16
            padding += 16 if padding < 4 else 0
            plain = (1 + len(payload) + padding).to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)

            self.assertEqual(sealer.seal(sequence, payload), conch.encrypt(plain) + conch.makeMAC(sequence, plain))


class ChaCha20Poly1305Tests(SynchronousTestCase):
    def test_the_drafts_packet_is_sealed_as_there(self) -> None:
        """What is sent is what the draft's worked example sends."""
        sealer = ChaCha20Poly1305(DRAFT_KEY, lambda _: DRAFT_PADDING)

        sent = sealer.seal(DRAFT_SEQUENCE, DRAFT_PLAIN[5:-6])

        self.assertEqual(sent, DRAFT_SENT)

    def test_the_drafts_packet_is_opened(self) -> None:
        """What the draft's worked example sends is understood."""
        self.assertEqual(opened(ChaCha20Poly1305(DRAFT_KEY), DRAFT_SEQUENCE, DRAFT_SENT), [DRAFT_PLAIN[5:-6]])

    def test_another_sequence_number_is_another_packet(self) -> None:
        """A packet that was moved in the sequence is refused."""
        with self.assertRaises(PacketCorrupt):
            ChaCha20Poly1305(DRAFT_KEY).open(DRAFT_SEQUENCE + 1, DRAFT_SENT)


class AllProtectionsTests(SynchronousTestCase):
    @given(st.sampled_from(sorted(PROTECTIONS)), st.lists(payloads, max_size=5), st.integers(0, (1 << 32) - 8))
    def test_what_is_sealed_is_opened(self, name: str, sent: list[bytes], sequence: int) -> None:
        """Each side understands the other, packet by packet, wherever the sequence is."""
        sealer, opener = PROTECTIONS[name](), PROTECTIONS[name]()
        data = b"".join(sealer.seal(sequence + index, payload) for index, payload in enumerate(sent))

        self.assertEqual(opened(opener, sequence, data), sent)

    @given(st.sampled_from(AUTHENTIC), payloads, st.data())
    def test_no_bit_can_be_changed(self, name: str, payload: bytes, data: st.DataObject) -> None:
        """A packet of which one bit is another is never opened; a greater length may be waited for."""
        sealer, opener = PROTECTIONS[name](), PROTECTIONS[name]()
        packet = bytearray(sealer.seal(3, payload))
        position = data.draw(st.integers(0, 8 * len(packet) - 1))
        packet[position // 8] ^= 1 << position % 8

        with self.assertRaises(PacketCorrupt):
            found = opened(opener, 3, bytes(packet) + bytes(MAX_PACKET_LENGTH + 100))
            self.fail(f"opened {found}")

    @given(st.sampled_from(AUTHENTIC), payloads, payloads)
    def test_no_packet_can_be_left_out_or_repeated(self, name: str, first: bytes, second: bytes) -> None:
        """A packet counts at its place only."""
        sealer = PROTECTIONS[name]()
        packets = [sealer.seal(0, first), sealer.seal(1, second)]
        opener = PROTECTIONS[name]()
        other = PROTECTIONS[name]()

        with self.assertRaises(PacketCorrupt):
            opened(opener, 0, packets[1])
        with self.assertRaises(PacketCorrupt):
            opened(other, 0, packets[0] + packets[0])

    def test_the_same_payload_never_looks_the_same(self) -> None:
        """No nonce and no stretch of a stream is used twice under one key."""
        for name in AUTHENTIC:
            with self.subTest(name):
                sealer = PROTECTIONS[name]()

                packets = {sealer.seal(sequence, b"the same")[4:20] for sequence in range(200)}

                self.assertEqual(len(packets), 200)


class LengthTests(SynchronousTestCase):
    def test_impossible_lengths_are_not_waited_for(self) -> None:
        """Nor is their tag: where lengths go in the clear, four bytes are enough to part."""
        for name in AUTHENTIC:
            for length in (0, 5, 15, MAX_PACKET_LENGTH + 1):
                if name.startswith("chacha20"):
                    continue  # its lengths are encrypted
                with self.subTest(name, length=length), self.assertRaises(PacketCorrupt):
                    opener = PROTECTIONS[name]()
                    opened(opener, 0, length.to_bytes(4, "big"))


class AESGCMTests(SynchronousTestCase):
    def test_the_counter_wraps_within_its_eight_bytes(self) -> None:
        """RFC 5647: the fixed part stays, and the counter goes on from 0 after its end."""
        nonce = b"\1\2\3\4" + b"\xff" * 8
        sealer, opener = AESGCMPackets(KEY[:16], nonce), AESGCMPackets(KEY[:16], nonce)
        after = AESGCMPackets(KEY[:16], b"\1\2\3\4" + bytes(8))

        first, second = sealer.seal(0, b"last"), sealer.seal(1, b"first")

        self.assertEqual(opened(opener, 0, first + second), [b"last", b"first"])
        self.assertEqual(opened(after, 1, second), [b"first"])
