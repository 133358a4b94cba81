"""Tests of whom a question is for."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cmdserver.fleet.client.choosing import choose, split_globs, split_wanted
from cmdserver.fleet.client.outcomes import MISSING, Outcome
from cmdserver.fleet.client.roll_call import Present, RollCall


@pytest.mark.parametrize(
    ("texts", "globs"),
    [
        ([], ("*",)),
        (["web-1"], ("web-1",)),
        (["web-*,db-1", "a?"], ("web-*", "db-1", "a?")),
        ([" a , b.c "], ("a", "b.c")),
        ([",".join(["a"] * 200)], ("a",) * 200),
    ],
)
def test_globs(texts: Sequence[str], globs: Sequence[str]) -> None:
    """One or several in each text; nothing said is everybody."""
    assert split_globs(texts) == globs


@pytest.mark.parametrize("text", ["", ",", "a,", "-a", "a b", "[a]", 'a"', 'a" "b', "\u00e9", "!a", "a\nb", "x" * 254])
def test_no_globs(text: str) -> None:
    """What could not be signed, or would be signed as something else: nothing said by mistake is not everybody."""
    with pytest.raises(ValueError, match="is neither a host's name nor a glob") as refused:
        split_globs(["b", text])
    assert str(refused.value).isprintable()


def test_too_many_globs() -> None:
    """A signature takes so many."""
    with pytest.raises(ValueError, match=r"^201 names and globs are too many; 200 are the most$"):
        split_globs([",".join(["a"] * 201)])


def test_wanted() -> None:
    """Facts with values, which may have equals signs and be empty."""
    assert split_wanted([]) == {}
    assert split_wanted(["role=web", "a=b=c", "x="]) == {"role": "web", "a": "b=c", "x": ""}


@pytest.mark.parametrize("text", ["", "role", "=web", "="])
def test_nothing_wanted(text: str) -> None:
    """A mistake does not choose everybody."""
    with pytest.raises(ValueError, match=r"is not like KEY=VALUE$"):
        split_wanted(["a=b", text])


def test_wanted_twice() -> None:
    """Whether both are meant, or either, nobody can tell; so it is not one of them without a word."""
    with pytest.raises(ValueError, match=r"^role is wanted twice$"):
        split_wanted(["role=web", "role=db"])


def roll_call(answers: Mapping[str, Mapping[str, Any]]) -> RollCall:
    """Have hosts answer a roll call."""
    return RollCall({name.lower(): Present(name, 0.5, answer) for name, answer in answers.items()})


def test_choice() -> None:
    """Those who have all the facts; who has not answered, or does not tell, is known to be so."""
    found = roll_call(
        {
            "Web-1": {"facts": {"role": "web", "site": "berlin"}},
            "web-2": {"facts": {"role": "web", "site": "bonn"}},
            "web-3": {"facts": {"role": "webx", "site": "berlin"}},
            "web-4": {"facts": {"site": "berlin"}},
            "web-5": {"facts": {"role": ["web"], "site": 1}},
            "web-6": {"facts": None},
            "web-7": {"error": {"code": "denied"}, "facts": {"role": "web", "site": "berlin"}},
            "other": {"facts": {"role": "web", "site": "berlin"}},
        }
    )
    names = ["WEB-1", *(f"web-{number}" for number in range(2, 9))]
    chosen, others = choose(names, found, {"role": "w?b", "site": "b*n"})

    assert chosen == ["WEB-1", "web-2"]
    assert [(each.host, each.state, each.seconds, each.why) for each in others] == [
        ("web-7", "denied", 0.5, ""),
        ("web-8", MISSING, None, "has not answered the roll call"),
    ]
    assert others[1] == Outcome(host="web-8", state=MISSING, why="has not answered the roll call")
    assert choose(["web-6", "web-2"], found, {}) == (["web-6", "web-2"], [])
