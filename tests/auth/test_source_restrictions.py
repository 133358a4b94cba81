"""From where a credential may be used."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.auth.source_restrictions import Sources, parse_networks, parse_patterns


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.0/8", ["10.0.0.1", "10.255.255.255", "::ffff:10.1.2.3"], ["11.0.0.1", "::1", "unix", ""]),
        ("::1,192.0.2.7", ["::1", "192.0.2.7"], ["::2", "192.0.2.8", "127.0.0.1"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:DB8:ffff::"], ["2001:db9::1"]),
        ("fe80::/10", ["fe80::1%eth0", "fe80::1"], ["fec0::1"]),
    ],
)
@pytest.mark.parametrize("parse", [parse_networks, parse_patterns])
def test_networks(parse: Callable[[str], Sources], text: str, inside: list[str], outside: list[str]) -> None:
    """Addresses and networks mean the same in tokens and keys."""
    sources = parse(text)

    assert [each for each in inside if not sources.include(each)] == []
    assert [each for each in outside if sources.include(each)] == []


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("192.168.?.*", ["192.168.1.77", "::ffff:192.168.1.77"], ["192.168.10.77", "192.169.1.1"]),
        ("*", ["10.0.0.1", "::1", "unix"], []),
        ("10.0.0.0/8,!10.66.0.0/16", ["10.1.1.1"], ["10.66.1.1", "11.0.0.1"]),
        ("!10.66.*,10.*", ["10.1.1.1"], ["10.66.1.1"]),
        ("!10.0.0.1,*", ["10.0.0.2", "unix"], ["10.0.0.1", "::ffff:10.0.0.1"]),
        ("2001:DB8:*", ["2001:db8::1"], ["2001:db9::1"]),
        ("10.0.0.1,*.example.com", ["10.0.0.1"], ["www.example.com"]),
    ],
)
def test_patterns(text: str, inside: list[str], outside: list[str]) -> None:
    """Globs and negation, as OpenSSH's addr_match_list has them."""
    sources = parse_patterns(text)

    assert [each for each in inside if not sources.include(each)] == []
    assert [each for each in outside if sources.include(each)] == []


@pytest.mark.parametrize("text", ["*", "10.0.0.0/8,*", "!10.0.0.1,*", "f*"])
def test_a_bus_tells_no_address(text: str) -> None:
    """Of who asks over it nothing is known that could match."""
    assert not parse_patterns(text).include("fleet")


def test_host_names_are_told() -> None:
    """They never match, so somebody should hear of it."""
    assert parse_patterns("10.0.0.1,*.example.com,host").host_names == ("*.example.com", "host")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "10.0.0.1,",
        "10.0.0.1, 10.0.0.2/32",
        "10.0.0.1/8",  # bits beyond the prefix: OpenSSH refuses as well
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "/8",
        "!",
        "10.0.0.0/8,!evil.example.com",
        "host.example.com",
        "!10.0.0.1",
        "!*",
    ],
)
def test_what_is_no_list_of_patterns(text: str) -> None:
    """What could be meant in two ways, excludes what cannot be known, or can never match."""
    with pytest.raises(ValueError, match=r"."):
        parse_patterns(text)


@pytest.mark.parametrize("text", ["", "10.*", "!10.0.0.1", "host", "10.0.0.1/8", "::1,", "10.0.0.0/0x8", "1"])
def test_what_is_no_list_of_networks(text: str) -> None:
    """Tokens know networks only."""
    with pytest.raises(ValueError, match="network"):
        parse_networks(text)


@pytest.mark.parametrize("parse", [parse_networks, parse_patterns])
@given(
    text=st.text(alphabet=st.one_of(st.sampled_from("0123456789abcdef.:/,!*?[]% "), st.characters())), source=st.text()
)
def test_any_text(parse: Callable[[str], Sources], text: str, source: str) -> None:
    """Any text is a list or a ValueError in ASCII, and any source is in it or not."""
    try:
        sources = parse(text)
    except ValueError as error:
        complaint = str(error)
    else:
        complaint = ""
        assert sources.include(source) in {True, False}

    assert complaint.isascii()
