"""Requests that come through proxies, trusted and not: whose they are, and who that is."""

from ipaddress import ip_network
from typing import Any
from urllib.parse import urlencode

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import Certificate, Password, ProxiedUser
from cmdserver.config.schema.host import Limits
from cmdserver.core.addresses import NO_PROXIES, TrustedProxies
from cmdserver.core.errors import Code
from cmdserver.core.listening import Login
from cmdserver.frontends.web.proxies.trusting import COMPLAINT_SECONDS
from cmdserver.frontends.web.sessions import IDLE_SECONDS
from cmdserver.limits.source_penalties import Offence
from tests.doubles import a_caller
from tests.frontends.web.doubles import CLIENT, HOST, Client, WebComposition
from tests.running_doubles import command

PROXY = IPv4Address("TCP", "10.0.0.1", 40000)
TRUSTED = TrustedProxies((ip_network("10.0.0.0/24"),))
FAR = "198.51.100.7"
#: ada:right, and proxy:proxy, which is a proxy's own.
BASIC, OTHERS_BASIC = "Basic YWRhOnJpZ2h0", "Basic cHJveHk6cHJveHk="
PAGE = "text/html"
OURS = f"http://{HOST}"


class ProxyTestCase(SynchronousTestCase):
    login = Login.OPTIONAL

    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("reboot", read_only=False), login=self.login)
        self.composition.trusted_proxies = TRUSTED
        self.listener_auth = self.composition.listener_auth

    def ask(self, target: str = "/", method: str = "GET", *, peer: Any = PROXY, **more: Any) -> Client:
        """Ask, as a new connection of the proxy."""
        client = self.composition.connect(peer)
        client.asks(target, method, **more)
        return client

    def status(self, target: str = "/", method: str = "GET", **more: Any) -> int:
        """Say with which status a request is answered at once."""
        return self.ask(target, method, **more).response.status

    def sources(self) -> list[str]:
        """Name the sources of what is written down."""
        return [each.caller.source for each in self.composition.ledger.requests]

    def log_of(self, **more: Any) -> str:
        """Return the line of a request in the access log."""
        with capturedLogs() as events:
            self.ask("/-/nothing", **more)
        (line,) = [event["line"] for event in events if event["log_namespace"] == "cmdserver.web.access"]
        return str(line)


class StrangersTests(ProxyTestCase):
    def test_their_headers_mean_nothing(self) -> None:
        """Whoever is no trusted proxy is who is connected, over plain HTTP, and nobody in particular."""
        self.composition.user_header = b"remote-user"
        made_up = {
            "forwarded": "for=10.0.0.1;proto=https;host=evil.example",
            "x_forwarded_for": f"{FAR}, 10.0.0.1",
            "x_forwarded_proto": "https",
            "x_forwarded_host": "evil.example",
            "remote_user": "ada",
        }
        for peer, source in ((CLIENT, "192.0.2.1"), (UNIXAddress(None), "unix")):
            self.assertTrue(self.log_of(peer=peer, **made_up).startswith(f'{source} - "GET'))
            self.assertEqual(self.status("/reboot", peer=peer, **made_up), 401)
            self.assertEqual(self.status("/", peer=peer, **{**made_up, "forwarded": 'for="'}), 200)
            page = self.ask("/-/login", peer=peer, accept=PAGE, **made_up)
            token = page.response.text.partition('name="csrf-token" value="')[2].partition('"')[0]
            form = urlencode({"name": "ada", "password": "right", "csrf-token": token}).encode()
            made = self.ask("/-/login", "POST", peer=peer, body=form, **made_up).response
            self.assertNotIn("Secure", made["set-cookie"])
            self.assertEqual(self.listener_auth.logins[-1], Password(name="ada", password=b"right", source=source))
        self.assertEqual(set(self.sources()), {"192.0.2.1", "unix"})

    def test_nobody_is_trusted_by_default(self) -> None:
        """Not even who is on this host."""
        self.composition.trusted_proxies = NO_PROXIES
        self.assertTrue(self.log_of(x_forwarded_for=FAR).startswith("10.0.0.1 -"))

    def test_trust_that_is_taken_away(self) -> None:
        """Is gone for the next request of an open connection."""
        client = self.composition.connect(PROXY)
        client.asks("/-/nothing", x_forwarded_for=FAR)
        self.composition.trusted_proxies = NO_PROXIES
        client.asks("/-/nothing", x_forwarded_for=FAR)

        self.assertEqual(self.sources(), [FAR, "10.0.0.1"])


class SourceTests(ProxyTestCase):
    def test_each_request_has_its_own(self) -> None:
        """On one connection of the proxy there are requests of many."""
        client = self.composition.connect(PROXY)
        for header, value in (("x_forwarded_for", FAR), ("forwarded", "for=192.0.2.9"), ("x_nothing", "x")):
            more: dict[str, Any] = {header: value}
            client.asks("/-/nothing", **more)

        self.assertEqual(self.sources(), [FAR, "192.0.2.9", "10.0.0.1"])
        self.assertTrue(self.log_of(x_forwarded_for=FAR).startswith(f"{FAR} - "))

    def test_a_unix_socket(self) -> None:
        """Whoever calls by one can be trusted, too."""
        self.composition.trusted_proxies = TrustedProxies(has_unix=True)
        self.ask("/-/nothing", peer=UNIXAddress(None), x_forwarded_for=FAR)
        self.ask("/-/nothing", peer=PROXY, x_forwarded_for=FAR)

        self.assertEqual(self.sources(), [FAR, "10.0.0.1"])

    def test_who_runs_a_command(self) -> None:
        """The caller is where they call from; and so are the allowances, and what tokens are good for."""
        self.ask("/uptime", x_forwarded_for=FAR)
        self.composition.process.ends()
        self.assertEqual(self.composition.ledger.requests[-1].caller.key, a_caller(source=FAR).key)
        self.ask("/uptime", x_forwarded_for=FAR, authorization=BASIC)
        self.assertEqual(self.listener_auth.logins[-1].source, FAR)

    def test_who_is_charged(self) -> None:
        """Wrong passwords are held against who sends them, and not against the proxy."""
        for source in (FAR, "192.0.2.9"):
            self.assertEqual(self.status(x_forwarded_for=source, authorization="Bearer bad"), 401)

        self.assertEqual(self.listener_auth.offences, [Offence.AUTHFAIL] * 2)
        self.assertEqual(self.listener_auth.sources, [FAR, "192.0.2.9"])

    def test_sessions_follow(self) -> None:
        """Their user is where each request comes from."""
        page = self.ask("/-/login", accept=PAGE, x_forwarded_for=FAR).response.text
        token = page.partition('name="csrf-token" value="')[2].partition('"')[0]
        form = urlencode({"name": "ada", "password": "right", "csrf-token": token}).encode()
        made = self.ask("/-/login", "POST", body=form, x_forwarded_for=FAR)
        cookie = made.response["set-cookie"].partition(";")[0]
        self.ask("/-/nothing", cookie=cookie, x_forwarded_for="192.0.2.9")

        caller = self.composition.ledger.requests[-1].caller
        self.assertEqual((caller.name, caller.source), ("ada", "192.0.2.9"))

    def test_what_disagrees_is_refused(self) -> None:
        """Nobody chooses a source by a header that the proxy does not know; what is refused is the proxy's."""
        client = self.ask("/uptime", x_forwarded_for=FAR, forwarded="for=10.0.0.9")
        self.assertEqual(client.response.status, 400)
        self.assertIn("Forwarded and X-Forwarded-For disagree", client.response.text)
        self.assertEqual(self.status("/uptime", x_forwarded_for=FAR, forwarded='for="'), 400)
        self.assertEqual((self.composition.outcomes, self.sources()), ([Code.MALFORMED] * 2, ["10.0.0.1"] * 2))

    def test_what_cannot_be_read_is_told(self) -> None:
        """Now and then, and how often."""
        with capturedLogs() as events:
            for _ in range(3):
                self.ask("/-/nothing", x_forwarded_for="<b>\x85" + "x" * 1000)
            self.composition.clock.advance(COMPLAINT_SECONDS)
            self.ask("/-/nothing", x_forwarded_for="unknown")
        told = [each for each in events if "does not say for whom" in each["log_format"]]

        self.assertEqual(len(told), 2)
        self.assertLess(len(told[0]["node"]), 100)
        self.assertTrue(told[0]["node"].isascii() and told[0]["node"].isprintable())
        self.assertEqual([each["others"] for each in told], ["", ", as 2 times since this was said last"])
        self.assertEqual(self.sources(), ["10.0.0.1"] * 4)


class OutsideTests(ProxyTestCase):
    """How the client has called the proxy."""

    def log_in(self, origin: str, **more: str) -> Any:
        page = self.ask("/-/login", accept=PAGE, **more).response.text
        token = page.partition('name="csrf-token" value="')[2].partition('"')[0]
        form = urlencode({"name": "ada", "password": "right", "csrf-token": token}).encode()
        return self.ask("/-/login", "POST", body=form, origin=origin, **more).response

    def test_https(self) -> None:
        """The cookie is for TLS alone, and pages over plain HTTP are others'."""
        for more in (
            {"x_forwarded_for": FAR, "x_forwarded_proto": "https"},
            {"forwarded": f"for={FAR};proto=https"},
            {"x_forwarded_proto": "https"},
            {"x_forwarded_proto": "https", "host": "cmd.example"},
            {"x_forwarded_proto": "https", "host": "cmd.example:80"},
        ):
            host = more.get("host", HOST)
            made = self.log_in(f"https://{host.removesuffix(':80')}", **more)
            self.assertEqual(made.status, 303, more)
            self.assertTrue(made["set-cookie"].startswith("__Host-"), more)
            self.assertIn("; Secure", made["set-cookie"])
            self.assertEqual(self.log_in(f"http://{host}", **more).status, 403, more)

    def test_http(self) -> None:
        """A proxy that does not end TLS says so, or says nothing."""
        for more in ({}, {"x_forwarded_for": FAR}, {"x_forwarded_for": FAR, "x_forwarded_proto": "http"}):
            made = self.log_in(OURS, **more)
            self.assertEqual(made.status, 303)
            self.assertNotIn("Secure", made["set-cookie"])

    def test_the_name(self) -> None:
        """It counts for origins, cookies and addresses, and must be ours; so must Host be, which a page may choose."""
        more = {"host": "127.0.0.1:2080", "x_forwarded_host": "Cmd.Example:8443", "x_forwarded_proto": "https"}
        self.assertEqual(self.log_in("https://cmd.example:8443", **more).status, 303)
        self.assertEqual(self.log_in("https://evil.example", **more).status, 403)
        self.assertEqual(self.log_in("https://127.0.0.1:2080", **more).status, 403)
        self.assertIn("https://cmd.example:8443", self.ask("/-/openapi.json", **more).response.text)
        self.assertIn("https://cmd.example:8443/", self.ask("/-/help", accept=PAGE, **more).response.text)
        for host, outside in (("cmd.example", "evil.example"), ("evil.example", "cmd.example"), ("cmd.example", "@")):
            status = self.status(host=host, x_forwarded_host=outside)
            self.assertEqual(status, 400 if outside == "@" else 421, (host, outside))
        self.assertEqual(self.status("/-/healthy", host="a.example", x_forwarded_host="b.example"), 200)


class ConnectionTests(ProxyTestCase):
    login = Login.REQUIRED

    def test_a_proxy_is_not_one_source(self) -> None:
        """It has as many connections as it has clients, and nobody's silence is held against it."""
        self.composition.connection_limit.per_source = 2
        for peer, expected in ((PROXY, 4), (CLIENT, 2)):
            open_ones = [self.composition.connect(peer) for _ in range(4)]
            for each in open_ones:
                each.asks("/-/healthy")
            self.assertEqual([each.response.status for each in open_ones].count(200), expected)
            if peer is PROXY:
                self.assertEqual((self.listener_auth.unauthenticated_connections, self.listener_auth.sources), (0, []))
            for each in open_ones:
                each.gone()
        self.assertEqual(self.composition.connection_limit.total, 0)

    def test_all_together_are_bounded(self) -> None:
        """Whoever they are."""
        self.composition.connection_limit.connections = 1
        self.composition.connect(PROXY)
        self.assertEqual(self.status(), 503)

    def test_one_that_says_nothing(self) -> None:
        """It is closed in the end, and not charged."""
        self.composition.connect(PROXY)
        self.composition.clock.pump([0.5] * int(2 * Limits().login_seconds + 2))
        self.assertEqual(self.listener_auth.offences, [])

    def test_its_certificate_is_its_own(self) -> None:
        """It is nobody's login for whom it asks."""
        self.composition.front_end.certificate_of = lambda _, source: Certificate(
            names=("ada",), fingerprint="SHA256:x", source=source
        )
        for peer, logins in ((PROXY, 0), (CLIENT, 1)):
            self.listener_auth.logins.clear()
            client: Any = self.composition.connect(peer)
            client.negotiatedProtocol = None
            client.protocol.handshakeCompleted()
            self.assertEqual(len(self.listener_auth.logins), logins)
        client = self.composition.connect(PROXY)
        client.negotiatedProtocol = None
        client.protocol.handshakeCompleted()
        client.protocol.certified = a_caller("ada")  # trusted since
        client.asks("/reboot", x_forwarded_for=FAR)
        self.assertEqual(client.response.status, 401)


class NamedTests(ProxyTestCase):
    """Whom the proxy names."""

    def setUp(self) -> None:
        super().setUp()
        self.composition.user_header = b"remote-user"

    def ask(self, target: str = "/", method: str = "GET", *, peer: Any = PROXY, **more: Any) -> Client:
        """Ask from afar."""
        return super().ask(target, method, peer=peer, **{"x_forwarded_for": FAR, **more})

    def token(self, **more: str) -> str:
        text = self.ask("/reboot", accept=PAGE, **more).response.text
        return text.partition('name="csrf-token" value="')[2].partition('"')[0]

    def test_the_caller_is_who_the_proxy_says(self) -> None:
        """By a method of its own, in each request anew."""
        client = self.composition.connect(PROXY)
        for name in ("ann", "ann@example.org", "DOMAIN.bob"):
            client.asks("/-/nothing", remote_user=name, x_forwarded_for=FAR)
            caller = self.composition.ledger.requests[-1].caller
            self.assertEqual((caller.name, caller.source, caller.method), (name, FAR, "proxy"))
        client.asks("/-/nothing", x_forwarded_for=FAR)
        self.assertIsNone(self.composition.ledger.requests[-1].caller.name)

    def test_a_login_is_no_request(self) -> None:
        """It is written down once, until nobody has heard of them for long; from elsewhere it is another one."""
        for source, logins in ((FAR, 1), (FAR, 1), ("192.0.2.9", 2), (FAR, 2)):
            self.ask(remote_user="ann", x_forwarded_for=source)
            self.assertEqual(len(self.listener_auth.logins), logins)
        self.assertEqual(self.listener_auth.logins[0], ProxiedUser(names=("ann",), source=FAR))
        self.composition.clock.advance(IDLE_SECONDS + 1)
        self.ask(remote_user="ann")
        self.assertEqual(len(self.listener_auth.logins), 3)

    def test_who_is_no_user(self) -> None:
        """Refused without a hint and without another way to log in, and held against nobody."""
        for name in (
            "anonymous",
            "authenticated",
            "schedule",
            "hook:x",
            "../x",
            "a b",
            "ann, bob",
            "(null)",
            "é",
            "-x",
        ):
            for accept in (PAGE, "*/*", "application/json"):
                response = self.ask("/uptime", remote_user=name, accept=accept).response
                self.assertEqual((response.status, response["www-authenticate"]), (403, ""), name)
                self.assertIn("Login failed.", response.text)
                self.assertNotIn('type="password"', response.text)
                self.assertNotIn("Log in", response.text)
        self.assertEqual(self.listener_auth.offences, [])
        self.assertEqual(self.composition.spawner.processes, [])

    def test_a_header_that_is_there_twice(self) -> None:
        """One of them may be the client's."""
        client = self.composition.connect(PROXY)
        client.says(f"GET /uptime HTTP/1.1\r\nHost: {HOST}\r\nRemote-User: ann\r\nRemote-User: ann\r\n\r\n".encode())
        self.assertEqual(client.response.status, 403)
        self.assertEqual(self.listener_auth.logins, [ProxiedUser(names=("ann", "ann"), source="10.0.0.1")])

    def test_an_empty_one(self) -> None:
        """The proxy has asked nobody who they are; they may say so themselves."""
        self.assertEqual(self.status("/reboot", remote_user=""), 401)
        self.assertEqual(self.status("/reboot", remote_user="", authorization=BASIC), 405)

    def test_beside_other_ways_to_log_in(self) -> None:
        """The proxy's word counts, and nothing else is tried: a password may be meant for the proxy."""
        for other in (BASIC, OTHERS_BASIC, "Bearer bad", "Basic !"):
            self.ask("/-/nothing", remote_user="ann", authorization=other)
            self.assertEqual(self.composition.ledger.requests[-1].caller.name, "ann")
        self.assertEqual(len(self.listener_auth.logins), 1)
        form = urlencode({"name": "ada", "password": "right", "csrf-token": self.token_of_login()}).encode()
        cookie = self.ask("/-/login", "POST", body=form).response["set-cookie"].partition(";")[0]
        self.ask("/-/nothing", remote_user="ann", cookie=cookie)
        self.assertEqual(self.composition.ledger.requests[-1].caller.name, "ann")
        self.assertIn("logout", self.ask("/", accept=PAGE, cookie=cookie).response.text)
        self.assertNotIn("logout", self.ask("/", accept=PAGE, cookie=cookie, remote_user="ann").response.text)

    def token_of_login(self) -> str:
        text = self.ask("/-/login", accept=PAGE).response.text
        return text.partition('name="csrf-token" value="')[2].partition('"')[0]

    def test_no_session_is_lost(self) -> None:
        """A cookie of a session that was is nothing to who is named."""
        form = urlencode({"name": "ada", "password": "right", "csrf-token": self.token_of_login()}).encode()
        cookie = self.ask("/-/login", "POST", body=form).response["set-cookie"].partition(";")[0]
        self.composition.clock.advance(IDLE_SECONDS + 1)
        self.assertEqual(self.status("/", cookie=cookie, accept="application/json"), 401)
        self.assertEqual(self.status("/", cookie=cookie, accept="application/json", remote_user="ann"), 200)

    def test_there_is_nothing_to_log_in_or_out(self) -> None:
        """No form, no link and no button: the proxy does that."""
        page = self.ask("/", accept=PAGE, remote_user="ann").response.text
        self.assertIn("ann", page)
        self.assertNotIn("logout", page)
        self.assertNotIn("/login", page)
        for method, body in (("GET", None), ("POST", b"name=ada&password=right")):
            made = self.ask("/-/login?next=/uptime", method, body=body, remote_user="ann").response
            self.assertEqual((made.status, made["location"], made["set-cookie"]), (303, "../uptime", ""))
        self.assertEqual([each.method for each in self.listener_auth.logins], ["proxy"])

    def test_another_sites_page_may_not(self) -> None:
        """A browser that the proxy knows says so in requests that others cause, too."""
        evil = "https://evil.example"
        token = self.token(remote_user="ada")
        self.assertEqual(len(token), 64)
        body = urlencode({"csrf-token": token}).encode()
        for more in (
            {"origin": evil},
            {"origin": evil, "body": body},
            {"sec_fetch_site": "cross-site", "body": body},
            {"origin": OURS},
            {"origin": OURS, "body": urlencode({"csrf-token": self.token_of_login()}).encode()},
        ):
            self.assertEqual(self.status("/reboot", "POST", remote_user="ada", **{"body": b"", **more}), 403, more)
        self.assertEqual(self.status("/", remote_user="ada", origin=evil), 403)
        self.assertEqual(self.composition.spawner.processes, [])
        client = self.ask("/reboot", "POST", remote_user="ada", origin=OURS, body=body)
        self.composition.process.ends()
        self.assertEqual(client.response.status, 200)


class NamedWhereRequiredTests(ProxyTestCase):
    login = Login.REQUIRED

    def test_it_is_a_login(self) -> None:
        """And nothing else is asked; without it everything is as without a proxy."""
        self.composition.user_header = b"remote-user"
        self.assertEqual(self.status(remote_user="ann"), 200)
        self.assertEqual(self.status(), 401)
        self.assertEqual(self.status(accept=PAGE), 303)
        self.assertEqual(self.status(peer=CLIENT, remote_user="ann"), 401)


class NamedWhereNobodyIsAskedTests(ProxyTestCase):
    login = Login.NEVER

    def test_it_means_nothing(self) -> None:
        """Everybody is anonymous there."""
        self.composition.user_header = b"remote-user"
        self.ask("/-/nothing", remote_user="ann", x_forwarded_for=FAR)
        caller = self.composition.ledger.requests[-1].caller
        self.assertEqual((caller.name, caller.source), (None, FAR))
