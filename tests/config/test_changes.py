"""What the log says of a reload."""

import unittest

from cmdserver.config.changes import changes
from cmdserver.config.loading import configure
from tests.doubles import FakeHost

_LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022:interface=127.0.0.1"\nlogin = "never"\n'


class ChangesTests(unittest.TestCase):
    def assert_changes(self, expected: list[str], old: str, new: str) -> None:
        """Fail unless this is what differs between two files, and the way back says the same the other way round."""
        before, after = (configure(_LISTEN + each, FakeHost(), lambda _: None).settings for each in (old, new))
        self.assertEqual(expected, changes(before, after))
        turned = {"added": "removed", "removed": "added", "changed": "changed"}
        back = [f"{each.rpartition(' ')[0]} {turned[each.rpartition(' ')[2]]}" for each in expected]
        self.assertEqual(sorted(back), sorted(changes(after, before)))

    def test_nothing(self) -> None:
        """Nothing is nothing, however it is written."""
        self.assert_changes([], "", "[limits]\nqueued = 1000\n[defaults]\nraw = false\n")
        command = "[commands.{}]\nrun = ['df']\n"
        self.assert_changes([], command.format("x") + command.format("y"), command.format("y") + command.format("x"))

    def test_what_has_a_name(self) -> None:
        """Each is a line, with the keys that differ; what is new or gone is no more than that."""
        self.assert_changes(
            [
                "command restart added",
                "command df: read_only, run, help changed",
                "command up removed",
                "role helpdesk: commands changed",
                "hook y added",
                "hook x removed",
            ],
            """
            [commands.up]
            run = ["uptime"]
            [commands.df]
            run = ["df"]
            [roles.helpdesk]
            commands = ["df"]
            [hooks.x]
            command = "df"
            signature = "gitlab"
            secret_file = "/x"
            """,
            """
            [commands.restart]
            run = ["sh"]
            [commands.df]
            run = ["df", "-h"]
            help = "x"
            read_only = true
            [roles.helpdesk]
            commands = ["df", "restart"]
            [hooks.y]
            command = "df"
            signature = "gitlab"
            secret_file = "/x"
            """,
        )

    def test_what_there_is_once(self) -> None:
        """Keys are called with their tables."""
        self.assert_changes(
            ["site.label changed", "limits.running changed", "limits.queued changed", "audit.file changed"],
            "",
            "[limits]\nqueued = 5\nrunning = 999\n[audit]\nfile = 'x'\n[site]\nlabel = 'x'\n",
        )

    def test_listeners(self) -> None:
        """They are called by their endpoints, one by one."""
        web = '[[listen]]\nprotocol = "web"\nendpoint = {}\nlogin = "{}"\n'
        self.assert_changes(
            [
                "listener tcp:3:interface=127.0.0.1 added",
                "listener tcp:1:interface=127.0.0.1: login changed",
                "listener tcp:2:interface=127.0.0.1 removed",
            ],
            web.format('["tcp:1:interface=127.0.0.1", "tcp:2:interface=127.0.0.1"]', "never"),
            web.format('["tcp:3:interface=127.0.0.1", "tcp:1:interface=127.0.0.1"]', "optional"),
        )

    def test_defaults(self) -> None:
        """A default is said once; what a command says otherwise, and now says otherwise, at the command."""
        commands = "[commands.x]\nrun = ['df']\n[commands.y]\nrun = ['df']\ntimeout_seconds = {}\n"
        self.assert_changes(
            ["command y: timeout_seconds changed", "defaults.timeout_seconds changed"],
            "[defaults]\ntimeout_seconds = 5\n" + commands.format(6),
            "[defaults]\ntimeout_seconds = 7\n" + commands.format(8),
        )
        self.assert_changes(
            ["command x: timeout_seconds changed"],
            commands.format(6),
            commands.format(6).replace("['df']\n", "['df']\ntimeout_seconds = 8\n", 1),
        )

    def test_checks(self) -> None:
        """A limit that has moved is a change; one that is spelled otherwise is none."""
        command = "[commands.df]\nrun = ['df']\nparser = 'df'\ncheck = {}\n"
        rule = "[{{ value = 'use_percent', warning = '{}' }}]"
        for old, new in (("true", "false"), ("true", rule.format(80)), (rule.format(80), rule.format(90))):
            self.assert_changes(["command df: check changed"], command.format(old), command.format(new))
        tables = "[[commands.df.check]]\nvalue = 'use_percent'\nwarning = '80'\n"
        self.assert_changes([], command.format(rule.format(80)), command.format("\n").replace("check = \n", tables))
        self.assert_changes(
            ["command df: metrics changed"], command.format("true"), command.format("true\nmetrics = true")
        )

    def test_no_values(self) -> None:
        """An environment may hold secrets, in its values and its names."""
        command = "[commands.df]\nrun = ['df']\nenvironment = {{ A = '{}', {} = 'x' }}"
        self.assert_changes(["command df: environment changed"], command.format("old", "B"), command.format("new", "C"))
