"""Addresses and networks as people write them."""

import re
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.addresses import NO_PROXIES, TrustedProxies, block_of, network_meant, parse_address, parse_network


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("::1", "::1/128"),
        ("2001:DB8::/32", "2001:db8::/32"),
    ],
)
def test_networks(text: str, network: str) -> None:
    """A single address is a network of one."""
    assert str(parse_network(text)) == network


@pytest.mark.parametrize("text", ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10.0.0.0/", "1"])
def test_what_is_no_network(text: str) -> None:
    """It is named; so is one with bits beyond its prefix, which is two things at once."""
    with pytest.raises(ValueError, match=re.escape(f"{text!a} is no network")):
        parse_network(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("10.*.*.*", "10.0.0.0/8"),
        ("192.168.1.*", "192.168.1.0/24"),
        ("172.16.", "172.16.0.0/16"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("[::1]", "::1"),
        ("2001:DB8::1/32", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::1", "::1"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    """People write networks in many ways."""
    assert network_meant(text) == meant
    assert str(parse_network(meant)).removesuffix("/32").removesuffix("/128") == meant.removesuffix("/32")


@pytest.mark.parametrize(
    "text", ["", "*", "/", "localhost", "host.example/8", "10.0.0.0/99", "1.2.3.4.5", "300.*", "1"]
)
def test_what_is_anybody_s_guess(text: str) -> None:
    """Nothing is suggested that may be wrong."""
    assert network_meant(text) is None


def test_addresses() -> None:
    """An IPv4 client is the same by whichever socket it comes."""
    assert parse_address("192.0.2.7") == parse_address("::ffff:192.0.2.7") == ip_address("192.0.2.7")
    assert parse_address("::1") == ip_address("::1")
    assert parse_address("unix") is None


@pytest.mark.parametrize(
    ("source", "block"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1", "fe80::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
        ("unix", "unix"),
        ("unknown", "unknown"),
    ],
)
def test_block(source: str, block: str) -> None:
    """Single IPv4 addresses; IPv6 networks, except where a network of 64 bits is everybody's."""
    assert block_of(source) == block


@given(st.text(alphabet=st.one_of(st.sampled_from("0123456789abcdef.:/%"), st.characters())))
def test_any_text(text: str) -> None:
    """Any text is a network or a ValueError in ASCII, and a network is read again as itself."""
    try:
        network = parse_network(text)
    except ValueError as error:
        complaint = str(error)
    else:
        complaint = ""
        assert parse_network(str(network)) == network

    assert complaint.isascii()


def test_trusted_proxies() -> None:
    """Networks hold addresses, however these are spelled; the word for UNIX sockets holds those alone."""
    networks = TrustedProxies((ip_network("10.0.0.0/8"), ip_network("fe80::/10")))
    for source in ("10.1.2.3", "::ffff:10.1.2.3", "fe80::1%eth0"):
        assert networks.include(source)
    for source in ("11.0.0.1", "::1", "unix", "unknown", ""):
        assert not networks.include(source)
        assert not NO_PROXIES.include(source)
    assert TrustedProxies(has_unix=True).include("unix")
    assert not TrustedProxies(has_unix=True).include("127.0.0.1")
