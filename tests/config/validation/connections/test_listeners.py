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


class NRPETests(unittest.TestCase):
    def findings(self, listen: str, tls: str = "", endpoint: str = "tcp:5666:interface=127.0.0.1") -> list[str]:
        """Read a configuration with an NRPE listener; return its mistakes, or else its warnings."""
        text = f'[[listen]]\nprotocol = "nrpe"\nendpoint = "{endpoint}"\n{listen}\n{tls}' + _REST
        text = text.replace("authenticated", "anonymous" if "never" in listen else "authenticated")
        try:
            return [str(each) for each in configure(text, FakeHost(), lambda _: None).warnings]
        except Mistakes as mistakes:
            return [str(each) for each in mistakes.mistakes]

    def test_login_is_by_certificate(self) -> None:
        """Where one is required there is TLS, and an authority; else the file says that nobody is asked."""
        ca = '[tls]\nclient_ca = "/ca.pem"\n'
        for listen, tls, said in (
            ("", "", "say tls = true and set"),
            ('login = "required"', ca, "say tls = true and set"),
            ("tls = true", "", "client_ca names no authority"),
            ('tls = true\nlogin = "required"', "", "client_ca names no authority"),
            ('login = "optional"', "", '"required") or nobody'),
            ('tls = true\nlogin = "optional"', ca, '"required") or nobody'),
        ):
            (found,) = self.findings(listen, tls)
            self.assertIn("listen[0].login: is ", found)
            self.assertIn(said, found)
        for listen, tls in (('login = "never"', ""), ('tls = true\nlogin = "never"', ""), ("tls = true", ca)):
            self.assertEqual([], self.findings(listen, tls))

    def test_plain_for_other_hosts(self) -> None:
        """It is allowed, as no password is at stake, and warned of."""
        said = "3: listen[0].endpoint: answers over plain TCP to other hosts, and everybody on the way can read and"
        for endpoint, listen, is_warned in (
            ("tcp:5666", 'login = "never"', True),
            ("tcp:5666:interface=192.0.2.1", 'login = "never"', True),
            ("tcp:5666", 'login = "never"\ntls = true', False),
            ("tcp6:5666:interface=::1", 'login = "never"', False),
        ):
            found = self.findings(listen, endpoint=endpoint)
            self.assertEqual([is_warned], [each.startswith(said) for each in found] or [False], found)

    def test_greeting(self) -> None:
        """There is none."""
        (found,) = self.findings('login = "never"\ngreeting = "Yes?"')
        self.assertEqual("5: listen[0].greeting: is what a line listener says first", found)


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
            self.assertIn('2: listen[0].protocol: must be one of line, web, ssh, nrpe, not "lime"', found)

    def test_none(self) -> None:
        """Nothing to do is a mistake, and a table that was meant to be one is another."""
        self.assertEqual(["there is no [[listen]], so there is nothing to do"], self.findings(""))
        self.assertEqual(
            ["1: listen: may be there several times, so it is written [[listen]], and not [listen]"],
            self.findings('[listen]\nprotocol = "line"\nendpoint = "tcp:2022"\n'),
        )


class FromTests(unittest.TestCase):
    """Who may call."""

    def listening(self, value: str, endpoint: str = '"tcp:2022"') -> Configuration:
        """Read the configuration of a listener with ``from``."""
        listen = f'[[listen]]\nprotocol = "line"\ntls = true\nendpoint = {endpoint}\nfrom = {value}\n'
        return configure(listen + _REST, FakeHost(), lambda _: None)

    def mistakes(self, value: str, endpoint: str = '"tcp:2022"') -> list[str]:
        """Say what is wrong with it."""
        with self.assertRaises(Mistakes) as raised:
            self.listening(value, endpoint)
        return [str(each) for each in raised.exception.mistakes]

    def test_networks_and_addresses(self) -> None:
        """They are the same for all endpoints of the table; without any, everybody may call."""
        listening = self.listening('["10.0.0.0/8", "::1"]', '["tcp:2022", "tcp6:2023"]').listening
        self.assertEqual([("10.0.0.0/8", "::1/128")] * 2, [tuple(map(str, each.networks)) for each in listening])
        listen = '[[listen]]\nprotocol = "line"\ntls = true\nendpoint = "tcp:2022"\n'
        self.assertEqual((), configure(listen + _REST, FakeHost(), lambda _: None).listening[0].networks)

    def test_which_listener_it_is(self) -> None:
        """Another ``from`` makes no other listener."""
        self.assertEqual(self.listening('["10.0.0.0/8"]').listening, self.listening('["::1"]').listening)

    def test_what_is_no_network(self) -> None:
        """All are told, with their places, and as they should be."""
        self.assertEqual(
            [
                "5: listen[0].from[0]: '10.1.2.3/8' is no network: 10.1.2.3/8 has host bits set; write \"10.0.0.0/8\"",
                (
                    "5: listen[0].from[2]: 'office' is no network: 'office' does not appear to be an IPv4 or IPv6"
                    " network; names are not looked up here; write addresses"
                ),
            ],
            self.mistakes('["10.1.2.3/8", "::1", "office"]'),
        )

    def test_who_nobody_is(self) -> None:
        """An IPv4 caller is in no IPv6 network, and a source names no link."""
        for text, meant in (("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("fe80::1%eth0", "fe80::1")):
            reason = "an IPv4 caller of an IPv6 socket counts as IPv4, and links are not told apart"
            self.assertEqual(
                [f'5: listen[0].from[0]: {text} is nobody: {reason}; write "{meant}"'], self.mistakes(f'["{text}"]')
            )

    def test_other_types(self) -> None:
        """An empty list would shut the door for good, and one network is a list of one."""
        for value in ("[]", '"10.0.0.0/8"', "[3]", '[""]'):
            (said,) = self.mistakes(value)
            self.assertTrue(said.startswith("5: listen[0].from: "), said)

    def test_a_unix_socket(self) -> None:
        """Whoever calls there has no address: what cannot be kept is not taken."""
        for endpoint in ('"unix:/run/line"', '["tcp:2022", "unix:/run/line"]'):
            (said,) = self.mistakes('["127.0.0.1"]', endpoint)
            self.assertTrue(said.startswith("5: listen[0].from: does not go with unix:/run/line: who calls by"), said)
        self.assertEqual((), self.listening('["10.0.0.1"]', '"haproxy:unix:/run/line"').warnings)

    def test_nobody_may_call(self) -> None:
        """That is hardly meant."""
        for value, endpoint, is_told in (
            ('["10.0.0.0/8"]', "tcp:2022:interface=127.0.0.1", True),
            ('["10.0.0.0/8", "127.0.0.2"]', "tcp:2022:interface=127.0.0.1", False),
            ('["0.0.0.0/0"]', "tcp:2022:interface=127.0.0.1", False),
            ('["::1"]', "tcp:2022:interface=127.0.0.1", True),
            ('["::/0"]', "tcp:2022", True),
            ('["::/0"]', "tcp6:2022", False),
            ('["10.0.0.0/8"]', "tcp6:2022", False),
            ('["2001:db8::/32"]', "tcp6:2022:interface=\\\\:\\\\:1", True),
            ('["10.0.0.0/8"]', "haproxy:tcp:2022:interface=127.0.0.1", False),
        ):
            warnings = [str(each) for each in self.listening(value, f'"{endpoint}"').warnings]
            told = [each for each in warnings if each.startswith("5: listen[0].from: nobody may call: ")]
            self.assertEqual((is_told, told), (bool(told), warnings), (value, endpoint))

    def test_twice(self) -> None:
        """It is without effect."""
        self.assertEqual(
            ["5: listen[0].from[1]: 10.0.0.1/32 is there twice"],
            [str(each) for each in self.listening('["10.0.0.1", "10.0.0.1/32"]').warnings],
        )
