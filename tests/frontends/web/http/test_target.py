"""Tests of request targets: their forms, their paths, and the way from them to the root."""

import unittest
from urllib.parse import urljoin

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Malformed
from cmdserver.frontends.web.http.target import Target, cut_behind, parse_target
from tests.doubles import LAW


class FormTests(unittest.TestCase):
    def test_forms(self) -> None:
        """A target is a path, or a whole address."""
        self.assertEqual(parse_target(b"/df?a=b"), Target(None, b"/df?a=b", ("df",), [("a", "b")]))
        self.assertEqual(parse_target(b"http://localhost:80/df"), Target(b"localhost:80", b"/df", ("df",)))
        self.assertEqual(parse_target(b"HTTPS://localhost"), Target(b"localhost", b"/", ("",)))
        for target in (b"*", b"", b"df", b"localhost:443", b"ftp://localhost/"):
            with self.assertRaises(Malformed, msg=target):
                parse_target(target)

    def test_paths(self) -> None:
        """The parts of a path are decoded one by one; a slash within one is no separator."""
        self.assertEqual(parse_target(b"/a%2Fb/%C3%A4/\xc3\xa4/+/").parts, ("a/b", "\xe4", "\xe4", "+", ""))
        for path in (b"/%FF", b"/\xff", b"/a%00", b"/a\x7f", b"/%C2%85", b"/%0A/b"):
            with self.assertRaises(Malformed, msg=path):
                parse_target(path)

    @given(st.binary(max_size=40), st.sampled_from(["", "/ops"]))
    @LAW
    def test_any_bytes(self, rest: bytes, base_path: str) -> None:
        """Whatever follows the slash is a path of printable parts, or refused."""
        try:
            target = parse_target(b"/" + rest, base_path)
        except Malformed:
            return
        self.assertTrue(target.address.startswith(b"/"))
        self.assertTrue(target.parts)
        self.assertTrue(all(map(str.isprintable, target.parts)))


class RootTests(unittest.TestCase):
    def test_the_way_to_the_root(self) -> None:
        """It leads there from every address, as browsers follow it, whether a proxy keeps the path or takes it away."""
        for base_path, kept in (("", ""), ("/ops", ""), ("/ops", "/ops"), ("/a/b.c", "/a/b.c")):
            for asked in ("/", "/df", "/df?a=/b", "/-/login", "/df/a%2Fb/", "/opsx", "/ops"):
                if (base_path, kept, asked) == ("/ops", "", "/ops"):
                    continue
                target = parse_target(f"{kept}{asked}".encode(), base_path)
                self.assertEqual((target.address.decode(), target.base_path), (asked, kept))
                for outside in (kept, f"/elsewhere{kept}"):
                    there = urljoin(f"http://cmd.example{outside}{asked}", target.root + "df")
                    self.assertEqual(there, f"http://cmd.example{outside}/df", (base_path, outside, asked))

    def test_without_a_slash(self) -> None:
        """A path without its last slash is the root, too, and the way from there is another one."""
        for base_path in ("/ops", "/a/b.c"):
            target = parse_target(base_path.encode() + b"?a=b", base_path)
            self.assertEqual((target.address, target.parts), (b"/?a=b", ("",)))
            self.assertEqual(urljoin(f"http://h{base_path}?a=b", target.root), f"http://h{base_path}/")


class CutTests(unittest.TestCase):
    """Targets without what may be a secret."""

    def test_behind_a_name(self) -> None:
        """Wherever the name is, and however it is spelled; what is not there is not cut."""
        for target, cut in (
            (b"/setpw", b"/setpw"),
            (b"/setpw?password=x", b"/setpw"),
            (b"/setpw/x", b"/setpw"),
            (b"/%73etp%77/x", b"/%73etp%77"),
            (b"/ops/setpw/x", b"/ops/setpw"),
            (b"//setpw?x", b"//setpw"),
            (b"http://h/setpw?x", b"http://h/setpw"),
            (b"setpw?x", b"setpw"),
            (b"/\xff/%00/setpw/x", b"/\xff/%00/setpw"),
            (b"/-/login?next=/setpw?x", b"/-/login?next=/setpw"),
            (b"/-/login?next=%2Fsetpw%3Fx", b"/-/login?next="),
            (b"/setpwd?x", b"/setpwd?x"),
            (b"/df?x", b"/df?x"),
        ):
            self.assertEqual(cut_behind(target, {"setpw", "other"}), cut)

    @given(st.binary(max_size=40))
    @LAW
    def test_any_bytes(self, target: bytes) -> None:
        """What is cut is a beginning."""
        self.assertTrue(target.startswith(cut_behind(target, {"a", "b"})))
