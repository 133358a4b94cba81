"""What the file says of listeners: greetings and endpoints."""

import unittest

from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from tests.doubles import FakeHost

_REST = '[commands.df]\nrun = ["df"]\n[roles.authenticated]\ncommands = ["df"]\n'


def _configured(protocol: str, greeting: str) -> Configuration:
    listen = (
        f'[[listen]]\nprotocol = "{protocol}"\nendpoint = "tcp:2022:interface=127.0.0.1"\ngreeting = "{greeting}"\n'
    )
    return configure(listen + _REST, FakeHost(), lambda _: None)


class GreetingTests(unittest.TestCase):
    def assert_mistake(self, expected: str, protocol: str, greeting: str) -> None:
        """Fail unless a greeting is mistaken, and this is why."""
        with self.assertRaises(Mistakes) as raised:
            _configured(protocol, greeting)
        self.assertEqual([f"4: listen[0].greeting: {expected}"], [str(each) for each in raised.exception.mistakes])

    def test_of_a_line_listener(self) -> None:
        """A sentence, or nothing, which is not the same as none of its own."""
        for greeting in ("Yes?", "", "x" * 300):
            (listening,) = _configured("line", greeting).listening
            self.assertEqual(greeting, listening.greeting)

    def test_of_others(self) -> None:
        """There is nothing that they say first; an empty one is no exception."""
        for protocol in ("web", "ssh"):
            for greeting in ("Yes?", ""):
                text = f"is what a line listener says first; what {protocol} shows to all who come is [site] notice"
                self.assert_mistake(text, protocol, greeting)

    def test_one_line_without_control_characters(self) -> None:
        """It comes to terminals as it is, and programs read one line."""
        for greeting in ("a\\nb", "\\u001b[2J", "a\\u2028b", "\\u0000"):
            self.assert_mistake("must be one line, without control characters", "line", greeting)
        self.assert_mistake("has 301 characters, and may have 300", "line", "x" * 301)


class EndpointTests(unittest.TestCase):
    def findings(self, listens: str) -> list[str]:
        """Read a configuration; return its mistakes, or else its warnings."""
        try:
            return [str(each) for each in configure(listens + _REST, FakeHost(), lambda _: None).warnings]
        except Mistakes as mistakes:
            return [str(each) for each in mistakes.mistakes]

    def test_port_0(self) -> None:
        """Nobody knows which it will be."""
        listen = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:{}:interface=127.0.0.1"\ntls = true\n'
        said = "3: listen[0].endpoint: port 0 is another port at each start, which only the log says"
        self.assertEqual([said], self.findings(listen.format(0)))
        self.assertEqual([], self.findings(listen.format(2022)))

    def test_twice(self) -> None:
        """Both places are named."""
        listen = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022:interface=127.0.0.1"\n'
        self.assertEqual(
            ["6: listen[1].endpoint: tcp:2022:interface=127.0.0.1 is there twice, first in line 3"],
            self.findings(listen * 2),
        )

    def test_beside_other_mistakes(self) -> None:
        """It is looked at all the same, as all mistakes are to be told at once."""
        for endpoint, said in (
            ('"2022"', 1),
            ('["2022", 3, "tcp:1:interface=127.0.0.1", "x"]', 2),
            ('"tcp:1"', 0),
            ("3", 0),
        ):
            found = self.findings(f'[[listen]]\nprotocol = "lime"\nendpoint = {endpoint}\n')
            self.assertEqual(said, sum("is no endpoint description: " in each for each in found), found)
            self.assertIn('2: listen[0].protocol: must be one of line, web, ssh, not "lime"', found)

    def test_none(self) -> None:
        """Nothing to do is a mistake, and a table that was meant to be one is another."""
        self.assertEqual(["there is no [[listen]], so there is nothing to do"], self.findings(""))
        self.assertEqual(
            ["1: listen: may be there several times, so it is written [[listen]], and not [listen]"],
            self.findings('[listen]\nprotocol = "line"\nendpoint = "tcp:2022"\n'),
        )
