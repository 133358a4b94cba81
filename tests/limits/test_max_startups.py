"""sshd's MaxStartups: the slope, and the count at each listener."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Busy
from cmdserver.limits.max_startups import MaxStartups, UnauthenticatedConnections
from tests.doubles import LAW

CERTAINLY = 0.0
LUCKY = 0.999999
SOURCE = "192.0.2.1"


@st.composite
def startups(draw: st.DrawFn) -> MaxStartups:
    """Any that are allowed."""
    start = draw(st.integers(1, 200))
    return MaxStartups(start, draw(st.integers(1, 100)), draw(st.integers(start, start + 300)))


@pytest.mark.parametrize(
    ("unauthenticated", "per_cent"),
    [(0, 0), (9, 0), (10, 30), (11, 30), (12, 31), (20, 37), (55, 65), (99, 99), (100, 100), (5000, 100)],
)
def test_as_in_sshd(unauthenticated: int, per_cent: int) -> None:
    """The default refuses as sshd.c, should_drop_connection, computes it: in whole per cent, rounded down."""
    rule = MaxStartups.parse("10:30:100")
    assert rule.refused_per_cent(unauthenticated) == per_cent
    assert [rule.admit(unauthenticated, draw / 100) for draw in range(100)].count(False) == per_cent


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("10", "START:RATE:FULL"),
        ("10:30", "START:RATE:FULL"),
        ("10:30:100:1", "START:RATE:FULL"),
        ("-1:30:100", "START:RATE:FULL"),
        ("10:30:100\n", "START:RATE:FULL"),
        ("\u0661:30:100", "START:RATE:FULL"),
        ("0:30:100", "START is 0"),
        ("10:0:100", "RATE is 0"),
        ("10:101:100", "RATE is 101"),
        ("10:30:9", "FULL is 9"),
    ],
)
def test_what_is_wrong_is_said(text: str, complaint: str) -> None:
    """As sshd refuses to start with these, so do we."""
    with pytest.raises(ValueError, match=complaint):
        MaxStartups.parse(text)


@LAW
@given(startups())
def test_what_is_written_is_read(rule: MaxStartups) -> None:
    """The text has the three numbers and nothing else."""
    assert MaxStartups.parse(f"{rule.start}:{rule.rate}:{rule.full}") == rule


@LAW
@given(startups())
def test_the_ends_are_exact(rule: MaxStartups) -> None:
    """Below START nobody is refused, from FULL on everybody; at START it is RATE, if there is a slope at all."""
    assert rule.admit(rule.start - 1, CERTAINLY)
    assert not rule.admit(rule.full, LUCKY)
    assert rule.refused_per_cent(rule.start) == (rule.rate if rule.start < rule.full else 100)


@LAW
@given(startups(), st.integers(0, 600), st.floats(0, 1, exclude_max=True))
def test_more_strangers_never_help(rule: MaxStartups, unauthenticated: int, dice: float) -> None:
    """With the same dice, who is refused among few is refused among more."""
    now, then = rule.refused_per_cent(unauthenticated), rule.refused_per_cent(unauthenticated + 1)
    assert 0 <= now <= then <= 100
    assert rule.admit(unauthenticated, dice) or not rule.admit(unauthenticated + 1, dice)


class UnauthenticatedConnectionsTests(SynchronousTestCase):
    """The count at each listener."""

    def setUp(self) -> None:
        self.unauthenticated_connections = UnauthenticatedConnections(MaxStartups(2, 50, 4), per_source=0)

    def test_a_full_listener_refuses(self) -> None:
        """At FULL nobody gets in, and nothing is counted."""
        for _ in range(4):
            self.unauthenticated_connections.enter("ssh", SOURCE, LUCKY)
        refused = self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", SOURCE, LUCKY)
        self.assertEqual(str(refused), "4 connections here have not logged in yet; try again in 5 s")
        self.assertEqual(self.unauthenticated_connections._by_listener, {"ssh": 4})

    def test_the_dice_decide_in_between(self) -> None:
        """On the slope it depends on them."""
        self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)
        self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)
        self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", SOURCE, 0.49)
        self.unauthenticated_connections.enter("ssh", SOURCE, 0.5)

    def test_listeners_are_apart(self) -> None:
        """Strangers at one listener leave the others alone."""
        for _ in range(4):
            self.unauthenticated_connections.enter("ssh", SOURCE, LUCKY)
        self.unauthenticated_connections.enter("line", SOURCE, CERTAINLY)
        self.assertEqual(self.unauthenticated_connections._by_listener, {"ssh": 4, "line": 1})

    def test_leaving_makes_room(self) -> None:
        """Who has logged in, or is gone, counts no more."""
        for _ in range(4):
            self.unauthenticated_connections.enter("ssh", SOURCE, LUCKY)
        for _ in range(4):
            self.unauthenticated_connections.leave("ssh", SOURCE)
        self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)
        self.assertEqual(self.unauthenticated_connections._by_listener, {"ssh": 1})

    def test_a_new_rule_counts_at_once(self) -> None:
        """A reload keeps the count and changes the rule."""
        self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)
        self.unauthenticated_connections.reconfigure(MaxStartups(1, 100, 1))
        self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", SOURCE, LUCKY)

    def test_one_source(self) -> None:
        """It may have so many at each listener, and no more; others are let in as before, and so is it later."""
        self.unauthenticated_connections = UnauthenticatedConnections(MaxStartups(10, 50, 20), per_source=2)
        for _ in range(2):
            self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)
        refused = self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", SOURCE, LUCKY)
        self.assertEqual(str(refused), "2 connections here from 192.0.2.1 have not logged in yet; try again in 5 s")
        self.assertEqual(self.unauthenticated_connections._by_listener, {"ssh": 2})
        self.unauthenticated_connections.enter("line", SOURCE, CERTAINLY)
        self.unauthenticated_connections.enter("ssh", "192.0.2.2", CERTAINLY)
        self.unauthenticated_connections.leave("ssh", SOURCE)
        self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)

    def test_one_network(self) -> None:
        """Each of its 2^64 addresses counts for all; one that leaves is of the same, and nothing is remembered."""
        self.unauthenticated_connections = UnauthenticatedConnections(MaxStartups(10, 50, 20), per_source=2)
        for number in (1, 2):
            self.unauthenticated_connections.enter("ssh", f"2001:db8::{number}", CERTAINLY)
        self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", "2001:db8::3", LUCKY)
        self.unauthenticated_connections.enter("ssh", "2001:db8:0:1::1", CERTAINLY)
        for source in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
            self.unauthenticated_connections.leave("ssh", source)
        self.assertEqual(self.unauthenticated_connections._by_block, {})

    def test_who_cannot_be_told_apart(self) -> None:
        """All clients of a UNIX socket, or whom a proxy does not name, have the places of the listener together."""
        self.unauthenticated_connections = UnauthenticatedConnections(MaxStartups(10, 50, 20), per_source=1)
        for source in ("unix", "unknown"):
            for _ in range(4):
                self.unauthenticated_connections.enter("ssh", source, CERTAINLY)
        self.unauthenticated_connections.leave("ssh", "unix")
        self.assertEqual(self.unauthenticated_connections._by_listener, {"ssh": 7})

    def test_if_nobody_says_otherwise(self) -> None:
        """It is a quarter of FULL, and goes with it; what nobody at all is refused is never refused to one source."""
        self.unauthenticated_connections = UnauthenticatedConnections(MaxStartups(1, 1, 12))
        for _ in range(3):
            self.unauthenticated_connections.enter("ssh", SOURCE, LUCKY)
        self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", SOURCE, LUCKY)
        self.unauthenticated_connections.reconfigure(MaxStartups(4, 1, 12))
        self.unauthenticated_connections.enter("ssh", SOURCE, LUCKY)
        self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", SOURCE, LUCKY)
        self.assertEqual(MaxStartups.parse("10:30:100").usual_per_source, 25)

    def test_no_limit(self) -> None:
        """Without one, a source may have all; with a new one at once no more, and counting goes on meanwhile."""
        self.unauthenticated_connections = UnauthenticatedConnections(MaxStartups(10, 50, 20), per_source=0)
        for _ in range(9):
            self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)
        self.unauthenticated_connections.reconfigure(MaxStartups(10, 50, 20), 9)
        self.assertRaises(Busy, self.unauthenticated_connections.enter, "ssh", SOURCE, LUCKY)
        self.unauthenticated_connections.reconfigure(MaxStartups(10, 50, 20), 10)
        self.unauthenticated_connections.enter("ssh", SOURCE, CERTAINLY)
