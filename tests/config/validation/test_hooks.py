"""The hooks of a configuration."""

from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from cmdserver.config.schema.callers import MOST_SECRET_FILES
from cmdserver.triggers.hook import Condition, Hook, Number, SignatureRule, ValuePath
from tests.config.validation.doubles import BEGINNING, ParametersTestCase, configured
from tests.doubles import FakeHost

_WEB = '[[listen]]\nprotocol = "web"\nendpoint = "tcp:2080:interface=127.0.0.1"\n'
_X = """[commands.x]
run = ["df", ["{a}"], "{secret}"]
environment = { S = "{s}" }
[[commands.x.parameters]]
name = "a"
type = "string"
[[commands.x.parameters]]
name = "s"
type = "secret"
default = "none"
[commands.y]
run = ["df"]
""".replace(', "{secret}"', "")
_HOOK = """[hooks.deploy]
command = "y"
secret_file = "/etc/secret"
signature = "github"
"""
_NO_PATH = "'after' is no path such as body.commits.0.id, header.X-GitHub-Event or query.name"
_BEFORE = _X.count("\n")


class HookTests(ParametersTestCase):
    def hook(self, text: str) -> Hook:
        """Return the only hook of a text without mistakes."""
        (hook,) = configured(_WEB + _X + text).hooks
        return hook

    def mistakes(self, *expected: str, hook: str) -> None:
        """Fail unless a hook has just these mistakes; its table is on line 1."""
        with self.subTest(hook), self.assertRaises(Mistakes) as raised:
            configured(_X + hook)
        before = BEGINNING.count("\n") + _BEFORE
        found = [f"{(each.line or 0) - before}: {str(each).partition(': ')[2]}" for each in raised.exception.mistakes]
        self.assertEqual(sorted(expected), sorted(found))

    def test_what_is_read(self) -> None:
        """All of it, and what is left out."""
        self.assertEqual(
            self.hook(_HOOK),
            Hook(name="deploy", command="y", secret_files=("/etc/secret",), signature=SignatureRule.parse("github")),
        )
        hook = self.hook(
            """[hooks.build-2]
            command = "x"
            secret_file = ["/a//b", "/c"]
            signature = "hmac-sha256:X-Sign"
            only_if = { "body.ref" = "main", "header.X-Event" = ["push", "tag"], "body.n" = [1, 1.5, true] }
            arguments = { a = "body.after", s = "body.s" }
            body_bytes = 100
            """
        )
        self.assertEqual(
            ("build-2", "x", ("/a/b", "/c"), 100), (hook.name, hook.command, hook.secret_files, hook.body_bytes)
        )
        self.assertEqual(SignatureRule.parse("hmac-sha256:X-Sign"), hook.signature)
        self.assertEqual(
            (
                Condition(ValuePath.parse("body.ref"), ("main",)),
                Condition(ValuePath.parse("header.X-Event"), ("push", "tag")),
                Condition(ValuePath.parse("body.n"), (Number("1"), Number("1.5"), True)),
            ),
            hook.only_if,
        )
        self.assertEqual((("a", ValuePath.parse("body.after")), ("s", ValuePath.parse("body.s"))), hook.arguments)

    def test_what_is_missing(self) -> None:
        """Each key that there must be."""
        self.mistakes(
            "1: hooks.deploy: command is missing",
            "1: hooks.deploy: secret_file is missing",
            "1: hooks.deploy: signature is missing",
            hook="[hooks.deploy]",
        )

    def test_what_is_not_there(self) -> None:
        """The command."""
        self.mistakes("2: hooks.deploy.command: there is no command z", hook=_HOOK.replace('"y"', '"z"'))

    def test_names(self) -> None:
        """As commands have them: it is in an address."""
        text = "a hook's name is a lower-case letter, then up to 63 of a-z, 0-9, _ and -"
        for name in ('"A"', '"a/b"', '"../x"', '""', "5", '"a:b"'):
            self.assertIn(text, str(self.assert_refused(_HOOK.replace("deploy", name))))

    def assert_refused(self, hook: str) -> Mistakes:
        """Return what is wrong with a hook."""
        with self.assertRaises(Mistakes) as raised:
            configured(_X + hook)
        return raised.exception

    def test_signatures(self) -> None:
        """One of three."""
        self.mistakes(
            "4: hooks.deploy.signature: 'hmac-sha1:X' is no signature: it must be github, gitlab or hmac-sha256:HEADER",
            hook=_HOOK.replace("github", "hmac-sha1:X"),
        )

    def test_secret_files(self) -> None:
        """By absolute paths, as the daemon is where nobody knows."""
        for path in ("secret", "./secret", "~/secret"):
            self.mistakes(
                f"3: hooks.deploy.secret_file: '{path}' is not an absolute path",
                hook=_HOOK.replace("/etc/secret", path),
            )
        self.assertIn("secret_file", str(self.assert_refused(_HOOK.replace('"/etc/secret"', "[]"))))
        self.assertIn("secret_file", str(self.assert_refused(_HOOK.replace("/etc/secret", "/a\\u0000"))))

    def test_secrets_are_looked_at(self) -> None:
        """Each file; what is wrong is a mistake, what is careless a warning."""

        def check(file: str) -> str | None:
            if file == "/bad":
                raise ValueError("/bad is empty")
            return "everybody may read it" if file == "/open" else None

        def looked_at(files: str) -> Configuration:
            text = BEGINNING + _WEB + _X + _HOOK.replace('"/etc/secret"', files)
            return configure(text, FakeHost(), lambda _: None, check_secret=check)

        self.assertEqual((), looked_at('"/good"').warnings)
        (warning,) = looked_at('["/good", "/open"]').warnings
        self.assertIn("hooks.deploy.secret_file: everybody may read it", str(warning))
        with self.assertRaises(Mistakes) as raised:
            looked_at('["/good", "/bad"]')
        self.assertIn("hooks.deploy.secret_file: /bad is empty", str(raised.exception))

    def test_there_is_a_most_of_files(self) -> None:
        """All have to fit into one message of the runner process."""

        def hooks(number: int) -> str:
            return "".join(
                _HOOK.replace("deploy", f"h{each}").replace('secret"', f's{each}"') for each in range(number)
            )

        self.assertEqual(MOST_SECRET_FILES, len(configured(_WEB + _X + hooks(MOST_SECRET_FILES)).hooks))
        self.assertIn("files with secrets", str(self.assert_refused(hooks(MOST_SECRET_FILES + 1))))

    def test_conditions(self) -> None:
        """Paths, and values that JSON has; those of header fields are strings."""
        scalar = "must be a string, a number or a boolean, or an array of them"
        for text, mistake in (
            ('"ref" = "x"', "ref: 'ref' is no path such as body.commits.0.id, header.X-GitHub-Event or query.name"),
            ('body.ref = "x"', 'body: write the whole path between quotes, as in "body.ref" = "refs/heads/main"'),
            ('"body.x" = []', '"body.x": has no value, and would never hold'),
            ('"body.x" = 2026-11-28', f'"body.x": {scalar}'),
            ('"body.x" = [["a"]]', f'"body.x": {scalar}'),
            ('"body.x" = nan', f'"body.x": {scalar}'),
            ('"header.X" = 1', '"header.X": a value of a header is a string'),
            ('"query.x" = ["a", true]', '"query.x": a value of a query is a string'),
        ):
            self.mistakes(f"5: hooks.deploy.only_if.{mistake}", hook=f"{_HOOK}only_if = {{ {text} }}")

    def test_arguments(self) -> None:
        """Parameters that there are, by paths; those that need a value have one; no secret in an address."""
        hook = _HOOK.replace('"y"', '"x"')
        for text, mistake in (
            ('arguments = { a = "body.a", b = "body.b" }', "5: hooks.deploy.arguments.b: x has no parameter b"),
            ('arguments = { s = "body.s" }', "5: hooks.deploy.arguments: x takes a value for a, which has no default"),
            ("", "1: hooks.deploy: x takes a value for a, which has no default"),
            (
                'arguments = { a = "after" }',
                f"5: hooks.deploy.arguments.a: {_NO_PATH}",
            ),
            (
                'arguments = { a = "body.a", s = "query.s" }',
                "5: hooks.deploy.arguments.s: a secret must not be in an address, which proxies and logs keep",
            ),
        ):
            self.mistakes(mistake, hook=hook + text)
        self.mistakes("5: hooks.deploy.arguments.a: y has no parameter a", hook=_HOOK + 'arguments = { a = "body.a" }')

    def test_the_size_of_a_body(self) -> None:
        """Neither nothing nor everything."""
        for size in (0, (1 << 25) + 1):
            self.assertIn("hooks.deploy.body_bytes", str(self.assert_refused(f"{_HOOK}body_bytes = {size}")))

    def test_without_a_web_listener(self) -> None:
        """Nobody can ask for it."""
        (warning,) = configured(_X + _HOOK).warnings
        self.assertIn("hooks: is without effect: no listener speaks web", str(warning))
        self.assertEqual((), configured(_WEB + _X + _HOOK).warnings)


class RoleTests(ParametersTestCase):
    def test_a_hook_may_run_its_command(self) -> None:
        """By a role of its own, which includes nothing else."""
        roles = configured(_WEB + _X + _HOOK).roles
        (own,) = [role for role in roles if role.users]

        self.assertEqual((own.name, own.patterns, own.users), ("hook:deploy", ("y",), frozenset({"hook:deploy"})))

    def test_a_role_that_lists_it_is_its_rule(self) -> None:
        """And then the only one; that it lacks the command is said."""
        role = '[roles.machines]\nusers = ["hook:deploy", "schedule"]\ncommands = ["{}"]\n'
        found = configured(_WEB + _X + _HOOK + role.format("y").replace(', "schedule"', ""))

        self.assertEqual(["machines"], [role.name for role in found.roles if role.users])
        self.assertEqual((), found.warnings)
        warnings = [str(each) for each in configured(_WEB + _X + _HOOK + role.format("x")).warnings]
        self.assertIn(
            "hooks.deploy.command: is refused: no role that lists hook:deploy includes y", "\n".join(warnings)
        )

    def test_a_hook_that_there_is_not(self) -> None:
        """Is in no role."""
        with self.assertRaises(Mistakes) as raised:
            configured(_X + '[roles.m]\nusers = ["hook:other", "schedule:", "a:b"]\ncommands = ["y"]')
        self.assertEqual(
            [
                "roles.m.users: there is no hook other",
                "roles.m.users: 'schedule:' can be no user's name",
                "roles.m.users: 'a:b' can be no user's name",
            ],
            [str(each).partition(": ")[2] for each in raised.exception.mistakes],
        )
