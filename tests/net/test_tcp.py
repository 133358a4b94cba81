"""Tests of the first bytes of a connection."""

import socket
from unittest.mock import Mock

from cmdserver.net.tcp import send_first


def test_a_socket_is_sent_to_at_once() -> None:
    """Behind its transport, which is not asked."""
    here, there = socket.socketpair()
    with here, there:
        transport = Mock(getHandle=lambda: here)
        send_first(transport, b"hello")

        assert there.recv(10) == b"hello"
    transport.write.assert_not_called()


def test_a_client_that_is_gone_is_not_our_business() -> None:
    """The reactor notices, and tells."""
    here, there = socket.socketpair()
    there.close()
    with here:
        send_first(Mock(getHandle=lambda: here), b"hello")


def test_others_are_written_to() -> None:
    """What is no plain socket has its transport between us and the bytes on the wire."""
    transport = Mock()
    send_first(transport, b"hello")

    transport.write.assert_called_once_with(b"hello")
