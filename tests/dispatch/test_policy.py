"""Who may run what, and what strangers learn."""

import unittest
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.auth.callers import suppose
from cmdserver.checks.check import Check
from cmdserver.core.errors import BadArgument, Denied, LoginRequired, RequestError, UnknownCommand
from cmdserver.core.model import Caller, Grant, Role, Rule
from cmdserver.core.names import is_glob
from cmdserver.dispatch.policy import Policy, wants_second_factor
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.text_types import Choice, Flag, Secret
from tests.dispatch.doubles import taking
from tests.doubles import LAW, a_caller, a_command, a_role
from tests.parameters.doubles import a_parameter, optional

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

    def test_where_only_what_reads_is_offered(self) -> None:
        """Over NRPE nothing else exists, whoever asks, whatever their roles and however they spell it."""
        commands = (
            a_command(name="df"),
            a_command(name="reboot", read_only=False),
            a_command(name="disk", read_only=False, check=Check()),
        )
        policy = Policy(commands, _ROLES)
        for name in (None, "bob", "admin"):
            caller = a_caller(name, protocol="nrpe")
            self.assertIsInstance(self.refusal(caller, ["reboot"], policy), UnknownCommand)
            self.assertIsInstance(self.refusal(caller, ["reboot", "--", "x"], policy), UnknownCommand)
            self.assertNotIn("reboot", [command.name for command in policy.allowed(caller)])
        self.assertEqual("df", policy.require(a_caller("bob", protocol="nrpe"), ["df"]).command.name)
        self.assertEqual("disk", policy.require(a_caller("bob", protocol="nrpe"), ["disk"]).command.name)
        self.assertEqual("reboot", policy.require(a_caller("bob"), ["reboot"]).command.name)

    def test_values_of_a_command_that_takes_none(self) -> None:
        """They are told as they were given, without what makes values of them."""
        for words, said in ((["df", "--", "a=b"], "a=b"), (["df", "--"], "--"), (["df", "x", "--"], "x --")):
            self.assertEqual(f"df takes no arguments, but got: {said}", str(self.refusal(a_caller(), words)))

    def test_triggers(self) -> None:
        """Schedules and hooks have the roles that list them, and not that of those who have logged in."""
        roles = (*_ROLES, a_role("night", ("reboot",), ("schedule", "hook:a")))
        policy = Policy(_COMMANDS, roles)
        for name, expected in (
            ("schedule", ("night",)),
            ("hook:a", ("night",)),
            ("hook:b", ()),
            ("ann", ("staff", "authenticated")),
            ("schedule1", ("authenticated",)),
        ):
            with self.subTest(name):
                self.assertEqual(expected, policy.roles_of(suppose(name)))
        self.assertEqual("reboot", policy.require(suppose("schedule"), ["reboot"]).command.name)
        for name in ("hook:b", "schedule"):
            with self.assertRaises(Denied):
                policy.require(suppose(name), ["df"])

    def test_a_user_called_anonymous(self) -> None:
        """A user's name gives nothing but that user's roles, whatever it is."""
        for name in ("anonymous", "authenticated", "staff", "", "ANN"):
            with self.subTest(name):
                self.assertEqual(("authenticated",), self.policy.roles_of(a_caller(name)))

    def test_allowed(self) -> None:
        """Names and globs of all of a caller's roles count; commands come in the order of the file."""
        self.assertEqual(["uptime", "df"], self.names(a_caller()))
        self.assertEqual(["df", "net-if", "net-stat"], self.names(a_caller("ann")))
        self.assertEqual(["uptime", "df", "net-if", "net-stat", "reboot"], self.names(a_caller("bob")))
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

    def test_credentials_good_for_globs(self) -> None:
        """As roles have them; at most what the roles include, and of the runs of others what the roles show."""
        for patterns, names in (
            ({"net-*"}, ["net-if", "net-stat"]),
            ({"*"}, ["df", "net-if", "net-stat"]),
            ({"n"}, []),
        ):
            ann = a_caller("ann", commands=frozenset(patterns), method="token")
            self.assertEqual(names, self.names(ann))
            for command in _COMMANDS:
                if command.name in names:
                    self.assertEqual(command, self.policy.require(ann, [command.name]).command)
                else:
                    self.assertIsInstance(self.refusal(ann, [command.name]), Denied)
                self.assertEqual(command.name in names, self.policy.sees(ann, command.name, is_own=True))
                self.assertEqual(command.name in names, self.policy.stops(ann, command.name, is_own=True))

    def test_credentials_good_for_nothing(self) -> None:
        """An empty list is a list."""
        bob = a_caller("bob", commands=frozenset())
        self.assertEqual([], self.names(bob))
        self.assertFalse(self.policy.sees(bob, "df", is_own=True) or self.policy.stops(bob, "df", is_own=True))
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

    def test_what_changes_something_is_not_suggested(self) -> None:
        """However near it is, and to whomever: who mistypes is not to clear a cache."""
        commands = [a_command(name="clear-cache", read_only=False), a_command(name="clock")]
        policy = Policy(commands, [a_role("anonymous"), a_role("staff", ("*",), ("ann",))])
        for caller in (a_caller(), a_caller("ann")):
            self.assertEqual('no command named "clear"; try: help', str(self.refusal(caller, ["clear"], policy)))
            error = self.refusal(caller, ["clok"], policy)
            assert isinstance(error, UnknownCommand)
            self.assertEqual(("clock",), error.suggestions)

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


_UNIT = a_parameter("unit", Choice(choices=dict.fromkeys(("nginx", "web-1", "web-2", "db"), "")))
_LINES = optional("lines", Integer(minimum=1), default=("50",))
_UTC = optional("utc", Flag())
_JOURNAL = taking("journal", _UNIT, _LINES, _UTC)


def _narrow(name: str, users: Sequence[str] = (), **only: Sequence[str]) -> Role:
    narrowed = {"journal": {parameter: tuple(globs) for parameter, globs in only.items()}}
    return Role(name=name, patterns=("journal",), users=frozenset(users), only=narrowed)


class ValueTests(unittest.TestCase):
    """Commands that take values, and roles that narrow them."""

    def setUp(self) -> None:
        self.policy = Policy(
            [_JOURNAL],
            [
                _narrow("anonymous", unit=["web-*"]),
                _narrow("web", ["ann", "both"], unit=["web-*"], lines=["5*"]),
                _narrow("db", ["both", "dan"], unit=["db"], lines=["7", "50"], utc=["false"]),
                _narrow("loud", ["lou"], utc=["true"]),
                a_role("admin", ["*"], ["ada"]),
            ],
        )

    def outcome(self, name: str | None, *words: str) -> str:
        """Say what is granted, or what is said instead."""
        try:
            return " ".join(self.policy.require(a_caller(name), ["journal", *words]).arguments)
        except (Denied, BadArgument) as error:
            return f"{error.code}: {error}"

    def test_what_is_always_found(self) -> None:
        """Who may not give the defaults is not told what a command finds with them; nor whose command has none."""
        tenant = a_parameter(name="tenant", default=("secret",))
        needed = a_parameter(name="tenant")
        commands = [
            taking("count", tenant),
            taking("other", needed),
            a_command(name="plain"),
        ]
        narrowed = {"count": {"tenant": ("public",)}, "other": {"tenant": ("*",)}}
        roles = [
            Role(name="anonymous", patterns=("count", "other", "plain"), users=frozenset(), only=narrowed),
            Role(name="staff", patterns=("count",), users=frozenset({"ann"})),
        ]
        policy = Policy(commands, roles)

        self.assertEqual(policy.usual_names(a_caller()), {"plain"})
        self.assertEqual(policy.usual_names(a_caller("ann")), {"count"})
        self.assertEqual(policy.usual_names(a_caller("ann", commands=frozenset({"plain"}))), set())

    def test_one_role(self) -> None:
        """What it may give, and nothing else; for who has logged in that is denied."""
        self.assertEqual("unit=web-1 lines=50", self.outcome("ann", "web-1"))
        self.assertEqual("unit=web-1 lines=5", self.outcome("ann", "web-1", "5"))
        denied = "denied: no role of ann may give that to journal:"
        self.assertEqual(f"{denied} unit must be one of web-1, web-2", self.outcome("ann", "db"))
        self.assertEqual(
            f"{denied} lines must be a whole number, 1 or more, and match 5*", self.outcome("ann", "web-1", "7")
        )
        self.assertEqual("unit=db lines=7", self.outcome("ada", "db", "7"))

    def test_several_roles(self) -> None:
        """One of them must allow all; what each may give is not to be mixed."""
        self.assertEqual("unit=web-1 lines=5", self.outcome("both", "web-1", "5"))
        self.assertEqual("unit=db lines=7", self.outcome("both", "db", "7"))
        for words in (("web-1", "7"), ("db", "5")):
            why = "each of the values may be given, but not all of them together"
            expected = f"denied: no role of both may give that to journal: {why}"
            self.assertEqual(expected, self.outcome("both", *words))
        self.assertIn("denied", self.outcome("both", "nginx"))

    def test_defaults_and_flags(self) -> None:
        """They are judged as if they had been given; a flag that is not given is false."""
        self.assertEqual(
            "denied: no role of lou may give that to journal: utc must be one of true", self.outcome("lou", "db")
        )
        self.assertEqual("unit=db lines=50 utc=true", self.outcome("lou", "db", "utc=1"))
        self.assertIn("denied", self.outcome("dan", "db", "50", "yes"))
        self.assertEqual("unit=db lines=50", self.outcome("dan", "db", "utc=no"))
        policy = Policy([_JOURNAL], [_narrow("web", ["ann"], lines=["7"])])
        with self.assertRaises(Denied):
            policy.require(a_caller("ann"), ["journal", "db"])

    def test_the_anonymous(self) -> None:
        """For them what they may not give is no choice, and there is no difference to see."""
        self.assertEqual("unit=web-1 lines=50", self.outcome(None, "web-1"))
        forbidden, none = self.outcome(None, "web-db"), self.outcome(None, "db")
        self.assertEqual("bad_argument: unit must be one of web-1, web-2", none)
        self.assertTrue(forbidden.startswith("bad_argument: unit must be one of web-1, web-2"))
        without = taking("journal", a_parameter("unit", Choice(choices={"web-1": "", "web-2": ""})), _LINES, _UTC)
        other = Policy([without], [a_role("anonymous", ["journal"])])
        for words in (
            ["db"],
            ["nginx"],
            ["web"],
            [],
            ["ngin"],
            ["nginx", "0"],
            ["db", "x", "y", "z"],
            ["unit=db", "u=1"],
        ):
            told = []
            for policy in (self.policy, other):
                with self.assertRaises(BadArgument) as raised:
                    policy.require(a_caller(), ["journal", *words])
                told.append((str(raised.exception), raised.exception.mistakes))
            self.assertEqual(told[1], told[0], words)

    def test_what_is_listed(self) -> None:
        """The choices that are in a list are those that are granted, for everybody."""
        for name in (None, "ann", "both", "dan", "lou", "ada"):
            (command,) = self.policy.allowed(a_caller(name))
            type_ = command.parameters[0].type
            assert isinstance(type_, Choice)
            granted = {
                unit
                for unit in ("nginx", "web-1", "web-2", "db")
                for lines in ("5", "7", "50")
                for utc in ("0", "1")
                if self.outcome(name, unit, lines, utc).startswith("unit=")
            }
            self.assertEqual(set(type_.choices), granted, name)
            self.assertEqual(command, self.policy.narrowed(a_caller(name), _JOURNAL))

    def test_the_rule(self) -> None:
        """It is the first that allows these values."""
        for words, role in ((["web-1", "5"], "web"), (["db", "7"], "db")):
            grant = self.policy.require(a_caller("both"), ["journal", *words])
            self.assertEqual(role, self.policy.rule_for(a_caller("both"), grant).role)

    def test_suggestions(self) -> None:
        """Of what the caller may give."""
        for name, suggested in (("ann", ("web-2", "web-1")), ("dan", ()), ("ada", ("web-2", "web-1"))):
            with self.assertRaises(BadArgument) as raised:
                self.policy.require(a_caller(name), ["journal", "web-3"])
            self.assertEqual(suggested, raised.exception.mistakes[0].suggestions, name)

    def test_credentials_good_for_other_commands(self) -> None:
        """No value helps; and the list of what they are good for is not looked at for its choices either."""
        for commands, is_denied in (
            (frozenset({"df"}), True),
            (frozenset[str](), True),
            (frozenset({"journal"}), False),
        ):
            caller = a_caller("ada", commands=commands, method="token")
            self.assertEqual([] if is_denied else ["journal"], [each.name for each in self.policy.allowed(caller)])
            if is_denied:
                why = "the token that you have logged in with is not good for journal"
                with self.assertRaisesRegex(Denied, why):
                    self.policy.require(caller, ["journal", "db"])
                for ask in (self.policy.require_command, self.policy.require_leave):
                    with self.assertRaisesRegex(Denied, why):
                        ask(caller, "journal")
            else:
                self.assertEqual(("db",), self.policy.require(caller, ["journal", "db"]).values[0][1])

    def test_grants(self) -> None:
        """Equal for the same values, however they were given, and whoever gave them; different otherwise."""
        one = self.policy.require(a_caller("ada"), ["journal", "web-1", "05"])
        two = self.policy.require(a_caller("ann"), ["journal"], [("unit", "web-1"), ("lines", "5"), ("utc", "no")])
        self.assertEqual((one, hash(one)), (two, hash(two)))
        self.assertNotEqual(one, self.policy.require(a_caller("ann"), ["journal", "web-1", "50"]))

    def test_fields_for_a_command_without_parameters(self) -> None:
        """It takes none."""
        with self.assertRaisesRegex(BadArgument, "df takes no arguments, but got: x a=b"):
            Policy(_COMMANDS, _ROLES).require(a_caller(), ["df", "x"], [("a", "b")])

    def test_secrets(self) -> None:
        """Two that differ are two questions; none is in what is shown."""
        login = taking("login", a_parameter("user"), a_parameter("password", Secret()))
        policy = Policy([login], [a_role("anonymous", ["login"])])
        one, two = (policy.require(a_caller(), ["login", "ada", each]) for each in ("hunter2", "hunter3"))
        self.assertNotEqual(one, two)
        self.assertEqual(("user=ada", "password=***"), one.arguments)
        self.assertNotIn("hunter", f"{one!r} {one}")
        self.assertEqual(("user=ada", "***"), policy.masked(["login", "user=ada", "hunter2"]))
        self.assertEqual(("password=***",), policy.masked(["login"], [("password", "hunter2")]))
        # What a name was meant for that is spelled wrong may take secrets, if anything does.
        self.assertEqual(("***", "***", "b=***"), policy.masked(["logni", "a", "password=x"], [("b", "c")]))
        self.assertEqual(("a", "b=c"), Policy([a_command()], []).masked(["nothing", "a"], [("b", "c")]))
        self.assertEqual(("***", "***"), policy.masked(["logni", "--", "a", "b"]))
        for name in ("nothing", a_command().name):  # what says that values follow is none
            self.assertEqual(("a", "--"), Policy([a_command()], []).masked([name, "--", "a", "--"]))

    def test_secrets_over_a_bus(self) -> None:
        """They are refused however they are given, once it is known that the caller may have the command."""
        login = taking(
            "login", a_parameter("user", default=("ada",)), a_parameter("password", Secret(), default=("x",))
        )
        policy = Policy([login], [a_role("staff", ["login"], ["ann"])])
        ann, bob = (a_caller(name, protocol="fleet", source="fleet") for name in ("ann", "bob"))
        for words, fields in (
            (["login", "ada", "hunter2"], []),
            (["login", "password=hunter2"], []),
            (["login"], [("password", "hunter2")]),
        ):
            with self.assertRaisesRegex(Denied, "password is secret"):
                policy.require(ann, words, fields)
            self.assertEqual(policy.require(a_caller("ann"), words, fields).command, login)
        self.assertEqual(policy.require(ann, ["login", "eve"]).command, login)
        with self.assertRaisesRegex(Denied, "no role of bob"):
            policy.require(bob, ["login", "ada", "hunter2"])


class RunsTests(unittest.TestCase):
    """Who may see and stop which runs."""

    ROLES = (
        a_role("anonymous", ("df",)),
        a_role("staff", ("net-*",), ("ann",)),
        Role(name="watch", patterns=(), users=frozenset({"wat"}), sees=("net-*",)),
        Role(name="duty", patterns=(), users=frozenset({"dut"}), sees=("net-*", "old*"), stops=("net-if",)),
    )

    def setUp(self) -> None:
        self.policy = Policy(_COMMANDS, self.ROLES)

    def powers(self, caller: Caller, command: str) -> str:
        """Say what a caller may do with runs of a command: see or stop one of their own, or another's (capitals)."""
        return "".join(
            letter
            for letters, may in (("sS", self.policy.sees), ("tT", self.policy.stops))
            for letter in letters
            if may(caller, command, is_own=letter.islower())
        )

    def test_ones_own(self) -> None:
        """Who may run a command may see and stop what they have run of it, and nothing else."""
        self.assertEqual("st", self.powers(a_caller("ann"), "net-if"))
        self.assertEqual("", self.powers(a_caller("ann"), "df"))
        self.assertEqual("", self.powers(a_caller("eve"), "net-if"))

    def test_those_of_others(self) -> None:
        """A role says of which commands they may be seen, and of which they may be stopped as well."""
        self.assertEqual("sS", self.powers(a_caller("wat"), "net-if"))
        self.assertEqual("", self.powers(a_caller("wat"), "df"))
        self.assertEqual("sStT", self.powers(a_caller("dut"), "net-if"))
        self.assertEqual("sS", self.powers(a_caller("dut"), "net-stat"))

    def test_commands_that_are_gone(self) -> None:
        """Names and globs count for what is not in the file any more, too."""
        self.assertEqual("sS", self.powers(a_caller("dut"), "old-one"))
        self.assertEqual("st", self.powers(a_caller("ann"), "net-gone"))
        self.assertEqual("", self.powers(a_caller("ann"), "old-one"))

    def test_credentials_good_for_some_commands(self) -> None:
        """Nothing is to be had with them of other commands' runs, whoever they belong to."""
        for name, good in (("ann", "st"), ("dut", "sStT")):
            token = a_caller(name, commands=frozenset({"net-if"}))
            self.assertEqual((good, ""), (self.powers(token, "net-if"), self.powers(token, "net-stat")))

    def test_forced_words(self) -> None:
        """A key that runs one command knows its runs and no others."""
        for name, good in (("ann", "st"), ("dut", "sStT")):
            key = a_caller(name, forced_words=("net-if", "-a"))
            self.assertEqual((good, ""), (self.powers(key, "net-if"), self.powers(key, "net-stat")))

    def test_the_anonymous(self) -> None:
        """They see what their role says, at a listener that lets them in."""
        self.policy = Policy(
            _COMMANDS,
            [Role(name="anonymous", patterns=("df",), users=frozenset(), sees=("df",), stops=("d*",))],
            ["tcp:2023"],
        )
        self.assertEqual("sStT", self.powers(a_caller(), "df"))
        self.assertEqual("", self.powers(a_caller(listener="tcp:2023"), "df"))
        self.assertTrue(self.policy.sees_any(a_caller()))
        self.assertFalse(self.policy.sees_any(a_caller(listener="tcp:2023")))

    def test_whether_there_could_be_any(self) -> None:
        """Who has logged in may have some of their own; the anonymous need a role that says so."""
        self.assertTrue(self.policy.sees_any(a_caller("eve")))
        self.assertFalse(self.policy.sees_any(a_caller()))

    def test_sight(self) -> None:
        """The commands whose runs may be looked for: of whom, and by whom."""
        commands = ["df", "net-if", "net-stat", "old"]
        sight = self.policy.sight(a_caller("ann"), iter(commands))
        self.assertEqual(("ann", {"net-if", "net-stat"}, set()), (sight.user, sight.own, sight.all))
        sight = self.policy.sight(a_caller("dut"), commands)
        self.assertEqual({"net-if", "net-stat", "old"}, sight.all)

    def test_the_anonymous_have_none_of_their_own(self) -> None:
        """Though they may run the command: anybody is anonymous."""
        sight = self.policy.sight(a_caller(), ["df", "net-if"])
        self.assertEqual((None, frozenset(), frozenset()), (sight.user, sight.own, sight.all))


class GlobTests(unittest.TestCase):
    def test_globs(self) -> None:
        """A pattern has a character in it that no command's name has."""
        self.assertEqual([True] * 4, [is_glob(each) for each in ("*", "net-*", "d?", "[ab]")])
        self.assertEqual([False] * 3, [is_glob(each) for each in ("df", "net-if", "a]")])


class SecondFactorTests(unittest.TestCase):
    """Roles that count only for callers who have shown a second factor."""

    def setUp(self) -> None:
        roles = [
            Role(name="authenticated", patterns=("df",), users=frozenset(), second_factor=True),
            Role(name="plain", patterns=("uptime",), users=frozenset({"ann", "schedule"})),
            Role(name="safe", patterns=("*",), users=frozenset({"ann", "schedule"}), second_factor=True, sees=("*",)),
        ]
        self.policy = Policy([a_command(name=name) for name in ("uptime", "df", "reboot")], roles)

    def caller(self, *, has_second_factor: bool, is_person: bool = True) -> Caller:
        """Make a caller."""
        name = "ann" if is_person else "schedule"
        return Caller(
            name=name,
            protocol="ssh",
            source="192.0.2.1",
            method="publickey",
            is_person=is_person,
            has_second_factor=has_second_factor,
        )

    def test_with_and_without(self) -> None:
        """Without one such a role is not there, in whatever is asked."""
        for has_one, roles, allowed in (
            (True, ("authenticated", "plain", "safe"), ["uptime", "df", "reboot"]),
            (False, ("plain",), ["uptime"]),
        ):
            caller = self.caller(has_second_factor=has_one)
            self.assertEqual(roles, self.policy.roles_of(caller))
            self.assertEqual(allowed, [each.name for each in self.policy.allowed(caller)])
            self.assertEqual(has_one, self.policy.sees(caller, "reboot", is_own=False))

    def test_explained(self) -> None:
        """The rule says that its role takes one."""
        caller = self.caller(has_second_factor=True)
        rules = [self.policy.rule_for(caller, self.policy.require(caller, [name])) for name in ("uptime", "reboot")]
        self.assertEqual([("plain", False), ("safe", True)], [(each.role, each.second_factor) for each in rules])

    def test_what_they_are_told(self) -> None:
        """Why it is denied, and only to those whose role it would be."""
        with self.assertRaisesRegex(Denied, "a login with a second factor, which the publickey alone is not"):
            self.policy.require(self.caller(has_second_factor=False), ["reboot"])
        for other in ("bob", "schedule"):
            caller = Caller(name=other, protocol="ssh", source="", method="x", is_person=other == "bob")
            with self.assertRaisesRegex(Denied, "no role of"):
                self.policy.require(caller, ["reboot"])

    def test_who_is_asked(self) -> None:
        """Whoever has such a role, be it everybody's."""
        everybody, safe = (
            [Role(name=name, patterns=(), users=frozenset(users), second_factor=True)]
            for name, users in (("authenticated", ()), ("safe", ("ann",)))
        )
        wanting = [wants_second_factor(roles, name) for roles in (everybody, safe, []) for name in ("ann", "bob")]
        self.assertEqual([True, True, True, False, False, False], wanting)
