"""Tests of lines as messages of syslog."""

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from cmdserver.core.events import LoggedIn, Started
from cmdserver.forwarding.syslog import (
    MOST_BYTES,
    Sender,
    cut_to,
    kind_of,
    local_message,
    message,
    octet_counted,
    severity_of,
)
from tests.running_doubles import requested, user

SENDER = Sender("shop1.example", 4711)


def login(outcome: Code) -> LoggedIn:
    """Make a login."""
    return LoggedIn(time=1.0, id="a", protocol="ssh", source="::1", user="ann", method="password", outcome=outcome)


STARTED = Started(time=1.0, id="a", caller=user("ada"), command="df", arguments=())


class MessageTests(SynchronousTestCase):
    def test_rfc_5424(self) -> None:
        """The header, no structured data, and the line as it is."""
        event = requested(time=1_700_000_000.5, outcome=Code.OK)

        text = message(event, b'{"a": 1}', SENDER)

        self.assertEqual(text, b'<86>1 2023-11-14T22:13:20.500Z shop1.example cmdserver 4711 request - {"a": 1}')

    def test_syslog_3(self) -> None:
        """As glibc writes it to /dev/log: local time, in English."""
        self.addCleanup(time.tzset)
        self.addCleanup(os.environ.pop, "TZ", None)
        os.environ["TZ"] = "UTC-1"
        time.tzset()

        text = local_message(requested(time=1_699_226_000, outcome=Code.FAULT), b"{}", SENDER)

        self.assertEqual(text, b"<83>Nov  6 00:13:20 cmdserver[4711]: {}")

    def test_how_grave_it_is(self) -> None:
        """What went well is information, what was refused a warning, and our own mistakes are errors."""
        self.assertEqual(
            [severity_of(requested(outcome=each)) for each in (Code.OK, Code.FAILED, Code.DENIED, Code.FAULT)],
            [6, 5, 4, 3],
        )
        self.assertEqual([severity_of(login(each)) for each in (Code.OK, Code.THROTTLED, Code.FAULT)], [6, 4, 3])
        self.assertEqual(severity_of(STARTED), 6)
        for each in Code:
            self.assertIn(severity_of(requested(outcome=each)), range(3, 7))

    def test_message_ids(self) -> None:
        """They are what the file calls events."""
        events = (requested(), login(Code.OK), STARTED)

        self.assertEqual([kind_of(each) for each in events], ["request", "login", "started"])

    def test_odd_names_of_hosts(self) -> None:
        """HOSTNAME is printable ASCII, without spaces, and not too long."""
        for host, said in (("a b\nc", "a-b-c"), ("", "-"), ("ä", "-"), ("x" * 300, "x" * 255)):
            self.assertEqual(Sender(host, 1).host_name, said)

    def test_long_lines_are_cut_visibly(self) -> None:
        """Nobody's receiver loses its place in a stream, and who reads the message sees that it was cut."""
        for write in (message, local_message):
            text = write(requested(), b"x" * 100_000, SENDER)
            self.assertEqual(len(text), MOST_BYTES)
            self.assertRegex(text, rb"xxx \[cut: 100\d\d\d bytes\]\Z")
        self.assertEqual(cut_to(b"12345", 5), b"12345")

    def test_octet_counting(self) -> None:
        """RFC 6587, section 3.4.1."""
        self.assertEqual(octet_counted(b"<86>1 \xc3\xa4"), b"8 <86>1 \xc3\xa4")
