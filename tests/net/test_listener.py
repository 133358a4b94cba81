"""From addresses to sources, and from descriptions to endpoints."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from cmdserver.net.listener import charged_source_of, source_of
from cmdserver.net.proxied_endpoint import ProxyItself


@pytest.mark.parametrize(
    ("address", "source"),
    [
        (IPv4Address("TCP", "192.0.2.1", 1), "192.0.2.1"),
        (IPv6Address("TCP", "2001:db8::1", 1), "2001:db8::1"),
        (IPv6Address("TCP", "::ffff:192.0.2.1", 1), "192.0.2.1"),
        (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::1"),
        (UNIXAddress(b"/run/a"), "unix"),
        (UNIXAddress(None), "unix"),
        (None, "unknown"),
    ],
)
def test_sources(address: object, source: str) -> None:
    """One client has one source, by whichever kind of socket; and is charged under it."""
    assert source_of(address) == charged_source_of(address, source) == source


def test_the_proxy_itself() -> None:
    """Its address is told, and nobody is charged."""
    address = ProxyItself(IPv6Address("TCP", "::ffff:10.0.0.1", 1))
    assert (source_of(address), charged_source_of(address, source_of(address))) == ("10.0.0.1", "unknown")
