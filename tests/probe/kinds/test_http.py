"""Tests of what a web server's answer means."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.errors import ProbeFailed, WrongUsage
from cmdserver_probe.kinds.http import BODY_OCTETS, judge, where
from cmdserver_probe.options import parse
from cmdserver_probe.report import State


class JudgeTests(SynchronousTestCase):
    def test_states(self) -> None:
        """As check_http has them."""
        states = {
            200: State.OK,
            204: State.OK,
            301: State.OK,
            404: State.WARNING,
            500: State.CRITICAL,
            600: State.CRITICAL,
        }
        found = {status: judge(status, "Reason", None, b"", None).state for status in states}

        self.assertEqual(found, states)

    def test_a_redirect(self) -> None:
        """It says where to, and is not followed."""
        self.assertEqual(judge(302, "Found", "https://h/\n", b"x", None).text, "302 Found, to https://h/, 1 bytes")

    def test_what_is_expected(self) -> None:
        """In the body it is as good as the status; in the status line it makes that right."""
        self.assertEqual(judge(200, "OK", None, b"all is up", "is up").state, State.OK)
        self.assertEqual(judge(500, "No", None, b"all is up", "is up").state, State.CRITICAL)
        self.assertEqual(judge(401, "Unauthorized", None, b"", "401").state, State.OK)
        with self.assertRaisesRegex(ProbeFailed, "200 OK, and what is expected is not in its 2 bytes"):
            judge(200, "OK", None, b"no", "up")

    def test_a_long_body(self) -> None:
        """It is said that more is not looked at."""
        self.assertIn(f"{BODY_OCTETS} bytes or more", judge(200, "OK", None, b"x" * BODY_OCTETS, None).text)
        with self.assertRaisesRegex(ProbeFailed, f"not in the first {BODY_OCTETS} bytes"):
            judge(200, "OK", None, b"x" * BODY_OCTETS, "up")


class WhereTests(SynchronousTestCase):
    def _where(self, url: str) -> tuple[str, int]:
        target = where(parse(["http", url]))
        return target.host, target.port

    def test_urls(self) -> None:
        """The scheme has a port."""
        self.assertEqual(self._where("http://example.org"), ("example.org", 80))
        self.assertEqual(self._where("HTTPS://Example.org/x?y"), ("example.org", 443))
        self.assertEqual(self._where("http://[::1]:8080/"), ("::1", 8080))

    def test_what_is_none(self) -> None:
        """Nor is a user, whose password would be on the command line."""
        for url in (
            "example.org",
            "ftp://h/",
            "http:///x",
            "http://[::1/",
            "http://h:99999/",
            "http://h:x/",
            "http://-h/",
        ):
            with self.subTest(url), self.assertRaises(WrongUsage):
                self._where(url)
        with self.assertRaisesRegex(WrongUsage, "--user and --password-file"):
            self._where("http://me:secret@h/")
