"""Clients who are slow, who end their input, who say too much, and who are gone."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.events import Requested
from cmdserver.core.run_states import EndedBy
from cmdserver.net.tcp import LINGER_SECONDS
from tests.frontends.line.doubles import LineComposition
from tests.running_doubles import command


class BackPressureTests(SynchronousTestCase):
    """Nobody's pace costs memory."""

    def setUp(self) -> None:
        self.composition = LineComposition(self, command(), command("df", share=True))

    def test_slow_reader_pauses_the_process(self) -> None:
        """What the client does not take is not read from the process either."""
        client = self.composition.connect()
        client.is_slow = True
        client.says(b"uptime\n")
        self.composition.process.says(b"much\n")
        self.assertTrue(self.composition.process.is_paused)

        client.catches_up()
        self.assertFalse(self.composition.process.is_paused)

    def test_slow_reader_is_not_served_ahead(self) -> None:
        """The next line waits until the answer before it has been taken."""
        client = self.composition.connect()
        client.says(b"session\n")
        client.is_slow = True
        client.says(b"who\nuptime\n")
        self.assertEqual([], self.composition.spawner.processes)

        client.catches_up()
        self.assertEqual(1, len(self.composition.spawner.processes))

    def test_shared_output_waits_for_the_slow(self) -> None:
        """A reader of a shared answer keeps its place in the one copy."""
        client = self.composition.connect()
        client.is_slow = True
        client.says(b"df\n")
        for _ in range(4):
            self.composition.process.says(b"x" * 50_000)
        self.composition.process.ends()
        self.assertEqual(50_000, len(client.got))
        client.catches_up()

        self.assertEqual(200_000, len(client.got))
        self.assertFalse(client.is_open)

    def test_stalled_reader_is_cut_off(self) -> None:
        """A client that takes nothing for ``idle_seconds`` is aborted, and its process ended."""
        client = self.composition.connect()
        client.is_slow = True
        client.says(b"uptime\n")
        self.composition.process.says(b"much\n")
        self.composition.clock.pump([301])

        self.assertTrue(client.was_aborted)

    def test_reader_that_stalls_again_is_cut_off(self) -> None:
        """To have taken a part of a shared answer is no reason to wait for ever for the rest to be taken."""
        client = self.composition.connect()
        client.is_slow = True
        client.says(b"df\n")
        for _ in range(4):
            self.composition.process.says(b"x" * 50_000)
        self.composition.process.ends()
        client.takes_some()
        self.assertTrue(client.is_open)
        self.composition.clock.pump([301])

        self.assertTrue(client.was_aborted)

    def test_flood_is_left_in_the_network(self) -> None:
        """While a request is answered, no more than a line or so is taken in."""
        client = self.composition.connect()
        client.says(b"uptime\n" + b"x" * 8000)
        self.assertEqual("producing", client.producerState)
        client.says(b"x" * 8000)
        self.assertEqual("paused", client.producerState)
        self.assertIn(client.number, self.composition.liveness.watched)

    def test_reading_goes_on_when_there_is_room(self) -> None:
        """A flood of lines is taken in part by part."""
        client = self.composition.connect()
        client.says(b"session\nuptime\n" + b"who\n" * 3000)
        self.assertEqual("paused", client.producerState)
        self.composition.process.ends()
        self.composition.clock.pump([0] * 300)

        self.assertEqual("producing", client.producerState)
        self.assertEqual({}, self.composition.liveness.watched)
        self.assertEqual(3000, client.got.count(b"line  1\n"))


class GoneTests(SynchronousTestCase):
    """Clients who do not wait for their answer."""

    def setUp(self) -> None:
        self.composition = LineComposition(self, command(), command("df", share=True))

    def test_gone_client_ends_its_process(self) -> None:
        """An unshared run is ended with its client."""
        client = self.composition.connect()
        client.says(b"uptime\n")
        client.abortConnection()

        self.assertEqual([(self.composition.process.group, "SIGTERM")], self.composition.spawner.signals)
        self.composition.turn()
        (event,) = self.composition.ledger.events
        assert isinstance(event, Requested)
        self.assertIs(event.ended_by, EndedBy.DISCONNECT)

    def test_gone_half_closed_client_is_noticed(self) -> None:
        """A client that has ended its input is watched, also if only that made its request complete."""
        for request in (b"uptime\n", b"uptime"):
            client = self.composition.connect()
            client.says(request)
            client.ends_input()
            self.composition.liveness.watched[client.number]()

            self.assertFalse(client.is_open)
            self.assertEqual((self.composition.process.group, "SIGTERM"), self.composition.spawner.signals[-1])

    def test_killed_half_closed_client_is_noticed(self) -> None:
        """On this host, a client that was killed is told from one that has only ended its input."""
        client = self.composition.connect()
        client.says(b"uptime\n")
        client.ends_input()
        self.composition.clock.pump([0.5, 0.5])
        self.assertTrue(client.is_open)
        self.composition.liveness.are_killed = True
        self.composition.clock.pump([0.5])

        self.assertFalse(client.is_open)
        self.assertEqual((self.composition.process.group, "SIGTERM"), self.composition.spawner.signals[0])

    def test_shared_run_goes_on_for_others(self) -> None:
        """Only the last one to go ends it."""
        clients = [self.composition.connect() for _ in range(2)]
        self.composition.connect().says(b"df\n")
        for client in clients:
            client.says(b"df\n")
        clients[0].abortConnection()
        self.composition.process.ends()
        self.composition.process.says(b"full\n")
        self.composition.process.ends()

        self.assertEqual(b"full\n", clients[1].got)

    def test_connections_are_counted_out(self) -> None:
        """However they end, nothing is left of them."""
        for act in (b"quit\n", b"who\n", b"", b"uptime\n"):
            client = self.composition.connect()
            if act:
                client.says(act)
            client.abortConnection()

        self.assertEqual(0, self.composition.connection_limit.total)
        self.assertEqual({"line": 0}, dict(self.composition.connection_limit.counts()))


class PartingTests(SynchronousTestCase):
    """The end of a connection."""

    def setUp(self) -> None:
        self.composition = LineComposition(self)

    def test_lingering_ends(self) -> None:
        """A client that goes on sending after its answer is cut off."""
        client = self.composition.connect()
        client.says(b"who\nmore\n")
        self.assertTrue(client.is_open)
        self.composition.clock.pump([0.25] * int(4 * (LINGER_SECONDS + 1)))

        self.assertTrue(client.was_aborted)
