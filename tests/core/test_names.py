"""Which names there may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.names import is_command_name, is_command_pattern, is_label, is_meant, is_trigger_name, is_user_name


@pytest.mark.parametrize("name", ["admin", "a", "A1", "_x", "ann.b@example-1.org", "0", "x" * 64])
def test_user_names(name: str) -> None:
    """What people are called."""
    assert is_user_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".ssh", "-rf", "@x", "a/b", "../passwd", "a b", "a\n", "a\0", "ä", "٣", "a:b", "x" * 65]
)
def test_what_is_no_user_name(name: str) -> None:
    """Nothing that could be a path, hidden, an option, or a second line."""
    assert not is_user_name(name)


def test_callers_that_are_no_persons() -> None:
    """Nobody can be called as schedules or hooks are; what only begins so, or is in another case, is a name."""
    for name in ("schedule", "hook:", "hook:deploy"):
        assert is_trigger_name(name)
        assert not is_user_name(name)
    for name in ("schedule1", "Schedule", "hook", "hooks", "ann"):
        assert not is_trigger_name(name)
        assert is_user_name(name)
    assert not is_trigger_name("")


@given(st.text())
def test_a_user_name_is_one_part_of_a_path(name: str) -> None:
    """Whatever is let through stays in the directory that it is looked up in."""
    if is_user_name(name):
        assert name.isascii()
        assert name.isprintable()
        assert "/" not in name
        assert not name.startswith((".", "-"))


def test_command_names() -> None:
    """As the contract has them."""
    assert all(map(is_command_name, ["df", "net-if_2", "a" * 64]))
    assert not any(map(is_command_name, ["", "Df", "2df", "-d", "d f", "df\n", "a" * 65]))


def test_patterns() -> None:
    """Names and globs; nothing that could match no command."""
    assert all(map(is_command_pattern, ["df", "net-*", "*", "?f", "[a-d]f", "d[!f]", "a" * 64]))
    assert not any(map(is_command_pattern, ["", "Df", "-*", "d f", "df\n", "a,b", "a" * 65]))


def test_what_is_meant() -> None:
    """A name, or a glob that matches all of it, in its case."""
    for patterns, expected in ((["x", "df"], True), (["d*"], True), ([], False), (["d"], False), (["D*"], False)):
        assert is_meant("df", patterns) is expected


def test_labels() -> None:
    """One word that is no option and no path."""
    assert all(map(is_label, ["ci", "ann@laptop", "2", "schedule"]))
    assert not any(map(is_label, ["", "-x", "../x", "a b", "a=b", "a" * 65, "x\n"]))
