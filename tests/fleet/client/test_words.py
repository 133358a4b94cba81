"""Tests of what a caller types as a request: each host's own web listener reads the same values back."""

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cmdserver.auth.signatures.request_signing import Question
from cmdserver.auth.signatures.signed_request import Message, value_of
from cmdserver.fleet.client.words import WHO_IS_THERE, question_of
from cmdserver.frontends.web.http.form_data import of_body
from cmdserver.frontends.web.http.target import parse_target
from cmdserver.frontends.web.request_values import values_of
from cmdserver.parameters.declaration import Parameter, Values
from cmdserver.parameters.mistakes import BadValues
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.text_types import String
from tests.doubles import LAW


def test_questions() -> None:
    """Positional values are in the path, named ones in a body of JSON, several of a name as an array."""
    for values, target, body in (
        ([], "/df", ""),
        (["a", "b c", "/\u00fc?%"], "/df/a/b%20c/%2F%C3%BC%3F%25", ""),
        (["unit=nginx"], "/df", '{"unit": "nginx"}'),
        (["x", "n=1", "n=2=\u00fc", "m="], "/df/x", '{"n": ["1", "2=\\u00fc"], "m": ""}'),
        (["n=1", "--", "n=2", "--"], "/df/n%3D2/--", '{"n": "1"}'),
        (["N=1", "=1", "1n=", "n"], "/df/N%3D1/%3D1/1n%3D/n", ""),
    ):
        expected = Question("POST", target, "application/json" if body else "", body.encode())
        assert question_of("df", values) == expected
    assert question_of("a b/c", []).target == "/a%20b%2Fc"
    assert Question("GET", "/-/fleet") == WHO_IS_THERE


@pytest.mark.parametrize("values", [[""], ["a", ""], ["--", ""], ["n=1", "--", "a", ""]])
def test_what_no_address_can_say(values: Sequence[str]) -> None:
    """An empty value that has no name."""
    with pytest.raises(ValueError, match=r"^an empty value takes its name: NAME=$"):
        question_of("df", values)


def parameter(name: str, repeat: int = 1) -> Parameter:
    """Make one that takes nearly any text."""
    return Parameter(name=name, type=String(), label=name, repeat=repeat)


PARAMETERS = ParameterList([parameter("a"), parameter("many", 5), parameter("b")])
TEXTS = st.one_of(
    st.sampled_from(
        ["--", "-", ".", "..", "/", "a=b", "b=c", "%2F", "%", "?", "#", "+", " ", "a b", "\u00fc", "=", "&"]
    ),
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=5),
)
WORDS = st.one_of(TEXTS, st.tuples(st.sampled_from(["a", "b", "many", "other"]), TEXTS).map("=".join))


def bound(words: Sequence[str], fields: Sequence[tuple[str, str]] = ()) -> Values | str:
    """Return what a command would be given; or that it would not."""
    try:
        return PARAMETERS.bind(words, fields)
    except BadValues:
        return "refused"


@LAW
@given(st.lists(WORDS, max_size=6))
def test_hosts_read_the_same(words: Sequence[str]) -> None:
    """As if the words had been typed on the host; and the target can be signed as it is.

    An empty named value is as an empty field of a form: none, where it may be left out.
    """
    question = question_of("df", words)
    read = values_of(
        parse_target(question.target.encode("ascii")), of_body(question.content_type.encode(), question.body)
    )

    assert read.words[0] == "df"
    assert not read.own
    assert bound(read.words[1:], read.fields) == bound(words)
    assert value_of(Message("POST", question.target, lambda _: None, b""), "@path") == question.target


@LAW
@given(st.text(min_size=1))
def test_any_value(text: str) -> None:
    """It is one part of the path, or no text that has an encoding."""
    assume(text.isprintable())
    question = question_of("df", ["--", text])

    assert parse_target(question.target.encode("ascii")).parts == ("df", text)
