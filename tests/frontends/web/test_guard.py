"""Tests of whether a request is meant for us, and meant at all."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.errors import Denied, Malformed
from cmdserver.frontends.web.guard import (
    Misdirected,
    require_host,
    require_own_page,
    require_token,
    safe_next,
    split_target,
)
from tests.doubles import LAW

OURS = frozenset({"localhost", "cmd.example", "127.0.0.1", "::1"})


class HostTests(unittest.TestCase):
    def test_our_names_are_served(self) -> None:
        """Any of our names will do, in any spelling, with any port."""
        for host in (b"localhost", b"CMD.example:2080", b"cmd.example.", b"127.0.0.1:", b"[::1]:80", b"[0:0::1]"):
            require_host([host], None, OURS, may_lack_it=False)

    def test_another_name_is_not_served(self) -> None:
        """A stranger's name, though it leads to our address, is misdirected."""
        for host in (b"evil.example", b"localhost.evil.example", b"evil-localhost", b"127.0.0.2", b"[::2]", b"0"):
            with self.assertRaises(Misdirected, msg=host):
                require_host([host], None, OURS, may_lack_it=False)

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
                require_host(hosts, None, OURS, may_lack_it=False)
            self.assertNotIsInstance(caught.exception, Misdirected)

    def test_old_clients_name_no_host(self) -> None:
        """HTTP/1.0 knows no Host header, and no browser speaks it; one that is there counts."""
        require_host([], None, OURS, may_lack_it=True)
        with self.assertRaises(Misdirected):
            require_host([b"evil.example"], None, OURS, may_lack_it=True)

    def test_the_target_counts_too(self) -> None:
        """A target in absolute form names a host, which must be ours as well."""
        with self.assertRaises(Misdirected):
            require_host([b"localhost"], b"evil.example", OURS, may_lack_it=False)

    def test_every_name_can_be_ours(self) -> None:
        """``*`` is for those who have a proxy before us that looks."""
        require_host([b"evil.example"], None, frozenset({"*"}), may_lack_it=False)

    @LAW
    @given(st.binary(max_size=80))
    def test_any_bytes_are_served_or_refused(self, host: bytes) -> None:
        """Any header is one of ours, or is refused, and is never another exception."""
        try:
            require_host([host], None, OURS, may_lack_it=False)
        except Malformed:
            return
        name = host.lower().rsplit(b":", 1)[0] if not host.startswith(b"[") else host
        self.assertIn(name.removesuffix(b"."), {b"localhost", b"cmd.example", b"127.0.0.1"}, host)


class TargetTests(unittest.TestCase):
    def test_forms(self) -> None:
        """A target is a path, or a whole address."""
        self.assertEqual(split_target(b"/df?a=b"), (None, b"/df?a=b"))
        self.assertEqual(split_target(b"http://localhost:80/df"), (b"localhost:80", b"/df"))
        self.assertEqual(split_target(b"HTTPS://localhost"), (b"localhost", b"/"))
        for target in (b"*", b"", b"df", b"localhost:443", b"ftp://localhost/"):
            with self.assertRaises(Malformed, msg=target):
                split_target(target)


class OwnPageTests(unittest.TestCase):
    def test_our_own_pages_may(self) -> None:
        """A request of our own page, of somebody's hand, or of no browser at all is meant."""
        for origin, site in (
            (b"http://cmd.example:2080", b"same-origin"),
            (b"http://CMD.example:2080", None),
            (b"https://cmd.example:2080", None),  # a proxy before us speaks TLS
            (None, b"none"),
            (None, None),
        ):
            require_own_page(origin, site, b"cmd.example:2080", is_secure=False)

    def test_others_may_not(self) -> None:
        """A request that another site's page has caused is not."""
        for origin, site in (
            (b"http://evil.example", None),
            (b"null", None),
            (b"http://cmd.example", None),
            (b"http://cmd.example:2081", b"same-site"),
            (None, b"cross-site"),
            (None, b"same-site"),
            (b"http://cmd.example:2080", b"cross-site"),
        ):
            with self.assertRaises(Denied, msg=(origin, site)):
                require_own_page(origin, site, b"cmd.example:2080", is_secure=False)

    def test_a_page_without_tls_may_not_use_one_with(self) -> None:
        """Whoever can change a page on its way is not to speak for the one that nobody can change."""
        with self.assertRaises(Denied):
            require_own_page(b"http://cmd.example", None, b"cmd.example", is_secure=True)


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
