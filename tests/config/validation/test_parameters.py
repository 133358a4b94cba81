"""The parameters of a configuration: what their keys mean, and what is wrong with them."""

from decimal import Decimal
from ipaddress import ip_network

from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.number_types import Duration, Integer, Number, Port
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text
from cmdserver.parameters.time_types import Date, DateTime
from tests.config.validation.doubles import ParametersTestCase

_OPEN = "is no regular expression: missing ), unterminated subpattern at position 0"


class TypeTests(ParametersTestCase):
    def parameter(self, *lines: str) -> Parameter:
        """Read a parameter `a`, which stands where every type may."""
        text = '[commands.x]\nrun = ["df", ["{b}"]]\nstdin = "{a}"\n[[commands.x.parameters]]\nname = "a"\n'
        rest = '\n[[commands.x.parameters]]\nname = "b"\ntype = "string"\nrequired = false\n'
        return self.command(text + "\n".join(lines) + rest).parameters[0]

    def test_types_and_their_keys(self) -> None:
        """Each of the contract, with and without keys."""
        expected: list[tuple[str, ParameterType]] = [
            ('type="string"', String()),
            (
                'type="string"\npattern="[a-z]+"\nmin_length=2\nmax_length=9\nmay_begin_with_dash=true',
                String(pattern=Pattern("[a-z]+"), min_length=2, max_length=9, may_begin_with_dash=True),
            ),
            ('type="string"\nmin_length=0', String(min_length=0)),
            ('type="string"\nmin_length=300', String(min_length=300, max_length=300)),
            ('type="string"\nmax_length=1', String(max_length=1)),
            ('type="secret"\nmax_length=8', Secret(max_length=8)),
            ('type="integer"', Integer()),
            ('type="integer"\nminimum=-1\nmaximum=0', Integer(minimum=-1, maximum=0)),
            ('type="number"\nminimum=0.1\nmaximum=3', Number(minimum=Decimal("0.1"), maximum=Decimal(3))),
            ('type="flag"\ngives=["-x", "y z"]', Flag(gives=("-x", "y z"))),
            ('type="host"', Host()),
            (
                'type="host"\nnetworks=["10.0.0.0/8", "::1"]\nnames=["WEB-*"]',
                Host(networks=(ip_network("10.0.0.0/8"), ip_network("::1/128")), names=("web-*",)),
            ),
            ('type="port"', Port()),
            ('type="date"', Date()),
            ('type="date"\nformat="%d.%m.%Y"', Date(format="%d.%m.%Y")),
            ('type="datetime"\nformat="%s"', DateTime(format="%s")),
            ('type="duration"\nminimum="1m"\nmaximum=3600', Duration(minimum=60, maximum=3600)),
            ('type="text"', Text()),
            ('type="text"\nmax_bytes=10', Text(max_bytes=10)),
            (
                'type="choice"\nchoices=["a", {value="b"}, {value="-c", label="C"}]',
                Choice(choices={"a": "a", "b": "b", "-c": "C"}),
            ),
        ]
        for lines, type_ in expected:
            with self.subTest(lines):
                self.assertEqual(type_, self.parameter(lines).type)

    def test_what_every_parameter_has(self) -> None:
        """With what is meant where nothing is said."""
        parameter = self.parameter('type = "string"')
        self.assertEqual(("A", "", True, None, "", 1), _keys(parameter))
        text = 'type = "integer"\nlabel = "How many"\nhelp = "Of lines"\ndefault = 50\nexample = 7'
        self.assertEqual(("How many", "Of lines", False, ("50",), "7", 1), _keys(self.parameter(text)))
        command = self.command(
            '[commands.x]\nrun = ["df", "{how_many}"]\n[[commands.x.parameters]]\nname = "how_many"\ntype = "string"\n'
            'repeat = 3\ndefault = ["a", "b"]\n'
        )
        self.assertEqual(("How many", "", False, ("a", "b"), "", 3), _keys(command.parameters[0]))

    def test_defaults_are_values_of_toml(self) -> None:
        """They are read as a caller's text would be, and canonical."""
        for type_, default, canonical in (
            ("integer", "50", "50"),
            ("integer", "+5", "5"),
            ("integer", '"050"', "50"),
            ("integer", "1_000", "1000"),
            ("number", "2.50", "2.5"),
            ("number", '"2.50"', "2.50"),
            ("number", "1e-5", "0.00001"),
            ("number", "5", "5"),
            ("flag", "true", "true"),
            ("flag", "false", "false"),
            ("flag", '"yes"', "true"),
            ("port", "8080", "8080"),
            ("date", "2026-11-28", "2026-11-28"),
            ("datetime", "2026-11-28T09:30:00", "2026-11-28T09:30:00"),
            ("datetime", "2026-11-28T09:30:00Z", "2026-11-28T09:30:00+00:00"),
            ("datetime", "2026-11-28 09:30:00.5", "2026-11-28T09:30:00.500000"),
            ("duration", "90", "90"),
            ("duration", '"1h30m"', "5400"),
            ("host", '"Example.ORG"', "example.org"),
            ("string", "5", "5"),
            ("text", '"a"', "a\n"),
        ):
            with self.subTest(type_, default=default):
                parameter = self.parameter(f'type = "{type_}"\ndefault = {default}')
                self.assertEqual(((canonical,), False), (parameter.default, parameter.is_required))

    def test_not_required(self) -> None:
        """There is no default then, and a flag never is."""
        for lines, is_required in (
            ('type = "string"\nrequired = true', True),
            ('type = "flag"', False),
            ('type = "flag"\nrequired = false', False),
            ('type = "string"\nrequired = false\ndefault = "x"', False),
        ):
            with self.subTest(lines):
                self.assertEqual(is_required, self.parameter(lines).is_required)


_NO_RATE = "is no rate such as 3/10m: a number from 1 to 9999, a slash and a time span"


def _keys(parameter: Parameter) -> tuple[object, ...]:
    return (
        parameter.label,
        parameter.help,
        parameter.is_required,
        parameter.default,
        parameter.example,
        parameter.repeat,
    )


class MistakeTests(ParametersTestCase):
    """One thing is wrong, and that is what is said, with its line and key."""

    def test_keys_of_other_types(self) -> None:
        """A key that means nothing is not passed over."""
        for type_, line in (
            ("string", "minimum = 1"),
            ("integer", "max_length = 1"),
            ("port", "maximum = 1"),
            ("flag", 'choices = ["a"]'),
            ("host", 'pattern = "a"'),
            ("date", 'gives = ["x"]'),
            ("duration", 'format = "%s"'),
            ("number", 'networks = ["::/0"]'),
            ("datetime", "max_bytes = 5"),
            ("integer", 'names = ["x"]'),
            ("integer", 'choices_from = "df"'),
            ("integer", "may_begin_with_dash = false"),
            ("integer", "min_length = 0"),
        ):
            self.assert_mistake(f"is no key of a parameter of type {type_}", f'type = "{type_}"', line)

    def test_values_that_their_type_refuses(self) -> None:
        """Defaults and examples; and no other mistake follows from that."""
        whole = "is not accepted: must be a whole number from 1 to 500"
        for key in ("default", "example"):
            for value, shown in (
                ("0", "'0'"),
                ('"x"', "'x'"),
                ("5.5", "'5.5'"),
                ("true", "'true'"),
                ("1e9", "'1000000000.0'"),
            ):
                lines = ('type = "integer"', "minimum = 1", "maximum = 500", f"{key} = {value}")
                self.assert_mistake(f"{shown} {whole}", *lines)
            for value in ("{a = 1}", "[[1]]", "[1]" if key == "example" else "[{}]", "09:30:00"):
                self.assert_mistake("must be a single value", 'type = "integer"', f"{key} = {value}")
            accepted = "is not accepted: must be a line of 1 to 256 characters"
            self.assert_mistake(f"'' {accepted}", 'type = "string"', f'{key} = ""')
            self.assert_mistake(
                "'c' is not accepted: must be one of a, b", 'type = "choice"', 'choices = ["a", "b"]', f'{key} = "c"'
            )
            self.assert_mistake(
                "'2026-11-28T09:30:00' is not accepted: must be a date such as 2026-11-28",
                *('type = "date"', f"{key} = 2026-11-28T09:30:00"),
            )
            self.assert_mistake(
                "'inf' is not accepted: must be a number".replace("inf", "Infinity"), 'type = "number"', f"{key} = inf"
            )

    def test_the_number_of_defaults(self) -> None:
        """One to as many as may be given."""
        for lines, most in (
            (('type = "string"', "default = []"), 1),
            (('type = "string"', 'default = ["a", "b"]'), 1),
            (('type = "string"', "repeat = 2", 'default = ["a", "b", "c"]'), 2),
        ):
            self.assert_mistake(f"must have 1 to {most} values, as repeat says", *lines)

    def test_a_secret_is_not_shown(self) -> None:
        """Not even to the administrator's terminal."""
        self.assert_mistakes(
            ['7: commands.x.parameters[0].default: must not begin with "-"; accepted is a line of 1 to 256 characters'],
            '[commands.x]\nrun = ["df"]\nstdin = "{a}"\n[[commands.x.parameters]]\nname = "a"\ntype = "secret"\n'
            'default = "-hunter2"\n',
        )

    def test_what_is_without_effect(self) -> None:
        """What is always there need not be required."""
        self.assert_mistake(
            "is without effect: there is a default", 'type = "string"', 'default = "x"', "required = true"
        )
        self.assert_mistake("is without effect: a flag that is not given is false", 'type = "flag"', "required = true")
        self.assert_mistake("is not for a flag, which is true or false", 'type = "flag"', "repeat = 2")

    def test_tables_of_choices(self) -> None:
        """Their keys are looked at, each."""
        before = '[commands.x]\nrun = ["df", "{a}"]\n[[commands.x.parameters]]\nname = "a"\ntype = "choice"\n'
        place = "6: commands.x.parameters[0].choices"
        for text, expected in (
            ('["a", {value = "b", labl = "B"}]', f"{place}[1].labl: unknown key; did you mean label?"),
            ('[{label = "A"}]', f"{place}[0]: value is missing"),
            ('["a", 5]', f"{place}[1]: must be a text in quotes or a table, not 5"),
            ("[]", f"{place}: must not be empty"),
        ):
            self.assert_mistakes([expected], f"{before}choices = {text}")

    def test_choices(self) -> None:
        """Different values, one line each, and from one place."""
        choice = 'type = "choice"'
        self.assert_mistake("has a twice", choice, 'choices = ["a", "b", {value = "a", label = "A"}]')
        control = "is not one line without control characters"
        self.assert_mistake(rf"'a\nb' {control}", choice, r'choices = ["a\nb"]')
        self.assert_mistake(rf"'A\u2028' {control}", choice, r'choices = [{value = "a", label = "A\u2028"}]')
        self.assert_mistake("must not be empty", choice, "choices = []")
        self.assert_mistake(
            "is for choices_from; what choices has is accepted as it is", choice, 'choices = ["a"]', 'pattern = "a"'
        )
        where = "commands.x.parameters[0]: a choice has either choices or choices_from"
        text = '[commands.x]\nrun = ["df", "{a}"]\n[[commands.x.parameters]]\nname = "a"\ntype = "choice"\n'
        self.assert_mistakes([f"3: {where}"], text)
        self.assert_mistakes(
            [f"3: {where}", "7: commands.x.parameters[0].choices_from: there is no command y"],
            f'{text}choices = ["a"]\nchoices_from = "y"\n',
        )

    def test_limits(self) -> None:
        """They are of their type's kind, and in order."""
        for type_, value, why in (
            ("integer", "1.5", "must be a whole number"),
            ("integer", '"5"', "must be a whole number"),
            ("number", '"5"', "must be a number"),
            ("number", "nan", "must be a number"),
            ("number", "-inf", "must be a number"),
            ("duration", "-5", 'must be a time span such as "1h30m"'),
            ("duration", "1.5", 'must be a time span such as "1h30m"'),
            ("duration", '"1x"', "'1x' is no time span such as 90, 90s, 15m, 2h, 1d or 1h30m"),
        ):
            for key in ("minimum", "maximum"):
                self.assert_mistake(why, f'type = "{type_}"', f"{key} = {value}")
        self.assert_mistake("5 is more than maximum = 4", 'type = "integer"', "maximum = 4", "minimum = 5")
        self.assert_mistake("3600 is more than maximum = 60", 'type = "duration"', 'maximum = "1m"', 'minimum = "1h"')
        self.assert_mistake("9 is more than max_length = 5", 'type = "string"', "max_length = 5", "min_length = 9")

    def test_texts(self) -> None:
        """Patterns, networks, formats, words of a flag; what people read is one line."""
        control = "must be one line without control characters"
        for type_, line, why in (
            ("string", 'pattern = "("', "is no regular expression: missing ), unterminated subpattern at position 0"),
            ("secret", 'pattern = "*"', "is no regular expression: nothing to repeat at position 0"),
            ("host", 'networks = ["10.0.0.1/8"]', "'10.0.0.1/8' is no network: 10.0.0.1/8 has host bits set"),
            ("date", 'format = "%n"', "must make one line without control characters"),
            ("datetime", r'format = "%Y\u0000"', "must make one line without control characters"),
            ("date", r'format = "%Y\n%m"', "must make one line without control characters"),
            ("flag", r'gives = ["-x", "a\u0000b"]', "has a NUL character in it"),
            ("string", r'label = "a\nb"', control),
            ("string", r'help = "a\u001bb"', control),
        ):
            self.assert_mistake(why, f'type = "{type_}"', line)

    def test_names(self) -> None:
        """As the contract has them, each once."""
        why = "a parameter's name is a lower-case letter, then up to 31 of a-z, 0-9 and _, and not follow"
        for name in ("A", "", "a-b", "follow", "a" * 33, "1a", "a b"):
            text = f'[commands.x]\nrun = ["df", "{{{name or "x"}}}"]\n[[commands.x.parameters]]\nname = "{name}"\n'
            with self.subTest(name):
                expected = [f"4: commands.x.parameters[0].name: {why}"]
                if not name:
                    expected.append("2: commands.x.run: {x} is no parameter; braces are written {{ and }}")
                self.assert_mistakes(expected, f'{text}type = "string"\n')
        parameter = '[[commands.x.parameters]]\nname = "a"\ntype = "string"\n'
        self.assert_mistakes(
            ["7: commands.x.parameters[1].name: there is another parameter a before it"],
            f'[commands.x]\nrun = ["df", "{{a}}"]\n{parameter}{parameter}',
        )

    def test_everything_at_once(self) -> None:
        """All mistakes of one file, each with its place."""
        self.assert_mistakes(
            [
                "2: commands.x.run: {b} is no parameter; braces are written {{ and }}",
                "3: commands.x.stdin: has a } that stands alone; braces are written {{ and }}",
                "4: commands.x.confirm: {b} is no parameter; braces are written {{ and }}",
                f"5: commands.x.rate_limit: 'often' {_NO_RATE}",
                "9: commands.x.parameters[0].minimum: is no key of a parameter of type string",
                f"10: commands.x.parameters[0].pattern: {_OPEN}",
                "14: commands.x.parameters[1].maximum: must be a whole number",
                "15: commands.x.parameters[1].lable: unknown key; did you mean label?",
                "18: commands.x.parameters[2].choices_from: there is no command y",
            ],
            """[commands.x]
run = ["df", "{a}", "{n}", "{c}", "{b}"]
stdin = "}"
confirm = "{b}?"
rate_limit = "often"
[[commands.x.parameters]]
name = "a"
type = "string"
minimum = 5
pattern = "("
[[commands.x.parameters]]
name = "n"
type = "integer"
maximum = "x"
lable = "N"
[[commands.x.parameters]]
name = "c"
choices_from = "y"
type = "choice"
""",
        )
