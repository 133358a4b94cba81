"""Tests of what large bodies hold."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Busy, Malformed
from cmdserver.frontends.web.http.large_bodies import MOST_HELD_BYTES, LargeBodies


class LargeBodiesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bodies = LargeBodies(lambda target: {b"/hook": 1000, b"/huge": 1 << 30}.get(target, 10))

    def test_each_target_has_a_most(self) -> None:
        """What is announced holds nothing yet."""
        self.bodies.hold(b"/hook", 1000, 0)
        self.bodies.hold(b"/hook", 1000, 600)
        self.bodies.hold(b"/other", 10, 10)
        for target, size in ((b"/hook", 1001), (b"/other", 11)):
            self.assertRaises(Malformed, self.bodies.hold, target, size, 1)
        self.assertEqual(self.bodies.held_bytes, 610)

    def test_all_together_have_a_most(self) -> None:
        """Whoever comes then tries again; when others are done there is room."""
        self.bodies.hold(b"/huge", MOST_HELD_BYTES, MOST_HELD_BYTES)
        self.assertRaises(Busy, self.bodies.hold, b"/hook", 1, 1)
        self.bodies.hold(b"/hook", 1, 0)
        self.bodies.release(1)
        self.bodies.hold(b"/hook", 1, 1)
        self.assertEqual(self.bodies.held_bytes, MOST_HELD_BYTES)
