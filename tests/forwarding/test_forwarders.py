"""Tests of all receivers together, and of what a reload does to them."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.receivers import ForwardCounts, Receiver
from cmdserver.core.errors import Code
from cmdserver.forwarding import forwarders as module
from cmdserver.forwarding.channel import Channel, Owner
from cmdserver.forwarding.forwarders import Forwarders
from cmdserver.forwarding.syslog import Sender
from tests.forwarding.test_forwarder import FakeChannel
from tests.running_doubles import requested

UDP, TCP = Receiver.parse("udp:a:514"), Receiver.parse("tcp:b:514")


class ForwardersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.channels: dict[str, FakeChannel] = {}
        self.used: list[object] = []
        self.patch(module, "open_channel", self.open)
        self.forwarders = Forwarders(self.clock, Sender("h", 1))

    def open(self, _: object, receiver: Receiver, tls: object, owner: Owner) -> Deferred[Channel]:
        """Open one at once."""
        self.used.append(tls)
        self.channels[receiver.to] = FakeChannel(owner)
        opened: Deferred[Channel] = Deferred()
        opened.callback(self.channels[receiver.to])
        return opened

    def forward(self, line: bytes) -> None:
        """Forward a line."""
        self.forwarders.forward([(requested(time=0.0, outcome=Code.OK), line)])

    def got(self, receiver: Receiver) -> list[bytes]:
        """Say which lines a receiver has got."""
        return [each.rpartition(b" ")[2] for each in self.channels[receiver.to].got]

    def test_everybody_gets_everything(self) -> None:
        """Also what came before the reactor ran."""
        self.forwarders.reconfigure([UDP, TCP], {})
        self.forward(b"a")
        self.assertEqual(self.channels, {})
        self.forwarders.start()
        self.forward(b"b")

        self.assertEqual((self.got(UDP), self.got(TCP)), ([b"a", b"b"], [b"a", b"b"]))
        self.assertEqual(self.forwarders.counts(), dict.fromkeys(("udp:a:514", "tcp:b:514"), ForwardCounts(2, 0, 0)))

    def test_one_that_is_slow(self) -> None:
        """The other ones do not wait for it."""
        self.forwarders.reconfigure([UDP, TCP], {})
        self.forwarders.start()
        self.channels[UDP.to].room = 0
        self.forward(b"a")

        self.assertEqual((self.got(UDP), self.got(TCP)), ([], [b"a"]))

    def test_a_reload(self) -> None:
        """Who stays keeps the connection and what waits; who goes gets what waits; who comes gets what comes."""
        self.forwarders.reconfigure([UDP], {})
        self.forwarders.start()
        stays = self.channels[UDP.to]
        stays.room = 0
        self.forward(b"a")
        self.forwarders.reconfigure([TCP, UDP], {})
        self.forward(b"b")
        stays.room = 9
        stays.owner.ready()
        self.assertIs(self.channels[UDP.to], stays)
        self.assertEqual((self.got(UDP), self.got(TCP)), ([b"a", b"b"], [b"b"]))

        goes = self.channels[TCP.to]
        self.forwarders.reconfigure([UDP], {})
        self.forward(b"c")
        self.assertEqual((self.got(UDP)[-1], goes.got[-1][-1:]), (b"c", b"b"))
        self.assertIsNotNone(goes.closed)
        self.assertEqual(list(self.forwarders.counts()), [UDP.to])

    def test_authorities_that_have_changed(self) -> None:
        """They count from the next connection on."""
        tls = Receiver.parse("tls:c:6514")
        authorities: Any = [object(), object()]
        self.forwarders.reconfigure([tls], {tls: authorities[0]})
        self.forwarders.start()
        self.forwarders.reconfigure([tls], {tls: authorities[1]})
        self.channels[tls.to].owner.gone("gone")
        self.clock.advance(1)

        self.assertEqual(self.used, authorities)

    def test_another_way_to_the_same_receiver(self) -> None:
        """It is used at once, and what waits is not lost."""
        before, after = Receiver.parse("tls:c:6514", "/a"), Receiver.parse("tls:c:6514", "/b")
        self.forwarders.reconfigure([before], {})
        self.forwarders.start()
        old = self.channels[before.to]
        old.room = 0
        self.forward(b"a")
        self.forwarders.reconfigure([after], {})

        self.assertIsNotNone(old.closed)
        self.assertEqual((old.got, self.got(after)), ([], [b"a"]))

    def test_how_lines_are_written(self) -> None:
        """RFC 5424; to /dev/log as syslog(3); to the journal as it wants them."""
        to = {
            "udp:a:514": b"<86>1 1970-",
            "unix:/run/my-socket": b"<86>1 1970-",
            "unix:/dev/log": b"<86>Jan ",
            "unix:/run/systemd/journal/dev-log": b"<86>Jan ",
            "unix:/run/systemd/journal/socket": b"MESSAGE=a\n",
        }
        self.forwarders.reconfigure([Receiver.parse(each) for each in to], {})
        self.forwarders.start()
        self.forward(b"a")

        for name, beginning in to.items():
            (message,) = self.channels[name].got
            self.assertTrue(message.startswith(beginning), message)

    def test_the_end(self) -> None:
        """It waits for all of them."""
        self.forwarders.reconfigure([UDP, TCP], {})
        self.forwarders.start()
        ending = Deferred.fromCoroutine(self.forwarders.close(2))
        for each in self.channels.values():
            self.assertNoResult(ending)
            assert each.closed is not None
            each.closed.callback(None)
        self.successResultOf(ending)
        self.successResultOf(Deferred.fromCoroutine(Forwarders(self.clock, Sender("h", 1)).close(2)))
        self.forward(b"late")
