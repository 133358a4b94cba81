"""Tests of the message channel, over a real socket pair."""

import os
import socket
from typing import Any

from cmdserver.privsep.messages import Trouble, decode_report
from tests.contracts import open_descriptors
from tests.privsep.channels import ChannelTestCase


class ChannelTests(ChannelTestCase):
    """The socket."""

    def test_descriptors_go_with_a_report(self) -> None:
        """They are closed here when they were sent, and open there."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        before = open_descriptors()

        self.channel.post(Trouble("take it"), (reading,))

        self.assertEqual(open_descriptors(), before - {reading})
        packet, (taken,), _, _ = socket.recv_fds(self.daemon, 65536, 4)
        self.addCleanup(os.close, taken)
        os.write(writing, b"said")
        self.assertEqual((decode_report(packet), os.read(taken, 9)), (Trouble("take it"), b"said"))

    def test_what_there_is_no_room_for_waits(self) -> None:
        """Nothing is lost and the order is kept when the daemon reads at last."""
        posted = self.clog()
        self.channel.post(Trouble("last"), ())

        heard = self.heard()
        while self.channel.is_clogged:
            self.channel.flush()
            heard += self.heard()

        self.assertEqual(heard, [Trouble("x")] * posted + [Trouble("last")])

    def test_what_waits_for_a_daemon_that_is_gone_is_closed(self) -> None:
        """A dead daemon is no error here, and keeps no descriptor open."""
        self.clog()
        reading, writing = os.pipe()
        os.close(writing)
        self.channel.post(Trouble("x"), (reading,))

        self.daemon.close()
        self.channel.flush()

        self.assertFalse(self.channel.is_clogged)
        self.assertNotIn(reading, open_descriptors())
        self.assertEqual(self.channel.receive(), b"")

    def test_too_many_descriptors_in_flight_are_no_end(self) -> None:
        """Whatever the kernel has against sending now (EMFILE, ETOOMANYREFS) is no reason to die of."""
        troubles = [OSError(109, "Too many references: cannot splice"), OSError(105, "No buffer space available")]

        def refused(*_: Any) -> int:
            raise troubles[0]

        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        send_fds = socket.send_fds
        self.patch(socket, "send_fds", refused)
        self.channel.post(Trouble("x"), (reading,))
        troubles.pop(0)
        self.channel.flush()
        self.assertTrue(self.channel.is_clogged)

        self.patch(socket, "send_fds", send_fds)
        self.channel.flush()

        self.assertEqual(self.heard(), [Trouble("x")])

    def test_nothing_is_none_and_the_end_is_empty(self) -> None:
        """An empty socket, a packet, and the daemon's end are told apart."""
        self.assertIsNone(self.channel.receive())
        self.daemon.send(b"packet")
        self.assertEqual(self.channel.receive(), b"packet")
        self.daemon.close()
        self.assertEqual(self.channel.receive(), b"")

    def test_descriptors_that_somebody_sends_are_not_taken(self) -> None:
        """The kernel closes what comes along with a request."""
        before = open_descriptors()
        for _ in range(50):
            socket.send_fds(self.daemon, [b"packet"], [0] * 100)

            self.assertEqual(self.channel.receive(), b"packet")

        self.assertEqual(open_descriptors(), before)

    def test_a_waiting_process_closes_its_copies(self) -> None:
        """After a fork, who sends nothing keeps no pipe of a command open."""
        self.clog()
        reading, writing = os.pipe()
        os.close(writing)
        self.channel.post(Trouble("x"), (reading,))

        self.channel.drop_waiting()

        self.assertNotIn(reading, open_descriptors())
        self.assertFalse(self.channel.is_clogged)

    def test_descriptors_that_are_expected_are_taken(self) -> None:
        """They come with their packet; nothing is None, and the end is empty."""
        self.assertIsNone(self.channel.receive_with_descriptors())
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        socket.send_fds(self.daemon, [b"packet"], [reading])
        os.close(reading)

        received = self.channel.receive_with_descriptors()

        assert received is not None
        packet, (taken,) = received
        self.addCleanup(os.close, taken)
        os.write(writing, b"said")
        self.assertEqual((packet, os.read(taken, 9), os.get_inheritable(taken)), (b"packet", b"said", False))
        self.daemon.close()
        self.assertEqual(self.channel.receive_with_descriptors(), (b"", ()))
