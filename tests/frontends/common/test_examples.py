"""What people are told to type."""

import shlex
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.listening import Login
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.common.examples import Place, Trial, choose_trial, place_of
from cmdserver.parameters.number_types import Integer
from tests.dispatch.doubles import taking
from tests.doubles import a_command, a_role
from tests.frontends.line.doubles import LineComposition
from tests.frontends.ssh.test_connection import SSHComposition
from tests.frontends.web.doubles import WebComposition
from tests.parameters.doubles import a_parameter

IPV4, IPV6, UNIX = IPv4Address("TCP", "0.0.0.0", 80), IPv6Address("TCP", "::1", 80), UNIXAddress(b"/run/{x} y")
PLACES = tuple(place_of(each) for each in (IPV4, IPV6, UNIX))
ANYBODY, ANN, NOTHING = Trial(None, "df"), Trial("ann", "df"), Trial(None, None)


def certificate_of(transport: Any, source: str) -> None:
    """Say that there is TLS."""
    del transport, source


class PlaceTests(SynchronousTestCase):
    def test_places(self) -> None:
        """Real addresses; one that is every address is reached by this host's own name."""
        self.assertEqual(
            (
                Place("localhost:80", "localhost", "80", ""),
                Place("[::1]:80", "::1", "80", ""),
                Place("", "localhost", "", "/run/{x} y"),
            ),
            PLACES,
        )


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.front_end = LineComposition(self).front_end

    def test_netcat(self) -> None:
        """Where there is no TLS; who has to log in does so by hand."""
        for trial, before, behind in (
            (ANYBODY, "echo df | ", ""),
            (NOTHING, "echo help | ", ""),
            (ANN, "", "  # log in as ann"),
        ):
            self.assertEqual(
                [f"{before}{each}{behind}" for each in ("nc localhost 80", "nc ::1 80", "nc -U '/run/{x} y'")],
                [self.front_end.example(place, trial) for place in PLACES],
            )

    def test_openssl(self) -> None:
        """Where there is."""
        self.front_end.certificate_of = certificate_of
        client = "openssl s_client -quiet"
        self.assertEqual(
            [
                f"echo df | {client} {each}"
                for each in ("-connect localhost:80", "-connect [::1]:80", "-unix '/run/{x} y'")
            ],
            [self.front_end.example(place, ANYBODY) for place in PLACES],
        )
        self.assertEqual(f"{client} -connect localhost:80  # log in as ann", self.front_end.example(PLACES[0], ANN))

    def test_behind_a_proxy(self) -> None:
        """No usual client says who calls."""
        self.assertIsNone(self.front_end.example(place_of(IPV4, is_proxied=True), ANYBODY))


class WebTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.front_end = WebComposition(self).front_end

    def test_curl(self) -> None:
        """With the page's address for a browser."""
        self.assertEqual(
            [
                "curl http://localhost:80/df  # in a browser: http://localhost:80/",
                "curl 'http://[::1]:80/df'  # in a browser: http://[::1]:80/",
                "curl --unix-socket '/run/{x} y' http://localhost/df",
            ],
            [self.front_end.example(place, ANYBODY) for place in PLACES],
        )
        self.front_end.certificate_of = certificate_of
        self.assertEqual(
            "curl --insecure --user ann https://localhost:80/df  # in a browser: https://localhost:80/",
            self.front_end.example(PLACES[0], ANN),
        )
        self.assertEqual(
            "curl --insecure https://localhost:80/  # in a browser: https://localhost:80/",
            self.front_end.example(PLACES[0], NOTHING),
        )

    def test_behind_a_proxy(self) -> None:
        """Curl can say who calls, a browser cannot."""
        self.assertEqual(
            "curl --haproxy-protocol http://localhost:80/df",
            self.front_end.example(place_of(IPV4, is_proxied=True), ANYBODY),
        )


class SSHTests(SynchronousTestCase):
    def test_ssh(self) -> None:
        """As somebody whom there is."""
        front_end = SSHComposition(self).front_end
        lines = [front_end.example(place, ANN) for place in PLACES]
        self.assertEqual(["ssh -p 80 ann@localhost df", "ssh -p 80 ann@::1 df"], lines[:2])
        self.assertEqual(["ssh", "-o", "ProxyCommand=nc -U '/run/{x} y'", "ann@localhost", "df"], shlex.split(lines[2]))
        self.assertEqual("ssh -p 80 ann@localhost help", front_end.example(PLACES[0], Trial("ann", None)))
        self.assertIsNone(front_end.example(PLACES[0], ANYBODY))
        self.assertIsNone(front_end.example(place_of(IPV4, is_proxied=True), ANN))


class TrialTests(SynchronousTestCase):
    commands = (
        a_command(name="reboot", read_only=False),
        taking("journal", a_parameter("lines", Integer())),
        a_command(name="uptime"),
        a_command(name="df"),
    )

    def choose(self, login: Login, users: tuple[str, ...], *, anonymous: tuple[str, ...] = ()) -> Trial | None:
        """Choose, where ann may run everything and bob one command that changes something."""
        roles = (
            a_role("anonymous", anonymous),
            a_role("admin", ("*",), ("ann",)),
            a_role("rebooter", ("reboot",), ("bob",)),
        )
        return choose_trial(login, users, Policy(self.commands, roles).allowed)

    def test_who_and_what(self) -> None:
        """Whoever needs no login, else the first who has something to look at, with the first that takes no values."""
        users = ("eve", "bob", "ann")
        for login, anonymous, expected in (
            (Login.NEVER, ("df", "reboot"), Trial(None, "df")),
            (Login.OPTIONAL, ("d*",), Trial(None, "df")),
            (Login.REQUIRED, ("d*",), Trial("ann", "uptime")),
            (Login.OPTIONAL, ("reboot", "journal"), Trial("ann", "uptime")),
            (Login.NEVER, (), Trial(None, None)),
        ):
            self.assertEqual(expected, self.choose(login, users, anonymous=anonymous), (login, anonymous))

    def test_nobody_in_particular(self) -> None:
        """Who may run nothing of the kind can ask for help, but somebody must be able to log in."""
        self.assertEqual(Trial("eve", None), self.choose(Login.REQUIRED, ("eve", "bob")))
        self.assertEqual(Trial(None, None), self.choose(Login.OPTIONAL, ()))
        self.assertIsNone(self.choose(Login.REQUIRED, ()))
