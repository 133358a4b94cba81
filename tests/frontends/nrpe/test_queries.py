"""What queries ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Malformed
from cmdserver.frontends.nrpe.packets import Packet, Version
from cmdserver.frontends.nrpe.queries import words_of


def words(text: bytes, version: Version = Version.V4) -> tuple[str, ...]:
    """Read a query."""
    return words_of(Packet(version, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"_NRPE_CHECK", ("_NRPE_CHECK",)),
        (b"_NRPE_CHECK!x", ("_NRPE_CHECK",)),
        (b"disk", ("disk",)),
        (b"disk!", ("disk", "--", "")),
        (b"disk!80!/var", ("disk", "--", "80", "/var")),
        (b"disk!!!", ("disk", "--", "", "", "")),
        (b"disk!a=1!--", ("disk", "--", "a=1", "--")),
        (b"disk!a b\n$(id)|;", ("disk", "--", "a b\n$(id)|;")),
        ("disk!é".encode(), ("disk", "--", "é")),
        (b"disk -x", ("disk -x",)),
    ],
)
def test_words(text: bytes, expected: tuple[str, ...]) -> None:
    """A name, and values that nothing can be made of but values."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "names no command"),
        (b"!x", "names no command"),
        (b"disk!\xff", "not UTF-8 .byte 6"),
        (b"x" * 2047, "left out its end"),
    ],
)
def test_malformed(text: bytes, why: str) -> None:
    """What cannot be understood is said, as the client may know how it has spelled it."""
    with pytest.raises(Malformed, match=why):
        words(text)


def test_what_version_2_may_have_cut() -> None:
    """Of a value that is cut another one would be left, and nobody would see that."""
    with pytest.raises(Malformed, match="1023 bytes long"):
        words(b"x" * 1023, Version.V2)
    assert words(b"x" * 1022, Version.V2) == ("x" * 1022,)
    assert words(b"x" * 4000) == ("x" * 4000,)


@given(st.binary(max_size=1000))
def test_anything(text: bytes) -> None:
    """Whatever is asked is words, or `Malformed`."""
    try:
        found = words(text)
    except Malformed:
        return
    assert found[0]
    assert len(found) == 1 or found[1] == "--"
