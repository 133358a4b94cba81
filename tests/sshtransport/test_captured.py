"""Tests that sessions of a real client can be had again: known answers for all that a connection is made of."""

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.transport import ServerTransport
from tests.sshtransport.captured import Greeter, Session, deterministic, sessions
from tests.sshtransport.client import taken


def replayed(session: Session, size: int | None = None) -> tuple[ServerTransport, bytes]:
    """Give a server what the client has sent, in pieces of a size, and take what it answers."""
    server = deterministic(session.name, rekeys=session.rekeys)
    server.makeConnection(StringTransport())
    step = size or len(session.from_client)
    for start in range(0, len(session.from_client), step):
        server.dataReceived(session.from_client[start : start + step])
    return server, taken(server)


class CapturedTests(SynchronousTestCase):
    def test_the_answers_are_the_same(self) -> None:
        """Key exchange, keys, protections and sequence numbers come to the very bytes that OpenSSH understood."""
        for session in sessions():
            with self.subTest(session.name):
                server, answered = replayed(session)

                self.assertEqual(answered, session.from_server)
                assert isinstance(server.service, Greeter)
                self.assertEqual(server.service.asked, [b"visitor", b"session"])

    def test_pieces_make_no_difference(self) -> None:
        """However the client's bytes are cut."""
        for session in sessions():
            for size in (1, 7, 16, 100):
                with self.subTest(session.name, size=size):
                    self.assertEqual(replayed(session, size)[1], session.from_server)

    def test_some_have_changed_keys_often(self) -> None:
        """In the middle of the session OpenSSH and the server have changed keys."""
        server, _ = replayed(next(session for session in sessions() if session.rekeys))

        self.assertNotEqual(server.sessionID, None)
        self.assertLess(server.incomingPacketSequence, 3)
