"""Tests of whether a request is meant for us, and meant at all."""

import unittest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cmdserver.core.errors import Denied, Malformed
from cmdserver.frontends.web.http.cross_site import (
    Misdirected,
    Provenance,
    require_host,
    require_own_page,
    require_token,
    safe_next,
)
from tests.doubles import LAW

OURS = frozenset({"localhost", "cmd.example", "127.0.0.1", "::1"})


class HostTests(unittest.TestCase):
    def test_our_names_are_served(self) -> None:
        """Any of our names will do, in any spelling, with any port."""
        for host in (b"localhost", b"CMD.example:2080", b"cmd.example.", b"127.0.0.1:", b"[::1]:80", b"[0:0::1]"):
            require_host([host], (), OURS, may_lack_it=False)

    def test_addresses_are_ours(self) -> None:
        """An IP address, whichever, leads to whoever has it, and nobody can point it elsewhere; so with localhost."""
        for host in (
            b"192.0.2.7",
            b"192.0.2.7:2080",
            b"192.0.2.7.",
            b"[2001:db8::7]:2080",
            b"[::ffff:192.0.2.7]",
            b"[fe80::1%eth0]",
            b"[fe80::1%25eth0]:80",
            b"shop1.localhost",
            b"SHOP1.LocalHost.:2080",
        ):
            require_host([host], (), OURS, may_lack_it=False)

    def test_another_name_is_not_served(self) -> None:
        """A stranger's name, though it leads to our address, is misdirected."""
        for host in (b"evil.example", b"localhost.evil.example", b"evil-localhost", b"evillocalhost", b"0", b"127.1"):
            with self.assertRaises(Misdirected, msg=host):
                require_host([host], (), OURS, may_lack_it=False)

    def test_what_is_no_host_is_refused(self) -> None:
        """No header, two, or one that names nothing is no request (RFC 9112, section 3.2)."""
        for hosts in (
            [],
            [b"localhost", b"localhost"],
            [b""],
            [b"a b"],
            [b"localhost@evil"],
            [b"localhost:x"],
            [b"[::1"],
        ):
            with self.assertRaises(Malformed, msg=hosts) as caught:
                require_host(hosts, (), OURS, may_lack_it=False)
            self.assertNotIsInstance(caught.exception, Misdirected)

    def test_old_clients_name_no_host(self) -> None:
        """HTTP/1.0 knows no Host header, and no browser speaks it; one that is there counts."""
        require_host([], (), OURS, may_lack_it=True)
        with self.assertRaises(Misdirected):
            require_host([b"evil.example"], (), OURS, may_lack_it=True)

    def test_the_target_counts_too(self) -> None:
        """A target in absolute form names a host, which must be ours as well."""
        with self.assertRaises(Misdirected):
            require_host([b"localhost"], (None, b"evil.example"), OURS, may_lack_it=False)

    def test_every_name_can_be_ours(self) -> None:
        """``*`` is for those who have a proxy before us that looks."""
        require_host([b"evil.example"], (), frozenset({"*"}), may_lack_it=False)

    @LAW
    @given(st.binary(max_size=80))
    def test_any_bytes_are_served_or_refused(self, host: bytes) -> None:
        """Any header is one of ours, or is refused, and is never another exception."""
        try:
            require_host([host], (), OURS, may_lack_it=False)
        except Malformed:
            return
        name = host.lower().rsplit(b":", 1)[0] if not host.startswith(b"[") else host
        is_known = name.removesuffix(b".") in {b"localhost", b"cmd.example"} or name.endswith(b".localhost")
        self.assertTrue(is_known or not set(name.lower()) - set(b"0123456789abcdef.:[]%"), host)


def provenance(**differences: Any) -> Provenance:
    """What a program that says nothing says, but for these."""
    nothing = Provenance(
        origin=None,
        referer=None,
        site=None,
        mode=None,
        destination=None,
        host=b"cmd.example:2080",
        is_secure=False,
    )
    return replace(nothing, **differences)


class OwnPageTests(unittest.TestCase):
    def test_our_own_pages_may(self) -> None:
        """A request of our own page, of somebody's hand, or of no browser at all is meant."""
        for said in (
            {},
            {"origin": b"http://cmd.example:2080", "site": b"same-origin"},
            {"origin": b"http://CMD.example.:2080"},
            {"origin": b"https://cmd.example:2080"},  # a proxy before us speaks TLS
            {"site": b"none"},
            {"site": b"same-origin"},
            {"referer": b"http://cmd.example:2080/df?a=b"},
            {"referer": b"http://cmd.example:2080"},
            {"site": b"same-origin", "referer": b"http://evil.example/"},  # the browser knows better
        ):
            require_own_page(provenance(**said))

    def test_others_may_not(self) -> None:
        """A request that another site's page has caused is not."""
        for said in (
            {"origin": b"http://evil.example"},
            {"origin": b"null"},
            {"origin": b""},
            {"origin": b"cmd.example:2080"},
            {"origin": b"ftp://cmd.example:2080"},
            {"origin": b"http://cmd.example:2080, http://cmd.example:2080"},
            {"origin": b"http://cmd.example"},
            {"origin": b"http://cmd.example:2081", "site": b"same-site"},
            {"origin": b"http://evil.example", "site": b"same-origin"},
            {"origin": b"null", "site": b"none"},
            {"site": b"cross-site"},
            {"site": b"same-site"},
            {"site": b"what-comes-next"},
            {"origin": b"http://cmd.example:2080", "site": b"cross-site"},
            {"referer": b"http://evil.example/http://cmd.example:2080/"},
            {"referer": b"http://evil.example?http://cmd.example:2080/"},
            {"referer": b"http://cmd.example:2080@evil.example/"},
            {"referer": b"nonsense"},
        ):
            with self.assertRaises(Denied, msg=said):
                require_own_page(provenance(**said))

    def test_proxies(self) -> None:
        """What a proxy makes of Host: its name with the port that the browser sees, a port of its own, or none."""
        for host, origin, is_vouched_for in (
            (b"ops.example", b"https://ops.example", False),
            (b"ops.example:8443", b"https://ops.example:8443", False),
            (b"ops.example", b"https://ops.example:8443", False),
            (b"ops.example:443", b"https://ops.example", False),
            (b"ops.example:80", b"https://ops.example", False),
            (b"ops.example:", b"https://ops.example", False),
            (b"ops.example:8080", b"https://ops.example", True),
            (b"ops.example:8080", b"https://ops.example:8443", True),
            (b"[2001:db8::7]:443", b"https://[2001:DB8:0::7]", False),
        ):
            said = {"host": host, "origin": origin}
            require_own_page(provenance(**said, site=b"same-origin"))
            if is_vouched_for:
                with self.assertRaises(Denied, msg=said):
                    require_own_page(provenance(**said))
            else:
                require_own_page(provenance(**said))
            for foreign in (b"https://evil.example", b"https://ops.example.evil.example", b"null"):
                with self.assertRaises(Denied, msg=(host, foreign)):
                    require_own_page(provenance(host=host, origin=foreign, site=b"same-origin"))

    def test_a_page_without_tls_may_not_use_one_with(self) -> None:
        """Whoever can change a page on its way is not to speak for the one that nobody can change."""
        for said in ({}, {"site": b"same-origin"}):
            with self.assertRaises(Denied):
                require_own_page(provenance(origin=b"http://cmd.example", host=b"cmd.example", is_secure=True, **said))
        for host in (b"cmd.example:80", b"cmd.example:8443"):
            with self.assertRaises(Denied):
                require_own_page(provenance(origin=b"https://cmd.example", host=host, is_secure=True))
        require_own_page(provenance(origin=b"https://cmd.example", host=b"cmd.example:443", is_secure=True))

    def test_what_is_seen_as_a_page(self) -> None:
        """A page of its own, and no part of another: neither a picture, nor a frame, nor what a script asks for."""
        for mode, destination, is_seen in (
            (None, None, True),
            (b"navigate", b"document", True),
            (b"navigate", None, True),
            (b"navigate", b"iframe", False),
            (b"navigate", b"object", False),
            (b"no-cors", b"image", False),
            (b"cors", b"empty", False),
            (None, b"image", False),
        ):
            self.assertEqual(provenance(mode=mode, destination=destination).is_top_level, is_seen, (mode, destination))


class TokenTests(unittest.TestCase):
    def test_the_token_must_be_known(self) -> None:
        """What our own pages carry is good; anything else, or nothing, is not."""
        require_token(b"abc", "abc")
        for given_token in (None, b"", b"abd", b"abcabc", "äbc".encode()):
            with self.assertRaises(Denied):
                require_token(given_token, "abc")


class NextTests(unittest.TestCase):
    def test_a_login_leads_nowhere_else(self) -> None:
        """Whatever stands in the address, one stays on this server."""
        self.assertEqual(safe_next("/df?a=b"), "/df?a=b")
        for path in ("", "df", "//evil.example", "/\\evil.example", "http://evil.example", "/a\r\nb", "/\t/evil", "/ä"):
            self.assertEqual(safe_next(path), "/", path)
