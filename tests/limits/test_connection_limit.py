"""How many connections may be open."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Busy
from cmdserver.limits.connection_limit import ConnectionLimit
from tests.doubles import LAW


class GateTests(unittest.TestCase):
    def test_all_listeners_together(self) -> None:
        """The limit is over all listeners and sources; the one who is turned away is told when to try again."""
        connection_limit = ConnectionLimit(2, 2)
        connection_limit.enter("line", "a")
        connection_limit.enter("ssh", "b")
        with self.assertRaises(Busy) as raised:
            connection_limit.enter("web", "c")
        self.assertEqual("2 connections are open; try again in 5 s", str(raised.exception))
        self.assertEqual({"line": 1, "ssh": 1}, connection_limit.counts())
        connection_limit.leave("line", "a")
        connection_limit.enter("web", "c")

    def test_one_source(self) -> None:
        """One source cannot take all, at whichever listeners it tries."""
        connection_limit = ConnectionLimit(10, 2)
        connection_limit.enter("line", "a")
        connection_limit.enter("ssh", "a")
        with self.assertRaises(Busy) as raised:
            connection_limit.enter("web", "a")
        self.assertEqual("2 connections are open from a; try again in 5 s", str(raised.exception))
        connection_limit.enter("web", "b")
        connection_limit.leave("ssh", "a")
        connection_limit.enter("line", "a")
        self.assertEqual({"line": 2, "ssh": 0, "web": 1}, connection_limit.counts())
        self.assertEqual(3, connection_limit.total)

    def test_a_proxy(self) -> None:
        """It is not one source, but all of its connections count."""
        connection_limit = ConnectionLimit(3, 1)
        for _ in range(3):
            connection_limit.enter("web", "a", is_proxy=True)
        self.assertRaises(Busy, connection_limit.enter, "web", "a", is_proxy=True)
        connection_limit.leave("web", "a")
        self.assertRaises(Busy, connection_limit.enter, "web", "a")

    def test_one_network(self) -> None:
        """A host that has 2^64 addresses is one source with all of them, and is let out as it came in."""
        connection_limit = ConnectionLimit(10, 2)
        connection_limit.enter("line", "2001:db8::1")
        connection_limit.enter("line", "2001:db8::2")
        with self.assertRaises(Busy) as raised:
            connection_limit.enter("line", "2001:db8::3")
        self.assertEqual("2 connections are open from 2001:db8::/64; try again in 5 s", str(raised.exception))
        connection_limit.enter("line", "2001:db8:0:1::1")
        connection_limit.leave("line", "2001:db8::2")
        connection_limit.enter("line", "2001:db8::3")
        for source in ("2001:db8::1", "2001:db8::3", "2001:db8:0:1::1"):
            connection_limit.leave("line", source)
        self.assertEqual({}, connection_limit._by_source)

    def test_a_listener_stays_listed(self) -> None:
        """A listener that is empty again still counts, to nothing."""
        connection_limit = ConnectionLimit(1, 1)
        self.assertEqual({}, connection_limit.counts())
        connection_limit.enter("line", "a")
        connection_limit.leave("line", "a")
        self.assertEqual({"line": 0}, connection_limit.counts())
        self.assertEqual(0, connection_limit.total)

    def test_smaller_limits(self) -> None:
        """Limits that a reload has made smaller count for the next, and turn nobody out."""
        connection_limit = ConnectionLimit(3, 3)
        for _ in range(3):
            connection_limit.enter("line", "a")
        connection_limit.connections = connection_limit.per_source = 2
        self.assertRaises(Busy, connection_limit.enter, "line", "b")
        connection_limit.leave("line", "a")
        self.assertRaises(Busy, connection_limit.enter, "line", "b")
        connection_limit.leave("line", "a")
        connection_limit.enter("line", "b")
        self.assertEqual(2, connection_limit.total)

    def test_counts_are_a_copy(self) -> None:
        """Who looks at the counts later sees them as they were."""
        connection_limit = ConnectionLimit(2, 2)
        connection_limit.enter("line", "a")
        counts = connection_limit.counts()
        connection_limit.enter("line", "a")
        self.assertEqual({"line": 1}, counts)

    def test_sources_are_forgotten(self) -> None:
        """Of a thousand sources that have come and gone nothing is left."""
        connection_limit = ConnectionLimit(1, 1)
        for number in range(1000):
            connection_limit.enter("line", f"source {number}")
            connection_limit.leave("line", f"source {number}")
        self.assertEqual({}, connection_limit._by_source)

    @given(st.lists(st.tuples(st.booleans(), st.sampled_from(["line", "ssh"]), st.sampled_from(["a", "b", "c"]))))
    @LAW
    def test_the_law(self, moves: list[tuple[bool, str, str]]) -> None:
        """Those who were let in and have not left are counted, never more than may, and nobody is refused who might."""
        connection_limit, inside = ConnectionLimit(4, 2), list[tuple[str, str]]()
        for comes, protocol, source in moves:
            if comes:
                might = len(inside) < 4 and [other for _, other in inside].count(source) < 2
                try:
                    connection_limit.enter(protocol, source)
                except Busy:
                    self.assertFalse(might)
                else:
                    self.assertTrue(might)
                    inside.append((protocol, source))
            elif (protocol, source) in inside:
                connection_limit.leave(protocol, source)
                inside.remove((protocol, source))
            self.assertEqual(len(inside), connection_limit.total)
            protocols = [each for each, _ in inside]
            for each, count in connection_limit.counts().items():
                self.assertEqual(protocols.count(each), count)
