"""``[[audit.forward]]``."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.receivers import Receiver
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from tests.doubles import FakeHost

_LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022:interface=127.0.0.1"\nlogin = "never"\n'
_BEFORE = _LISTEN.count("\n")


def configured(text: str) -> Configuration:
    """Read a configuration on a host where one file has authorities."""

    def check_ca(file: str) -> None:
        if file != "/etc/ca.pem":
            raise ValueError(f"{file}: No such file or directory")

    return configure(_LISTEN + text, FakeHost(), lambda _: None, check_ca=check_ca)


class ForwardTests(SynchronousTestCase):
    def mistakes(self, text: str) -> list[str]:
        """Say what is wrong, and in which line of the text."""
        with self.assertRaises(Mistakes) as caught:
            configured(text)
        return [f"{(each.line or 0) - _BEFORE}: {str(each).partition(': ')[2]}" for each in caught.exception.mistakes]

    def test_what_is_read(self) -> None:
        """In the order of the file; without any there is nobody."""
        found = configured(
            '[[audit.forward]]\nto = "udp:[::1]:514"\n'
            '[[audit.forward]]\nto = "tls:a.example:6514"\nca = "/etc/ca.pem"\nserver_name = "b.example"\n'
        )

        self.assertEqual(
            found.receivers,
            (Receiver.parse("udp:[::1]:514"), Receiver.parse("tls:a.example:6514", "/etc/ca.pem", "b.example")),
        )
        self.assertEqual(configured("").receivers, ())

    def test_mistakes(self) -> None:
        """All of them, each at its place."""
        text = "[[audit.forward]]\n"
        for keys, said in {
            'to = "logs"': ["2: audit.forward[0].to: 'logs' begins with none of udp:, tcp:, tls: and unix:"],
            'to = ""': ["2: audit.forward[0].to: "],
            "": ["1: audit.forward[0]: to is missing"],
            'to = "tcp:a:514"\nca = "/etc/ca.pem"\nserver_name = "x"': [
                "3: audit.forward[0].ca: is for TLS, and tcp:a:514 has none; write tls:HOST:6514",
                "4: audit.forward[0].server_name: is for TLS",
            ],
            'to = "tls:a:6514"\nca = "ca.pem"': ["3: audit.forward[0].ca: 'ca.pem' is not an absolute path"],
            'to = "tls:a:6514"\nca = "/no"': ["3: audit.forward[0].ca: /no: No such file or directory"],
            'to = "tls:a:6514"\nserver_name = "a b"': ["3: audit.forward[0].server_name: 'a b' is no name of a host"],
            'to = "udp:a:514"\n[[audit.forward]]\nto = "udp:a:514"': [
                "4: audit.forward[1].to: udp:a:514 is there twice"
            ],
            'to = "udp:a:514"\nport = 1': ["3: audit.forward[0].port: "],
        }.items():
            found = self.mistakes(text + keys + "\n")
            self.assertEqual(len(found), len(said), found)
            for one, beginning in zip(found, said, strict=True):
                self.assertEqual(one[: len(beginning)], beginning)

    def test_too_many(self) -> None:
        """There is a bound."""
        (mistake,) = self.mistakes("".join(f'[[audit.forward]]\nto = "udp:a:{port}"\n' for port in range(1, 18)))
        self.assertIn("audit.forward", mistake)
