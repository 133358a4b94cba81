"""Tests of back-pressure: one source, paused and resumed."""

from unittest.mock import Mock, call

from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from cmdserver.net.backpressure import Backpressure


class Connection(Backpressure):
    """Something whose client may be slow."""


def test_it_is_what_a_transport_registers() -> None:
    """A push producer, whose end is its protocol's business."""
    connection = Connection()
    verifyObject(IPushProducer, connection)
    connection.follow(source := Mock())
    connection.stopProducing()

    assert source.mock_calls == []


def test_the_source_is_steered() -> None:
    """As long as it is followed, and no longer."""
    connection, source = Connection(), Mock()
    connection.follow(source)
    connection.pauseProducing()
    connection.resumeProducing()
    connection.follow(None)
    connection.pauseProducing()

    assert source.mock_calls == [call.pauseProducing(), call.resumeProducing()]
    assert connection.is_output_full


def test_a_source_that_comes_late_is_paused() -> None:
    """If the client does not keep up with what came before."""
    connection, source = Connection(), Mock()
    connection.pauseProducing()
    connection.follow(source)

    assert source.mock_calls == [call.pauseProducing()]
