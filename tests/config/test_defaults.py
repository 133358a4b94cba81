"""``[defaults]``: who has them, and where their mistakes are told."""

from typing import Any

from msgspec.structs import fields

from cmdserver.config.decoding import TomlReader
from cmdserver.config.defaults import settings_of
from cmdserver.config.schema.commands import CommandDefaults, CommandSettings
from cmdserver.config.schema.settings import Settings
from cmdserver.core.model import Command
from cmdserver.core.run_states import Keep, OnDisconnect, WhenRunning
from tests.config.validation.doubles import ParametersTestCase, configured

#: Each key that a default may have: a value, and another.
_VALUES: dict[str, tuple[str, str]] = {
    "check": ("true", "false"),
    "metrics": ("true", "false"),
    "section": ('"a"', '"b"'),
    "stdin": ('"a"', '"b"'),
    "confirm": ('"a?"', '"b?"'),
    "schedule": ('"@daily"', '["@hourly"]'),
    "rate_limit": ('"3/10m"', '"4/10m"'),
    "read_only": ("true", "false"),
    "timeout_seconds": ("5", "6"),
    "output_limit_bytes": ("1000", "1001"),
    "working_directory": ('"/var/tmp"', '"/"'),
    "environment": ('{ A = "1" }', '{ B = "2" }'),
    "user": ('"operator"', '"nobody"'),
    "group": ('"disk"', '"adm"'),
    "share": ("true", "false"),
    "max_running": ("3", "4"),
    "when_running": ('"refuse"', '"join"'),
    "on_disconnect": ('"end"', '"continue"'),
    "ok_statuses": ("[0, 1]", "[2]"),
    "history": ('"none"', '"all"'),
    "raw": ("true", "false"),
    "colours": ("true", "false"),
    "parser": ('"df"', '"uptime"'),
    "umask": ("0o077", "0o027"),
    "nice": ("3", "4"),
    "limits": ("{ open_files = 10 }", "{ open_files = 11 }"),
}


def _read(text: str) -> tuple[Settings, list[str]]:
    reader = TomlReader(text)
    settings = settings_of(reader)
    assert settings is not None
    return settings, [str(each) for each in reader.mistakes]


def _value(settings: Settings, name: str, key: str) -> Any:
    command = settings.commands[name]
    assert command is not None
    return getattr(command, key)


class InheritingTests(ParametersTestCase):
    def test_every_key(self) -> None:
        """Any key of a command but its own may have a default, which a command that says otherwise does not have."""
        known = {each.encode_name for each in fields(CommandSettings)}
        self.assertEqual(known - {"run", "help", "title", "parameters", "allow"}, _VALUES.keys())
        self.assertEqual({each.encode_name for each in fields(CommandDefaults)}, _VALUES.keys())
        for key, (default, own) in _VALUES.items():
            with self.subTest(key):
                expected = {
                    name: _value(_read(f'[commands.a]\nrun = ["df"]\n{key} = {value}')[0], "a", key)
                    for name, value in (("a", default), ("b", own))
                }
                text = f'[defaults]\n{key} = {default}\n[commands.a]\nrun = ["df"]\n[commands.b]\nrun = ["df"]\n'
                settings, mistakes = _read(f"{text}{key} = {own}")

                self.assertEqual([], mistakes)
                self.assertEqual(expected, {name: _value(settings, name, key) for name in "ab"})
                self.assertEqual(getattr(settings.defaults, key), expected["a"])

    def test_what_a_command_is_by_them(self) -> None:
        """A default counts as if it were in the command's table, with all that follows from it."""
        text = '[defaults]\nread_only = true\nenvironment = { A = "1" }\n'
        text += '[commands.x]\nrun = ["df"]\n[commands.y]\nrun = ["df"]\nread_only = false\nenvironment = { B = "2" }\n'
        x, y = configured(text).commands

        def seen(command: Command) -> tuple[object, ...]:
            return command.read_only, command.share, command.on_disconnect, command.history, command.environment[:1]

        self.assertEqual((True, True, OnDisconnect.END, Keep.FAILED, (("A", "1"),)), seen(x))
        self.assertEqual((False, False, OnDisconnect.CONTINUE, Keep.ALL, (("B", "2"),)), seen(y))

    def test_an_empty_one_takes_it_back(self) -> None:
        """Of those keys that have no other value for none, and only where there is a default."""
        for key in ("confirm", "rate_limit", "schedule", "parser", "user", "group"):
            default, _ = _VALUES[key]
            for empty in ('""', "[]") if key == "schedule" else ('""',):
                command = f'[commands.x]\nrun = ["df"]\n{key} = {empty}\n'
                settings, mistakes = _read(f"[defaults]\n{key} = {default}\n{command}")
                self.assertEqual((None, []), (_value(settings, "x", key), mistakes))
                self.assertEqual(1, len(_read(command)[1]), key)

    def test_without_commands(self) -> None:
        """A table of defaults alone, or beside what is no table, is read as any other."""
        self.assertEqual(5, _read("[defaults]\ntimeout_seconds = 5")[0].defaults.timeout_seconds)
        mistakes = _read("[defaults]\nraw = true\n[commands]\nx = 3")[1]
        self.assertEqual(["4: commands.x: must be a table, not 3"], mistakes)
        self.assertEqual(["1: defaults: must be a table, not 3"], _read("defaults = 3\n[commands.x]\nrun = ['df']")[1])


class MistakeTests(ParametersTestCase):
    """Where the mistakes of defaults are told."""

    _JOIN = "is for commands that change something: what only reads is to answer afresh"
    _TWO = '[commands.x]\nrun = ["df"]\n[commands.y]\nrun = ["df"]\n'

    def test_once_and_at_their_place(self) -> None:
        """However many commands have it: wrong types, and what only a look at the host shows."""
        for line, expected in {
            "timeout_seconds = 0": "timeout_seconds: must be more than 0, not 0",
            'working_directory = "/nowhere"': "working_directory: /nowhere is not a directory",
            'user = "nosuch"': "user: there is no user nosuch",
            'rate_limit = "0/1m"': "rate_limit: '0/1m' is no rate such as 3/10m: a number from 1 to 9999, a slash and a"
            " time span",
            "nice = -1": "nice: below 0 is for a daemon that is started as root",
            'environment = { "a b" = "x" }': 'environment."a b": is no environment variable',
            "limits.cpu_second = 1": "limits.cpu_second: unknown key; did you mean cpu_seconds?",
            "timout_seconds = 1": "timout_seconds: unknown key; did you mean timeout_seconds?",
            'section = "a\\nb"': "section: must be one line without control characters",
        }.items():
            with self.subTest(line):
                root = line.startswith("user")
                more = ["2: defaults.user: to run as somebody else the daemon must be started as root"] if root else []
                self.assert_mistakes([f"2: defaults.{expected}", *more], f"[defaults]\n{line}\n{self._TWO}")

    def test_what_is_each_commands_own(self) -> None:
        """A program, a name and parameters are no default."""
        for key, value in (("run", '["df"]'), ("help", '"x"'), ("title", '"x"'), ("parameters", "[]")):
            self.assert_mistakes(
                [f"2: defaults.{key}: is each command's own, and has no default"],
                f"[defaults]\n{key} = {value}\n{self._TWO}",
            )

    def assert_at_command(self, default: str, own: str, key: str, expected: str) -> None:
        """Fail unless a default does not go with what one of two commands says, and this is why."""
        parts = own.partition("parameters")
        run = '["df", "{a}"]' if parts[1] else '["df"]'
        text = f'[defaults]\n{default}\n[commands.x]\nrun = {run}\n{own}\n[commands.y]\nrun = ["df"]\n'
        name = default.partition(" ")[0]
        with self.subTest(default):
            self.assert_mistakes(
                [f"5: commands.x.{key}: defaults.{name} (line 8) does not go with it: {expected}"], text
            )

    def test_what_does_not_go_with_a_command(self) -> None:
        """It is told where the command says what it does not go with, with the place of the default."""
        self.assert_at_command(
            'when_running = "join"',
            "read_only = true",
            "read_only",
            f"join {self._JOIN}",
        )
        self.assert_at_command(
            "share = true",
            "output_limit_bytes = 2000000",
            "output_limit_bytes",
            "needs output_limit_bytes <= 1048576: more is not kept in memory, but streamed to each",
        )
        parameters = 'parameters = [{ name = "a", type = "string" }]'
        self.assert_at_command(
            'schedule = "@daily"',
            parameters,
            "parameters",
            "nobody is there to give a value for a: it takes a default",
        )
        self.assert_at_command(
            'confirm = "Restart {unit}?"',
            parameters,
            "parameters",
            "{unit} is no parameter; braces are written {{ and }}",
        )

    def test_what_does_not_go_with_a_default(self) -> None:
        """It is told at the command, which can say otherwise, with the place of what it does not say."""
        self.assert_mistakes(
            [f"5: commands.x.when_running: join {self._JOIN} (defaults.read_only, line 8)"],
            '[defaults]\nread_only = true\n[commands.x]\nrun = ["df"]\nwhen_running = "join"\n',
        )

    def test_what_goes_with_no_command(self) -> None:
        """Two defaults that do not go with each other are wrong where they are, once."""
        self.assert_mistakes(
            [f"3: defaults.when_running: join {self._JOIN}"],
            f'[defaults]\nread_only = true\nwhen_running = "join"\n{self._TWO}',
        )

    def test_commands_of_mistaken_defaults(self) -> None:
        """They are there all the same, and what is said of their roles and hooks is not said twice."""
        self.assert_mistakes(
            ["2: defaults.timeout_seconds: must be more than 0, not 0"],
            f'[defaults]\ntimeout_seconds = 0\n{self._TWO}[roles.r]\ncommands = ["x", "y"]\n',
        )


class WarningTests(ParametersTestCase):
    """What defaults are without effect."""

    def assert_warnings(self, expected: list[str], text: str) -> None:
        """Fail unless a text has these warnings; the beginning has 6 lines."""
        self.assertEqual(expected, [str(each) for each in configured(text).warnings])

    def test_every_command_says_otherwise(self) -> None:
        """A default that nobody has."""
        text = '[defaults]\nraw = true\n[commands.x]\nrun = ["df"]\n'
        self.assert_warnings([], text)
        self.assert_warnings(
            ["8: defaults.raw: is without effect: every command says otherwise"], text + "raw = false\n"
        )

    def test_what_is_never_reached(self) -> None:
        """It takes a command with max_running for when_running to have an effect."""
        x, y = '[commands.x]\nrun = ["df"]\n', '[commands.y]\nrun = ["df"]\n'
        for key in ("refuse", "join"):
            text = f'[defaults]\nwhen_running = "{key}"\n{x}{y}'
            self.assert_warnings(
                ["8: defaults.when_running: is without effect: no command that has it has a max_running"], text
            )
            self.assert_warnings([], text + "max_running = 1\n")
        self.assert_warnings([], f'[defaults]\nwhen_running = "wait"\n{x}')
        self.assertEqual(WhenRunning.WAIT, configured(x).commands[0].when_running)
