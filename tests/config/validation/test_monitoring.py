"""Checks and metrics of commands: what is a mistake, and in which line."""

from typing import Any

from cmdserver.checks.check import Check, CheckRule
from cmdserver.checks.ranges import EXAMPLES, Range
from tests.config.validation.doubles import ParametersTestCase, configured

_X = '[commands.x]\nrun = ["df"]\n'
_WITH_PARSER = _X + 'parser = "df"\n'
_NO_PARSER = "rules need a parser, which makes data of the output; a plugin has check = true"


def a_rule(**differences: Any) -> CheckRule:
    """Make a rule on ``a``."""
    return CheckRule(**{"value": "a", **differences})


class CheckTests(ParametersTestCase):
    def rules(self, text: str) -> tuple[CheckRule, ...]:
        """Read the rules of a command."""
        check = self.command(_WITH_PARSER + text).check
        assert check is not None
        return check.rules

    def test_plugins(self) -> None:
        """They need no parser, and may have one."""
        self.assertEqual(self.command(_X + "check = true").check, Check())
        self.assertEqual(self.command(_WITH_PARSER + "check = true").check, Check())
        self.assertIsNone(self.command(_X + "check = false").check)
        self.assertIsNone(self.command(_X).check)

    def test_rules(self) -> None:
        """Each has what it says, in their order."""
        text = """check = [
            { value = "use_percent", row = "mounted_on", rows = ["/", "/var*"], warning = "80", critical = "@10:20" },
            { value = "a.b" },
        ]"""
        first = CheckRule(
            value="use_percent",
            row="mounted_on",
            rows=("/", "/var*"),
            warning=Range.parse("80"),
            critical=Range.parse("@10:20"),
        )
        self.assertEqual(self.rules(text), (first, CheckRule(value="a.b")))

    def test_rules_as_tables(self) -> None:
        """As TOML has lists of tables."""
        tables = '[[commands.x.check]]\nvalue = "a"\nwarning = "5"\n[[commands.x.check]]\nvalue = "b"\n'
        self.assertEqual(self.rules(tables), (a_rule(warning=Range.parse("5")), a_rule(value="b")))

    def test_numbers(self) -> None:
        """A limit may be a number, which is the same as its text."""
        for written, text in (("80", "80"), ("0.5", "0.5"), ("-0.0", "-0.0"), ("1e20", "1e+20")):
            (found,) = self.rules(f'check = [{{ value = "a", warning = {written} }}]')
            self.assertEqual(found.warning, Range.parse(text))

    def test_defaults(self) -> None:
        """A default counts for all that say nothing else."""
        rules = '[{ value = "a", critical = "90" }]'
        text = f'[defaults]\nparser = "df"\ncheck = {rules}\n{_X}[commands.y]\nrun = ["df"]\ncheck = true\n'
        text += '[commands.z]\nrun = ["df"]\ncheck = false\n'
        found = [each.check for each in configured(text).commands]
        self.assertEqual(found, [Check((a_rule(critical=Range.parse("90")),)), Check(), None])

    def test_rules_without_a_parser(self) -> None:
        """There is nothing to look at."""
        self.assert_mistakes([f"3: commands.x.check: {_NO_PARSER}"], _X + 'check = [{ value = "a" }]')
        tables = '[[commands.x.check]]\nvalue = "a"'
        self.assert_mistakes([f"3: commands.x.check: {_NO_PARSER}"], _X + tables)

    def test_ranges(self) -> None:
        """What is none is told in its line, each."""
        self.assert_mistakes(
            [
                f"6: commands.x.check[0].warning: 'high' is no range: {EXAMPLES}",
                "7: commands.x.check[0].critical: '9:3' begins with 9, which is more than its end",
                f"10: commands.x.check[1].warning: 'inf' is no range: {EXAMPLES}",
            ],
            _WITH_PARSER
            + '[[commands.x.check]]\nvalue = "a"\nwarning = "high"\ncritical = "9:3"\n'
            + '[[commands.x.check]]\nvalue = "b"\nwarning = inf\n',
        )

    def test_negative_limits(self) -> None:
        """Lie below what a bare number begins with: the guidelines have ``~:-5`` for that."""
        self.assert_mistakes(
            ["4: commands.x.check[0].warning: '-5' begins with 0, which is more than its end"],
            _WITH_PARSER + 'check = [{ value = "a", warning = -5 }]',
        )

    def test_shapes(self) -> None:
        """Unknown keys, wrong types and nothing at all have their places."""
        for text, places in (
            ('check = [{ value = "a", warn = "5" }]', ["commands.x.check[0].warn"]),
            ("check = [{ row = 'a' }]", ["commands.x.check[0]"]),
            ('check = [{ value = "" }]', ["commands.x.check[0].value"]),
            ('check = [{ value = "a", row = "" }]', ["commands.x.check[0].row"]),
            ('check = [{ value = "a", rows = [] }]', ["commands.x.check[0].rows"]),
            ('check = [{ value = "a", rows = "x" }]', ["commands.x.check[0].rows"]),
            ('check = [{ value = "a", warning = true }]', ["commands.x.check[0].warning"]),
            ('check = [{ value = "a", warning = "" }]', ["commands.x.check[0].warning"]),
            ('check = [{ value = "a", warning = [1] }]', ["commands.x.check[0].warning"]),
            ("check = []", ["commands.x.check"]),
            ('check = "yes"', ["commands.x.check"]),
            ("check = 1", ["commands.x.check"]),
            ("check = [1]", ["commands.x.check[0]"]),
            ("check = [true]", ["commands.x.check[0]"]),
            ('check = { value = "a" }', ["commands.x.check"]),
            ('metrics = "yes"', ["commands.x.metrics"]),
        ):
            with self.subTest(text):
                self.assertEqual(self.places(_WITH_PARSER + text), [f"4: {each}" for each in places])

    def test_many_rules(self) -> None:
        """There is an end."""
        rule = '{ value = "a" }'
        self.assertEqual(len(self.rules(f"check = [{', '.join([rule] * 100)}]")), 100)
        self.assertEqual(self.places(f"{_WITH_PARSER}check = [{', '.join([rule] * 101)}]"), ["4: commands.x.check"])


class MetricsTests(ParametersTestCase):
    def test_numbers(self) -> None:
        """Of what a parser finds."""
        self.assertTrue(self.command(_WITH_PARSER + "metrics = true").metrics)
        self.assertFalse(self.command(_WITH_PARSER + "metrics = false").metrics)
        self.assertFalse(self.command(_WITH_PARSER).metrics)

    def test_no_parser(self) -> None:
        """There are none; what a plugin measures is told anyhow."""
        text = "3: commands.x.metrics: needs a parser, which finds the numbers in the output"
        self.assert_mistakes([text], _X + "metrics = true")
        self.assert_mistakes(
            [f"{text}; what a plugin measures is told without it"], _X + "metrics = true\ncheck = true"
        )

    def test_required_parameters(self) -> None:
        """Nobody gives them when Prometheus asks: a warning, and no mistake."""
        parameter = '[[commands.x.parameters]]\nname = "{}"\ntype = "string"\n{}'
        required = parameter.format("a", "") + parameter.format("b", "") + parameter.format("c", 'default = "1"\n')
        text = _WITH_PARSER.replace('["df"]', '["df", "{a}", "{b}", "{c}"]') + "metrics = true\n" + required
        warnings = [str(each).partition(": ")[2] for each in configured(text).warnings]
        told = [each for each in warnings if each.startswith("commands.x.metrics")]
        expected = "commands.x.metrics: is without effect on /metrics, as nobody gives a value for a, b there;"
        self.assertEqual(told, [f"{expected} /-/probe takes it"])
        optional = text.replace('name = "a"\n', 'name = "a"\ndefault = "1"\n')
        optional = optional.replace('name = "b"\n', 'name = "b"\ndefault = "1"\n')
        self.assertEqual([each for each in configured(optional).warnings if "metrics" in str(each)], [])
        self.assertTrue(self.command(text).metrics)
