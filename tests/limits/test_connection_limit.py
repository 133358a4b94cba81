"""How many connections may be open."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Busy
from cmdserver.limits.connection_limit import Gate
from tests.doubles import LAW


class GateTests(unittest.TestCase):
    def test_all_doors_together(self) -> None:
        """The limit is over all doors and sources; the one who is turned away is told when to try again."""
        gate = Gate(2, 2)
        gate.enter("line", "a")
        gate.enter("ssh", "b")
        with self.assertRaises(Busy) as raised:
            gate.enter("web", "c")
        self.assertEqual("2 connections are open; try again in 5 s", str(raised.exception))
        self.assertEqual({"line": 1, "ssh": 1}, gate.counts())
        gate.leave("line", "a")
        gate.enter("web", "c")

    def test_one_source(self) -> None:
        """One source cannot take all, at whichever doors it tries."""
        gate = Gate(10, 2)
        gate.enter("line", "a")
        gate.enter("ssh", "a")
        with self.assertRaises(Busy) as raised:
            gate.enter("web", "a")
        self.assertEqual("2 connections are open from a; try again in 5 s", str(raised.exception))
        gate.enter("web", "b")
        gate.leave("ssh", "a")
        gate.enter("line", "a")
        self.assertEqual({"line": 2, "ssh": 0, "web": 1}, gate.counts())
        self.assertEqual(3, gate.total)

    def test_one_network(self) -> None:
        """A host that has 2^64 addresses is one source with all of them, and is let out as it came in."""
        gate = Gate(10, 2)
        gate.enter("line", "2001:db8::1")
        gate.enter("line", "2001:db8::2")
        with self.assertRaises(Busy) as raised:
            gate.enter("line", "2001:db8::3")
        self.assertEqual("2 connections are open from 2001:db8::/64; try again in 5 s", str(raised.exception))
        gate.enter("line", "2001:db8:0:1::1")
        gate.leave("line", "2001:db8::2")
        gate.enter("line", "2001:db8::3")
        for source in ("2001:db8::1", "2001:db8::3", "2001:db8:0:1::1"):
            gate.leave("line", source)
        self.assertEqual({}, gate._by_source)

    def test_a_door_stays_listed(self) -> None:
        """A door that is empty again still counts, to nothing."""
        gate = Gate(1, 1)
        self.assertEqual({}, gate.counts())
        gate.enter("line", "a")
        gate.leave("line", "a")
        self.assertEqual({"line": 0}, gate.counts())
        self.assertEqual(0, gate.total)

    def test_smaller_limits(self) -> None:
        """Limits that a reload has made smaller count for the next, and turn nobody out."""
        gate = Gate(3, 3)
        for _ in range(3):
            gate.enter("line", "a")
        gate.connections = gate.per_source = 2
        self.assertRaises(Busy, gate.enter, "line", "b")
        gate.leave("line", "a")
        self.assertRaises(Busy, gate.enter, "line", "b")
        gate.leave("line", "a")
        gate.enter("line", "b")
        self.assertEqual(2, gate.total)

    def test_counts_are_a_copy(self) -> None:
        """Who looks at the counts later sees them as they were."""
        gate = Gate(2, 2)
        gate.enter("line", "a")
        counts = gate.counts()
        gate.enter("line", "a")
        self.assertEqual({"line": 1}, counts)

    def test_sources_are_forgotten(self) -> None:
        """Of a thousand sources that have come and gone nothing is left."""
        gate = Gate(1, 1)
        for number in range(1000):
            gate.enter("line", f"source {number}")
            gate.leave("line", f"source {number}")
        self.assertEqual({}, gate._by_source)

    @given(st.lists(st.tuples(st.booleans(), st.sampled_from(["line", "ssh"]), st.sampled_from(["a", "b", "c"]))))
    @LAW
    def test_the_law(self, moves: list[tuple[bool, str, str]]) -> None:
        """Those who were let in and have not left are counted, never more than may, and nobody is refused who might."""
        gate, inside = Gate(4, 2), list[tuple[str, str]]()
        for comes, door, source in moves:
            if comes:
                might = len(inside) < 4 and [other for _, other in inside].count(source) < 2
                try:
                    gate.enter(door, source)
                except Busy:
                    self.assertFalse(might)
                else:
                    self.assertTrue(might)
                    inside.append((door, source))
            elif (door, source) in inside:
                gate.leave(door, source)
                inside.remove((door, source))
            self.assertEqual(len(inside), gate.total)
            doors = [each for each, _ in inside]
            for each, count in gate.counts().items():
                self.assertEqual(doors.count(each), count)
