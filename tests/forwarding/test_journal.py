"""Tests of lines as entries of the journal."""

import fcntl
import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from cmdserver.core.events import LoggedIn, Started
from cmdserver.forwarding.journal import entry, send_in_memory
from tests.running_doubles import requested, user


class EntryTests(SynchronousTestCase):
    def test_a_request(self) -> None:
        """The line, how grave it is, and what it is found by."""
        text = entry(requested(id="0123", caller=user("ada"), command="df", outcome=Code.FAILED), b'{"a": 1}')

        self.assertEqual(
            text.decode().splitlines(),
            [
                'MESSAGE={"a": 1}',
                "PRIORITY=5",
                "SYSLOG_FACILITY=10",
                "SYSLOG_IDENTIFIER=cmdserver",
                "CMDSERVER_EVENT=request",
                "CMDSERVER_ID=0123",
                "CMDSERVER_USER=ada",
                "CMDSERVER_SOURCE=192.0.2.2",
                "CMDSERVER_PROTOCOL=line",
                "CMDSERVER_COMMAND=df",
                "CMDSERVER_OUTCOME=failed",
            ],
        )

    def test_what_a_client_says_makes_no_field(self) -> None:
        """A value with a line feed is written with its length."""
        event = LoggedIn(
            time=1.0,
            id="a",
            protocol="ssh",
            source="192.0.2.1",
            user="x\nPRIORITY=0\udcff",
            method="password",
            outcome=Code.DENIED,
        )

        text = entry(event, b"{}")

        self.assertIn(b"\nCMDSERVER_USER\n\x12\0\0\0\0\0\0\0x\nPRIORITY=0\\udcff\n", text)
        self.assertIn(b"\nPRIORITY=4\n", text)

    def test_what_is_not_known_has_no_field(self) -> None:
        """Of a start there is no outcome, of the anonymous no name."""
        started = Started(time=1.0, id="a", caller=user("ada"), command="df", arguments=())

        self.assertNotIn(b"OUTCOME", entry(started, b"{}"))
        self.assertNotIn(b"COMMAND", entry(requested(command=None), b"{}"))

    def test_large_entries(self) -> None:
        """They are handed over in memory that nobody can change any more."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            send_in_memory(ours, b"MESSAGE=" + b"x" * 1_000_000)
            _, (descriptor,), _, _ = socket.recv_fds(theirs, 1, 1)
        with os.fdopen(descriptor, "rb") as file:
            self.assertEqual(file.seek(0, os.SEEK_END), 1_000_008)
            self.assertEqual(fcntl.fcntl(descriptor, fcntl.F_GET_SEALS), 15)
