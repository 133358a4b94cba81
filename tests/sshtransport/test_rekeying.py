"""Tests of when keys have been used enough."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.rekeying import MOST_PACKETS, KeyUse, RekeyLimits

LIMITS = RekeyLimits(size=1000, packets=10, seconds=60.0)


class KeyUseTests(SynchronousTestCase):
    @given(st.lists(st.integers(1, 500), max_size=15), st.floats(0, 100))
    def test_each_limit_is_one(self, sizes: list[int], age: float) -> None:
        """A key is spent when bytes, packets or seconds have reached their limit, and not before."""
        use = KeyUse(LIMITS, 1000.0)
        for size in sizes:
            use.count(size)

        now = 1000.0 + age
        self.assertIs(use.is_spent(now), sum(sizes) >= 1000 or len(sizes) >= 10 or now - 1000.0 >= 60)

    def test_the_defaults(self) -> None:
        """1 GiB, 2^31 packets, an hour: RFC 4253 section 9, RFC 4344 section 3.1, and OpenSSH."""
        self.assertEqual(RekeyLimits(), RekeyLimits(size=1073741824, packets=2147483648, seconds=3600.0))

    def test_a_key_ends_before_its_nonces_do(self) -> None:
        """Whatever the limits are."""
        use = KeyUse(RekeyLimits(packets=1 << 60), 0.0)
        use._packets = MOST_PACKETS - 1
        before = use.is_exhausted

        use.count(1)

        self.assertEqual((before, use.is_exhausted), (False, True))
        self.assertLess(MOST_PACKETS, 1 << 32)
