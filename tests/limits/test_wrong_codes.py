"""Wrong codes in a row."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.limits import wrong_codes
from cmdserver.limits.wrong_codes import FIRST_SECONDS, FREE, MOST_SECONDS, WrongCodes


class WrongCodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.codes = WrongCodes()

    def test_some_are_free(self) -> None:
        """The last of them costs time, each further one twice as much, up to a bound; others wait for nothing."""
        for _ in range(FREE - 1):
            self.codes.wrong("ann", 0)
            self.assertEqual(0, self.codes.seconds_to_wait("ann", 0))
        waits = []
        for _ in range(40):
            self.codes.wrong("ann", 100)
            waits.append(self.codes.seconds_to_wait("ann", 100))
        self.assertEqual([FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS], waits[:3])
        self.assertEqual(MOST_SECONDS, waits[-1])
        self.assertEqual(0, self.codes.seconds_to_wait("ben", 100))
        self.assertEqual(0, self.codes.seconds_to_wait("ann", 100 + MOST_SECONDS))

    def test_a_right_one(self) -> None:
        """It makes all forgotten."""
        for _ in range(FREE):
            self.codes.wrong("ann", 0)
        self.codes.right("ann")
        self.codes.wrong("ann", 0)
        self.assertEqual(0, self.codes.seconds_to_wait("ann", 0))

    def test_memory_is_bounded(self) -> None:
        """Who has failed first makes room."""
        self.patch(wrong_codes, "MOST_USERS", 3)
        for name in "abcd":
            for _ in range(FREE):
                self.codes.wrong(name, 0)
        self.assertEqual([0, 30, 30, 30], [self.codes.seconds_to_wait(name, 0) for name in "abcd"])
