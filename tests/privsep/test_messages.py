"""Tests of what daemon and runner say to each other."""

import struct

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep import messages
from cmdserver.privsep.messages import (
    REQUEST_BYTES,
    Adopt,
    Exited,
    Fetch,
    Fetched,
    Ran,
    Read,
    Ready,
    Refused,
    Report,
    Request,
    Reread,
    Signal,
    Start,
    Started,
    Trouble,
    checksum_of,
    decode_report,
    decode_request,
    encode,
)

_NUMBERS = st.integers(0, (1 << 62) - 1)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(Start, _NUMBERS, _NUMBERS, _TEXTS, st.lists(_TEXTS, max_size=5).map(tuple)),
    st.builds(Signal, _NUMBERS, _NUMBERS, st.sampled_from([messages.SIGTERM, messages.SIGKILL])),
    st.builds(Reread),
    st.builds(Adopt, _NUMBERS),
    st.builds(Fetch, _TEXTS),
)
_REPORTS: st.SearchStrategy[Report] = st.one_of(
    st.builds(Ready, _NUMBERS, _NUMBERS, _NUMBERS),
    st.builds(Started, _NUMBERS, _NUMBERS),
    st.builds(Exited, _NUMBERS, _NUMBERS, st.booleans()),
    st.builds(Ran, _NUMBERS, _NUMBERS, _NUMBERS, st.booleans()),
    st.builds(Refused, _NUMBERS, _NUMBERS, _TEXTS),
    st.builds(Read, st.lists(_TEXTS, max_size=5).map(tuple), st.lists(_TEXTS, max_size=3).map(tuple)),
    st.builds(Fetched, _TEXTS, _NUMBERS),
    st.builds(Trouble, _TEXTS),
)

#: The beginning of a Start whose arguments are to come.
_START = b"\x95\xa5start\x00\x00\xa1x"


class RequestTests(SynchronousTestCase):
    """The invariant: any bytes give a request or a ValueError, never another exception."""

    @given(st.binary(max_size=200))
    @example(_START + b"\xdd\xff\xff\xff\xff")
    @example(_START + b"\x91" * 60_000)
    @example(b"\x91" * 60_000)
    @example(b"\x95\xa5start\x00\x00\xa1\xff\x90")
    @example(b"")
    def test_any_bytes_are_a_request_or_none(self, packet: bytes) -> None:
        """Whatever comes, it is one of the five requests, or refused."""
        try:
            request = decode_request(packet)
        except ValueError:
            return
        self.assertIsInstance(request, Start | Signal | Reread | Adopt | Fetch)

    @given(_REQUESTS, st.data())
    def test_a_damaged_request_is_a_request_or_none(self, request: Request, data: st.DataObject) -> None:
        """A request with a byte changed, added or left out is one of the five requests, or refused."""
        packet = bytearray(encode(request))
        at = data.draw(st.integers(0, len(packet) - 1))
        packet[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        try:
            decode_request(bytes(packet))
        except ValueError:
            return

    @given(_REQUESTS)
    def test_requests_come_back(self, request: Request) -> None:
        """What was spelled is what is read."""
        self.assertEqual(decode_request(encode(request)), request)

    def test_the_largest_request_is_one(self) -> None:
        """A packet of as many bytes as are allowed is read, one of a byte more is not."""
        spare = REQUEST_BYTES - len(encode(Start(0, 0, "x" * 70_000, ()))) + 70_000
        largest = encode(Start(0, 0, "x" * spare, ()))

        self.assertEqual(len(largest), REQUEST_BYTES)
        self.assertIsInstance(decode_request(largest), Start)
        self.assertRaises(ValueError, decode_request, encode(Start(0, 0, "x" * (spare + 1), ())))

    def test_a_length_that_lies_costs_nothing(self) -> None:
        """An announcement of four billion arguments is refused without making room for them."""
        for count in (1_000_000, 0x7FFFFFFF, 0xFFFFFFFF):
            self.assertRaises(ValueError, decode_request, _START + b"\xdd" + struct.pack(">I", count))

    def test_only_two_signals_can_be_asked_for(self) -> None:
        """SIGTERM and SIGKILL are what there is; no other number is a request."""
        for number in range(-1, 70):
            packet = encode(Signal(0, 0, number))  # type: ignore[arg-type]
            if number in {messages.SIGTERM, messages.SIGKILL}:
                self.assertEqual(decode_request(packet), Signal(0, 0, number))
            else:
                self.assertRaises(ValueError, decode_request, packet)

    def test_numbers_have_their_range(self) -> None:
        """An id below 0, or of 2^62 and more, is none, nor is a fraction."""
        for number in (-1, 1 << 62, 1 << 63, 1.5):
            self.assertRaises(ValueError, decode_request, encode(Adopt(number)))  # type: ignore[arg-type]

    def test_a_report_is_no_request(self) -> None:
        """What a runner says, a runner does not listen to."""
        for report in (Ready(0, 1, 2), Started(0, 1), Exited(0, 0, True), Refused(0, 1, ""), Read((), ()), Trouble("")):
            self.assertRaises(ValueError, decode_request, encode(report))

    def test_more_than_a_request_is_none(self) -> None:
        """Fields or bytes behind the last one are not overlooked."""
        self.assertRaises(ValueError, decode_request, encode(Reread()) + b"\x00")
        self.assertRaises(ValueError, decode_request, b"\x93\xa5adopt\x00\x00")


class ReportTests(SynchronousTestCase):
    @given(_REPORTS)
    def test_reports_come_back(self, report: Report) -> None:
        """What was spelled is what is read."""
        self.assertEqual(decode_report(encode(report)), report)

    @given(st.binary(max_size=100))
    def test_any_bytes_are_a_report_or_none(self, packet: bytes) -> None:
        """Whatever comes is one of the reports, or a ValueError."""
        try:
            decode_report(packet)
        except ValueError:
            return


class ChecksumTests(SynchronousTestCase):
    def test_texts_are_told_apart(self) -> None:
        """A text has always the same checksum, which can be said in a message, and another one another."""
        checksum = checksum_of("[commands]\n# ü")

        self.assertEqual(checksum, checksum_of("[commands]\n# ü"))
        self.assertNotEqual(checksum, checksum_of("[commands]\n# u"))
        self.assertEqual(decode_request(encode(Adopt(checksum))), Adopt(checksum))
