"""Tests of time servers' answers, against RFC 5905."""

import socket
import struct
import time
from typing import Self

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe import connection
from cmdserver_probe.connection import Address
from cmdserver_probe.errors import ProbeFailed
from cmdserver_probe.kinds.ntp import Answer, offset, parse, probe, request, timestamp
from cmdserver_probe.steps import Steps
from tests.probe.doubles import a_run

NONCE = b"12345678"
#: 2026-11-28T12:00:00Z.
NOW = 1_795_953_600.0


def an_answer(
    *, leap: int = 0, version: int = 4, mode: int = 4, stratum: int = 2, reference: bytes = b"GPS\0",
    origin: bytes = NONCE, received: int = 1, sent: int = 2,
) -> bytes:  # fmt: skip
    """Write a server's packet."""
    first = leap << 6 | version << 3 | mode
    return struct.pack("!BBbbII4s8s8sQQ", first, stratum, 6, -20, 0, 0, reference, bytes(8), origin, received, sent)


class RequestTests(SynchronousTestCase):
    def test_it_is_a_clients(self) -> None:
        """48 octets: version 4, mode 3; nothing else but the nonce, where the server copies it from."""
        self.assertEqual(request(NONCE), b"\x23" + bytes(39) + NONCE)


class ParseTests(SynchronousTestCase):
    def test_an_answer(self) -> None:
        """Its stratum and times are read; what stands behind (a MAC) is not looked at."""
        answer = parse(an_answer(received=5, sent=6) + b"mac", NONCE)

        self.assertEqual((answer.stratum, answer.received, answer.sent), (2, 5, 6))

    def test_what_is_not_believed(self) -> None:
        """Each has its reason."""
        wrong = {
            "that is no NTP: 47 octets": an_answer()[:47],
            "that is no NTP: 0 octets": b"",
            "mode 3": an_answer(mode=3),
            "mode 5": an_answer(mode=5),
            "version 0": an_answer(version=0),
            "version 7": an_answer(version=7),
            "no answer to what was asked": an_answer(origin=b"87654321"),
            "kiss-o'-death RATE": an_answer(stratum=0, reference=b"RATE"),
            "kiss-o'-death DENY": an_answer(stratum=0, reference=b"DENY", leap=3),
            r"not synchronised \(stratum 0\)": an_answer(stratum=0, reference=bytes(4), leap=3),
            r"is not synchronised \(stratum 0\)": an_answer(stratum=0, reference=bytes(4)),
            r"not synchronised \(stratum 2\)": an_answer(leap=3),
            r"not synchronised \(stratum 16\)": an_answer(stratum=16),
            "does not tell the time": an_answer(received=0),
            "the server does not tell": an_answer(sent=0),
        }
        for said, packet in wrong.items():
            with self.subTest(said), self.assertRaisesRegex(ProbeFailed, said):
                parse(packet, NONCE)

    def test_a_kiss_to_somebody_else(self) -> None:
        """Nobody who does not see the request can have the server denied."""
        with self.assertRaisesRegex(ProbeFailed, "no answer to what was asked"):
            parse(an_answer(stratum=0, reference=b"DENY", origin=bytes(8)), NONCE)


class OffsetTests(SynchronousTestCase):
    def _offset(self, begin: float, ahead: float) -> float:
        """Ask at ``begin``; each way takes 0.25 s, the server 0.5 s."""
        answer = Answer(1, timestamp(begin + 0.25 + ahead), timestamp(begin + 0.75 + ahead))
        return offset(timestamp(begin), answer, timestamp(begin + 1.0))

    def test_ahead_and_behind(self) -> None:
        """The way there and back, and the server's own time, are taken out."""
        for ahead in (0.0, 0.125, -0.125, 3600.0, -86400.0):
            self.assertAlmostEqual(self._offset(NOW, ahead), ahead, places=5)

    def test_the_end_of_an_era(self) -> None:
        """On 7 February 2036 the seconds begin at 0 again."""
        end = 2**32 - 2_208_988_800.0
        self.assertEqual(timestamp(end), 0)
        for ahead in (5.0, -5.0):
            self.assertAlmostEqual(self._offset(end - 0.5, ahead), ahead, places=5)


class ProbeTests(SynchronousTestCase):
    """Of a host whose clock is right, at a time that goes on only while something is waited for."""

    def setUp(self) -> None:
        """Let two addresses be found; the server is at the second, and its answer takes a second in all."""
        self.now = NOW
        self.patch(time, "time", lambda: self.now)
        self.patch(socket, "getaddrinfo", self._resolve)
        self.patch(connection, "_connected", self._connected)

    def _resolve(self, *_: object, **__: object) -> object:
        self.now += 2.0
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (f"192.0.2.{number}", 123)) for number in range(2)]

    def _connected(self, _: object, address: Address, *__: object) -> "_Server":
        return _Server(self, is_silent=address.host == "192.0.2.0")

    def test_a_silent_address(self) -> None:
        """What is waited for there, and the look-up of the name, are no part of the way to the one that answers."""
        run = a_run("ntp h")
        run.steps = Steps(lambda: self.now)
        finding = probe(run)

        self.assertEqual(run.steps.finished, {"resolve": 2.0, "query": 6.0})
        self.assertAlmostEqual(finding.values["offset"].number, 0.0, places=5)


class _Server:
    """A socket connected to a time server that is right, or to nobody."""

    def __init__(self, test: ProbeTests, *, is_silent: bool) -> None:
        self._test = test
        self._is_silent = is_silent
        self._nonce = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no trace."""

    def send(self, packet: bytes) -> None:
        self._nonce = packet[-8:]

    def recv(self, _: int) -> bytes:
        if self._is_silent:
            self._test.now += 5.0
            raise TimeoutError
        self._test.now += 0.5
        there = timestamp(self._test.now)
        self._test.now += 0.5
        return an_answer(origin=self._nonce, received=there, sent=there)
