"""Who is let in to an NRPE listener, and how it is tried."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.nrpe.packets import Version
from tests.frontends.nrpe.doubles import NRPEComposition, answer, query
from tests.running_doubles import command

PLACE = Place("127.0.0.1:5666", "127.0.0.1", "5666", "")
CHECK = "/usr/lib/nagios/plugins/check_nrpe -H 127.0.0.1 -p 5666"


class DoorTests(SynchronousTestCase):
    def test_too_many_are_told_so(self) -> None:
        """In the version that they speak, once they have spoken."""
        for version in Version:
            composition = NRPEComposition(self)
            composition.connection_limit.per_source = 1
            composition.connect()
            client = composition.connect()
            self.assertEqual(b"", client.value())
            client.says(query("uptime", version))
            client.says(b"more")

            packet = answer(client.value())
            self.assertEqual((version, 3), (packet.version, packet.result))
            self.assertTrue(packet.text.startswith(b"cmdserver: busy: "))


class ExampleTests(SynchronousTestCase):
    def test_example(self) -> None:
        """As a person types it, with what there is to be asked."""
        plain, secure = NRPEComposition(self), NRPEComposition(self, command(), certificate_of=lambda *_: None)
        for composition, place, trial, expected in (
            (plain, PLACE, Trial(None, "uptime"), f"{CHECK} -n -c uptime"),
            (plain, PLACE, Trial(None, None), f"{CHECK} -n"),
            (secure, PLACE, Trial(None, "uptime"), f"{CHECK} -c uptime"),
            (secure, PLACE, Trial("ada", "uptime"), f"{CHECK} -C CERTIFICATE.pem -K KEY.pem -c uptime"),
            (plain, Place("", "localhost", "", "/run/nrpe"), Trial(None, "uptime"), None),
            (plain, Place("127.0.0.1:5666", "127.0.0.1", "5666", "", is_proxied=True), Trial(None, None), None),
        ):
            self.assertEqual(expected, composition.front_end.example(place, trial))
