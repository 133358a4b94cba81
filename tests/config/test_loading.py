"""From a configuration text to what the daemon goes by."""

import contextlib
import os
import tempfile
import unittest
from importlib import resources
from pathlib import Path
from unittest.mock import patch

from cmdserver import plugin
from cmdserver.config import loading
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.host import SEARCH_PATH, Host
from cmdserver.config.loading import Source, configure, load
from cmdserver.config.schema.host import Limits
from cmdserver.core import names
from cmdserver.core.endpoints import Endpoint, parse
from cmdserver.core.listening import Listening, Login
from cmdserver.core.model import Command, Controls, Role
from cmdserver.core.protocols import Protocol
from cmdserver.dispatch import output_parsers
from cmdserver.dispatch.policy import Policy
from cmdserver.files.safe_path import UnsafePath
from tests.doubles import FakeHost, a_caller, without_jc
from tests.files.doubles import STRANGER, RootTestCase

_LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022"\nlogin = "never"\n'


def _check_endpoint(endpoint: Endpoint) -> None:
    """Take TCP for the only kind of endpoint that there is."""
    if endpoint.kind != "tcp":
        raise ValueError("unknown endpoint type")


_NO_KIND = "it begins with its kind and a colon, as in tcp:2022:interface=127.0.0.1"


def _listening(protocol: str, endpoint: str, login: str) -> Listening:
    return Listening(protocol=Protocol[protocol.upper()], endpoint=parse(endpoint), tls=False, login=Login(login))


def _configure(text: str, host: Host | None = None) -> Configuration:
    return configure(text, host or FakeHost(), _check_endpoint, load_parser=output_parsers.load)


class ConfigurationTestCase(unittest.TestCase):
    def assert_mistakes(self, expected: list[str], text: str, host: Host | None = None) -> None:
        """Fail unless a text has just these mistakes."""
        with self.assertRaises(Mistakes) as raised:
            _configure(text, host)
        self.assertEqual(sorted(expected), sorted(map(str, raised.exception.mistakes)))

    def assert_one_mistake(self, place: str, text: str, host: Host | None = None) -> None:
        """Fail unless a text has one mistake, there."""
        with self.assertRaises(Mistakes) as raised:
            _configure(text, host)
        self.assertEqual(1, len(raised.exception.mistakes), raised.exception)
        self.assertIn(place, str(raised.exception))


class DefaultTests(ConfigurationTestCase):
    def setUp(self) -> None:
        missing = Path(self.enterContext(tempfile.TemporaryDirectory()), "cmdserver.toml")
        self.enterContext(patch.object(loading, "SYSTEM_FILE", missing))
        self.source = load(None, {})
        self.configuration = _configure(self.source.text)

    def test_source(self) -> None:
        """Without any file it is the one that is built in."""
        self.assertIsNone(self.source.path)
        self.assertEqual("(built-in)", self.source.name)

    def test_nothing_is_offered_to_other_hosts(self) -> None:
        """Every listener is on loopback until someone says otherwise."""
        self.assertTrue(self.configuration.listening)
        for listening in self.configuration.listening:
            self.assertIn(":interface=127.0.0.1", str(listening.endpoint))

    def test_the_line_listener(self) -> None:
        """The line listener is where the contract says, for everyone."""
        self.assertIn(
            _listening("line", "tcp:2022:interface=127.0.0.1", "never"),
            self.configuration.listening,
        )
        self.assertEqual(
            ["never", "required", "optional", "required"],
            [listen.login for listen in self.configuration.settings.listen if listen],
        )

    def test_the_ssh_listener(self) -> None:
        """The SSH listener is where the contract says; nobody gets through it without a login."""
        self.assertIn(
            _listening("ssh", "tcp:2025:interface=127.0.0.1", "required"),
            self.configuration.listening,
        )

    def test_commands(self) -> None:
        """There are two commands, which only read and are shared."""
        self.assertEqual(
            [("uptime", ("/usr/bin/uptime",)), ("df", ("/usr/bin/df", "-h"))],
            [(command.name, command.argv) for command in self.configuration.commands],
        )
        for command in self.configuration.commands:
            self.assertTrue(command.read_only)
            self.assertTrue(command.share)
            self.assertTrue(command.help)

    def test_roles(self) -> None:
        """Strangers may run these two by name, so that no command added later is theirs; the admin may run all."""
        anonymous = Role(name="anonymous", patterns=("uptime", "df"), users=frozenset())
        admin = Role(name="admin", patterns=("*",), users=frozenset({"admin"}))
        self.assertEqual((anonymous, admin), self.configuration.roles)
        policy = Policy(self.configuration.commands, self.configuration.roles)
        self.assertEqual(["uptime", "df"], [command.name for command in policy.allowed(a_caller())])

    def test_limits(self) -> None:
        """The limits are those that the contract promises."""
        limits = self.configuration.limits
        expected: dict[str, object] = {
            "connections": 10000,
            "connections_per_source": 1000,
            "unauthenticated": "10:30:100",
            "unauthenticated_per_source": None,
            "queued": 1000,
            "login_seconds": 30,
            "login_attempts": 3,
            "idle_seconds": 300,
            "line_bytes": 8192,
            "request_bytes": 65536,
            "caller_requests_per_minute": 0,
        }
        self.assertEqual(expected, {name: getattr(limits, name) for name in expected})
        self.assertEqual("audit.jsonl", self.configuration.settings.audit.file)
        self.assertIsNone(self.configuration.settings.state_dir)

    def test_running(self) -> None:
        """There are two places for each core, and four at least."""
        for cores, places in ((1, 4), (2, 4), (3, 6), (64, 128), (None, 4)):
            with self.subTest(cores), patch("os.cpu_count", return_value=cores):
                self.assertEqual(places, Limits().running)


class LoadTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.system = self.folder / "system.toml"
        self.enterContext(patch.object(loading, "SYSTEM_FILE", self.system))
        self.first, self.second = self.folder / "1.toml", self.folder / "2.toml"
        self.first.write_text("first", "utf-8")
        self.second.write_text("s\u00e9cond", "utf-8")

    def test_order(self) -> None:
        """The option comes before the environment, that before the system's file."""
        self.system.write_text("system", "utf-8")
        environment = {"CMDSERVER_CONFIG": str(self.second)}
        self.assertEqual(Source(path=str(self.first), text="first"), load(str(self.first), environment))
        self.assertEqual(Source(path=str(self.second), text="s\u00e9cond"), load(None, environment))
        self.assertEqual(Source(path=str(self.system), text="system"), load(None, {}))

    def test_name(self) -> None:
        """A complaint names the file."""
        self.assertEqual(str(self.first), load(str(self.first), {}).name)

    def test_relative(self) -> None:
        """A relative path becomes absolute: a daemon changes its directory, and reloads."""
        self.enterContext(contextlib.chdir(self.folder))
        self.assertEqual(str(self.first), load("1.toml", {}).path)

    def test_missing(self) -> None:
        """A file that was named must be there: nothing else is taken instead."""
        self.system.write_text("system", "utf-8")
        missing = str(self.folder / "missing.toml")
        self.assertRaises(FileNotFoundError, load, missing, {})
        self.assertRaises(FileNotFoundError, load, None, {"CMDSERVER_CONFIG": missing})

    def test_an_empty_variable(self) -> None:
        """An empty variable names no file, as if it were not set."""
        self.assertIsNone(load(None, {"CMDSERVER_CONFIG": ""}).path)

    def test_a_byte_order_mark(self) -> None:
        """A mark that a Windows editor has put before the text means nothing."""
        self.first.write_bytes(b"\xef\xbb\xbffirst\r\n")
        self.assertEqual("first\r\n", load(str(self.first), {}).text)

    def test_not_utf8(self) -> None:
        """A file in another encoding has one mistake, at its line, that says what it is and what to do."""
        self.first.write_bytes(b"a = 1\n# \xe9")
        with self.assertRaises(Mistakes) as raised:
            load(str(self.first), {})
        (mistake,) = raised.exception.mistakes
        self.assertTrue(
            str(mistake).startswith(f"{self.first}:2: not UTF-8: column 3 has the byte 0xe9 (\u00e9 in "), mistake
        )
        self.first.write_bytes("a = 1\n".encode("utf-16"))
        with self.assertRaises(Mistakes) as raised:
            load(str(self.first), {})
        self.assertTrue(str(raised.exception).startswith(f"{self.first}: is UTF-16, not UTF-8; "), raised.exception)

    def test_a_file_without_end(self) -> None:
        """What is longer than any configuration is not read to its end."""
        with self.assertRaises(OSError) as raised:
            load("/dev/zero", {})
        self.assertEqual("/dev/zero", raised.exception.filename)


class IncludedTests(ConfigurationTestCase):
    """A configuration of several files."""

    maxDiff = None
    _MAIN = f'include = ["conf.d/*.toml"]\n{_LISTEN}[commands.df]\nrun = ["df"]\n[roles.anonymous]\ncommands = ["*"]\n'

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.main = self.folder / "main.toml"
        (self.folder / "conf.d").mkdir()
        self.main.write_text(self._MAIN, "utf-8")

    def put(self, name: str, text: str) -> None:
        """Write a file that is included."""
        (self.folder / "conf.d" / name).write_text(text, "utf-8")

    def read(self) -> Configuration:
        """Read all files."""
        return configure(load(str(self.main), {}), FakeHost(), _check_endpoint)

    def mistakes(self) -> list[str]:
        """Read all files; return what is wrong, without the name of the folder."""
        with self.assertRaises(Mistakes) as raised:
            self.read()
        return [str(each).replace(f"{self.folder}/", "") for each in raised.exception.mistakes]

    def test_one_configuration(self) -> None:
        """Commands, roles and listeners of all files are there, in the order of the files."""
        self.put("20.toml", '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2024"\nlogin = "never"\n')
        self.put("10.toml", '[commands.up]\nrun = ["uptime"]\n[limits]\nrunning = 7\n')
        configuration = self.read()

        self.assertEqual(["df", "up"], [each.name for each in configuration.commands])
        self.assertEqual(["tcp:2022", "tcp:2024"], [str(each.endpoint) for each in configuration.listening])
        self.assertEqual((7, ()), (configuration.limits.running, configuration.warnings))

    def test_mistakes_of_all_files(self) -> None:
        """They are told at once, each with its file, and in their order."""
        self.put("b.toml", '[commands.df]\nrun = ["x"]\n\n[[listen]]\nendpoint = "tcp:2024"\nprotocol = "lime"\n')
        self.put("a.toml", 'include = ["c"]\n[commands.up]\nrun = ["nosuch"]\n[limits]\nrunnin = 7\n')
        self.assertEqual(
            [
                "conf.d/a.toml:1: include: only main.toml includes others",
                f"conf.d/a.toml:3: commands.up.run: no executable nosuch on {SEARCH_PATH}",
                "conf.d/a.toml:5: limits.runnin: unknown key; did you mean running?",
                "conf.d/b.toml:1: commands.df: is in main.toml:6, too",
                'conf.d/b.toml:6: listen[0].protocol: must be one of line, web, ssh, nrpe, not "lime"',
            ],
            self.mistakes(),
        )

    def test_what_is_no_toml(self) -> None:
        """It is told alone, as everything else may come of it; of all files."""
        self.put("a.toml", "[commands.up]\nrun = uptime\n")
        self.put("b.toml", "[roles.x]\ncommands = [nosuch]\n")
        self.main.write_text(self._MAIN.replace('["df"]', '["nosuch"]'), "utf-8")

        self.assertEqual(
            ["conf.d/a.toml:2: commands.up.run", "conf.d/b.toml:2: roles.x.commands"],
            [each.partition(": not TOML")[0] for each in self.mistakes()],
        )

    def test_what_cannot_be_read(self) -> None:
        """It is told at the key that names it, beside all other mistakes; another encoding in its file."""
        self.main.write_text(self._MAIN.replace('"]', '", "x.toml"]', 1).replace('["df"]', '["nosuch"]'), "utf-8")
        (self.folder / "conf.d" / "a.toml").write_bytes(b"\n# \xe9")

        conf, *rest = self.mistakes()[::-1]
        self.assertTrue(conf.startswith("conf.d/a.toml:2: not UTF-8: "), conf)
        self.assertEqual(
            [
                f"main.toml:7: commands.df.run: no executable nosuch on {SEARCH_PATH}",
                "main.toml:1: include: x.toml: No such file or directory",
            ],
            rest,
        )

    def test_a_pattern_without_files(self) -> None:
        """It is a warning, with its place."""
        self.assertEqual(
            [f"{self.main}:1: include: conf.d/*.toml matches no file"], [str(each) for each in self.read().warnings]
        )

    def test_handed_over(self) -> None:
        """What another process gets is the same, with all files and warnings, and differs if one of them does."""
        self.put("a.toml", '[commands.up]\nrun = ["uptime"]\n# \u00e9\n')
        self.main.write_text(self._MAIN.replace('"]', '", "x*.toml"]', 1), "utf-8")
        source = load(str(self.main), {})

        self.assertEqual(source, Source.unpacked(source.packed()))
        self.assertEqual(
            configure(source, FakeHost(), _check_endpoint),
            configure(Source.unpacked(source.packed()), FakeHost(), _check_endpoint),
        )
        self.put("a.toml", '[commands.up]\nrun = ["uptime"]\n# e\n')
        self.assertNotEqual(source.packed(), load(str(self.main), {}).packed())

    def test_bytes(self) -> None:
        """Of all files together there may be as many as of one."""
        self.put("a.toml", '[commands.up]\nrun = ["uptime"]\n')
        size = sum(each.stat().st_size for each in (self.main, self.folder / "conf.d" / "a.toml"))
        with patch.object(loading, "MOST_BYTES", size):
            self.read()
        with patch.object(loading, "MOST_BYTES", size - 1):
            (mistake,) = self.mistakes()
        self.assertIn("main.toml:1: include: conf.d/a.toml: is larger than ", mistake)

    def test_an_include_that_is_none(self) -> None:
        """What is no list of paths is told as any other wrong value, and nothing is included."""
        for value in ("3", '"conf.d/*.toml"', "[1]", '[""]'):
            self.main.write_text(self._MAIN.replace('["conf.d/*.toml"]', value), "utf-8")
            (mistake,) = self.mistakes()
            self.assertTrue(mistake.startswith("main.toml:1: include: "), mistake)


_PLAIN_TCP = (
    "4: listen[0].endpoint: tcp:2022 would take passwords over plain TCP from other hosts; say tls = true,"
    " listen on loopback only, or set allow_plaintext_passwords = true"
)
_TLS = _LISTEN + "tls = true\n[tls]\n"


class ListeningTests(ConfigurationTestCase):
    def test_several_endpoints(self) -> None:
        """A listener may have several endpoints, and there may be several listeners."""
        text = _LISTEN + _LISTEN.replace('"tcp:2022"', '["tcp:1", "tcp:2"]')
        expected = tuple(_listening("line", f"tcp:{port}", "never") for port in (2022, 1, 2))
        self.assertEqual(expected, _configure(text).listening)

    def test_none(self) -> None:
        """A daemon without a listener has nothing to do."""
        for text in ("", "listen = []"):
            with self.subTest(text):
                self.assert_mistakes(["there is no [[listen]], so there is nothing to do"], text)

    def test_bad_endpoints(self) -> None:
        """Each endpoint that is none is named, with what is wrong with it."""
        text = _LISTEN + _LISTEN.replace('"tcp:2022"', '["tcp:1", "nonsense", "udp:2"]')
        self.assert_mistakes(
            [
                f'7: listen[1].endpoint: "nonsense" is no endpoint description: {_NO_KIND}',
                '7: listen[1].endpoint: "udp:2" is no endpoint description: unknown endpoint type',
            ],
            text,
        )

    def test_what_an_endpoint_says(self) -> None:
        """Descriptions are read, and what is wrong with a value is told as TOML would have it written."""
        self.assert_mistakes(
            [
                (
                    '3: listen[0].endpoint: "tcp:::1:1" is no endpoint description: in front of each colon of an IPv6'
                    r' address belongs a backslash, and no brackets around it: "tcp6:1:interface=\\:\\:1"'
                )
            ],
            _LISTEN.replace("tcp:2022", "tcp:::1:1"),
        )
        self.assert_mistakes(
            ["3: listen[0].endpoint: interface=eth0 names a network interface; what belongs there is its address"],
            _LISTEN.replace("tcp:2022", "tcp:1:interface=eth0"),
        )

    def test_what_cannot_be_seen(self) -> None:
        """Whatever is quoted shows what is invisible in it."""
        self.assert_mistakes(
            [r"8: roles.anonymous.commands: there is no command upt\u200bime"],
            f"{_LISTEN}[commands.df]\nrun = ['df']\n[roles.anonymous]\ncommands = ['upt\u200bime']",
        )

    def test_no_endpoints(self) -> None:
        """A listener needs an endpoint."""
        for value, text in {
            "[]": "must not be empty",
            '""': "must not be empty",
            '[""]': "value 1 must not be empty",
            "2022": 'must be a text in quotes or a list, as in "tcp:2022:interface=127.0.0.1", not 2022',
        }.items():
            with self.subTest(value):
                self.assert_one_mistake(
                    f"7: listen[1].endpoint: {text}", _LISTEN + _LISTEN.replace('"tcp:2022"', value)
                )

    def test_passwords_over_plain_tcp(self) -> None:
        """Another host's passwords are not taken over plain TCP, unless the file says so."""
        for endpoint in ("tcp:1", "tcp:1:interface=192.0.2.1", "tcp:1:interface=128.0.0.1"):
            text = _LISTEN.replace('"never"', '"required"').replace("tcp:2022", endpoint)
            with self.subTest(endpoint):
                self.assert_one_mistake(f"3: listen[0].endpoint: {endpoint} would take passwords over plain TCP", text)
                for enough in ("tls = true", "allow_plaintext_passwords = true"):
                    self.assertTrue(_configure(text + enough).listening)

    def test_whose_passwords_come_from_elsewhere(self) -> None:
        """Only what is certain to be on this host counts: not a proxy's, not an interface that is not named."""
        for endpoint in ("haproxy:tcp:1:interface=127.0.0.1", "haproxy:unix:/x", "systemd:INET:0", "x:interface=::1"):
            with self.subTest(endpoint):
                text = _LISTEN.replace('"never"', '"required"').replace("tcp:2022", endpoint)
                with self.assertRaises(Mistakes) as raised:
                    configure(text, FakeHost(), lambda _: None)
                self.assertIn("would take passwords over plain TCP", str(raised.exception))

    def test_passwords_on_this_host(self) -> None:
        """Loopback and UNIX sockets are nobody else's."""
        local = ("tcp:1:interface=127.0.0.1", "tcp:interface=127.0.0.2:port=1", "tcp:1:interface=localhost")
        for endpoint in (*local, r"tcp6:1:interface=\\:\\:1", "unix:/x"):
            with self.subTest(endpoint):
                text = _LISTEN.replace('"never"', '"optional"').replace("tcp:2022", endpoint)
                self.assertTrue(configure(text, FakeHost(), lambda _: None).listening)

    def test_sockets_have_absolute_paths(self) -> None:
        """The daemon runs in the root directory."""
        for endpoint in ("unix:x", "unix:address=x"):
            with self.subTest(endpoint), self.assertRaises(Mistakes) as raised:
                configure(_LISTEN.replace("tcp:2022", endpoint), FakeHost(), lambda _: None)
            self.assertIn(f"{endpoint} is no absolute path", str(raised.exception))
        for endpoint in ("unix:/x", r"unix:address=\\/x"):
            with self.subTest(endpoint):
                text = _LISTEN.replace("tcp:2022", endpoint)
                self.assertTrue(configure(text, FakeHost(), lambda _: None).listening)

    def test_ssh(self) -> None:
        """An SSH listener may be open to other hosts; it has no TLS, and a login is always required."""
        protocol = '[[listen]]\nprotocol = "ssh"\nendpoint = "tcp:22"\n'

        self.assertTrue(_configure(protocol).listening)
        self.assert_mistakes(
            [
                "4: listen[0].tls: SSH has keys of its own and does not go over TLS",
                '5: listen[0].login: is "optional", but at an SSH listener a login is always required',
            ],
            f'{protocol}tls = true\nlogin = "optional"',
        )

    def test_tls_files(self) -> None:
        """Certificate and key go together, and are absolute paths."""
        self.assert_one_mistake("6: tls: key is missing", _TLS + "certificate = '/x'")
        self.assert_one_mistake("6: tls: certificate is missing", _TLS + "key = '/x'")
        self.assert_one_mistake("7: tls.client_ca: 'ca.pem' is not", _TLS + "client_ca = 'ca.pem'")
        self.assert_one_mistake("7: tls.minimum_version: ", _TLS + "minimum_version = '1.1'")

    def test_exempt_networks(self) -> None:
        """Who is exempt from penalties is said in networks."""
        text = _LISTEN + "[limits]\npenalty_exempt = ['10.0.0.0/8', 'proxy']"
        self.assert_one_mistake("6: limits.penalty_exempt: ", text)

    def test_base_path(self) -> None:
        """It is a path as everybody spells it, and none that the web has already."""
        for right in ("", "/ops", "/tools/ops-1/a.b", "/~ann", "/upt"):
            text = f"{_LISTEN}[commands.uptime]\nrun = ['uptime']\n[web]\nbase_path = '{right}'"
            self.assertEqual(_configure(text).settings.web.base_path, right)
        for wrong in ("ops", "/", "/ops/", "//ops", "/a//b", "/ops?", "/%6fps", "/ä", "/a/../b", "/.", "/ops\\n"):
            text = f'{_LISTEN}[web]\nbase_path = "{wrong}"'
            self.assert_one_mistake("6: web.base_path: ", text)
        for taken in ("/-", "/-/static", "/metrics", "/uptime", "/uptime/x"):
            text = f"{_LISTEN}[commands.uptime]\nrun = ['uptime']\n[web]\nbase_path = '{taken}'"
            self.assert_one_mistake(f"8: web.base_path: {taken} is an address of this server already", text)

    def test_unknown_protocol(self) -> None:
        """A protocol that nobody speaks is no listener."""
        self.assert_one_mistake(
            '6: listen[1].protocol: must be one of line, web, ssh, nrpe, not "telnet"',
            _LISTEN + _LISTEN.replace('"line"', '"telnet"'),
        )

    def test_a_broken_listener_does_not_move_the_others(self) -> None:
        """A mistake is told at its own listener, also after a listener that could not be read."""
        text = '[[listen]]\nprotocol = "line"\n' + _LISTEN.replace('login = "never"', 'tls = 1\nlogin = "never"')
        self.assert_mistakes(
            [
                "1: listen[0]: endpoint is missing",
                "6: listen[1].tls: must be true or false, not 1",
            ],
            text,
        )

    def test_a_broken_door_is_a_listener(self) -> None:
        """Whoever has made a mistake in the only listener is not told that there is none."""
        self.assert_mistakes(["1: listen[0]: endpoint is missing"], '[[listen]]\nprotocol = "line"\nlogin = "never"\n')


class ParserTests(ConfigurationTestCase):
    def test_a_parser(self) -> None:
        """A command keeps the name of its parser."""
        (command,) = _configure(_LISTEN + '[commands.df]\nrun = ["df"]\nparser = "df"').commands
        self.assertEqual("df", command.parser)

    def test_an_unknown_parser(self) -> None:
        """A parser that there is not is a mistake, at its place."""
        text = _LISTEN + '[commands.df]\nrun = ["df"]\nparser = "dff"'
        self.assert_one_mistake("7: commands.df.parser: jc ", text)
        self.assert_one_mistake("has no parser 'dff'; did you mean df?", text)

    def test_without_jc(self) -> None:
        """In somebody's file a parser without jc is a mistake that says what to install."""
        default = resources.files("cmdserver.config").joinpath("default.toml").read_text("utf-8")
        with without_jc():
            self.assert_one_mistake(
                "commands.df.parser: needs the jc library, which is not installed: pip install 'cmdserver[structured]'",
                _LISTEN + '[commands.df]\nrun = ["df"]\nparser = "df"',
            )
            built_in = plugin._configure(Source(path=None, text=default))
        self.assertEqual({None}, {command.parser for command in built_in.commands})
        self.assertIn("df", {command.parser for command in _configure(default).commands})


class CommandTests(ConfigurationTestCase):
    def test_defaults(self) -> None:
        """A command is what its defaults say unless the file says otherwise."""
        (command,) = _configure(_LISTEN + '[commands.df]\nrun = ["df", "-h"]').commands
        self.assertEqual("df", command.name)
        self.assertEqual(("/usr/bin/df", "-h"), command.argv)
        self.assertEqual(("df", "-h"), command.run)
        self.assertEqual("/usr/bin/df", command.executable)
        self.assertEqual("", command.help)
        self.assertEqual(("daemon", "adm"), (command.user, command.group))
        self.assertEqual(
            (30.0, 1048576, None), (command.timeout_seconds, command.output_limit_bytes, command.max_running)
        )
        self.assertEqual((False, False, False), (command.read_only, command.share, command.raw))
        self.assertEqual("/", command.working_directory)
        self.assertEqual((("HOME", "/"), ("LANG", "C"), ("PATH", SEARCH_PATH)), command.environment)

    def test_values(self) -> None:
        """Everything that the file says counts."""
        text = """
            [commands.df]
            run = ["/usr/bin/df", "", "a b"]
            help = "Help"
            read_only = true
            share = false
            timeout_seconds = 5
            output_limit_bytes = 10
            environment = { LANG = "de_DE", A = "" }
            max_running = 2
            raw = true
        """
        (command,) = _configure(_LISTEN + text).commands
        self.assertEqual(("/usr/bin/df", "", "a b"), command.argv)
        self.assertEqual((True, False, True), (command.read_only, command.share, command.raw))
        self.assertEqual((5.0, 10, 2), (command.timeout_seconds, command.output_limit_bytes, command.max_running))
        self.assertEqual("Help", command.help)
        self.assertEqual((("A", ""), ("HOME", "/"), ("LANG", "de_DE"), ("PATH", SEARCH_PATH)), command.environment)

    def test_sharing(self) -> None:
        """A command is shared if it only reads, unless the file says otherwise."""
        for extra, share in {"read_only = true": True, "": False, "share = true": True}.items():
            with self.subTest(extra):
                (command,) = _configure(f"{_LISTEN}[commands.df]\nrun = ['df']\n{extra}").commands
                self.assertIs(share, command.share)

    def test_names(self) -> None:
        """A command's name is of the form that the contract says."""
        for name in ("a", "df", "net-if_2", "a" * 64, "json-x"):
            with self.subTest(name):
                self.assertEqual(name, _configure(f'{_LISTEN}[commands."{name}"]\nrun = ["df"]').commands[0].name)
        for name in ("", "Df", "1a", "-a", "a.b", "a" * 65, "a/b", "\u00e9", "a b", "a\\n", "*"):
            with self.subTest(name):
                self.assert_one_mistake(
                    "a command's name is a lower-case letter, then up to 63 of a-z, 0-9, _ and -",
                    f'{_LISTEN}[commands."{name}"]\nrun = ["df"]',
                )

    def test_reserved_names(self) -> None:
        """No command takes the name of a word that means something itself."""
        for name in sorted({*names.RESERVED_WORDS, "metrics"}):
            with self.subTest(name):
                self.assert_mistakes(
                    [f"5: commands.{name}: {name} is a word with a meaning of its own and no name for a command"],
                    f'{_LISTEN}[commands.{name}]\nrun = ["df"]',
                )

    def test_executables(self) -> None:
        """An executable must be there, and be named so that there is one meaning."""
        for word, why in {
            "nothing": f"no executable nothing on {SEARCH_PATH}",
            "/no/such": "/no/such is missing",
            "bin/df": "bin/df is a relative path",
            "./df": "./df is a relative path",
            "": "is no name of a program",
        }.items():
            with self.subTest(word):
                self.assert_mistakes([f"6: commands.x.run: {why}"], f'{_LISTEN}[commands.x]\nrun = ["{word}"]')

    def test_words_with_nul(self) -> None:
        """No argument has a NUL in it, which would end it for the kernel."""
        self.assert_mistakes(
            ["6: commands.x.run: word 2 has a NUL character in it"],
            _LISTEN + '[commands.x]\nrun = ["df", "-h", "a\\u0000b"]',
        )

    def test_no_words(self) -> None:
        """A command is a list of words, one at least; never one text for a shell."""
        for value in ("[]", '"df -h"', "['df', 1]", "true"):
            with self.subTest(value):
                self.assert_one_mistake("6: commands.x.run: ", f"{_LISTEN}[commands.x]\nrun = {value}")
        self.assert_mistakes(["5: commands.x: run is missing"], f"{_LISTEN}[commands.x]\nhelp = ''")

    def test_environment(self) -> None:
        """An environment variable has a name that it can have, and no NUL."""
        for variable in ('"" = "x"', '"A=B" = "x"', '"1A" = "x"', '"A B" = "x"', 'A = "a\\u0000"', '"A\\n" = ""'):
            with self.subTest(variable):
                self.assert_one_mistake(
                    "is no environment variable",
                    f'{_LISTEN}[commands.x]\nrun = ["df"]\n[commands.x.environment]\n{variable}',
                )

    def test_large_answers_are_not_shared(self) -> None:
        """What may be too large to be kept is streamed to each; to ask for both is a mistake."""
        large = _LISTEN + '[commands.x]\nrun = ["df"]\nread_only = true\noutput_limit_bytes = 1048577\n'
        self.assertEqual([False], [command.share for command in _configure(large).commands])
        self.assert_one_mistake("9: commands.x.share: needs output_limit_bytes <= 1048576", large + "share = true")

    def test_mistakes_tell_no_secrets(self) -> None:
        """A mistake in one environment variable does not tell what the others are."""
        with self.assertRaises(Mistakes) as raised:
            _configure(_LISTEN + '[commands.x]\nrun = ["df"]\nenvironment = { TOKEN = "s3cr3t", PORT = 80 }')
        self.assertNotIn("s3cr3t", str(raised.exception))

    def test_ranges(self) -> None:
        """A value out of range is a mistake at its line."""
        for key, value in (
            ("timeout_seconds", "0"),
            ("timeout_seconds", "-1.5"),
            ("timeout_seconds", "nan"),
            ("timeout_seconds", "inf"),
            ("timeout_seconds", "604801"),
            ("timeout_seconds", "true"),
            ("timeout_seconds", '"30"'),
            ("output_limit_bytes", "0"),
            ("output_limit_bytes", "1.0"),
            ("output_limit_bytes", "1099511627777"),
            ("max_running", "0"),
            ("max_running", "-1"),
            ("read_only", "1"),
            ("read_only", '"yes"'),
            ("share", '""'),
            ("raw", "0"),
            ("help", "1"),
            ("user", '""'),
            ("working_directory", '""'),
            ("environment", "[]"),
            ("environment.A", "1"),
            ("environment.A", '{ B = "" }'),
        ):
            with self.subTest(f"{key} = {value}"):
                self.assert_one_mistake(
                    f"7: commands.x.{key}: ", f"{_LISTEN}[commands.x]\nrun = ['df']\n{key} = {value}"
                )

    def test_largest_values(self) -> None:
        """The ends of a range belong to it."""
        extra = "timeout_seconds = 604800\noutput_limit_bytes = 1\nmax_running = 1"
        (command,) = _configure(f"{_LISTEN}[commands.x]\nrun = ['df']\n{extra}").commands
        self.assertEqual((604800.0, 1, 1), (command.timeout_seconds, command.output_limit_bytes, command.max_running))


class IdentityTests(ConfigurationTestCase):
    def configured(self, extra: str, host: Host) -> Command:
        """Configure one command."""
        (command,) = _configure(f"{_LISTEN}[commands.x]\nrun = ['df']\n{extra}", host).commands
        return command

    def test_user_without_root(self) -> None:
        """Nobody but root becomes somebody else."""
        needs_root = "to run as somebody else the daemon must be started as root"
        for key, name in (("user", "operator"), ("group", "disk")):
            with self.subTest(key):
                self.assert_mistakes(
                    [f"7: commands.x.{key}: {needs_root}"], f"{_LISTEN}[commands.x]\nrun = ['df']\n{key} = '{name}'"
                )

    def test_our_own_user(self) -> None:
        """To run as oneself takes no root."""
        command = self.configured("user = 'daemon'\ngroup = 'adm'", FakeHost())
        self.assertEqual(("/usr/bin/df",), command.argv)

    def test_user(self) -> None:
        """Root becomes the user, with the user's own group and no other."""
        command = self.configured("user = 'operator'", FakeHost(root=True, runs_as=("root", "root")))
        self.assertEqual(("operator", "disk"), (command.user, command.group))
        self.assertEqual(Controls(uid=1002, gid=2002), command.controls)
        self.assertEqual(("/usr/bin/df",), command.argv)

    def test_user_and_group(self) -> None:
        """A group that is named comes before the user's own."""
        command = self.configured("user = 'operator'\ngroup = 'adm'", FakeHost(root=True, runs_as=("root", "root")))
        self.assertEqual(("operator", "adm"), (command.user, command.group))
        self.assertEqual(Controls(uid=1002, gid=2001), command.controls)

    def test_group(self) -> None:
        """A group alone leaves the user as it is."""
        command = self.configured("group = 'disk'", FakeHost(root=True, runs_as=("root", "root")))
        self.assertEqual(("root", "disk"), (command.user, command.group))
        self.assertEqual(Controls(uid=1000, gid=2002), command.controls)

    def test_unknown(self) -> None:
        """Users and groups must be there."""
        host = FakeHost(root=True, runs_as=("root", "root"))
        text = f"{_LISTEN}[commands.x]\nrun = ['df']\nuser = 'ghost'\n[commands.y]\nrun = ['df']\ngroup = 'ghosts'"
        expected = ["7: commands.x.user: there is no user ghost", "10: commands.y.group: there is no group ghosts"]
        self.assert_mistakes(expected, text, host)

    def test_working_directory(self) -> None:
        """A command may have a directory of its own."""
        command = self.configured("working_directory = '/var/tmp'", FakeHost())
        self.assertEqual("/var/tmp", command.working_directory)
        self.assertEqual(("/usr/bin/df",), command.argv)

    def test_controls(self) -> None:
        """What is to be done to a command's process is taken over, limits without a value left out."""
        command = self.configured("umask = 0o077\nnice = 5\nlimits = { cpu_seconds = 3, file_bytes = 0 }", FakeHost())
        limits = (("cpu_seconds", 3), ("file_bytes", 0))
        self.assertEqual(Controls(umask=0o077, nice=5, limits=limits), command.controls)

    def test_urgent_commands_need_root(self) -> None:
        """Only root may run something at a nice value below 0."""
        text = f"{_LISTEN}[commands.x]\nrun = ['df']\nnice = -1"
        self.assert_one_mistake("7: commands.x.nice: below 0 is for a daemon that is started as root", text)
        self.assertEqual(-1, self.configured("nice = -1", FakeHost(root=True)).controls.nice)

    def test_controls_need_the_runner_process(self) -> None:
        """What cannot be done without a fork is a mistake where there is no runner process."""
        for control in ("umask = 0o077", "nice = 1", "limits = { cpu_seconds = 1 }"):
            with self.subTest(control):
                key = control.split()[0]
                self.assert_one_mistake(
                    f"9: commands.x.{key}: is for the runner process, and [runner] says process = false",
                    f"runner.process = false\n\n{_LISTEN}[commands.x]\nrun = ['df']\n{control}",
                )

    def test_the_daemons_user_must_be_there(self) -> None:
        """Who the daemon is to become is known before it has to."""
        self.assert_one_mistake(
            "1: runner.daemon_user: there is no user ghost",
            f"runner.daemon_user = 'ghost'\n{_LISTEN}[commands.x]\nrun = ['df']",
        )

    def test_bad_working_directories(self) -> None:
        """A directory must be there, and absolute."""
        for path, why in {"/missing": "is not a directory", "tmp": "is not an absolute path"}.items():
            with self.subTest(path):
                self.assert_mistakes(
                    [f"7: commands.x.working_directory: {path} {why}"],
                    f"{_LISTEN}[commands.x]\nrun = ['df']\nworking_directory = '{path}'",
                )

    def test_an_equals_sign_in_the_path(self) -> None:
        """Env, which goes to directories where there is no runner process, takes ``a=b`` for a variable."""
        self.assert_one_mistake(
            "8: commands.x.working_directory: takes the runner process for a=b",
            f"runner.process = false\n{_LISTEN}[commands.x]\nrun = ['a=b']\nworking_directory = '/var/tmp'",
            FakeHost(programs=("a=b", "env")),
        )


class RoleTests(ConfigurationTestCase):
    TEXT = _LISTEN + "[commands.df]\nrun = ['df']\n"

    def test_roles(self) -> None:
        """A role has patterns in their order, and users."""
        text = (
            self.TEXT
            + "[roles.staff]\ncommands = ['net-*', 'df', '[a-c]?']\nusers = ['ann', 'b.c@d', 'ann']\n[roles.x]"
        )
        self.assertEqual(
            (
                Role(name="staff", patterns=("net-*", "df", "[a-c]?"), users=frozenset({"ann", "b.c@d"})),
                Role(name="x", patterns=(), users=frozenset()),
            ),
            _configure(text).roles,
        )

    def test_missing_commands(self) -> None:
        """A name in a role is that of a command; only globs may match nothing."""
        self.assert_mistakes(
            ["8: roles.staff.commands: there is no command dfx", "8: roles.staff.commands: there is no command DF"],
            self.TEXT + "[roles.staff]\ncommands = ['dfx', 'df', 'DF', 'x*']",
        )

    def test_broken_commands_are_not_missing(self) -> None:
        """A role that names a command with a mistake in it is not wrong for that."""
        self.assert_mistakes(
            ['6: commands.df.run: must be a list, as in ["df"], not "df"'],
            _LISTEN + "[commands.df]\nrun = 'df'\n[roles.staff]\ncommands = ['df']",
        )

    def test_special_roles_list_no_users(self) -> None:
        """Who is anonymous or authenticated is no matter of lists."""
        text = "[roles.anonymous]\nusers = ['ann']\n[roles.authenticated]\nusers = ['ann']"
        self.assert_mistakes(
            [
                "8: roles.anonymous.users: the role anonymous is every caller without login's and lists no users",
                "10: roles.authenticated.users: the role authenticated is every logged-in caller's and lists no users",
            ],
            self.TEXT + text,
        )

    def test_names(self) -> None:
        """Roles and users have names that can be told from one another."""
        for name in ("", "1", "a b", "a.b", "\u00e9", "a" * 65, "a\\n"):
            with self.subTest(name):
                self.assert_one_mistake("a role's name is a letter", f'{self.TEXT}[roles."{name}"]')
        for name in ("a b", "-a", "a:b", "\u00e9", "a" * 65, "a\\n", "a/b", ".."):
            with self.subTest(name):
                self.assert_one_mistake("can be no user's name", f'{self.TEXT}[roles.x]\nusers = ["{name}"]')

    def test_types(self) -> None:
        """Commands and users are lists of names."""
        for value in ("'df'", "[1]", "['']", "{}"):
            with self.subTest(value):
                self.assert_one_mistake("8: roles.x.commands: ", f"{self.TEXT}[roles.x]\ncommands = {value}")
                self.assert_one_mistake("8: roles.x.users: ", f"{self.TEXT}[roles.x]\nusers = {value}")


class RestTests(ConfigurationTestCase):
    def test_ranges(self) -> None:
        """A limit out of range, or of another type, is a mistake at its line."""
        for key, value in (
            ("connections", "0"),
            ("connections", "10000001"),
            ("connections", "1.0"),
            ("connections_per_source", "-1"),
            ("running", "0"),
            ("running", "true"),
            ("queued", "-1"),
            ("login_seconds", "0"),
            ("login_seconds", "nan"),
            ("idle_seconds", "-0.0"),
            ("idle_seconds", "inf"),
            ("login_attempts", "0"),
            ("line_bytes", "63"),
            ("line_bytes", "1048577"),
            ("request_bytes", "0"),
            ("caller_requests_per_minute", "-1"),
            ("drain_seconds", "-1"),
            ("drain_seconds", "86401"),
            ("unauthenticated", "10"),
            ("unauthenticated_per_source", "-1"),
            ("unauthenticated_per_source", '"none"'),
            ("unauthenticated", '"10:30"'),
            ("unauthenticated", '"10:30:100:5"'),
            ("unauthenticated", '"-1:30:100"'),
            ("unauthenticated", '"10:30: 100"'),
            ("unauthenticated", '"10:30:9"'),
            ("unauthenticated", '"10:0:100"'),
            ("unauthenticated", '"10:101:100"'),
            ("unauthenticated", '"0:30:100"'),
            ("unauthenticated", '"\u0661:\u0661:\u0661"'),
            ("unauthenticated", '"10:30:100\\n"'),
        ):
            with self.subTest(f"{key} = {value}"):
                self.assert_one_mistake(f"6: limits.{key}: ", f"{_LISTEN}[limits]\n{key} = {value}")

    def test_ends_of_ranges(self) -> None:
        """The ends of a range belong to it."""
        text = (
            "queued = 0\nline_bytes = 64\nunauthenticated = '1:1:1'\nunauthenticated_per_source = 0\n"
            "caller_requests_per_minute = 0\ndrain_seconds = 0"
        )
        limits = _configure(f"{_LISTEN}[limits]\n{text}").limits
        self.assertEqual(
            (0, 64, "1:1:1", 0, 0, 0.0),
            (
                limits.queued,
                limits.line_bytes,
                limits.unauthenticated,
                limits.unauthenticated_per_source,
                limits.caller_requests_per_minute,
                limits.drain_seconds,
            ),
        )

    def test_state_dir(self) -> None:
        """The state directory is an absolute path that the kernel takes."""
        self.assertEqual("/x", _configure("state_dir = '/x'\n" + _LISTEN).settings.state_dir)
        self.assert_mistakes(["1: state_dir: x is not an absolute path"], "state_dir = 'x'\n" + _LISTEN)
        self.assert_one_mistake("1: state_dir: must not be empty", "state_dir = ''\n" + _LISTEN)

    def test_paths_with_nul(self) -> None:
        """No path has a NUL in it, which no file's name can have."""
        for text in (f'state_dir = "/a\\u0000b"\n{_LISTEN}', f'{_LISTEN}[audit]\nfile = "a\\u0000b"'):
            with self.subTest(text), self.assertRaises(Mistakes):
                _configure(text)

    def test_unknown_keys(self) -> None:
        """A key that there is not is a mistake, with the nearest that there is."""
        text = "comands = 1\n" + _LISTEN.replace("login", "logn")
        text += "[limits]\nconections = 3\nzzz = 1\n[audit]\nfiles = 'x'"
        self.assert_mistakes(
            [
                "1: comands: unknown key; did you mean commands?",
                "5: listen[0].logn: unknown key; did you mean login?",
                _PLAIN_TCP,
                "7: limits.conections: unknown key; did you mean connections?",
                "8: limits.zzz: unknown key",
                "10: audit.files: unknown key; did you mean file?",
            ],
            text,
        )

    def test_unknown_tables(self) -> None:
        """A table that there is not is a mistake where it begins."""
        self.assert_mistakes(
            ["5: command: unknown key; did you mean commands?"], _LISTEN + '[command.df]\nrun = ["df"]\n[command.x]'
        )

    def test_all_at_once(self) -> None:
        """The reader's mistakes and those that need a look at the host come together."""
        text = (
            _LISTEN
            + """\
[commands.Df]
run = ["nothing"]
timeout_seconds = "1"
[commands.help]
run = ["df"]
user = "operator"
[roles.anonymous]
commands = ["uptime"]
users = ["x"]
[limits]
running = 0
unauthenticated = "3:2:1"
"""
        )
        self.assert_mistakes(
            [
                '7: commands.Df.timeout_seconds: must be a number of seconds without quotes, not "1"',
                "15: limits.running: must be at least 1, not 0",
                "5: commands.Df: a command's name is a lower-case letter, then up to 63 of a-z, 0-9, _ and -",
                f"6: commands.Df.run: no executable nothing on {SEARCH_PATH}",
                "8: commands.help: help is a word with a meaning of its own and no name for a command",
                "10: commands.help.user: to run as somebody else the daemon must be started as root",
                "12: roles.anonymous.commands: there is no command uptime",
                "13: roles.anonymous.users: the role anonymous is every caller without login's and lists no users",
                "16: limits.unauthenticated: FULL is 1; it must not be below START, which is 3",
            ],
            text,
        )

    def test_not_toml(self) -> None:
        """A text that is no TOML has this mistake and no other."""
        self.assert_one_mistake("not TOML: ", "[[listen]\n")


class OthersConfigurationTests(RootTestCase):
    """Root goes by no configuration that others can change: it says what runs as root."""

    def test_it_is_refused(self) -> None:
        """Whether the file or its directory is theirs; an ordinary user takes what there is."""
        file = self.file("c.toml", STRANGER, 0o644, text="x = 1\n")
        self.assertRaises(UnsafePath, load, str(file), {})
        os.chown(file, 0, 0)
        self.assertEqual(load(str(file), {}).text, "x = 1\n")
        os.chown(self.folder, STRANGER, 0)
        self.assertRaises(UnsafePath, load, str(file), {})
        self.patch(os, "geteuid", lambda: STRANGER + 1)
        self.assertEqual(load(str(file), {}).text, "x = 1\n")
