"""What is true of every type, whatever text it is given."""

import unittest
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdserver.parameters.number_types import Duration, Integer, Number
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.text_types import Choice, String, Text, is_lines, is_one_line
from tests.doubles import LAW
from tests.parameters.doubles import TYPES, accepted, texts


def _may_begin_with_dash(type_: ParameterType, canonical: str) -> bool:
    """Whether it is meant to: a choice of the administrator's, or a negative number in range."""
    if isinstance(type_, Integer | Number):
        return (type_.minimum is None or type_.minimum < 0) and Decimal(canonical) < 0
    if isinstance(type_, String):
        return type_.may_begin_with_dash
    return isinstance(type_, Text)  # never a word


def _require(type_: ParameterType, text: str) -> None:
    """Fail unless a text is a value, or is not accepted; and a value keeps what values promise."""
    canonical = accepted(type_, text)
    if canonical is None:
        return
    assert accepted(type_, canonical) == canonical, "its canonical form is one"
    assert is_lines(canonical) if isinstance(type_, Text) else is_one_line(canonical)
    canonical.encode()
    if canonical[:1] == "-":
        assert _may_begin_with_dash(type_, canonical), canonical
    words = type_.words(canonical)
    assert all(is_lines(word) for word in words)
    if isinstance(type_, Integer | Number):
        assert Decimal(canonical) == Decimal(text)
        assert canonical.isascii()
        assert "+" not in canonical
        assert not canonical.removeprefix("-").startswith("00")
        assert type_.minimum is None or Decimal(canonical) >= type_.minimum
        assert type_.maximum is None or Decimal(canonical) <= type_.maximum
    elif isinstance(type_, Duration):
        assert canonical.isdecimal()
    elif isinstance(type_, String | Choice):
        assert (canonical, words) == (text, (text,))


class EveryTypeTests(unittest.TestCase):
    """A value or `NotAccepted`, and never anything else."""

    @given(texts())
    @LAW
    def test_any_text(self, text: str) -> None:
        """Whatever the text is."""
        for type_ in TYPES.values():
            _require(type_, text)

    def test_what_is_accepted_can_be_said(self) -> None:
        """In words, which go behind `must be`; and the examples below are of each type that there is."""
        for name, type_ in TYPES.items():
            self.assertTrue(type_.accepts, name)
            self.assertEqual(type_.name, name.split()[0])


@pytest.mark.slow
@settings(LAW, max_examples=5000)
@given(st.lists(texts(), min_size=20, max_size=20))
def test_a_hundred_thousand_texts(many: list[str]) -> None:
    """A law over as many: each is tried with every type; twenty at a time, as to make an example costs the most."""
    for text in many:
        for type_ in TYPES.values():
            _require(type_, text)
