"""Tests of nonces: one is good once, whatever the clock does, and a full store lets nobody in twice."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Busy
from cmdserver.limits.nonces import START_SECONDS, Nonces, Used

STARTED = 1000.0
LATER = STARTED + START_SECONDS + 1


class NonceTests(unittest.TestCase):
    def setUp(self) -> None:
        self.uptime = 1e9
        self.nonces = Nonces(STARTED, lambda: self.uptime, most=5, most_of_key=3)

    def spend(self, nonce: str = "n", key: str = "k", *, now: float = LATER, created: float | None = None) -> None:
        """Spend one of a signature that is good for a minute, and five seconds."""
        made = now if created is None else created
        self.nonces.spend(key, nonce, created=made, until=made + 65, now=now)

    def test_once(self) -> None:
        """A nonce is a key's: two keys may have the same."""
        self.spend()
        self.spend(key="other")

        with self.assertRaises(Used):
            self.spend()

    def test_as_long_as_it_is_good(self) -> None:
        """It is forgotten when its signature is good for nothing any more, and not before."""
        self.spend(now=LATER)
        with self.assertRaises(Used):
            self.spend(now=LATER + 65, created=LATER)
        self.spend(now=LATER + 65.1)  # by another signature

    def test_a_clock_that_was_behind(self) -> None:
        """Where it is put right after the start, what was signed before the start is still as old as it is."""
        self.uptime = 20.0
        now = STARTED + 3600
        for created in (now - 50, now - 20 + START_SECONDS):
            with self.assertRaisesRegex(Busy, "just started"):
                self.spend(now=now, created=created)
        self.spend(now=now, created=now - 20 + START_SECONDS + 1)

    def test_too_late(self) -> None:
        """What may have been forgotten a moment ago is not taken for new."""
        self.nonces.spend("k", "n", created=LATER, until=LATER + 65, now=LATER)
        with self.assertRaises(Used):
            self.nonces.spend("k", "n", created=LATER, until=LATER + 65, now=LATER + 65.1)

    def test_full(self) -> None:
        """What is known stays known; there is room again when something is forgotten."""
        for number in range(3):
            self.spend(f"{number}", now=LATER + number)
        with self.assertRaisesRegex(Busy, "too many"):
            self.spend("3")
        for number in range(2):
            self.spend(f"{number}", key="other")
        with self.assertRaisesRegex(Busy, "too many"):
            self.spend("2", key="other")
        with self.assertRaises(Used):
            self.spend("0", now=LATER + 65, created=LATER)
        self.spend("3", now=LATER + 65.5)

    def test_a_start(self) -> None:
        """What was signed before it, also by a clock that is ahead, may have been used; nothing is taken at first."""
        for now, created in (
            (STARTED, STARTED), (STARTED + 5, STARTED + 5), (STARTED + 2, STARTED + 7), (STARTED + 30, STARTED + 5),
            (STARTED + 30, STARTED - 20),
        ):  # fmt: skip
            with self.assertRaisesRegex(Busy, "just started"):
                self.spend(now=now, created=created)
        self.spend(now=STARTED + 5.1, created=STARTED + 5.1)

    def test_the_clock_does_not_go_back(self) -> None:
        """A clock that is set back makes nothing good again."""
        self.assertEqual(self.nonces.latest(5000), 5000)
        self.assertEqual(self.nonces.latest(4000), 5000)
        self.assertEqual(Nonces(STARTED, lambda: 0.0).latest(1), STARTED)

    @given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.floats(0, 200)), max_size=40))
    def test_never_twice(self, tried: list[tuple[str, str, float]]) -> None:
        """Whatever times clocks say, in whatever order: no signature that is still good is taken twice."""
        nonces = Nonces(0, lambda: 1e9, most=3, most_of_key=2)
        good: dict[tuple[str, str], float] = {}
        for key, nonce, now in tried:
            time = nonces.latest(now)
            created = int(time)
            try:
                nonces.spend(key, nonce, created=created, until=created + 65, now=now)
            except (Used, Busy):
                continue
            self.assertLess(good.get((key, nonce), -1), time)
            good[key, nonce] = created + 65
