"""Nobody is served at a listener that requires a login before they have logged in, whatever goes wrong before.

Every kind of listener, times everything that can fail on the way to a login, times when a client asks: in each case it
has asked for a command as often as it could, and nothing was run for nobody. What it has held is given back, once.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from unittest.mock import patch

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.credentials import Certificate, ICertificate, IPassword, Proof
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.config.schema.host import Limits
from cmdserver.core.errors import AuditError, Code, Throttled
from cmdserver.core.events import EventLog, LoggedIn, Requested
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.core.protocols import Protocol
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.line.connection import LineConnection
from cmdserver.frontends.line.front_end import LineFrontEnd
from cmdserver.frontends.line.states import TRANSITIONS
from cmdserver.frontends.nrpe.front_end import NRPEFrontEnd
from cmdserver.frontends.ssh.front_end import SSHFrontEnd
from cmdserver.frontends.web.front_end import WebFrontEnd
from cmdserver.frontends.web.options import WebOptions
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.max_startups import MaxStartups, UnauthenticatedConnections
from cmdserver.limits.source_penalties import Penalties
from cmdserver.net import tls_context
from cmdserver.net.proxied_endpoint import ProxyEndpoint
from cmdserver.net.tls_transport import TLSFactory
from cmdserver.sshtransport.encoding import string, uint32
from tests.frontends.doubles import a_context
from tests.frontends.line.doubles import FakeLiveness
from tests.frontends.nrpe.doubles import query
from tests.frontends.ssh.doubles import OPEN, REQUEST, MemoryLines
from tests.frontends.ssh.test_connection import HOST_KEY
from tests.frontends.ssh.test_connection import Client as SSHClient
from tests.frontends.web.doubles import NoExposition, a_signer
from tests.running_doubles import EVERYTHING, Composition, command
from tests.tls_doubles import NOW, Client, FakeTCP, TLSFilesTestCase, Wire, client_context, issue

PLACE = "tcp:2023"
PROXIED = b"PROXY TCP4 192.0.2.77 127.0.0.1 40000 2023\r\n"

LINE_ASKS = b"uptime\nsession\njson uptime\nwho\nhelp\nexplain uptime\n"
LINE_PASSWORD = b"ada\nright\n"
WEB_ASKS = b"".join(
    b"%s HTTP/1.1\r\nHost: cmd.example\r\nContent-Length: 0\r\n\r\n" % line
    for line in (b"GET /uptime", b"POST /uptime", b"GET /", b"GET /metrics", b"GET /-/openapi.json")
)
#: ada:right
WEB_PASSWORD = b"GET /df HTTP/1.1\r\nHost: cmd.example\r\nAuthorization: Basic YWRhOnJpZ2h0\r\n\r\n"


@implementer(ICredentialsChecker)
class ScriptedChecker:
    """Believes what its test says."""

    credentialInterfaces = (IPassword, ICertificate)

    def __init__(self) -> None:
        self.decide: Callable[[], Deferred[Any]] = lambda: succeed(Proof(name="ada", method="password"))

    def requestAvatarId(self, credentials: object) -> Deferred[Any]:
        return self.decide()


class FragileThreshold(LoginLimit):
    """Counts whoever comes, and may break when somebody logs in."""

    trouble: Exception | None = None

    def require_patience(self, source: str) -> None:
        if self.trouble is not None:
            raise self.trouble

    def enter(self, protocol: str, source: str) -> None:
        self.unauthenticated_connections.enter(protocol, source, 0.99)


class Plain:
    """A client of a listener without TLS, as `Wire` is one of a listener with it."""

    def __init__(self, factory: Any) -> None:
        self.server = factory.buildProtocol(None)
        self.tcp = FakeTCP(self.server)
        if self.server is not None:
            self.server.makeConnection(self.tcp)

    def settle(self) -> None:
        """Do what TCP does."""
        if self.tcp.is_aborting or self.tcp.is_closing:
            self.tcp.lose(Exception("closed"))

    def send(self, data: bytes) -> None:
        if self.tcp.is_open:
            self.server.dataReceived(data)
        self.settle()

    def client_fin(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.server):
            self.server.readConnectionLost()
        else:
            self.tcp.lose(ConnectionDone())
        self.settle()


@dataclass
class Setting:
    """A composition with one listener, and what fails there."""

    #: What the policy knows of it: nothing, so that it is not the policy that keeps anybody out.
    login_required_at: ClassVar[tuple[str, ...]] = ()

    test: TLSFilesTestCase
    login: Login = Login.REQUIRED
    checker: ScriptedChecker = field(default_factory=ScriptedChecker)
    #: Reads a client's certificate.
    certificate_of: Callable[[Any, str], Any] = lambda *_: None

    def __post_init__(self) -> None:
        commands = (command(), command("df"))
        self.composition = Composition(self.test, *commands)
        self.composition.dispatcher.reconfigure(Policy(commands, EVERYTHING, self.login_required_at))
        self.login_limit = FragileThreshold(
            UnauthenticatedConnections(MaxStartups(10, 30, 100)), Penalties(), self.composition.clock, lambda: 0.99
        )
        authenticator = Authenticator(
            [self.checker],
            self.login_limit,
            EventLog(self.composition.ledger),
            lambda: 1_700_000_000.0,
            lambda *_: succeed(False),
        )
        self.protocols = {name: ListenerAuth(name, self.login, authenticator, PLACE) for name in map(str, Protocol)}
        self.context = a_context(self.composition, FakeLiveness(), Limits)

    def web_front_end(self, certificate_of: Any = None) -> WebFrontEnd:
        """Make one, over TLS if it can read certificates."""
        options = WebOptions(hosts=frozenset({"cmd.example"}))
        return WebFrontEnd(
            self.protocols["web"], self.context, lambda: options, NoExposition(), a_signer, certificate_of
        )

    def reads(self, transport: Any, source: str) -> Any:
        """Read a certificate, as the test says at that moment."""
        return self.certificate_of(transport, source)

    def secured(self, front_end: Any) -> Any:
        """Put TLS around it."""
        credentials = self.test.load(client_ca=self.test.ca_path)
        return TLSFactory(front_end, credentials, self.composition.clock)


def proxied(factory: Any) -> Any:
    """Put it behind a proxy."""
    taken: list[Any] = []

    class Endpoint:
        def listen(self, factory: Any) -> None:
            taken.append(factory)

    ProxyEndpoint(Endpoint(), Clock()).listen(factory)  # type: ignore[arg-type]
    return taken[0]


class Visit:
    """A client who asks at every opportunity, and logs in in between."""

    #: As a client of its listener says them.
    asks = LINE_ASKS
    password = LINE_PASSWORD
    #: Whether the client shows a certificate.
    certificate = False

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.end: Any = Plain(self.factory())

    def factory(self) -> Any:
        return LineFrontEnd(self.setting.protocols["line"], self.setting.context)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come from the server."""
        return not self.end.tcp.is_open or bool(self.end.tcp.is_output_ending)

    def send(self, data: bytes) -> None:
        self.end.send(data)

    def begin(self) -> None:
        """Send what can be sent ahead, all at once."""
        self.send(self.asks + self.password + self.asks)

    def logs_in(self) -> None:
        """Log in, and ask."""
        self.send(self.password)
        self.send(self.asks)

    def ends_input(self) -> None:
        if self.end.tcp.is_open:
            self.end.client_fin()

    def leaves(self) -> None:
        self.end.tcp.lose(Exception("gone"))


class ProxiedLine(Visit):
    """Behind a proxy; its header comes with what is sent ahead."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.send(PROXIED + self.asks)

    def factory(self) -> Any:
        return proxied(super().factory())


class Web(Visit):
    asks, password = WEB_ASKS, WEB_PASSWORD

    def factory(self) -> Any:
        return self.setting.web_front_end()


class ReactorWire(Wire):
    """Ends a connection whose protocol raises, as the reactor does."""

    def _client_turn(self) -> bool:
        try:
            return super()._client_turn()
        except Exception as error:  # noqa: BLE001 - as the reactor does
            self.tcp.lose(error)
            return True


class TLSLine(Visit):
    """With a certificate; what is sent ahead comes with the end of the handshake."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        leaf = issue(setting.test.ca, "ada") if self.certificate else None
        self.client = Client(client_context(leaf=leaf))
        self.client.send(self.asks)
        self.end = ReactorWire(setting.secured(self.factory()), self.client)

    def factory(self) -> Any:
        return LineFrontEnd(self.setting.protocols["line"], self.setting.context, self.setting.reads)

    def send(self, data: bytes) -> None:
        self.client.send(data)
        self.end.settle()


class CertifiedLine(TLSLine):
    certificate = True


class CertifiedWeb(TLSLine):
    certificate, asks, password = True, WEB_ASKS, WEB_PASSWORD

    def factory(self) -> Any:
        return self.setting.web_front_end(self.setting.reads)


class NRPE(Visit):
    """Without a certificate nobody can log in."""

    asks, password = query("uptime"), query("_NRPE_CHECK")

    def factory(self) -> Any:
        return NRPEFrontEnd(self.setting.protocols["nrpe"], self.setting.context)


class TLSNRPE(TLSLine):
    asks, password = NRPE.asks, NRPE.password

    def factory(self) -> Any:
        return NRPEFrontEnd(self.setting.protocols["nrpe"], self.setting.context, self.setting.reads)


class CertifiedNRPE(TLSNRPE):
    certificate = True


class SSH(Visit):
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        front_end = SSHFrontEnd(setting.protocols["ssh"], setting.context, [HOST_KEY], MemoryLines())
        self.end = Plain(front_end)
        self.client: Any = SSHClient()
        self.client.makeConnection(StringTransport())
        self.exchange()

    def exchange(self) -> None:
        """Bring everything that was written to the other side."""
        for _ in range(100):
            to_client, self.end.tcp.unsent = self.end.tcp.unsent, b""
            to_server = self.client.transport.value()
            self.client.transport.clear()
            if to_client:
                self.client.dataReceived(to_client)
            if to_server:
                self.end.send(to_server)
            if not to_client and not to_server:
                return

    def asks_for_commands(self) -> None:
        self.client.sendPacket(OPEN, string(b"session") + uint32(0) + uint32(1 << 20) + uint32(1 << 15))
        self.client.sendPacket(REQUEST, uint32(0) + string(b"exec") + b"\0" + string(b"uptime"))

    def begin(self) -> None:
        self.asks_for_commands()
        self.shows_password()
        self.asks_for_commands()
        self.exchange()

    def shows_password(self) -> None:
        self.client.sendPacket(
            50, string(b"ada") + string(b"ssh-connection") + string(b"password") + b"\0" + string(b"x")
        )

    def logs_in(self) -> None:
        self.shows_password()
        self.exchange()
        self.asks_for_commands()
        self.exchange()

    def ends_input(self) -> None:
        """SSH has no such thing."""


LISTENERS = (Visit, ProxiedLine, Web, TLSLine, CertifiedLine, CertifiedWeb, SSH, CertifiedNRPE)
#: At which nobody can log in.
NAMELESS = (NRPE, TLSNRPE)


#: Lets something fail in a setting, as long as the context lasts.
Fails = Callable[[Setting], contextlib.AbstractContextManager[Any]]


def by_certificate(transport: Any, source: str) -> Certificate | None:
    """Read a client's certificate as the daemon does."""
    peer = tls_context.peer_name(transport, NOW)
    return None if peer is None else Certificate(names=peer.names, fingerprint=peer.fingerprint, source=source)


def raising(error: BaseException) -> Callable[..., Any]:
    """Make something that raises."""

    def raises(*_: object, **__: object) -> Any:
        raise error

    return raises


def checker(decide: Callable[[], Any]) -> Fails:
    """Let the checker decide so."""

    def fails(setting: Setting) -> contextlib.AbstractContextManager[Any]:
        setting.checker.decide = decide
        return contextlib.nullcontext()

    return fails


def ledger(method: str, error: Exception) -> Fails:
    """Let the audit file raise something."""
    return lambda setting: patch.object(setting.composition.ledger, method, raising(error))


def broken_threshold(setting: Setting) -> contextlib.AbstractContextManager[Any]:
    """Let what throttles logins raise something."""
    setting.login_limit.trouble = KeyError("x")
    return contextlib.nullcontext()


def unreadable(setting: Setting) -> contextlib.AbstractContextManager[Any]:
    """Let the certificate be one that cannot be read; who has none fails to prove a password."""
    setting.certificate_of = raising(LookupError("unknown encoding: utf_16_be"))
    return checker(lambda: fail(UnauthorizedLogin("wrong password")))(setting)


FAILURES: dict[str, Fails] = {
    "refused": checker(lambda: fail(UnauthorizedLogin("wrong password"))),
    "checker raises": checker(raising(RuntimeError("x"))),
    "checker fails": checker(lambda: fail(ValueError("x"))),
    "checker gives up": checker(lambda: fail(CancelledError())),
    "checker is silent": checker(Deferred),
    "checker proves nobody": checker(lambda: succeed(Proof(name="", method="password"))),
    "checker proves nothing": checker(lambda: succeed(None)),
    "checker proves no command": checker(lambda: succeed(Proof(name="ada", method="publickey", forced_words=()))),
    "ledger is full": ledger("require_writable", AuditError("full")),
    "ledger is full at the end": ledger("append", AuditError("full")),
    "ledger is broken": ledger("require_writable", ValueError("x")),
    "ledger is broken at the end": ledger("append", ValueError("x")),
    "threshold is broken": broken_threshold,
    "certificate is unreadable": unreadable,
}
#: After these somebody may try again, where there is more than one attempt; or is still waited for.
NOT_THE_END = {"refused", "checker is silent", "checker proves nobody", "checker proves no command"}
#: Neither the audit file nor anybody else can be told.
UNWRITABLE = {name for name in FAILURES if "ledger" in name}


class RequiredLoginTestCase(TLSFilesTestCase):
    """Visits at which something fails."""

    def visits(self, *names: str, listeners: Sequence[type[Visit]] = LISTENERS) -> Iterator[tuple[str, Setting, Visit]]:
        """Let somebody come to each listener, where something fails."""
        for name in names:
            for listener in listeners:
                setting = Setting(self, certificate_of=by_certificate)
                with FAILURES[name](setting):
                    yield f"{name} at {listener.__name__}", setting, listener(setting)

    def require_nothing_done(self, case: str, setting: Setting) -> None:
        """Nothing was run, and nobody was told anything that a caller is told."""
        self.assertEqual(setting.composition.spawner.processes, [], case)
        served = [
            event
            for event in setting.composition.ledger.events
            if (isinstance(event, Requested) and (event.outcome is Code.OK or isinstance(event.caller, Caller)))
            or (isinstance(event, LoggedIn) and event.outcome is Code.OK)
        ]
        self.assertEqual(served, [], case)

    def require_nothing_left(self, case: str, setting: Setting) -> None:
        """The connection has left nothing behind, and has given its place back once."""
        setting.composition.turn()
        self.assertEqual(setting.composition.connection_limit.total, 0, case)
        self.assertEqual(set(setting.login_limit.unauthenticated_connections._by_listener.values()), {0}, case)

    def try_everything(self) -> None:
        """Ask ahead, in time, after a failure, after the end of input, and when time is up."""
        for case, setting, visit in self.visits(*FAILURES, listeners=(*LISTENERS, *NAMELESS)):
            visit.begin()
            self.require_nothing_done(f"{case}, ahead", setting)
            visit.logs_in()
            self.require_nothing_done(f"{case}, in time", setting)
            visit.ends_input()
            self.require_nothing_done(f"{case}, half-closed", setting)
            for _ in range(80):
                setting.composition.clock.advance(0.5)
            visit.end.settle()
            self.require_nothing_done(f"{case}, overdue", setting)
            visit.leaves()
            self.require_nothing_left(case, setting)
            self.flushLoggedErrors()


class RequiredLoginTests(RequiredLoginTestCase):
    """Nobody has logged in, so nothing is run."""

    def test_whatever_fails(self) -> None:
        """Nothing is run, whatever fails, and whenever a client asks."""
        self.try_everything()

    def test_whenever_they_leave(self) -> None:
        """A client that is gone at any time has had nothing run, and has left nothing behind."""
        steps: tuple[Callable[[Visit], object], ...] = (Visit.begin, Visit.logs_in, Visit.ends_input)
        for count in range(len(steps)):
            for case, setting, visit in self.visits("refused", "checker is silent", "certificate is unreadable"):
                for step in steps[:count]:
                    getattr(visit, step.__name__)()
                visit.leaves()
                self.require_nothing_done(f"{case}, {count}", setting)
                self.require_nothing_left(f"{case}, {count}", setting)
                self.flushLoggedErrors()

    def test_what_goes_wrong_ends_a_connection(self) -> None:
        """Not only is nothing run: where a login is a connection's, the connection is over."""
        for case, setting, visit in self.visits(*sorted(FAILURES.keys() - NOT_THE_END)):
            visit.begin()
            if visit.certificate or "certificate" not in case:
                # Each of the web's requests without a certificate is an attempt of its own, and answered.
                self.assertEqual(visit.is_over, not isinstance(visit, Web), case)
            visit.leaves()
            self.require_nothing_left(case, setting)
            self.flushLoggedErrors()

    def test_what_goes_wrong_is_told_once(self) -> None:
        """Each attempt is a line of the audit file, and no mistake of ours is logged twice."""
        for case, setting, visit in self.visits(*sorted(FAILURES.keys() - UNWRITABLE - {"checker is silent"})):
            visit.begin()
            attempts = [event for event in setting.composition.ledger.events if isinstance(event, LoggedIn)]
            errors = self.flushLoggedErrors()
            visit.leaves()
            has_two = isinstance(visit, CertifiedWeb) and case.partition(" at ")[0] in NOT_THE_END
            self.assertEqual(len(attempts), 1 + has_two, case)
            self.assertLessEqual(len(errors), 1, case)


class LockTests(RequiredLoginTestCase):
    """Three things keep the anonymous out, and each is enough."""

    def test_each_alone(self) -> None:
        """The state of a connection alone, for lines; the listener alone; the policy alone."""
        permissive = patch.object(
            ListenerAuth,
            "anonymous",
            lambda protocol, source: Caller(
                name=None, protocol=protocol.name, source=source, method="none", listener=PLACE
            ),
        )
        open_to_lines = patch.object(LineConnection, "_may_proceed", property(lambda client: not client._is_closing))
        events = {event: state for row in TRANSITIONS.values() for event, state in row.items()}
        any_event = patch.dict(TRANSITIONS, dict.fromkeys(TRANSITIONS, events))
        asking = patch.object(Setting, "login_required_at", (PLACE,))
        for locks in (
            (permissive,),
            (open_to_lines,),
            (open_to_lines, any_event),
            (permissive, open_to_lines, any_event, asking),
        ):
            with contextlib.ExitStack() as stack:
                for lock in locks:
                    stack.enter_context(lock)
                self.try_everything()

    def require_nothing_done(self, case: str, setting: Setting) -> None:
        """Nothing was run, and nothing was answered."""
        self.assertEqual(setting.composition.spawner.processes, [], case)
        self.assertNotIn(Code.OK, setting.composition.outcomes, case)


class ThrottledTests(TLSFilesTestCase):
    def test_who_has_to_wait_is_not_charged_again(self) -> None:
        """A certificate that is not looked at for now is nobody's offence."""
        setting = Setting(self, certificate_of=by_certificate)
        setting.login_limit.trouble = Throttled("too many", 3)
        with patch.object(setting.login_limit, "offend") as offended:
            visit = CertifiedWeb(setting)
        self.assertFalse(visit.is_over)
        self.assertEqual(offended.mock_calls, [])
        visit.leaves()


class ControlTests(TLSFilesTestCase):
    """The tests above would see it, if something were run."""

    def test_who_logs_in_is_served(self) -> None:
        """Where nothing fails, the same clients get what they ask for, as who they are."""
        for listener in LISTENERS:
            setting = Setting(self, certificate_of=by_certificate)
            visit = listener(setting)
            visit.begin()
            if isinstance(visit, SSH):
                visit.asks_for_commands()
                visit.exchange()

            self.assertNotEqual(setting.composition.spawner.processes, [], listener.__name__)
            setting.composition.spawner.last.ends()
            served = {event.caller.name for event in setting.composition.ledger.requests if event.outcome is Code.OK}
            self.assertEqual(served, {"ada"}, listener.__name__)
            visit.leaves()

    def test_where_no_login_is_required_anybody_is_served(self) -> None:
        """The same clients, where they need not log in."""
        for listener in (Visit, ProxiedLine, Web, TLSLine, NRPE, TLSNRPE):
            setting = Setting(self, Login.OPTIONAL)
            visit = listener(setting)
            visit.send(visit.asks)

            self.assertNotEqual(setting.composition.spawner.processes, [], listener.__name__)
            visit.leaves()


class ReloadTests(TLSFilesTestCase):
    """Connections that were open when a login began to be required."""

    def test_open_connections(self) -> None:
        """Whoever has not logged in is refused from then on, at each kind of listener; what ran goes on."""
        for login in (Login.NEVER, Login.OPTIONAL):
            for listener in (Visit, Web, TLSLine, NRPE, TLSNRPE):
                setting = Setting(self, login)
                visit = listener(setting)
                visit.send(visit.asks)
                (process,) = setting.composition.spawner.processes
                setting.composition.dispatcher.reconfigure(Policy((command(), command("df")), EVERYTHING, [PLACE]))
                process.ends()
                visit.end.settle()
                visit.send(visit.asks)

                self.assertEqual(setting.composition.spawner.processes, [process], (login, listener))
                outcomes = {event.outcome for event in setting.composition.ledger.requests[1:]}
                self.assertLessEqual(outcomes, {Code.DENIED, Code.MALFORMED}, (login, listener))
                visit.leaves()
