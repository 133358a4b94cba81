"""Hosts: names and addresses."""

from ipaddress import ip_network

from cmdserver.parameters.host_type import Host
from tests.parameters.test_number_types import TypeTestCase


class HostTests(TypeTestCase):
    def test_names(self) -> None:
        """RFC 1123, in lower case."""
        self.assert_forms(
            Host(),
            {
                "localhost": "localhost",
                "WWW.Example.ORG": "www.example.org",
                "3com.com": "3com.com",
                "a-b.c": "a-b.c",
                "1.2.3.x": "1.2.3.x",
                "xn--bcher-kva.example": "xn--bcher-kva.example",
                "0x1g": "0x1g",
                f"{'a' * 63}.b": f"{'a' * 63}.b",
                ".".join(["a" * 62] * 4): ".".join(["a" * 62] * 4),
            },
        )
        no_names = (
            *(
                "",
                ".",
                "a.",
                ".a",
                "a..b",
                "-a",
                "a-",
                "a.-b",
                "a_b",
                "a b",
                "a/b",
                "a:80",
                "a\n",
                "a\0",
                "büro",
                "*.a",
                "a@b",
            ),
            *(
                "a" * 64,
                ".".join(["a" * 63] * 4),
                "\u212aernel.org",
                "\u0130",
                "\uff41.org",
                "--",
                "-oProxyCommand=x",
                "[::1]",
            ),
        )
        self.assert_forms(Host(), dict.fromkeys(no_names))

    def test_what_would_be_an_address_is_no_name(self) -> None:
        """A last label of digits, also as inet_aton(3) reads them."""
        self.assert_forms(
            Host(),
            dict.fromkeys(
                ("1", "1.2", "127.1", "0177.0.0.1", "256.1.1.1", "1.2.3.4.5", "a.1", "0x7f000001", "0X7F.1", "a.0x")
            ),
        )

    def test_addresses(self) -> None:
        """Compressed, IPv4 in IPv6 as IPv4, no zones."""
        self.assert_forms(
            Host(),
            {
                "127.0.0.1": "127.0.0.1",
                "::1": "::1",
                "2001:DB8:0:0::1": "2001:db8::1",
                "0::0": "::",
                "::FFFF:10.0.0.1": "10.0.0.1",
                "::ffff:0a00:1": "10.0.0.1",
                **dict.fromkeys(
                    (
                        "fe80::1%eth0",
                        "::1%",
                        "fe80::1%25eth0",
                        "10.0.0.01",
                        "1::2::3",
                        "::ffff:10.0.0.256",
                        "10.0.0.0/8",
                    )
                ),
            },
        )

    def test_networks(self) -> None:
        """Addresses must lie in one of them, however they are written; names are another matter."""
        host = Host(networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
        self.assert_forms(
            host,
            {
                "10.1.2.3": "10.1.2.3",
                "::ffff:10.1.2.3": "10.1.2.3",
                "2001:db8::5": "2001:db8::5",
                "a.org": "a.org",
                **dict.fromkeys(("11.0.0.1", "::ffff:11.0.0.1", "2001:db9::1", "::1", "127.0.0.1")),
            },
        )
        self.assert_refusal("must be a host name, or an IP address in 10.0.0.0/8 or 2001:db8::/32", host, "::1")

    def test_globs(self) -> None:
        """Names must match one, in lower case; addresses are another matter."""
        host = Host(names=("web-*", "*.example.org"))
        self.assert_forms(
            host,
            {
                "WEB-1": "web-1",
                "a.example.org": "a.example.org",
                "example.org": None,
                "db-1": None,
                "10.0.0.1": "10.0.0.1",
            },
        )
        self.assert_refusal("must be a host name that matches web-* or *.example.org, or an IP address", host, "db")
