"""What is without effect, or has another than is meant: told, and no reason not to start."""

import unittest

from cmdserver.config.executables import LentRights
from cmdserver.config.host import Host
from cmdserver.config.loading import configure
from cmdserver.config.validation.others import State
from tests.doubles import FakeHost

_LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022:interface=127.0.0.1"\nlogin = "never"\n'
_DF = "[commands.df]\nrun = ['df']\n[roles.anonymous]\ncommands = ['df']\n"
_SSH = '[[listen]]\nprotocol = "ssh"\nendpoint = "tcp:2025"\n'


class WarningsTestCase(unittest.TestCase):
    maxDiff = None

    def assert_warnings(
        self,
        expected: list[str],
        text: str,
        host: Host | None = None,
        state: State | None = None,
    ) -> None:
        """Fail unless a text without mistakes has just these warnings, in the order of their lines."""
        found = configure(text, host or FakeHost(), lambda _: None, look_at_state=lambda _: state or State()).warnings
        self.assertEqual(expected, [str(each) for each in found])


class RoleWarningsTests(WarningsTestCase):
    def test_nothing(self) -> None:
        """A file of which everything has its effect."""
        self.assert_warnings([], _LISTEN + _DF)
        self.assert_warnings([], _SSH + _LISTEN + _DF + "[roles.authenticated]\ncommands = ['d*']\n")

    def test_globs_that_match_nothing(self) -> None:
        """Each is named."""
        self.assert_warnings(
            [
                "9: roles.anonymous.commands: x* matches no command",
                "9: roles.anonymous.commands: D? matches no command",
            ],
            _LISTEN + "\n" + _DF.replace("['df']\n[", "['df']\n[").replace("s = ['df']", "s = ['x*', 'd?', 'D?']"),
        )

    def test_commands_in_no_role(self) -> None:
        """Nobody may run them."""
        self.assert_warnings(
            ["5: commands.x: is in no role, so nobody may run it"], _LISTEN + "[commands.x]\nrun = ['df']\n" + _DF
        )

    def test_roles_that_nobody_has(self) -> None:
        """Nobody is in them, or nobody can come to have them."""
        staff = "[roles.staff]\ncommands = ['df']\nusers = ['ann']\n"
        self.assert_warnings(["9: roles.staff: is nobody's: no listener takes a login"], _LISTEN + _DF + staff)
        for name in ("authenticated", "staff"):
            with self.subTest(name):
                self.assert_warnings(
                    [f"9: roles.{name}: is nobody's: no listener takes a login"],
                    f"{_LISTEN}{_DF}[roles.{name}]\ncommands = ['df']\n",
                )
        self.assert_warnings(
            ["12: roles.x: is nobody's: it lists no users"],
            f"{_LISTEN}{_SSH}{_DF}[roles.x]\ncommands = ['df']\n",
        )
        self.assert_warnings(["6: roles.anonymous: is nobody's: every listener requires a login"], _SSH + _DF + staff)
        optional = _LISTEN.replace("never", "optional")
        self.assert_warnings([], optional + _DF + staff)

    def test_users_that_there_are_not(self) -> None:
        """Only if it is known who there is."""
        staff = "[roles.staff]\ncommands = ['df']\nusers = ['ann', 'bob']\n"
        text = _SSH + "[commands.df]\nrun = ['df']\n" + staff
        self.assert_warnings([], text)
        self.assert_warnings([], text, state=State(users=frozenset({"ann", "bob", "cid"})))
        self.assert_warnings(
            ["8: roles.staff.users: there is no user bob; cmdserver user add bob"],
            text,
            state=State(users=frozenset({"ann"})),
        )


class OtherWarningsTests(WarningsTestCase):
    def test_leave_that_is_not_needed(self) -> None:
        """Passwords in plain text are allowed where none come, or only over TLS."""
        leave = "allow_plaintext_passwords = true\n"
        expected = "listen[0].allow_plaintext_passwords: is without effect: no password comes here over plain TCP"
        self.assert_warnings([f"5: {expected}"], _LISTEN + leave + _DF)
        self.assert_warnings([f"6: {expected}"], _LISTEN.replace('"never"', '"optional"\ntls = true') + leave + _DF)
        self.assert_warnings([], _LISTEN.replace("never", "optional") + leave + _DF)

    def test_what_is_known_of_the_state_directory(self) -> None:
        """It is said at its key, or at none if the file has none."""
        state = State(remarks=((("state_dir",), "cannot be made"), (("audit", "file"), "cannot be written")))
        self.assert_warnings(
            ["state_dir: cannot be made", "10: audit.file: cannot be written"],
            _LISTEN + _DF + "[audit]\nfile = '/x'\n",
            state=state,
        )

    def test_a_user_whom_others_are(self) -> None:
        """A daemon that becomes nobody shares its keys with whatever else runs as nobody."""
        shared = (
            "is whom other services run as, too: each of their processes can read the daemon's keys and let itself in"
        )
        advice = "leave daemon_user out, or name a user that is the daemon's alone"
        self.assert_warnings(
            [f"10: runner.daemon_user: nobody {shared}; {advice}"],
            _LISTEN + _DF + "[runner]\ndaemon_user = 'nobody'\n",
        )
        self.assert_warnings([], _LISTEN + _DF + "[runner]\ndaemon_user = 'root'\n")


class ListenerWarningsTests(WarningsTestCase):
    def test_ports_of_root(self) -> None:
        """Who checks may be somebody else than who starts: so it is no mistake."""
        text = _LISTEN.replace("2022", "23") + _DF
        self.assert_warnings(
            ["3: listen[0].endpoint: port 23 takes root, or the capability CAP_NET_BIND_SERVICE, which daemon has not"],
            text,
        )
        self.assert_warnings([], text, FakeHost(root=True))


class CommandWarningsTests(WarningsTestCase):
    def test_rights_of_files(self) -> None:
        """They are told at ``run``, and kept with the command for whoever asks what would run."""
        host = FakeHost(lent_rights={"/usr/bin/df": LentRights(uid=1002)})
        text = (
            "/usr/bin/df is set-user-ID and expects the rights of operator, which no command gets here (no_new_privs):"
            ' say user = "operator"'
        )
        self.assert_warnings([f"6: commands.df.run: {text}"], _LISTEN + _DF, host)
        (command,) = configure(_LISTEN + _DF, host, lambda _: None).commands
        self.assertEqual((text,), command.warnings)
        (other,) = configure(_LISTEN + _DF, FakeHost(), lambda _: None).commands
        self.assertEqual(other, command)

    def test_rights_without_the_runner_process(self) -> None:
        """Nothing keeps programs from gaining rights then."""
        host = FakeHost(lent_rights={"/usr/bin/df": LentRights(uid=1002)})
        self.assert_warnings([], f"runner.process = false\n{_LISTEN}{_DF}", host)

    def test_programs_that_env_will_not_find(self) -> None:
        """They are looked for along the command's own path."""
        host = FakeHost(missing={"/usr/bin/df": "python9"})
        text = _LISTEN + _DF.replace("[roles", "environment = { PATH = '/opt' }\n[roles", 1)
        self.assert_warnings(
            ["6: commands.df.run: /usr/bin/df begins with #!/usr/bin/env python9, and there is no python9 on /opt"],
            text,
            host,
        )

    def test_what_the_commands_user_may_not(self) -> None:
        """Run the program, or go to the directory."""
        host = FakeHost(obstacles={"/usr/bin/df": "/usr/bin/df", "/var/tmp": "/var"})
        self.assert_warnings(
            [
                "6: commands.df.run: daemon may not run /usr/bin/df",
                "7: commands.df.working_directory: daemon may not enter /var/tmp: the way leads through /var",
            ],
            _LISTEN + _DF.replace("[roles", "working_directory = '/var/tmp'\n[roles", 1),
            host,
        )

    def test_colours_that_are_there_anyhow(self) -> None:
        """What lets everything through lets colours through."""
        for keys, expected in (
            (
                "raw = true\ncolours = true",
                ["8: commands.df.colours: is without effect: raw = true lets every control sequence through"],
            ),
            ("raw = true", []),
            ("colours = true", []),
        ):
            self.assert_warnings(expected, _LISTEN + _DF.replace("[roles", f"{keys}\n[roles", 1))

    def test_limits_of_root(self) -> None:
        """Root has no limit of processes (setrlimit(2))."""

        class Numbered(FakeHost):
            def user_id(self, user: str) -> int | None:
                return 0 if user == "root" else super().user_id(user)

        for user, expected in (
            ("root", ["7: commands.df.limits.processes: is without effect: root has no such limit"]),
            ("operator", []),
        ):
            with self.subTest(user):
                self.assert_warnings(
                    expected,
                    _LISTEN + _DF.replace("[roles", f"limits.processes = 5\nuser = '{user}'\n[roles", 1),
                    Numbered(root=True, runs_as=("root", "root")),
                )
