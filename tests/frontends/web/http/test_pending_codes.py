"""Logins that wait for a code."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import CodeRequired, Proof
from cmdserver.frontends.web.http import pending_codes
from cmdserver.frontends.web.http.pending_codes import PendingCodes


def required(name: str) -> CodeRequired:
    """Make what somebody has shown."""
    return CodeRequired(Proof(name=name, method="password"))


class PendingCodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.codes = PendingCodes()

    def begin(self, name: str, random: bytes) -> str | None:
        """Let one wait; return which one is over."""
        number, over = self.codes.begin(required(name), random)
        self.assertEqual(random.hex(), number)
        if over is not None:
            self.assertIsNotNone(self.codes.take(over))
        return over

    def test_once(self) -> None:
        """A number is good for one try."""
        shown = required("ada")
        number, _ = self.codes.begin(shown, b"x")
        self.assertIs(shown, self.codes.take(number))
        self.assertIsNone(self.codes.take(number))

    def test_nobody_pushes_others_out(self) -> None:
        """The oldest of a user's own makes room."""
        self.patch(pending_codes, "MOST_OF_A_USER", 2)
        over = [
            self.begin(name, random) for name, random in (("bob", b"a"), ("ada", b"b"), ("ada", b"c"), ("ada", b"d"))
        ]
        self.assertEqual([None, None, None, b"b".hex()], over)
        self.assertIsNotNone(self.codes.take(b"a".hex()))

    def test_memory_is_bounded(self) -> None:
        """The oldest of all makes room in the end."""
        self.patch(pending_codes, "MOST", 2)
        self.assertEqual([None, None, b"a".hex()], [self.begin(name, name.encode()) for name in "abc"])
