"""sshd's PerSourcePenalties: who is refused, for how long, and what is remembered."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.addresses import parse_network
from cmdserver.limits.source_penalties import MAX_SECONDS, MAX_SOURCES, MIN_SECONDS, SECONDS, Offence, Penalties
from tests.doubles import LAW

SOURCE = "192.0.2.1"
OTHER = "192.0.2.2"

offences = st.sampled_from(Offence)
#: Few enough to meet often, of every kind.
sources = st.sampled_from(
    [f"192.0.2.{number}" for number in range(6)]
    + [f"2001:db8:0:{number}::1" for number in range(6)]
    + ["127.0.0.1", "::1", "10.1.2.3", "unix", "unknown"]
)
charges = st.lists(st.tuples(sources, offences, st.floats(0, 30)), max_size=60)


class PenaltiesTests(SynchronousTestCase):
    """One list of sources."""

    def setUp(self) -> None:
        self.penalties = Penalties()

    def _charge(self, source: str, times: int, offence: Offence = Offence.AUTHFAIL, now: float = 0) -> list[bool]:
        return [self.penalties.charge(source, offence, now) for _ in range(times)]

    def test_the_first_offences_are_free(self) -> None:
        """Three wrong passwords at once are 15 s, which is not more than 15 s; the fourth is."""
        self.assertEqual(self._charge(SOURCE, 3), [False, False, False])
        self.assertIsNone(self.penalties.is_refused(SOURCE, 0))
        self.assertEqual(self._charge(SOURCE, 2), [True, False], "said once, for the log")
        self.assertEqual(self.penalties.is_refused(SOURCE, 0), 25)
        self.assertIsNone(self.penalties.is_refused(OTHER, 0))

    def test_refused_to_the_end(self) -> None:
        """Below the minimum again it is still refused, as in sshd, until everything has run off."""
        self._charge(SOURCE, 4)
        self.assertEqual(self.penalties.is_refused(SOURCE, 19.5), 0.5)
        self.assertIsNone(self.penalties.is_refused(SOURCE, 20))
        self.assertEqual(self._charge(SOURCE, 1, now=20), [False], "and begins anew")
        self.assertIsNone(self.penalties.is_refused(SOURCE, 20))

    def test_a_person_is_never_refused(self) -> None:
        """One wrong password in five seconds can go on all day."""
        for turn in range(1000):
            self.penalties.charge("127.0.0.1", Offence.AUTHFAIL, turn * 5.0)
            self.assertIsNone(self.penalties.is_refused("127.0.0.1", turn * 5.0))

    def test_a_port_watched_every_second(self) -> None:
        """A monitor that connects each second and says nothing is not refused."""
        for second in range(1000):
            self.penalties.charge(SOURCE, Offence.NOAUTH, float(second))
            self.assertIsNone(self.penalties.is_refused(SOURCE, float(second)))

    def test_prices(self) -> None:
        """Those of sshd."""
        self.assertEqual(SECONDS, {Offence.AUTHFAIL: 5, Offence.NOAUTH: 1, Offence.GRACE_EXCEEDED: 10})
        self._charge(SOURCE, 2, Offence.GRACE_EXCEEDED)
        self._charge(SOURCE, 1, Offence.NOAUTH)
        self.assertEqual(self.penalties.is_refused(SOURCE, 0), 21)

    def test_at_most_ten_minutes(self) -> None:
        """However much it does."""
        self._charge(SOURCE, 500)
        self.assertEqual(self.penalties.is_refused(SOURCE, 0), MAX_SECONDS)

    def test_a_network_of_64_bits_suffers_together(self) -> None:
        """A host cannot escape by choosing another of its 2^64 addresses; the next network is another's."""
        for number in range(4):
            self.penalties.charge(f"2001:db8::{number}", Offence.AUTHFAIL, 0)
        self.assertEqual(self.penalties.is_refused("2001:db8::ffff:ffff:ffff:ffff", 0), 20)
        self.assertIsNone(self.penalties.is_refused("2001:db8:0:1::", 0))

    def test_a_mapped_address_is_the_ipv4_one(self) -> None:
        """The socket that a client comes through makes no difference."""
        self._charge(f"::ffff:{SOURCE}", 4)
        self.assertEqual(self.penalties.is_refused(SOURCE, 0), 20)

    def test_who_cannot_be_told_apart_is_not_charged(self) -> None:
        """All clients of a Unix socket would suffer for one."""
        for source in ("unix", "unknown"):
            self.assertEqual(self._charge(source, 10), [False] * 10)
            self.assertIsNone(self.penalties.is_refused(source, 0))
        self.assertEqual(len(self.penalties), 0)

    def test_exempt(self) -> None:
        """An exempt network has nothing outstanding; to be exempted later is a pardon."""
        self.penalties.reconfigure(map(parse_network, ["192.0.2.0/31", "2001:db8::/32"]))
        self._charge(SOURCE, 10)
        self._charge("2001:db8::1", 10)
        self.assertEqual(len(self.penalties), 0)
        self._charge(OTHER, 10)
        self.assertEqual(self.penalties.is_refused(OTHER, 0), 50)
        self.penalties.reconfigure([parse_network(OTHER)])
        self.assertIsNone(self.penalties.is_refused(OTHER, 0))

    def test_a_clock_that_is_set_back(self) -> None:
        """Nobody is refused for an hour because the host's clock was an hour fast."""
        self._charge(SOURCE, 4, now=3600)
        self.assertEqual(self.penalties.is_refused(SOURCE, 3605), 15)
        self.assertEqual(self.penalties.is_refused(SOURCE, 5), 15)
        self.assertEqual(self.penalties.is_refused(SOURCE, 10), 10)

    def test_the_least_is_forgotten_first(self) -> None:
        """When too many are remembered, whoever has the least outstanding by now is let off."""
        self.penalties = Penalties(max_sources=2)
        self._charge(SOURCE, 1, Offence.NOAUTH)
        self._charge(OTHER, 2, Offence.NOAUTH)
        self._charge(SOURCE, 6)
        self._charge("192.0.2.3", 4)
        self.assertEqual(len(self.penalties), 2)
        self.assertEqual(self.penalties.is_refused(SOURCE, 0), 31)
        self.assertEqual(self.penalties.is_refused("192.0.2.3", 0), 20)
        self._charge("2001:db8::1", 4)
        self.assertEqual(len(self.penalties), 3, "each family has a table of its own")

    def test_a_flood_from_everywhere(self) -> None:
        """As many as sshd remembers, and no more; what has run off is forgotten with the next offence."""
        for number in range(MAX_SOURCES + 10):
            self.penalties.charge(str(ipaddress.IPv4Address(number)), Offence.AUTHFAIL, 0)
        self.assertEqual(len(self.penalties), MAX_SOURCES)
        self._charge(SOURCE, 1, now=5)
        self.assertEqual(len(self.penalties), 1)


@LAW
@given(charges, st.integers(0, 4))
def test_neither_time_nor_memory_is_unbounded(sequence: list[tuple[str, Offence, float]], most: int) -> None:
    """No sequence gets anybody more than the maximum, or makes more sources be remembered than allowed."""
    penalties, now = Penalties(max_sources=most), 0.0
    for source, offence, pause in sequence:
        now += pause
        penalties.charge(source, offence, now)
        left = penalties.is_refused(source, now)
        assert left is None or 0 < left <= MAX_SECONDS
        for table in penalties._tables.values():
            assert len(table) == len(table._soonest) <= most


@LAW
@given(charges, st.floats(0, 700), st.floats(0, 700))
def test_time_heals(sequence: list[tuple[str, Offence, float]], first: float, second: float) -> None:
    """Without new offences what is left only shrinks, by the time that passes, and is nothing in the end."""
    penalties, now = Penalties(), 0.0
    for source, offence, pause in sequence:
        now += pause
        penalties.charge(source, offence, now)
    everybody = {source for source, _, _ in sequence}
    before = {source: penalties.is_refused(source, now + first) for source in everybody}
    for source in everybody:
        after = penalties.is_refused(source, now + first + second)
        if after is not None:
            earlier = before[source]
            assert earlier is not None
            assert after == pytest.approx(earlier - second, abs=1e-6)
    assert not any(penalties.is_refused(source, now + first + second + MAX_SECONDS) for source in everybody)


@LAW
@given(st.lists(st.tuples(sources, offences, st.sampled_from([0.0, 0.0, 0.25, 1.0, 4.75, 30.0])), max_size=60))
def test_the_same_as_arithmetic(sequence: list[tuple[str, Offence, float]]) -> None:
    """Sums that run off, and a threshold: what the table says is what a slate for each source would say."""
    penalties, now = Penalties(), 0.0
    slate: dict[str, tuple[float, bool]] = {}
    for source, offence, pause in sequence:
        now += pause
        penalties.charge(source, offence, now)
        if source in {"unix", "unknown"}:
            assert penalties.is_refused(source, now) is None
            continue
        until, is_active = slate.get(source, (now, False))
        if until <= now:
            until, is_active = now, False
        until = min(until + SECONDS[offence], now + MAX_SECONDS)
        slate[source] = (until, is_active or until - now > MIN_SECONDS)
        for each, (its_end, refused) in slate.items():
            left = penalties.is_refused(each, now)
            assert left == (its_end - now if refused and its_end > now else None)


@LAW
@given(st.lists(st.tuples(sources, offences, st.floats(-1000, 1000)), max_size=60))
def test_the_exempt_are_never_refused(sequence: list[tuple[str, Offence, float]]) -> None:
    """Whatever they do, and whatever the clock does."""
    penalties = Penalties(map(parse_network, ["127.0.0.0/8", "::1", "10.0.0.0/8"]))
    for source, offence, now in sequence:
        penalties.charge(source, offence, now)
        for exempt in ("127.0.0.1", "::1", "10.1.2.3", "unix", "unknown"):
            assert penalties.is_refused(exempt, now) is None
