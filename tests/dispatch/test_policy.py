"""Who may run what, and what strangers learn."""

import unittest
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import BadArgument, Denied, LoginRequired, RequestError, UnknownCommand
from cmdserver.core.model import Caller, Grant, Rule
from cmdserver.core.names import is_glob
from cmdserver.dispatch.policy import Policy
from tests.doubles import LAW, a_caller, a_command, a_role

_COMMANDS = tuple(a_command(name=name) for name in ("uptime", "df", "net-if", "net-stat", "reboot"))
_ROLES = (
    a_role("anonymous", ("df", "up*")),
    a_role("staff", ("net-*", "df"), ("ann", "bob")),
    a_role("authenticated", ("d?",)),
    a_role("admin", ("*",), ("bob", "admin")),
)
_NAMES = st.sampled_from(["a", "ab", "b-c", "b-d", "net"])
_PATTERNS = st.sampled_from(["*", "a", "a*", "b-*", "b-[cd]", "b-[!c]", "?", "none"])


class PolicyTests(unittest.TestCase):
    def setUp(self) -> None:
        self.policy = Policy(_COMMANDS, _ROLES)

    def names(self, caller: Caller) -> list[str]:
        """Name what a caller may run."""
        return [command.name for command in self.policy.allowed(caller)]

    def refusal(self, caller: Caller, words: Sequence[str], policy: Policy | None = None) -> RequestError:
        """Return why a request is refused."""
        with self.assertRaises(RequestError) as raised:
            (policy or self.policy).require(caller, words)
        return raised.exception

    def test_roles(self) -> None:
        """A caller has the roles that list it, in the file's order, and the one that all of its kind have."""
        self.assertEqual(("anonymous",), self.policy.roles_of(a_caller()))
        self.assertEqual(("staff", "authenticated"), self.policy.roles_of(a_caller("ann")))
        self.assertEqual(("staff", "authenticated", "admin"), self.policy.roles_of(a_caller("bob")))
        self.assertEqual(("authenticated",), self.policy.roles_of(a_caller("eve")))

    def test_a_user_called_anonymous(self) -> None:
        """A user's name gives nothing but that user's roles, whatever it is."""
        for name in ("anonymous", "authenticated", "staff", "", "ANN"):
            with self.subTest(name):
                self.assertEqual(("authenticated",), self.policy.roles_of(a_caller(name)))

    def test_allowed(self) -> None:
        """Names and globs of all of a caller's roles count; commands come by name."""
        self.assertEqual(["df", "uptime"], self.names(a_caller()))
        self.assertEqual(["df", "net-if", "net-stat"], self.names(a_caller("ann")))
        self.assertEqual(["df", "net-if", "net-stat", "reboot", "uptime"], self.names(a_caller("bob")))
        self.assertEqual(["df"], self.names(a_caller("eve")))

    def test_a_login_is_required(self) -> None:
        """At a listener that requires a login the anonymous are nobody; who has logged in is who they are."""
        policy = Policy(_COMMANDS, _ROLES, ["tcp:2023"])
        anonymous = a_caller(listener="tcp:2023")
        self.assertEqual((), policy.roles_of(anonymous))
        self.assertEqual((), policy.allowed(anonymous))
        self.assertIsInstance(self.refusal(anonymous, ["df"], policy), LoginRequired)
        self.assertIsInstance(self.refusal(anonymous, ["nothing"], policy), LoginRequired)
        with self.assertRaises(LoginRequired):
            policy.admit(anonymous)

        for caller in (a_caller(listener="tcp:2022"), a_caller("eve", listener="tcp:2023")):
            policy.admit(caller)
            self.assertEqual(_COMMANDS[1], policy.require(caller, ["df"]).command)

    def test_credentials_good_for_some_commands(self) -> None:
        """Of what the roles include, only those that the credentials are good for; and nothing that they do not."""
        bob = a_caller("bob", commands=frozenset({"df", "nothing"}), method="token")
        ann = a_caller("ann", commands=frozenset({"df", "reboot"}))
        for caller in (bob, ann):
            self.assertEqual(["df"], self.names(caller))
            self.assertEqual(_COMMANDS[1], self.policy.require(caller, ["df"]).command)
        error = self.refusal(bob, ["uptime"])
        self.assertIsInstance(error, Denied)
        self.assertEqual("the token that you have logged in with is not good for uptime", str(error))
        self.assertIsInstance(self.refusal(ann, ["reboot"]), Denied)
        self.assertIsInstance(self.refusal(bob, ["nothing"]), UnknownCommand)
        suggested = self.refusal(bob, ["net-iff"])
        assert isinstance(suggested, UnknownCommand)
        self.assertEqual((), suggested.suggestions, "it is not good for net-if")

    def test_credentials_good_for_nothing(self) -> None:
        """An empty list is a list."""
        bob = a_caller("bob", commands=frozenset())
        self.assertEqual([], self.names(bob))
        self.assertIsInstance(self.refusal(bob, ["df"]), Denied)

    def test_nothing_is_allowed_by_default(self) -> None:
        """Without roles nobody may run anything."""
        policy = Policy(_COMMANDS, ())
        self.assertEqual((), policy.allowed(a_caller()))
        self.assertEqual((), policy.allowed(a_caller("admin")))
        self.assertEqual(("anonymous",), policy.roles_of(a_caller()))
        self.assertEqual((), policy.roles_of(a_caller("admin")))

    def test_grant(self) -> None:
        """Leave is given for the command of that very name; equal leave is equal."""
        grant = self.policy.require(a_caller(), ["df"])
        self.assertEqual(Grant(command=_COMMANDS[1], arguments=()), grant)
        self.assertEqual(grant, self.policy.require(a_caller("bob"), ("df",)))

    def test_denied(self) -> None:
        """A logged-in caller is told that a command is not among its own."""
        error = self.refusal(a_caller("ann"), ["reboot"])
        self.assertIsInstance(error, Denied)
        self.assertEqual("no role of ann includes reboot; ask the administrator for one that does", str(error))

    def test_leave(self) -> None:
        """Whether a caller may have to do with a command is judged by its name, be it there or not."""
        limited = a_caller("bob", commands=frozenset({"df", "gone"}))
        for caller, name, refusal in (
            (a_caller(), "df", None),
            (a_caller(), "upgrade", None),
            (a_caller(), "reboot", UnknownCommand),
            (a_caller(), "gone", UnknownCommand),
            (a_caller("ann"), "net-gone", None),
            (a_caller("ann"), "reboot", Denied),
            (a_caller("ann"), "gone", Denied),
            (limited, "df", None),
            (limited, "gone", None),
            (limited, "reboot", Denied),
        ):
            with self.subTest(name, caller=caller.name):
                if refusal is None:
                    self.policy.require_leave(caller, name)
                else:
                    self.assertRaises(refusal, self.policy.require_leave, caller, name)

    def test_arguments(self) -> None:
        """Arguments are refused, if the command is the caller's at all."""
        error = self.refusal(a_caller(), ["df", "/", "; id"])
        self.assertIsInstance(error, BadArgument)
        self.assertEqual("df takes no arguments, but got: / ; id", str(error))
        self.assertIsInstance(self.refusal(a_caller(), ["df", ""]), BadArgument)
        self.assertIsInstance(self.refusal(a_caller("ann"), ["reboot", "now"]), Denied)
        self.assertIsInstance(self.refusal(a_caller(), ["reboot", "now"]), UnknownCommand)

    def test_what_cannot_be_seen(self) -> None:
        """Whoever has copied an invisible character with a name or an argument is shown it."""
        error = self.refusal(a_caller(), ["upt\u200bime"])
        self.assertEqual('no command named "upt\\u200bime"; did you mean uptime?', str(error))
        error = self.refusal(a_caller(), ["df", "-h\u00a0"])
        self.assertEqual("df takes no arguments, but got: -h\\xa0", str(error))

    def test_unknown(self) -> None:
        """A name that is not exactly a command's is unknown to everyone; globs and paths are names like others."""
        for name in ("dff", "DF", "df ", "", "*", "d?", "/usr/bin/df", "df\n", "\u0660", "help"):
            for caller in (a_caller(), a_caller("bob")):
                with self.subTest(name):
                    self.assertIsInstance(self.refusal(caller, [name]), UnknownCommand)

    def test_suggestions(self) -> None:
        """The nearest names are suggested, of those that the caller may run, however they are written."""
        error = self.refusal(a_caller("bob"), ["net-iff"])
        self.assertEqual('no command named "net-iff"; did you mean net-if?', str(error))
        error = self.refusal(a_caller("ann"), ["NET-STAT"])
        assert isinstance(error, UnknownCommand)
        self.assertEqual("net-stat", error.suggestions[0])
        self.assertEqual('no command named "rebot"; try: help', str(self.refusal(a_caller("ann"), ["rebot"])))

    def test_three_suggestions_at_most(self) -> None:
        """Of many near names the three nearest are suggested."""
        policy = Policy([a_command(name=f"disk-{each}") for each in "abcde"], _ROLES)
        error = self.refusal(a_caller("bob"), ["disk-x"], policy)
        assert isinstance(error, UnknownCommand)
        self.assertEqual(3, len(error.suggestions))

    def test_long_names_are_not_compared(self) -> None:
        """A name longer than any command's, however near to one, is not compared: a megabyte would cost seconds."""
        longest = "d" * 64
        policy = Policy([a_command(name=longest)], [a_role("anonymous")])
        error = self.refusal(a_caller(), ["e" + longest[1:]], policy)
        self.assertEqual(f'no command named "e{longest[1:]}"; did you mean {longest}?', str(error))
        error = self.refusal(a_caller(), [longest + "d"], policy)
        self.assertEqual(f'no command named "{longest}d"; try: help', str(error))

    def test_strangers_learn_nothing(self) -> None:
        """What a stranger is told of a forbidden command is what it would be told if there were none."""
        without = Policy([command for command in _COMMANDS if command.name in {"df", "uptime"}], _ROLES)
        for words in (["reboot"], ["reboot", "x"], ["net-if"], ["net-i"], ["rebootx"], ["nothing"]):
            with self.subTest(words):
                told, would_be = self.refusal(a_caller(), words), self.refusal(a_caller(), words, without)
                self.assertEqual((type(would_be), str(would_be)), (type(told), str(told)))

    def test_rules(self) -> None:
        """The rule is the first of the file that says so."""
        for name, command, rule in (
            (None, 0, Rule(role="anonymous", pattern="up*")),
            ("ann", 1, Rule(role="staff", pattern="df")),
            ("bob", 1, Rule(role="staff", pattern="df")),
            ("bob", 4, Rule(role="admin", pattern="*")),
            ("eve", 1, Rule(role="authenticated", pattern="d?")),
        ):
            with self.subTest(rule):
                self.assertEqual(rule, self.policy.rule_for(a_caller(name), Grant(command=_COMMANDS[command])))

    @given(
        st.sets(_NAMES),
        st.lists(
            st.tuples(
                st.sampled_from(["anonymous", "authenticated", "x", "y"]),
                st.lists(_PATTERNS, max_size=3),
                st.sets(st.sampled_from(["ann", "bob"])),
            ),
            max_size=4,
            unique_by=lambda role: role[0],
        ),
        st.sampled_from([None, "ann", "bob"]),
        _NAMES,
    )
    @LAW
    def test_one_answer(
        self, names: set[str], roles: list[tuple[str, list[str], set[str]]], user: str | None, asked: str
    ) -> None:
        """A command is listed, granted and has a rule, or none of the three."""
        policy = Policy([a_command(name=name) for name in names], [a_role(*each) for each in roles])
        caller = a_caller(user)
        listed = {command.name for command in policy.allowed(caller)}
        try:
            grant = policy.require(caller, [asked])
        except UnknownCommand as error:
            self.assertNotIn(asked, listed)
            self.assertLessEqual(set(error.suggestions), listed)
            self.assertTrue(user is None or asked not in names)
        except Denied:
            self.assertNotIn(asked, listed)
            self.assertIsNotNone(user)
            self.assertIn(asked, names)
        else:
            self.assertIn(asked, listed)
            rule = policy.rule_for(caller, grant)
            self.assertIn(rule.role, policy.roles_of(caller))
            (patterns,) = [patterns for role, patterns, _ in roles if role == rule.role]
            self.assertIn(rule.pattern, patterns)


class GlobTests(unittest.TestCase):
    def test_globs(self) -> None:
        """A pattern has a character in it that no command's name has."""
        self.assertEqual([True] * 4, [is_glob(each) for each in ("*", "net-*", "d?", "[ab]")])
        self.assertEqual([False] * 3, [is_glob(each) for each in ("df", "net-if", "a]")])
