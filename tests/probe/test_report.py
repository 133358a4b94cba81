"""Tests of what is printed."""

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.report import LINES, Finding, Report, State, TLSDetails, Value, plain

#: The Monitoring Plugins' development guidelines, "Performance data".
PERFORMANCE = re.compile(
    r"'[^'=|]+'=-?\d+(\.\d+)?(s|B)?(;[\d.:~@-]*(;[\d.:~@-]*(;-?[\d.]*(;-?[\d.]*)?)?)?)?"
    r"( '[^'=|]+'=-?\d+(\.\d+)?(s|B)?(;[\d.:~@-]*(;[\d.:~@-]*(;-?[\d.]*(;-?[\d.]*)?)?)?)?)*"
)


def a_report(finding: Finding, **others: Any) -> Report:
    """Make a report of a mailbox."""
    parts: dict[str, Any] = {
        "kind": "pop3",
        "target": "localhost:110",
        "finding": finding,
        "step": None,
        "seconds": 0.0123456,
        "steps": {"resolve": 0.001, "connect": 0.0000002},
        "times": Value(0.0123456, "s", warning="1", critical="2", maximum="10"),
        "address": "127.0.0.1:110",
        "tls": None,
    } | others
    return Report(**parts)


class TextTests(SynchronousTestCase):
    def test_all_is_well(self) -> None:
        """The first line has the state, the target, and numbers behind it."""
        finding = Finding("3 messages in 0.012 s", values={"messages": Value(3), "bytes": Value(4096, "B")})

        self.assertEqual(
            a_report(finding).as_text(),
            "OK - pop3 localhost:110: 3 messages in 0.012 s | 'time'=0.012346s;1;2;0;10 'resolve'=0.001s;;;0"
            " 'connect'=0s;;;0 'messages'=3;;;0 'bytes'=4096B;;;0\n",
        )

    def test_where_it_stopped(self) -> None:
        """The step stands before what happened."""
        text = a_report(Finding("connection refused", State.CRITICAL), step="connect").as_text()

        self.assertTrue(text.startswith("CRITICAL - pop3 localhost:110: connect: connection refused | 'time'="), text)

    def test_the_syntax_of_performance_data(self) -> None:
        """It is the guidelines'."""
        values = {
            "offset": Value(-0.25, "s", warning="-0.1:0.1", minimum=""),
            "days": Value(3, critical="7:", minimum=""),
        }
        _, _, performance = a_report(Finding("so", values=values)).as_text().partition(" | ")

        self.assertRegex(performance.rstrip("\n"), rf"\A{PERFORMANCE.pattern}\Z")
        self.assertIn("'offset'=-0.25s;-0.1:0.1 'days'=3;;7:", performance)

    def test_nobody_breaks_out_of_the_first_line(self) -> None:
        """What a target says stays text, however it got here."""
        text = a_report(Finding("a\nOK - b | 'x'=1", State.CRITICAL)).as_text()

        self.assertEqual((text.count("\n"), text.count("|")), (1, 1))

    def test_more_lines(self) -> None:
        """They come below, each printable, and not without end."""
        lines = a_report(Finding("so", lines=["a\x1bb|c", *("x" * 30)])).as_text().splitlines()[1:]

        self.assertEqual((lines[0], lines[-1], len(lines)), ("a\\x1bb\\x7cc", "[11 more lines]", LINES + 1))


class JSONTests(SynchronousTestCase):
    def test_all_fields(self) -> None:
        """They are those of the document."""
        tls = TLSDetails(
            version="TLSv1.3",
            cipher="C",
            is_verified=True,
            names=["a"],
            ends="2027-01-01",
            days=1.23456,
            chain=["CN=a"],
        )
        found = a_report(Finding("x", State.WARNING, values={"bytes": Value(1)}, lines=["l"]), step="tls", tls=tls)

        self.assertEqual(
            found.as_json(),
            {
                "state": "WARNING",
                "text": "pop3 localhost:110: tls: x",
                "kind": "pop3",
                "target": "localhost:110",
                "address": "127.0.0.1:110",
                "stopped_at": "tls",
                "seconds": 0.012346,
                "steps": [{"name": "resolve", "seconds": 0.001}, {"name": "connect", "seconds": 0.0}],
                "values": {"bytes": 1},
                "tls": {
                    "version": "TLSv1.3",
                    "cipher": "C",
                    "verified": True,
                    "names": ["a"],
                    "ends": "2027-01-01",
                    "days": 1.235,
                    "chain": ["CN=a"],
                },
                "lines": ["l"],
            },
        )


class PlainTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """None has an exponent."""
        numbers = {1e-7: "0", 0.5: "0.5", 10.0: "10", 7: "7", 123456789.0: "123456789", -0.25: "-0.25"}

        self.assertEqual({number: plain(number) for number in numbers}, numbers)
