"""Networks that the file lists."""

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.config.decoding import TomlReader
from cmdserver.config.validation.connections.networks import read_networks


class ReadNetworksTests(SynchronousTestCase):
    def test_good_and_bad(self) -> None:
        """What is no network is a mistake at its own place; what is there twice is a warning."""
        reader = TomlReader("")
        texts = ["10.0.0.0/8", "10.1.2.3/8", "proxy", "::ffff:10.0.0.1", "::1", "::1"]
        found = read_networks(reader, ("from",), enumerate(texts))

        self.assertEqual([str(each.path[-1]) for each in reader.mistakes], ["1", "2", "3"])
        self.assertIn('write "10.0.0.0/8"', str(reader.mistakes[0]))
        self.assertIn("names are not looked up here", str(reader.mistakes[1]))
        self.assertIn('write "10.0.0.1"', str(reader.mistakes[2]))
        self.assertEqual([str(each.path[-1]) for each in reader.warnings], ["5"])
        self.assertIn(ip_network("10.0.0.0/8"), found)
