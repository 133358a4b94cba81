"""Numbers, ports and time spans."""

import unittest
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.number_types import Duration, Integer, Number, Port, seconds_of, span
from cmdserver.parameters.parameter_type import ParameterType
from tests.doubles import LAW
from tests.parameters.doubles import accepted

_NO_NUMBERS = (
    "",
    " ",
    "1 ",
    " 1",
    "1\n",
    "1_000",
    "0x10",
    "1e3",
    "1,000",
    "--1",
    "+-1",
    "-",
    "+",
    "NaN",
    "inf",
    "٣",
    "\uff11",
    "²",
)


class TypeTestCase(unittest.TestCase):
    def assert_forms(self, type_: ParameterType, forms: dict[str, str | None]) -> None:
        """Fail unless each text has this canonical form; None: it is not accepted."""
        self.assertEqual(forms, {text: accepted(type_, text) for text in forms})

    def assert_refusal(self, message: str, type_: ParameterType, text: str) -> None:
        """Fail unless a text is refused so."""
        with self.assertRaises(NotAccepted) as raised:
            type_.canonical(text)
        self.assertEqual(message, str(raised.exception))


class IntegerTests(TypeTestCase):
    def test_forms(self) -> None:
        """Decimal digits, a sign where the range allows it; no leading zeros and no plus sign come out."""
        self.assert_forms(Integer(), {"0": "0", "007": "7", "+5": "5", "-5": "-5", "-0": "0", "-007": "-7"})
        self.assert_forms(Integer(), dict.fromkeys((*_NO_NUMBERS, "1.0", "1.", ".5")))

    def test_a_sign_where_the_range_allows_it(self) -> None:
        """A minus sign is for ranges that go below 0."""
        self.assert_forms(Integer(minimum=0), {"-0": None, "-1": None, "+0": "0", "0": "0"})
        self.assert_forms(Integer(minimum=-1), {"-0": "0", "-1": "-1", "-2": None})
        self.assert_forms(Integer(maximum=-1), {"-1": "-1", "0": None, "1": None})

    def test_ranges(self) -> None:
        """Both ends are in it."""
        self.assert_forms(
            Integer(minimum=1, maximum=500), {"0": None, "1": "1", "500": "500", "501": None, "0500": "500"}
        )

    def test_length(self) -> None:
        """No one's computer has forty digits, and none is made to count more."""
        self.assert_forms(Integer(), {"9" * 40: "9" * 40, "0" * 40: "0", "0" * 41: None, "9" * 5000: None})

    def test_messages(self) -> None:
        """They say what is accepted."""
        self.assert_refusal("must be a whole number", Integer(), "x")
        self.assert_refusal("must be a whole number, 1 or more", Integer(minimum=1), "0")
        self.assert_refusal("must be a whole number, 0 at most", Integer(maximum=0), "1")
        self.assert_refusal("must be a whole number from 1 to 500", Integer(minimum=1, maximum=500), "-5")

    @given(st.integers(-(10**40) + 1, 10**40 - 1), st.integers(0, 3), st.booleans())
    @LAW
    def test_it_is_the_same_number(self, number: int, zeros: int, has_plus: bool) -> None:
        """However it is spelled."""
        digits = ("0" * zeros + str(abs(number)))[-40:]
        text = f"{'-' if number < 0 else '+' if has_plus else ''}{digits}"
        self.assertEqual(str(int(text)), Integer().canonical(text))


class NumberTests(TypeTestCase):
    def test_forms(self) -> None:
        """A fraction is kept as it is; there is no other notation, and no minus zero."""
        self.assert_forms(
            Number(),
            {
                "1": "1",
                "01.50": "1.50",
                "+2.5": "2.5",
                "-0": "0",
                "-0.0": "0.0",
                "-00.5": "-0.5",
                "000": "0",
                "0.0": "0.0",
            },
        )
        self.assert_forms(Number(), dict.fromkeys((*_NO_NUMBERS, "1.", ".5", "1..2", "1.2.3", "1.-2", "1.\u0663")))

    def test_ranges(self) -> None:
        """They are compared as decimal numbers: a tenth is a tenth."""
        tenth = Number(minimum=Decimal("0.1"), maximum=Decimal("0.3"))
        self.assert_forms(tenth, {"0.1": "0.1", "0.3": "0.3", "0.30": "0.30", "0.0999999999999999999999": None})
        self.assert_forms(tenth, {f"0.3{'0' * 38}1": None, "-0.2": None})
        self.assert_forms(Number(minimum=Decimal(0)), {"-0": None, "-0.0": None, "0.0": "0.0"})

    def test_messages(self) -> None:
        """They say what is accepted."""
        self.assert_refusal("must be a number from 0 to 2.5", Number(minimum=Decimal(0), maximum=Decimal("2.5")), "3")


class PortTests(TypeTestCase):
    def test_forms(self) -> None:
        """1 to 65535."""
        self.assert_forms(
            Port(), {"1": "1", "080": "80", "65535": "65535", "0": None, "65536": None, "-1": None, "http": None}
        )
        self.assert_refusal("must be a whole number from 1 to 65535", Port(), "ssh")


class DurationTests(TypeTestCase):
    def test_forms(self) -> None:
        """The notation of the contract; seconds come out."""
        self.assert_forms(
            Duration(),
            {
                "90": "90",
                "90s": "90",
                "15m": "900",
                "2h": "7200",
                "1d": "86400",
                "1h30m": "5400",
                "0": "0",
                "007": "7",
                "1d2h3m4s": "93784",
                "90m": "5400",
                "1d1s": "86401",
            },
        )
        self.assert_forms(
            Duration(),
            dict.fromkeys(
                (
                    "",
                    "s",
                    "m",
                    "1x",
                    "1 h",
                    "-1",
                    "+1",
                    "1.5h",
                    "30m1h",
                    "1h1h",
                    "1h30",
                    "1H",
                    "1w",
                    "1s\n",
                    "٣s",
                    "1e3",
                    "-1h",
                )
            ),
        )

    def test_length(self) -> None:
        """What comes out is never longer than what goes in may be."""
        self.assert_forms(
            Duration(),
            {
                "9" * 12: "9" * 12,
                "0" * 13: None,
                "9" * 12 + "d": None,
                "11574074d1h46m39s": "999999999999",
                "11574074d1h46m40s": None,
            },
        )

    def test_ranges(self) -> None:
        """Both ends are in it, however they are spelled."""
        minute_to_day = Duration(minimum=60, maximum=86400)
        self.assert_forms(minute_to_day, {"59": None, "60": "60", "1m": "60", "1d": "86400", "24h1s": None})
        self.assert_refusal(
            "must be a time span such as 90, 90s, 15m, 2h, 1d or 1h30m from 1m to 1d", minute_to_day, "2d"
        )

    @given(st.integers(0, 999_999_999_999))
    @LAW
    def test_spans_are_read_as_they_are_written(self, seconds: int) -> None:
        """What a message says can be given."""
        self.assertEqual(seconds, seconds_of(span(seconds)))
        self.assertEqual(seconds, seconds_of(str(seconds)))
