"""Tests of the table of what a check has measured."""

from unittest import TestCase

from hypothesis import given

from cmdserver.checks.performance import Performance
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.frontends.web.pages.checks.value_table import MOST_VALUES, draw
from tests.doubles import LAW
from tests.frontends.web.pages.checks.samples import NOW, a_day, result
from tests.frontends.web.reading import HOSTILE, Read, shown


def drawn(found: CheckResult, *, has_day: bool = False) -> Read:
    """Read a table."""
    return Read((draw(found, a_day(found) if has_day else None, NOW) or "").encode(errors="replace"))


def measured(label: str, unit: str = "") -> CheckResult:
    """Make what a check has found that has measured one value."""
    return CheckResult(state=CheckState.OK, text="", performance=(Performance(label=label, value=1.0, unit=unit),))


class ValueTableTests(TestCase):
    def test_a_row(self) -> None:
        """Name, state, number, limits; and its day, if that is known."""
        text = drawn(result("orders=14;10;50")).text
        with_day = drawn(result("orders=14;10;50"), has_day=True).text

        self.assertEqual(text[4:], ["orders", "WARNING", "14", "warning over 10, critical over 50"])
        self.assertEqual(with_day[:5], ["Value", "State", "Now", "Limits", "Last 24 h"])
        self.assertEqual(with_day[-1], "7 to 14")

    def test_never_colour_alone(self) -> None:
        """Each state has its word, and the class of its shape."""
        marks = [each.get("class") for each in drawn(result("a=1;2;3 b=2.5;2;3 c=4;2;3 d=U")).all("span")]
        self.assertEqual([each for each in marks if each], ["mark ok", "mark warning", "mark critical", "mark unknown"])
        self.assertEqual(
            drawn(result("a=1;2;3 b=2.5;2;3 c=4;2;3 d=U")).text[5::4], ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
        )

    def test_what_is_not_known(self) -> None:
        """It has neither a bar nor a plot; what has no limits has no state."""
        unknown = drawn(result("a=U"), has_day=True)
        self.assertEqual(unknown.text[5:], ["a", "UNKNOWN", "not known", "no limits"])
        self.assertEqual(unknown.all("svg"), [])
        self.assertEqual(drawn(result("a=1")).text[4:], ["a", "1", "no limits"])

    def test_nothing(self) -> None:
        """What is no check, or has measured nothing, has no table."""
        self.assertIsNone(draw(None, None, NOW))
        self.assertIsNone(draw(result(""), None, NOW))

    def test_many(self) -> None:
        """The worst are drawn, in their order, and the cut is said."""
        fine = [f"v{number}=1;5;9" for number in range(MOST_VALUES + 50)]
        text = drawn(result(" ".join([*fine, "bad=10;5;9", "none=1"]), omitted=3)).text

        self.assertEqual(text.count("OK"), MOST_VALUES - 1)
        self.assertIn("bad", text)
        self.assertNotIn("none", text)
        self.assertEqual(text[-1], "55 more values are not drawn: the worst are here.")
        self.assertEqual(drawn(result("a=1", omitted=1)).text[-1], "1 more value is not drawn.")

    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """Whatever labels and units are called."""
        page = drawn(measured(words, words))
        self.assertEqual(page.outline, drawn(measured("a", "b")).outline)
        self.assertIn(shown(words), "".join(page.text))

    def test_no_style(self) -> None:
        """The security policy of pages forbids it."""
        self.assertFalse([each for _, each in drawn(result(), has_day=True).elements if "style" in each])
