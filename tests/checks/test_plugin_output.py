"""What plugins print, and what is believed of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.plugin_output import parse
from cmdserver.checks.result import MOST_CHARACTERS, MOST_LONG_CHARACTERS
from cmdserver.checks.states import CheckState


@pytest.mark.parametrize("state", list(CheckState))
def test_exit_statuses(state: CheckState) -> None:
    """The first four are the states; what is printed does not matter."""
    assert parse(b"OK - all is well\n", state.value, None).state is state


@pytest.mark.parametrize("exit_status", [4, 77, 127, 255, -1, None])
def test_other_exit_statuses(exit_status: int | None) -> None:
    """Each other one, and a signal, is UNKNOWN."""
    assert parse(b"OK\n", exit_status, None).state is CheckState.UNKNOWN


def test_one_that_was_ended() -> None:
    """It is UNKNOWN whatever it has printed, and that is told, too."""
    found = parse(b"OK - fine | a=1\n", 0, "timed out after 3 s")
    assert found.state is CheckState.UNKNOWN
    assert found.text == "timed out after 3 s: OK - fine"


def test_all_parts() -> None:
    """Text, performance data on two places, long text."""
    found = parse(b"DISK OK - free | /=1GB;2\nfirst line\nsecond line | /var=3GB\n/home=4GB\n", 0, None)
    assert found.text == "DISK OK - free"
    assert found.long_text == "first line\nsecond line"
    assert [each.label for each in found.performance] == ["/", "/var", "/home"]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"", "OK (the plugin has printed nothing)"),
        (b"\n\nlater\n", "later"),
        (b"| a=1", "OK (the plugin has printed nothing)"),
        (b"no line break", "no line break"),
        ("größer".encode(), "größer"),
        (b"x" * 5000, "x" * (MOST_CHARACTERS - 1) + "…"),
    ],
)
def test_first_lines(output: bytes, text: str) -> None:
    """The first line that says something."""
    found = parse(output, 0, None)
    assert (found.state, found.text) == (CheckState.OK, text)


@pytest.mark.parametrize("output", [b"OK \xff\xfe", b"OK \0 | a=1"])
@pytest.mark.parametrize("exit_status", [0, 1, 2])
def test_rubbish(output: bytes, exit_status: int) -> None:
    """What is no text is not believed, and is shown."""
    found = parse(output, exit_status, None)
    assert found.state is CheckState.UNKNOWN
    assert found.text.startswith("the plugin has printed what is no text: OK ")


def test_long_text_is_cut() -> None:
    """Where it is cut can be seen."""
    found = parse(b"OK\n" + b"x" * (MOST_LONG_CHARACTERS + 1), 0, None)
    assert len(found.long_text) == MOST_LONG_CHARACTERS
    assert found.long_text.endswith("…")


@given(st.binary(max_size=300), st.none() | st.integers(0, 255))
def test_any_output(output: bytes, exit_status: int | None) -> None:
    """There is always a state and a text, on one line."""
    found = parse(output, exit_status, None)
    assert found.text
    assert "\n" not in found.text
