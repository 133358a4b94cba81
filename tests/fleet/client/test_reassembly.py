"""Tests of answers in parts: in whatever order they come, and whatever somebody puts between them."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.fleet.client import reassembly
from cmdserver.fleet.client.reassembly import MOST_BYTES, BadAnswer, Reassembly
from tests.doubles import LAW


def headers(part: str | None = None, *, status: str = "200", signature: str = "s") -> dict[str, str]:
    """Return those of a part."""
    return {
        "Cmdserver-Status": status,
        "Signature": signature,
        "Content-Type": "x",
        **({} if part is None else {"Cmdserver-Part": part}),
    }


def taken(gathered: Reassembly, *parts: tuple[str, bytes], signature: str = "s") -> list[bytes | None]:
    """Take parts of one answer; return what each made of it."""
    answers = [gathered.take(headers(part, signature=signature), body) for part, body in parts]
    return [None if each is None else each.body for each in answers]


def test_one_part() -> None:
    """It is the answer at once; its fields are looked up in lower case, however they are written."""
    for fields in (headers(), headers("1/1"), {name.upper(): value for name, value in headers().items()}):
        answer = Reassembly().take(fields, b"body")
        assert answer is not None
        assert (answer.status, answer.body) == (200, b"body")
        assert (answer.field("content-type"), answer.field("signature"), answer.field("x")) == ("x", "s", None)


@pytest.mark.parametrize(
    "status",
    [
        "",
        "199",
        "600",
        "20",
        "2000",
        "0200",
        "2" * 9999,
        "200 ",
        "+20",
        "-20",
        "2.0",
        "abc",
        "\u0662\u0660\u0660",
        "\u00b2\u00b2\u00b2",
    ],
)
def test_no_status(status: str) -> None:
    """Without one of HTTP's for whole answers there is no answer."""
    with pytest.raises(BadAnswer, match=r"^it has no status$"):
        Reassembly().take(headers(status=status), b"")


def test_statuses() -> None:
    """Both ends of what is one."""
    for status in ("200", "599"):
        answer = Reassembly().take(headers(status=status), b"")
        assert answer is not None
        assert answer.status == int(status)
    with pytest.raises(BadAnswer, match=r"^it has no status$"):
        Reassembly().take({}, b"")


@LAW
@given(st.lists(st.binary(max_size=3), min_size=1, max_size=8), st.randoms(use_true_random=False), st.data())
def test_any_order(bodies: Sequence[bytes], random: Random, data: st.DataObject) -> None:
    """Any order of the parts, some of them twice, gives the whole: once, and with the last that was missing."""
    numbers = [*range(1, len(bodies) + 1), *data.draw(st.lists(st.integers(1, len(bodies)), max_size=3))]
    random.shuffle(numbers)
    gathered, missing = Reassembly(), set(range(1, len(bodies) + 1))
    for number in numbers:
        answer = gathered.take(headers(f"{number}/{len(bodies)}"), bodies[number - 1])
        missing.discard(number)
        assert (answer is not None) == (not missing)
        if answer is not None:
            assert answer.body == b"".join(bodies)
            return


def test_twice() -> None:
    """The first of a number counts; the second neither makes the answer complete nor longer."""
    assert taken(Reassembly(), ("1/2", b"a"), ("1/2", b"x"), ("2/2", b"b")) == [None, None, b"ab"]


def test_between() -> None:
    """Parts of another answer, by what all parts of one have in common, do not get into it."""
    gathered = Reassembly()
    taken(gathered, ("1/2", b"a"))
    taken(gathered, ("2/2", b"evil"), signature="t")
    gathered.take(headers("2/2", status="404"), b"evil")
    taken(gathered, ("2/3", b"evil"))
    assert taken(gathered, ("2/2", b"b")) == [b"ab"]
    # And it is not kept: what comes now is the beginning of another.
    assert taken(gathered, ("2/2", b"b")) == [None]


def test_no_part() -> None:
    """What says no part of any is no answer."""
    for part in ("0/1", "3/2", "x"):
        with pytest.raises(BadAnswer, match=r"is no part$"):
            taken(Reassembly(), (part, b""))


def test_how_many_at_once() -> None:
    """A sender has four answers that are not complete; the one that was added to least lately goes."""
    gathered = Reassembly()
    for signature in "abcd":
        taken(gathered, ("1/3", b"1"), signature=signature)
    taken(gathered, ("2/3", b"2"), signature="a")
    taken(gathered, ("1/3", b"1"), signature="e")
    assert taken(gathered, ("3/3", b"3"), signature="a") == [b"123"]
    assert taken(gathered, ("2/3", b"2"), ("3/3", b"3"), signature="b") == [None, None]
    assert len(gathered._incomplete) == 4


def test_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an answer there is no more than is taken, by what it says, and by what there is; then it is forgotten."""
    assert MOST_BYTES == 64 << 20
    assert taken(Reassembly(), ("1/75", b"")) == [None]
    with pytest.raises(BadAnswer, match=r"^it has 76 parts, which is more than 64 MiB$"):
        taken(Reassembly(), ("1/76", b""))

    monkeypatch.setattr(reassembly, "MOST_BYTES", 10)
    with pytest.raises(BadAnswer, match=r"^it has 2 parts"):
        taken(Reassembly(), ("1/2", b""))
    monkeypatch.setattr(reassembly, "part_count", lambda _: 3)
    gathered = Reassembly()
    assert taken(gathered, ("1/3", b"x" * 5), ("2/3", b"x" * 5)) == [None, None]
    with pytest.raises(BadAnswer, match=r"^it has more than 0 MiB$"):
        taken(gathered, ("3/3", b"x"))
    assert gathered._incomplete == {}
    assert taken(gathered, ("1/2", b"x" * 5), ("1/2", b"x" * 9), ("2/2", b"y" * 5)) == [None, None, b"x" * 5 + b"y" * 5]
