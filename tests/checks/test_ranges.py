"""Ranges as the guidelines of plugins have them."""

import contextlib
import math
from unittest import TestCase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.ranges import NotARange, Range, number, plain

#: From the table "Example ranges" of the Monitoring Plugins Guidelines: a range, what alerts, what does not.
EXAMPLES = [
    ("10", (-1, 10.5, 11), (0, 5, 10)),
    ("10:", (9, -3, 9.99), (10, 11, 1e9)),
    ("~:10", (10.1, 11), (-1e9, 0, 10)),
    ("10:20", (9, 21), (10, 15, 20)),
    ("@10:20", (10, 15, 20), (9, 21, 9.999)),
    ("~:5", (6,), (-7, 5)),
    ("-10:-5", (-11, -4, 0), (-10, -7, -5)),
    ("@~:0", (0, -1), (0.1, 3)),
    ("0.5:1.5", (0.4, 1.6), (0.5, 1)),
    (":10", (-1, 11), (0, 10)),
]


@pytest.mark.parametrize(("text", "alerting", "quiet"), EXAMPLES)
def test_the_examples_of_the_guidelines(text: str, alerting: tuple[float, ...], quiet: tuple[float, ...]) -> None:
    """Bounds are inside; ``@`` turns the range round; what has no start begins with 0."""
    found = Range.parse(text)
    assert [value for value in (*alerting, *quiet) if found.alerts(value)] == list(alerting)
    assert found.text == text


@pytest.mark.parametrize("text", ["", "@", "a", "10:5", "1:2:3", "10-20", "~", "1e", "nan", "inf", "٣", "1 0", "10:~"])
def test_what_is_no_range(text: str) -> None:
    """It is refused, with what a range is."""
    with pytest.raises(NotARange, match=r"no range|more than its end"):
        Range.parse(text)


@pytest.mark.parametrize("text", ["1e400:", "1e308:1e309", "1e309", "-1e400:5", "@0:1e999", "@-1e309:-1e308"])
def test_a_bound_that_is_too_large(text: str) -> None:
    """It is refused, not taken for none: nobody would see why a check never alerts."""
    with pytest.raises(NotARange, match=r"has -?1e\d+, which is too large for a bound"):
        Range.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("80", "over 80"),
        ("0", "over 0"),
        ("0:80", "under 0 or over 80"),
        ("10:", "under 10"),
        ("~:5", "over 5"),
        ("10:20", "under 10 or over 20"),
        ("@10:20", "between 10 and 20"),
        ("@10:", "10 or more"),
        ("@~:10", "10 or less"),
    ],
)
def test_words(text: str, words: str) -> None:
    """A person reads when it alerts."""
    assert Range.parse(text).words() == words


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("80", (80,)), ("0", (0,)), ("0:80", (0, 80)), ("10:", (10,)), ("~:5", (5,)), ("@0:20", (0, 20)), ("~:", ())],
)
def test_bounds(text: str, bounds: tuple[float, ...]) -> None:
    """What is said of them in words can be drawn, too; in another writing, if somebody has one."""
    assert Range.parse(text).bounds == bounds
    said = Range.parse(text).words(lambda each: f"<{each:g}>")
    assert all(f"<{each:g}>" in said for each in bounds)


@pytest.mark.parametrize(
    ("text", "value", "reason"), [("80", 93, "over 80"), ("10:", 3, "under 10"), ("@1:2", 1.5, "between 1 and 2")]
)
def test_reasons(text: str, value: float, reason: str) -> None:
    """A person reads why it has alerted."""
    assert Range.parse(text).reason(value) == reason


class NumberTests(TestCase):
    def test_numbers(self) -> None:
        """As plugins write them, and finite."""
        assert [number(text) for text in ("1", "-1.5", ".5", "5.", "+3", "1e3")] == [1, -1.5, 0.5, 5, 3, 1000]
        assert [number(text) for text in ("", "U", "1e999", "nan", "1,5", "0x10", " 1", "1\n", "٣")] == [None] * 9

    def test_plain(self) -> None:
        """As short as they are."""
        assert [plain(each) for each in (93.0, 0.25, 1e14, 1e20, -3.5, 1 / 3)] == [
            "93", "0.25", "100000000000000", "1e+20", "-3.5", "0.3333333333",
        ]  # fmt: skip


@given(st.floats(allow_nan=False, width=32), st.floats(allow_nan=False, width=32), st.floats(allow_nan=False, width=32))
def test_inside_is_the_opposite_of_outside(one: float, other: float, value: float) -> None:
    """For each value a range alerts, or the same range with ``@`` does, and never both."""
    low, high = sorted((one, other))
    start = "~" if math.isinf(low) else repr(low)
    end = "" if math.isinf(high) else repr(high)
    text = f"{start}:{end}"
    assert Range.parse(text).alerts(value) != Range.parse(f"@{text}").alerts(value)


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    """It is a range, or it is refused: nothing else happens."""
    with contextlib.suppress(NotARange):
        assert Range.parse(text).start <= Range.parse(text).end
