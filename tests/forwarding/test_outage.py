"""Tests of what the log is told of a receiver that cannot be reached."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.forwarding.outage import SAY_SECONDS, Level, Outage


class OutageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.outage = Outage("tcp:logs:514")

    def test_each_reason_once(self) -> None:
        """However often it is tried, and no more than a few."""
        said = [self.outage.begin(reason) for reason in ("refused", "refused", "gone", "refused", *"abcdef")]

        self.assertEqual(len([each for each in said if each]), 5)
        self.assertIn("wait for tcp:logs:514: refused", str(said[0]))

    def test_losses(self) -> None:
        """The first at once, and then now and then, with what was lost so far."""
        self.outage.begin("refused")
        times = (0.0, 1.0, SAY_SECONDS - 1, SAY_SECONDS, SAY_SECONDS + 1)
        said = [self.outage.lose(2, now) for now in times]

        self.assertEqual([each is not None for each in said], [True, False, False, True, False])
        assert said[0] is not None
        assert said[3] is not None
        self.assertEqual(said[0].level, Level.ERROR)
        self.assertIn("2 lines of the audit file lost for tcp:logs:514 so far: refused", said[0].text)
        self.assertIn("8 lines", said[3].text)
        self.assertIsNone(self.outage.lose(0, 1e6))

    def test_the_end(self) -> None:
        """How many were lost; nothing if there was no trouble."""
        self.assertIsNone(self.outage.end())
        self.outage.begin("refused")
        self.outage.lose(1, 0.0)
        said = self.outage.end()
        assert said is not None
        self.assertEqual(said.level, Level.GOOD)
        self.assertIn("sent to tcp:logs:514 again; 1 line lost", said.text)
        self.assertIsNone(self.outage.end())
        self.assertIsNotNone(self.outage.begin("refused"))

    def test_a_receiver_that_is_slow(self) -> None:
        """It is there, and does not take what comes."""
        self.assertIn("does not take them as fast", str(self.outage.lose(1, 0.0)))
