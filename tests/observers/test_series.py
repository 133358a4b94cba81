"""Tests of which series there are from the start."""

import unittest

from cmdserver.checks.check import Check
from cmdserver.core.errors import Code
from cmdserver.core.listening import Login
from cmdserver.core.model import Rate
from cmdserver.core.protocols import Protocol
from cmdserver.observers import series
from cmdserver.observers.series import UNKNOWN, Offer
from tests.observers.doubles import an_offer, listening
from tests.running_doubles import command

#: How a run can end, and that there was none.
ENDS = {Code.OK, Code.FAILED, Code.BAD_ARGUMENT, Code.BUSY, Code.TIMEOUT, Code.FAULT}


def outcomes(offer: Offer, protocol: str, name: str) -> set[Code]:
    """Say how a request can end."""
    return {code for each, asked, code in series.requests(offer) if (each, asked) == (protocol, name)}


class SeriesTests(unittest.TestCase):
    def test_each_once(self) -> None:
        """No series is named twice."""
        found = list(series.requests(an_offer(command(), command("df", schedule=("* * * * *",)))))

        self.assertEqual(len(found), len(set(found)))

    def test_protocols(self) -> None:
        """What nobody listens for has no series, and no login where there is none."""
        offer = an_offer(
            command(),
            listening=(listening(Protocol.LINE, Login.NEVER), listening(Protocol.SSH, Login.REQUIRED)),
        )

        self.assertEqual({protocol for protocol, _, _ in series.requests(offer)}, {"line", "ssh"})
        self.assertEqual({protocol for protocol, _ in series.logins(offer)}, {"ssh"})
        self.assertNotIn(Code.DENIED, outcomes(offer, "line", "uptime"))
        self.assertIn(Code.DENIED, outcomes(offer, "ssh", "uptime"))
        self.assertIn(Code.DENIED, outcomes(offer, "ssh", "help"))
        self.assertNotIn(Code.DENIED, outcomes(offer, "line", "help"))

    def test_one_listener_with_a_login_is_enough(self) -> None:
        """Series are by protocol, which several listeners may have."""
        offer = an_offer(command(), listening=(listening(Protocol.LINE, Login.NEVER), listening(Protocol.LINE)))

        self.assertIn(Code.DENIED, outcomes(offer, "line", "uptime"))

    def test_a_command(self) -> None:
        """It has the ways in which it can end; limits and triggers that there are not are none."""
        offer = an_offer(command())

        self.assertEqual(outcomes(offer, "line", "uptime"), {*ENDS, Code.DENIED})
        self.assertEqual(outcomes(offer, "web", "uptime"), {*ENDS, Code.DENIED, Code.MALFORMED})
        self.assertEqual(outcomes(offer, "schedule", "uptime"), set())

    def test_limits(self) -> None:
        """A command's own rate throttles it, a caller's all of them."""
        offer = an_offer(command(rate_limit=Rate(count=3, seconds=60)), command("df"))
        self.assertIn(Code.THROTTLED, outcomes(offer, "line", "uptime"))
        self.assertNotIn(Code.THROTTLED, outcomes(offer, "line", "df"))
        self.assertNotIn(Code.THROTTLED, outcomes(offer, "line", "help"))

        offer = an_offer(command(), limits_callers=True)
        for name in ("uptime", "help", UNKNOWN):
            self.assertIn(Code.THROTTLED, outcomes(offer, "line", name))

    def test_triggers(self) -> None:
        """A schedule skips and misses times; a hook skips what does not hold, on the web."""
        offer = an_offer(command(schedule=("* * * * *",)), command("df"), hooked=frozenset({"df"}))

        self.assertLessEqual({Code.OK, Code.FAILED, Code.SKIPPED, Code.MISSED}, outcomes(offer, "schedule", "uptime"))
        self.assertNotIn(Code.DENIED, outcomes(offer, "schedule", "uptime"))
        self.assertEqual(outcomes(offer, "schedule", "df"), set())
        self.assertIn(Code.SKIPPED, outcomes(offer, "web", "df"))
        self.assertNotIn(Code.SKIPPED, outcomes(offer, "line", "df"))
        self.assertNotIn(Code.SKIPPED, outcomes(offer, "web", "uptime"))

    def test_words(self) -> None:
        """They fail in fewer ways, and some have no address."""
        offer = an_offer(command())

        self.assertEqual(outcomes(offer, "line", "who"), {Code.OK, Code.FAULT})
        self.assertEqual(outcomes(offer, "web", "who"), set())
        self.assertEqual(outcomes(offer, "web", "stop"), {Code.OK, Code.FAULT, Code.UNKNOWN_RUN})

    def test_where_only_what_reads_is_offered(self) -> None:
        """There are no words, and no other commands; who asks for these has asked for none that there is."""
        offer = an_offer(
            command(),
            command("restart", read_only=False),
            command("disk", read_only=False, check=Check()),
            listening=(listening(Protocol.NRPE),),
        )

        self.assertEqual({UNKNOWN, "uptime", "disk"}, {name for _, name, _ in series.requests(offer)})
        self.assertEqual(outcomes(offer, "nrpe", "uptime"), {*ENDS, Code.DENIED})

    def test_what_is_no_command(self) -> None:
        """Is refused, and never run."""
        refused = {Code.MALFORMED, Code.UNKNOWN_COMMAND, Code.DENIED, Code.BUSY, Code.FAULT}

        self.assertEqual(outcomes(an_offer(), "line", UNKNOWN), refused)
