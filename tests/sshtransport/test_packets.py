"""Tests of packets in the clear: padding, lengths, and that nothing depends on how bytes come."""

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.packets import MAX_PACKET_LENGTH, PacketBuffer, PacketCorrupt, Plain, pad, unpad

PLAIN = Plain()


def packet(length: int, padding: int, size: int) -> bytes:
    """Make a packet of numbers that need not fit each other."""
    return length.to_bytes(4, "big") + bytes((padding,)) + bytes(size)


class PaddingTests(SynchronousTestCase):
    @given(st.binary(min_size=1, max_size=300), st.sampled_from([8, 16]), st.sampled_from([0, 4]))
    def test_padding_fills_blocks_and_no_more(self, payload: bytes, block: int, counted: int) -> None:
        """At least four bytes (RFC 4253 section 6), and less than a block more than are needed."""
        length, body = pad(payload, block=block, counted=counted, random=bytes)

        self.assertEqual((counted + len(body)) % block, 0)
        self.assertTrue(4 <= body[0] < 4 + block)
        self.assertEqual(int.from_bytes(length, "big"), len(body))
        self.assertEqual(unpad(body), payload)

    def test_padding_that_leaves_nothing_is_none(self) -> None:
        """Less than the least, more than there is, and a packet without a message number."""
        for body in (b"\3" + bytes(7), b"\7" + bytes(7), b"\xff" + bytes(7), b"\0" + bytes(7)):
            with self.subTest(body=body), self.assertRaises(PacketCorrupt):
                unpad(body)


class PacketBufferTests(SynchronousTestCase):
    @given(st.lists(st.binary(min_size=1, max_size=100), max_size=6), st.lists(st.integers(0, 700)))
    def test_any_pieces_give_the_same_packets(self, payloads: list[bytes], cuts: list[int]) -> None:
        """However the bytes are cut."""
        data = b"".join(PLAIN.seal(0, payload) for payload in payloads)
        places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        buffer = PacketBuffer()
        found = []

        for start, end in pairwise(places):
            buffer.feed(data[start:end])
            while (payload := buffer.next(PLAIN, 0)) is not None:
                found.append(payload)

        self.assertEqual(found, payloads)

    @given(st.binary(max_size=100))
    def test_any_bytes_are_packets_or_corrupt(self, data: bytes) -> None:
        """Nothing else comes of them."""
        buffer = PacketBuffer()
        buffer.feed(data)
        try:
            while buffer.next(PLAIN, 0) is not None:
                pass
        except PacketCorrupt:
            pass

    def test_impossible_lengths_are_not_waited_for(self) -> None:
        """Too short, too long, and no multiple of a block."""
        for length in (0, 4, 5, 11, 13, MAX_PACKET_LENGTH + 1, 0xFFFFFFFC, 0xFFFFFFFF):
            with self.subTest(length=length):
                buffer = PacketBuffer()
                buffer.feed(packet(length, 4, 3))

                with self.assertRaises(PacketCorrupt):
                    buffer.next(PLAIN, 0)

    def test_the_longest_packet_is_taken(self) -> None:
        """And whoever wants to can set another limit."""
        payload = bytes((MAX_PACKET_LENGTH - 4) // 8 * 8 - 1)
        buffer = PacketBuffer()
        buffer.feed(PLAIN.seal(0, payload[:-8]))

        self.assertEqual(buffer.next(PLAIN, 0), payload[:-8])

        small = PacketBuffer(limit=100)
        small.feed(PLAIN.seal(0, bytes(100)))
        with self.assertRaises(PacketCorrupt):
            small.next(PLAIN, 0)

    def test_many_small_pieces_cost_no_more_than_few(self) -> None:
        """The work grows with the bytes, not with their square."""
        data = PLAIN.seal(0, bytes(30000)) * 4
        few, many = PacketBuffer(), PacketBuffer()
        started = time.process_time()
        few.feed(data)
        while few.next(PLAIN, 0) is not None:
            pass
        for place in range(len(data)):
            many.feed(data[place : place + 1])
            many.next(PLAIN, 0)

        # Some 0.1 s; with a buffer that is copied for each piece some 10.
        self.assertLess(time.process_time() - started, 3)
