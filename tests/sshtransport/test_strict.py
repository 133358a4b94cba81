"""Tests of which messages may come when, all of them."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.strict import Phase, may_receive, may_send


def allowed(phase: Phase, *, is_first: bool) -> set[int]:
    """Number the messages that a client may send."""
    return {number for number in range(256) if may_receive(phase, number, is_first=is_first, part=30)}


class MayReceiveTests(SynchronousTestCase):
    def test_the_first_exchange_takes_what_it_needs(self) -> None:
        """One message in each phase, or a farewell."""
        self.assertEqual(allowed(Phase.UNAGREED, is_first=True), {1, 20})
        self.assertEqual(allowed(Phase.EXCHANGING, is_first=True), {1, 30})
        self.assertEqual(allowed(Phase.CHANGING, is_first=True), {1, 21})

    def test_later_ones_take_what_may_always_come(self) -> None:
        """IGNORE, UNIMPLEMENTED and DEBUG too (RFC 4253 section 7.1)."""
        self.assertEqual(allowed(Phase.EXCHANGING, is_first=False), {1, 2, 3, 4, 30})
        self.assertEqual(allowed(Phase.CHANGING, is_first=False), {1, 2, 3, 4, 21})

    def test_between_exchanges_everything_may_come_but_parts_of_one(self) -> None:
        """Its beginning may."""
        self.assertEqual(allowed(Phase.OPEN, is_first=False), set(range(256)) - set(range(21, 50)))


class MaySendTests(SynchronousTestCase):
    def test_meanwhile_only_the_exchange_goes_out(self) -> None:
        """And a farewell."""
        self.assertEqual({number for number in range(256) if may_send(number)}, {1, *range(20, 50)})
