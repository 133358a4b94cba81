"""Tests of what happens to a peer that does not take what it asks for."""

from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cmdserver.sshtransport.congestion import MAX_EXCESS_BYTES, Congestion


class CongestionTests(SynchronousTestCase):
    def setUp(self) -> None:
        """Make one that notes what it says."""
        self.below = StringTransport()
        self.told: list[bool] = []
        self.congestion = Congestion(self.below, lambda: self.told.append(self.congestion.is_congested))

    def test_it_is_a_producer(self) -> None:
        """As Twisted's transports want one."""
        self.assertTrue(verifyObject(IPushProducer, self.congestion))

    def test_who_takes_everything_is_always_read(self) -> None:
        """However much it is."""
        self.congestion.wrote(100 * MAX_EXCESS_BYTES)

        self.assertEqual((self.below.producerState, self.told), ("producing", []))

    def test_input_stops_with_too_much_output_and_goes_on_with_none(self) -> None:
        """Only what was written since the congestion counts."""
        self.congestion.wrote(MAX_EXCESS_BYTES)
        self.congestion.pauseProducing()
        self.congestion.wrote(MAX_EXCESS_BYTES)
        states = [self.below.producerState]
        self.congestion.wrote(1)
        states.append(self.below.producerState)
        self.congestion.resumeProducing()
        states.append(self.below.producerState)

        self.assertEqual(states, ["producing", "paused", "producing"])
        self.assertEqual(self.told, [True, False])

    def test_each_congestion_counts_anew(self) -> None:
        """What was taken is forgotten."""
        for _ in range(3):
            self.congestion.pauseProducing()
            self.congestion.wrote(MAX_EXCESS_BYTES)
            self.assertEqual(self.below.producerState, "producing")
            self.congestion.resumeProducing()

    def test_the_end_needs_nothing(self) -> None:
        """The protocol hears of it itself."""
        self.congestion.stopProducing()

        self.assertEqual(self.told, [])
