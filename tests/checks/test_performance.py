"""Performance data as plugins print them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.performance import MOST_CHARACTERS, MOST_VALUES, Performance, joined, parse
from cmdserver.checks.ranges import Range


def one(text: str) -> Performance:
    """Parse exactly one value."""
    (found,), omitted = parse(text)
    assert not omitted
    return found


def test_all_parts() -> None:
    """Label, value, unit, two ranges, two bounds."""
    assert one("'disk used'=42.5%;80;@90:100;0;100") == Performance(
        label="disk used",
        value=42.5,
        unit="%",
        warning=Range.parse("80"),
        critical=Range.parse("@90:100"),
        minimum=0,
        maximum=100,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", [("a", 1, "")]),
        ("a=1;;;;", [("a", 1, "")]),
        ("a=1;;", [("a", 1, "")]),
        ("/var=12MB b=3c", [("/var", 12, "MB"), ("b", 3, "c")]),
        ("'it''s'=-1.5s", [("it's", -1.5, "s")]),
        ("a=U b=1", [("a", None, ""), ("b", 1, "")]),
        ("  a=1   b=2\n c=3\n", [("a", 1, ""), ("b", 2, ""), ("c", 3, "")]),
        ("rubbish a=1 =2 b= c=x d=1;x;y e=1.2.3 'f=1 g=5", [("a", 1, ""), ("d", 1, ""), ("g", 5, "")]),
        ("a=1e3ms", [("a", 1000, "ms")]),
        ("time=0.003s;;;0.0;10.0", [("time", 0.003, "s")]),
        ("a=1;2;3;4;5;6", []),
        ("'a'", []),
        ("", []),
    ],
)
def test_what_is_found(text: str, expected: list[tuple[str, float | None, str]]) -> None:
    """What is no performance data is passed over, and nothing beside it is lost."""
    assert [(each.label, each.value, each.unit) for each in parse(text)[0]] == expected


def test_what_is_no_range_is_none() -> None:
    """The value counts all the same."""
    assert one("a=1;x;10:5;;y") == Performance(label="a", value=1)


def test_many() -> None:
    """So many are kept, and how many there are more is known."""
    kept, omitted = parse(" ".join(f"v{each}=1" for each in range(MOST_VALUES + 7)))
    assert (len(kept), omitted) == (MOST_VALUES, 7)


def test_much() -> None:
    """What is far behind is counted, and not looked at."""
    kept, omitted = parse("a=1 " + " " * MOST_CHARACTERS + "b=2 c=3")
    assert ([each.label for each in kept], omitted) == (["a"], 2)


@pytest.mark.parametrize(
    "text", ["a=1", "'a b'=1.5ms;10;@5:6;0;100", "a=U", "a=1;;3", "'it''s'=1", "a=-0.25%;~:4", "/var=1;;;0"]
)
def test_round_trip(text: str) -> None:
    """What was read is written as it was."""
    assert joined(parse(text)[0]) == text


@given(st.text(max_size=40), st.floats(-1e12, 1e12))
def test_any_label(label: str, value: float) -> None:
    """Whatever a label is, one value is read back, on one line."""
    text = str(Performance(label=label, value=value))
    assert "\n" not in text
    assert "|" not in text
    assert one(text).value == pytest.approx(value, rel=1e-9)


@given(st.text(alphabet="a'=;| 1.U\n%@:~\\\x00é", max_size=200))
def test_any_text(text: str) -> None:
    """Nothing but values comes of it."""
    for each in parse(text)[0]:
        assert each.label
