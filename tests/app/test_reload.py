"""Tests that a reload is all or nothing, on a reactor that does nothing by itself."""

import json
from typing import Any
from unittest.mock import Mock

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher

from cmdserver.app.composition.composition import Composition
from cmdserver.app.reload import Reloader, Rereading
from cmdserver.config.configuration import Configuration
from cmdserver.config.loading import Source, configure
from cmdserver.config.merging import SourceFile
from cmdserver.net.listeners import Listeners
from cmdserver.privsep.daemon.runner_process import Reading
from tests.contracts import open_descriptors
from tests.doubles import FakeHost
from tests.tls_doubles import FakeTCP, TLSFilesTestCase


class Reactor(MemoryReactorClock):
    """Has one port that is taken."""

    TAKEN = 2099

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        if port == self.TAKEN:
            raise CannotListenError(interface, port, OSError("in use"))
        return super().listenTCP(port, factory, backlog, interface)


class FakeRunnerProcess:
    """Has read what it is told."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.adopted: list[str] = []

    def reread(self) -> Deferred[Reading]:
        return succeed(self.reading)

    def adopt(self, text: str) -> None:
        self.adopted.append(text)


class ReloadTests(TLSFilesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.reactor: Any = Reactor()
        self.text = self.configured("tcp:2023:interface=127.0.0.1")
        configuration = self.look(self.source())
        self.composition = Composition(self.reactor, configuration, self.directory)
        self.addCleanup(self.composition.close)
        self.listeners = Listeners()
        for each in configuration.listening:
            self.listeners.open(self.composition.listener(each, None))
        rereading = Rereading(load=self.source, look=self.look, believe=Mock())
        self.reloader = Reloader(rereading, self.source(), self.composition, self.listeners, None)
        self.logged: list[str] = []
        observer: Any = lambda event: self.logged.append(event["log_format"].format(**event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def configured(self, endpoint: str, more: str = "", *, tls: bool = False) -> str:
        """Write a configuration with one listener."""
        return f"""
            {more}
            [[listen]]
            protocol = "line"
            endpoint = {json.dumps(endpoint)}
            login = "never"
            tls = {json.dumps(tls)}

            [tls]
            certificate = "{self.certificate}"
            key = "{self.key}"

            [audit]
            file = "{self.directory}/{"other" if more else "audit"}.jsonl"
            """

    def source(self) -> Source:
        """Read what the file says now."""
        return Source(path="/x.toml", text=self.text)

    def look(self, source: Source) -> Configuration:
        """Make sense of it."""
        return configure(source.text, FakeHost(), lambda _: None)

    def reload(self, text: str) -> None:
        """Reload with another text in the file."""
        self.text = text
        self.successResultOf(self.reloader.reload())

    @property
    def state(self) -> tuple[object, ...]:
        """Name what a reload changes."""
        endpoints = [str(each.key.endpoint) for each in self.listeners]
        return self.composition.configuration, self.composition.audit.path, endpoints

    def test_a_good_one(self) -> None:
        """Everything is replaced, and nothing is left open."""
        before = len(open_descriptors())
        self.reload(self.configured("tcp:2024", more='state_dir = "/var/other"'))

        configuration, path, endpoints = self.state
        self.assertEqual(configuration, self.look(self.source()))
        self.assertEqual((path, endpoints), (self.directory / "other.jsonl", ["tcp:2024"]))
        self.assertEqual(len(open_descriptors()), before)
        self.assertIn("state_dir takes effect at the next start", self.logged)

    def test_whatever_fails(self) -> None:
        """Nothing is replaced, nothing is left open, the reason is logged, and the next reload is as good as any."""
        before, descriptors = self.state, len(open_descriptors())
        good = self.configured("tcp:2024")
        self.key.write_bytes(b"x")
        for text, reason in (
            ("x", "nothing was changed"),
            (self.configured("tcp:2024", tls=True), "nothing was changed: "),
            (self.configured(f"tcp:{Reactor.TAKEN}", more='state_dir = "/y"'), "nothing was changed: tcp:2099"),
            (good.replace("audit.jsonl", "no/audit.jsonl"), "nothing was changed: cannot open the audit file"),
        ):
            self.logged.clear()
            self.reload(text)
            self.assertEqual(self.state, before, text)
            self.assertEqual(len(open_descriptors()), descriptors, text)
            self.assertIn(reason, "\n".join(self.logged))

        self.reload(good)
        self.assertEqual(self.state[2], ["tcp:2024"])

    def test_a_first_parser(self) -> None:
        """The parsing process is started ahead where that may not be possible later, and only if it has work."""
        parser_process = Mock()
        self.composition = Composition(
            self.reactor, self.look(self.source()), self.directory, None, parser_process=parser_process
        )
        self.addCleanup(self.composition.close)
        self.composition.require_parsing()
        self.assertEqual(parser_process.start_ahead.call_count, 0)
        self.text += "\n[commands.df]\nrun = ['df']\nparser = 'df'\n"
        self.composition.reconfigure(self.look(self.source()), None)
        self.composition.require_parsing()
        self.assertEqual(parser_process.start_ahead.call_count, 1)

    def test_receivers_of_the_audit_file(self) -> None:
        """They come and go with a reload; one whose authorities are no good changes nothing."""
        receiver, text = "udp:192.0.2.1:514", self.text
        for more, receivers in (
            (f'[[audit.forward]]\nto = "{receiver}"\n', [receiver]),
            ('[[audit.forward]]\nto = "tls:192.0.2.1:6514"\nca = "/nowhere/ca.pem"\n', [receiver]),
            ("", []),
        ):
            self.reload(text + more)
            self.assertEqual(list(self.composition.forwarding.counts()), receivers)

    def test_what_is_kept_stays_open(self) -> None:
        """A listener that the new configuration has too is not touched."""
        (listener,) = self.listeners
        self.reload(self.text + "[limits]\nidle_seconds = 5\n")

        self.assertEqual(list(self.listeners), [listener])
        self.assertEqual(self.composition.configuration.limits.idle_seconds, 5)
        self.assertEqual(len(self.reactor.tcpServers), 1)

    def test_greeting(self) -> None:
        """Whoever comes then is greeted by it, at the port that stays open: nobody in its queue is lost."""
        (listener,) = self.listeners
        said = []
        for greeting in ('greeting = "Yes?"', 'greeting = ""', ""):
            self.reload(self.text.replace("tls = false", f"{greeting}\ntls = false"))
            said.append(self.greeting())
            self.text = self.configured("tcp:2023:interface=127.0.0.1")

        self.assertEqual(said, [b"Yes?\n", b"", b"What can I do for you?\n"])
        self.assertEqual((list(self.listeners), len(self.reactor.tcpServers)), ([listener], 1))
        self.assertIn("configuration read again: listener tcp:2023:interface=127.0.0.1: greeting changed", self.logged)

    def test_from(self) -> None:
        """Who may call is asked at the port that stays open, from the next connection on."""
        (listener,) = self.listeners
        factory, address = self.reactor.tcpServers[0][1], IPv4Address("TCP", "127.0.0.1", 40000)
        self.reload(self.text.replace("tls = false", 'tls = false\nfrom = ["127.0.0.2"]'))

        self.assertIsNone(factory.buildProtocol(address))
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "127.0.0.2", 40000)))
        self.assertEqual((list(self.listeners), len(self.reactor.tcpServers)), ([listener], 1))
        subject = "listener tcp:2023:interface=127.0.0.1"
        self.assertIn(
            f"configuration read again: - {subject}: is there for callers from 127.0.0.2/32, before everywhere",
            self.logged,
        )
        self.assertIn("tcp:2023:interface=127.0.0.1: 1 connection closed, as from has no 127.0.0.1", self.logged)

    def test_from_of_a_new_listener(self) -> None:
        """It is kept from the moment when the port opens, which is before the rest of the reload."""
        opened: list[object] = []
        listen = self.reactor.listenTCP

        def listen_and_call(port: int, factory: Any, *rest: Any, **options: Any) -> Any:
            opened.append(factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 40000)))
            return listen(port, factory, *rest, **options)

        self.reactor.listenTCP = listen_and_call
        self.reload(self.configured("tcp:2024").replace("tls = false", 'tls = false\nfrom = ["127.0.0.2"]'))

        self.assertEqual(([None], 2), (opened, len(self.reactor.tcpServers)))

    def greeting(self) -> bytes:
        """Connect, and return what is said first."""
        connection = self.reactor.tcpServers[0][1].buildProtocol(IPv4Address("TCP", "127.0.0.1", 40000))
        connection.makeConnection(tcp := FakeTCP(connection))
        tcp.lose(ConnectionDone())
        return tcp.unsent

    def test_secrets_of_hooks(self) -> None:
        """They are read again; one that is no good changes nothing, and is named."""
        secret = self.directory / "secret"
        hook = (
            f'[hooks.deploy]\ncommand = "x"\nsignature = "github"\nsecret_file = "{secret}"\n[commands.x]\nrun = ["df"]'
        )
        for content in (b"one\n", b"two\n"):
            secret.write_bytes(content)
            self.reload(self.text.partition("[hooks")[0] + hook)
            self.assertEqual(self.composition._hooks["deploy"].secrets, (content.rstrip(),))
        before = self.state
        secret.write_bytes(b"\n")
        self.logged.clear()
        self.reload(self.text + "\n[limits]\nidle_seconds = 5")

        self.assertEqual((self.state, self.composition._hooks["deploy"].secrets), (before, (b"two",)))
        self.assertIn(f"nothing was changed: {secret} is empty", self.logged)

    def test_what_the_runner_process_has_read(self) -> None:
        """It is believed with all its files, and the runner process is told to go by just that."""
        extra = SourceFile(name="/extra.toml", text='[commands.extra]\nrun = ["df"]\n')
        source = Source(path="/x.toml", text=self.text, included=(extra,))
        runner = FakeRunnerProcess(Reading(mistakes=(), text=source.packed(), files={}))
        rereading = Rereading(
            load=self.source, look=Mock(), believe=lambda source, _: configure(source, FakeHost(), Mock())
        )
        process: Any = runner
        reloader = Reloader(rereading, self.source(), self.composition, self.listeners, process)
        self.successResultOf(reloader.reload())

        self.assertEqual(["extra"], [each.name for each in self.composition.configuration.commands])
        self.assertEqual([source.packed()], runner.adopted)
        self.assertIn("configuration read again: + command extra (run by nobody): is new: runs df", self.logged)

        runner.reading = Reading(mistakes=("/extra.toml:2: commands.extra.run: no",), text="", files={})
        self.successResultOf(reloader.reload())
        self.assertEqual(1, len(runner.adopted))
        self.assertIn("configuration: /extra.toml:2: commands.extra.run: no", self.logged)

    def test_schedules(self) -> None:
        """They are looked for at once, if the daemon has begun to."""
        self.composition.schedules.start(self.composition.configuration.commands)
        before = len(self.reactor.getDelayedCalls())
        self.reload(self.text + '[commands.x]\nrun = ["df"]\nschedule = "@daily"')
        self.assertEqual(len(self.reactor.getDelayedCalls()), before + 1)
        self.composition.schedules.stop()
        self.assertEqual(len(self.reactor.getDelayedCalls()), before)
