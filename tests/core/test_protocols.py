"""Tests of the table of protocols: each row leads to a front end."""

from importlib import import_module
from importlib.util import find_spec

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.protocols import Protocol


class ProtocolTests(SynchronousTestCase):
    def test_each_has_a_front_end(self) -> None:
        """It is found where the table says, and so is what is for it alone."""
        for protocol in Protocol:
            self.assertTrue(callable(import_module(protocol.front_end).make), protocol)
            for name in protocol.own_modules:
                self.assertIsNotNone(find_spec(name), name)

    def test_they_are_their_names(self) -> None:
        """As the configuration, the audit file and the metrics write them."""
        self.assertEqual([str(each) for each in Protocol], ["line", "web", "ssh", "nrpe", "fleet"])
        self.assertEqual([each for each in Protocol if each.secures_itself], [Protocol.SSH])
        self.assertEqual([each for each in Protocol if each.monitors], [Protocol.NRPE])
        self.assertEqual([each for each in Protocol if not each.is_configured], [Protocol.FLEET])
