"""Whom proxies have named of late."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.web.proxies.logins import ProxiedLogins
from cmdserver.frontends.web.sessions import ABSOLUTE_SECONDS, IDLE_SECONDS
from tests.doubles import a_caller

ANN = ("ann",)


class ProxiedLoginsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.logins = ProxiedLogins(most=2)
        self.logins.begin(ANN, a_caller("ann", source="192.0.2.1"), 0.0)

    def test_found_until_it_is_not_heard_of(self) -> None:
        """Each request makes it younger."""
        for now in (IDLE_SECONDS, 2 * IDLE_SECONDS):
            self.assertEqual(self.logins.find(ANN, "192.0.2.1", now), a_caller("ann", source="192.0.2.1"))
        self.assertIsNone(self.logins.find(ANN, "192.0.2.1", 3 * IDLE_SECONDS + 1))
        self.assertEqual(len(self.logins), 0)

    def test_over_in_the_end(self) -> None:
        """However often it is heard of."""
        now = 0.0
        while now < ABSOLUTE_SECONDS:
            self.assertIsNotNone(self.logins.find(ANN, "192.0.2.1", now))
            now += IDLE_SECONDS
        self.assertIsNone(self.logins.find(ANN, "192.0.2.1", ABSOLUTE_SECONDS + 1))

    def test_another_name_or_source(self) -> None:
        """Each is a login of its own."""
        self.assertIsNone(self.logins.find(("bob",), "192.0.2.1", 1.0))
        self.assertIsNone(self.logins.find(("ann", "ann"), "192.0.2.1", 1.0))
        self.assertIsNone(self.logins.find(ANN, "192.0.2.2", 1.0))

    def test_bounded(self) -> None:
        """Who was not heard of for longest makes room."""
        self.logins.begin(("bob",), a_caller("bob"), 1.0)
        self.logins.find(ANN, "192.0.2.1", 2.0)
        self.logins.begin(("eve",), a_caller("eve"), 3.0)

        self.assertEqual(len(self.logins), 2)
        self.assertIsNone(self.logins.find(("bob",), "192.0.2.1", 4.0))
        self.assertIsNotNone(self.logins.find(ANN, "192.0.2.1", 4.0))
