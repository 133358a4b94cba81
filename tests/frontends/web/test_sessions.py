"""Tests of sessions, which end in many ways."""

import unittest

from cmdserver.frontends.web.sessions import ABSOLUTE_SECONDS, IDLE_SECONDS, SECRET_BYTES, Sessions
from tests.running_doubles import user

ADA = user("ada")


def secret(number: int) -> bytes:
    """Make randomness that is not."""
    return bytes([number]) * SECRET_BYTES + bytes([number + 100]) * SECRET_BYTES


class SessionsTests(unittest.TestCase):
    def setUp(self) -> None:
        self.sessions = Sessions(most=5, most_of_a_user=2)

    def test_a_session_is_its_callers(self) -> None:
        """Its number finds who has logged in, and a token that is not the number."""
        number = self.sessions.begin(ADA, 0.0, secret(1))

        session = self.sessions.find(number, 1.0)

        assert session is not None
        self.assertIs(session.caller, ADA)
        self.assertNotEqual(session.token, number)
        self.assertGreaterEqual(len(number), 64)
        self.assertIsNone(self.sessions.find("another", 1.0))

    def test_logout_ends_it(self) -> None:
        """After that its number is nobody's."""
        number = self.sessions.begin(ADA, 0.0, secret(1))

        self.sessions.end(number)
        self.sessions.end(number)

        self.assertIsNone(self.sessions.find(number, 1.0))

    def test_silence_ends_it(self) -> None:
        """A session that is used goes on, and one that is not does not."""
        number = self.sessions.begin(ADA, 0.0, secret(1))

        self.assertIsNotNone(self.sessions.find(number, IDLE_SECONDS))
        self.assertIsNotNone(self.sessions.find(number, 2 * IDLE_SECONDS))
        self.assertIsNone(self.sessions.find(number, 3 * IDLE_SECONDS + 1))
        self.assertIsNone(self.sessions.find(number, 3 * IDLE_SECONDS + 1))

    def test_nothing_keeps_it_for_ever(self) -> None:
        """However much it is used, it ends."""
        number = self.sessions.begin(ADA, 0.0, secret(1))

        now = 0.0
        while now <= ABSOLUTE_SECONDS:
            self.assertIsNotNone(self.sessions.find(number, now))
            now += IDLE_SECONDS / 2
        self.assertIsNone(self.sessions.find(number, now))

    def test_a_user_has_only_so_many(self) -> None:
        """The one that was not heard of for longest makes room, and others' do not."""
        bea = self.sessions.begin(user("bea"), 0.0, secret(9))
        first, second = (self.sessions.begin(ADA, 0.0, secret(number)) for number in (1, 2))
        self.sessions.find(first, 1.0)

        third = self.sessions.begin(ADA, 2.0, secret(3))

        alive = [number for number in (first, second, third, bea) if self.sessions.find(number, 3.0)]
        self.assertEqual(alive, [first, third, bea])

    def test_there_are_only_so_many(self) -> None:
        """However many log in, a bounded number of sessions is kept."""
        for number in range(20):
            self.sessions.begin(user(f"user{number}"), float(number), secret(number))

        self.assertEqual(len(self.sessions), 5)

    def test_what_is_over_makes_room_first(self) -> None:
        """Nobody loses a session to one that is over."""
        over = self.sessions.begin(ADA, 0.0, secret(1))
        alive = self.sessions.begin(ADA, IDLE_SECONDS, secret(2))

        self.sessions.begin(ADA, IDLE_SECONDS + 1, secret(3))

        self.assertIsNone(self.sessions.find(over, IDLE_SECONDS + 1))
        self.assertIsNotNone(self.sessions.find(alive, IDLE_SECONDS + 1))
