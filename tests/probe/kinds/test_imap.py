"""Tests of IMAP's literals."""

from cmdserver_probe.report import State
from tests.probe.targets import saying, serving
from tests.probe.test_hostile import probed


def test_a_literal_of_any_size() -> None:
    """No room is made for what is only announced."""
    with serving(saying(b"* OK hello\r\n* X {2000000000}\r\n")) as port:
        _, finding = probed("imap 127.0.0.1:{port}", port)

    assert (finding.state, finding.text) == (State.CRITICAL, "the target wants to send 2000000000 octets at once")
