"""Tests of what waits for a receiver."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.forwarding.backlog import Backlog


class BacklogTests(SynchronousTestCase):
    @given(st.lists(st.one_of(st.integers(0, 40), st.none())))
    def test_nothing_is_lost_uncounted(self, deeds: list[int | None]) -> None:
        """Whatever comes and goes: all is sent, lost or waits, in its order, and within the bounds."""
        backlog, added, sent = Backlog(5, 100), 0, []
        for size in deeds:
            if size is not None:
                lost = backlog.lost
                self.assertEqual(backlog.add(b"%03d" % added + b"x" * size), backlog.lost - lost)
                added += 1
            elif (first := backlog.first()) is not None:
                sent.append(first)
                backlog.take_first()

            self.assertEqual(backlog.sent + backlog.lost + len(backlog), added)
            self.assertLessEqual(len(backlog), 5)
        self.assertEqual(sent, sorted(sent))
        self.assertEqual(backlog.sent, len(sent))

    def test_bounds(self) -> None:
        """In lines and in bytes; the oldest are lost."""
        for backlog in (Backlog(2, 100), Backlog(100, 6)):
            self.assertEqual([backlog.add(each) for each in (b"one", b"two", b"six")], [0, 0, 1])
            self.assertEqual(backlog.first(), b"two")

    def test_a_message_that_is_too_large_by_itself(self) -> None:
        """It is lost, and counted."""
        backlog = Backlog(5, 3)

        self.assertEqual((backlog.add(b"four"), backlog.first(), len(backlog)), (1, None, 0))

    def test_giving_up(self) -> None:
        """All that waits is lost, and what did not arrive was not sent."""
        backlog = Backlog(10, 100)
        for each in (b"a", b"b", b"c"):
            backlog.add(each)
        backlog.take_first()
        backlog.lose_sent()

        self.assertEqual((backlog.lose_all(), backlog.sent, backlog.lost, len(backlog)), (2, 0, 3, 0))
