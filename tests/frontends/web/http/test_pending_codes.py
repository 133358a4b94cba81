"""Logins that wait for a code."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import CodeRequired, Proof
from cmdserver.frontends.web.http import pending_codes
from cmdserver.frontends.web.http.pending_codes import SECONDS, PendingCodes

REQUIRED = CodeRequired(Proof(name="ada", method="password"))


class PendingCodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.codes = PendingCodes()

    def begin(self, now: float, random: bytes = b"x") -> tuple[str, int]:
        """Let one wait; return its number, and how many are over."""
        number, over = self.codes.begin(REQUIRED, "192.0.2.1", now, random)
        return number, len(over)

    def test_once(self) -> None:
        """A number is good for one try."""
        number, _ = self.begin(0)
        pending = self.codes.take(number, SECONDS)
        assert pending is not None
        self.assertIs(REQUIRED, pending.required)
        self.assertIsNone(self.codes.take(number, SECONDS))

    def test_late(self) -> None:
        """It is good for a while, and counted as over once."""
        number, _ = self.begin(0)
        self.assertIsNone(self.codes.take(number, SECONDS + 1))
        self.assertEqual([1, 0], [self.begin(SECONDS + 1, b"y")[1], self.begin(SECONDS + 1, b"z")[1]])

    def test_memory_is_bounded(self) -> None:
        """The oldest makes room, and is over."""
        self.patch(pending_codes, "MOST", 2)
        self.assertEqual([0, 0, 1], [self.begin(0, random)[1] for random in (b"a", b"b", b"c")])
        self.assertIsNone(self.codes.take(b"a".hex(), 0))
