"""Status, headers and text of answers over HTTP, when all of an answer is known."""

import unittest
from typing import Any

from cmdserver.core.output import Answer
from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.web.answers import TRAILERS, outcome_headers, status_of, text_of, trailers_of
from cmdserver.frontends.web.http.negotiation import Representation
from tests.checks.doubles import by_rules, plugin
from tests.doubles import an_answer

KILLED: dict[str, Any] = {"exit_status": None, "signal": "SIGTERM"}
TEXTS = [each for each in Representation if each is not Representation.JSON]


class StatusTests(unittest.TestCase):
    def assert_status(self, answer: Answer, text: int, json: int = 200) -> None:
        """Fail unless text and pages, and JSON, have these."""
        for representation in TEXTS:
            self.assertEqual(status_of(answer, representation), text, (answer, representation))
        self.assertEqual(status_of(answer, Representation.JSON), json, answer)

    def test_commands(self) -> None:
        """A failure is 502 where the status is all that is seen."""
        self.assert_status(an_answer(), 200)
        self.assert_status(an_answer(exit_status=2), 502)
        self.assert_status(an_answer(**KILLED), 502)
        self.assert_status(an_answer(**KILLED, timed_out=True), 504, json=504)

    def test_plugins(self) -> None:
        """Somebody is to be woken unless it is OK or WARNING; JSON is 200 whenever it ran."""
        for status, code in ((0, 200), (1, 200), (2, 503), (3, 503), (4, 503), (127, 503)):
            self.assert_status(plugin(b"x", status), code)
        self.assert_status(plugin(b"x", **KILLED), 503)
        self.assert_status(plugin(b"x", **KILLED, timed_out=True), 504)
        self.assert_status(plugin(b"x", 0, truncated=True), 503)
        self.assert_status(plugin(b"x", 0, ended_by=EndedBy.STOP), 503)
        self.assert_status(plugin(b"\xff", 0), 503)

    def test_rules(self) -> None:
        """The same by their state."""
        for percent, code in ((1, 200), (81, 200), (91, 503)):
            self.assert_status(by_rules([{"mounted_on": "/", "use_percent": percent}]), code)
        self.assert_status(by_rules([]), 503)
        self.assert_status(by_rules(exit_status=1), 503)
        self.assert_status(by_rules(**KILLED, timed_out=True), 504)


class HeaderTests(unittest.TestCase):
    def test_state(self) -> None:
        """Is a header, and the same trailer; of what is no check there is none."""
        cases: list[tuple[Answer, bytes | None]] = [
            (plugin(b"x", 0), b"OK"),
            (plugin(b"x", 1), b"WARNING"),
            (plugin(b"x", 2), b"CRITICAL"),
            (plugin(b"x", 3), b"UNKNOWN"),
            (plugin(b"x", 99), b"UNKNOWN"),
            (plugin(b"x", **KILLED, timed_out=True), b"UNKNOWN"),
            (by_rules(), b"CRITICAL"),
            (an_answer(), None),
        ]
        for answer, state in cases:
            for headers in (outcome_headers(answer), trailers_of(answer)):
                self.assertEqual(dict(headers).get(b"Cmdserver-Check"), state)
                self.assertEqual(len(dict(headers)), len(headers))
            self.assertLessEqual({name for name, _ in trailers_of(answer)}, set(TRAILERS.split(b", ")))


class TextTests(unittest.TestCase):
    def test_commands(self) -> None:
        """Standard output as it is; of a failure all that is known."""
        self.assertEqual(text_of(an_answer(stdout=b"o", stderr=b"e")), b"o")
        failed = text_of(an_answer(stdout=b"o", stderr=b"e", exit_status=3))
        self.assertEqual(failed, b"oe\ncmdserver: df: exit status 3\n")

    def test_plugins(self) -> None:
        """What it has printed, whatever the state; where that is not what the status says, why."""
        for status in range(4):
            self.assertEqual(text_of(plugin(b"x | y=1\n", status, stderr=b"e")), b"x | y=1\n")
        self.assertEqual(text_of(plugin(b"", 2)), b"CRITICAL (the plugin has printed nothing)\n")
        self.assertEqual(text_of(plugin(b"x\n", 4)), b"x\ncmdserver: df: exit status 4\n")
        self.assertEqual(
            text_of(plugin(b"\xff\n", 0)), b"\xff\ncmdserver: df: the plugin has printed what is no text\n"
        )
        self.assertIn(b"timeout: ran longer", text_of(plugin(b"", **KILLED, timed_out=True)))

    def test_rules(self) -> None:
        """What they find."""
        self.assertTrue(text_of(by_rules(stdout=b"table")).startswith(b"CRITICAL: use_percent of /var is 93"))
        self.assertTrue(text_of(by_rules([{"mounted_on": "/", "use_percent": 1}])).startswith(b"OK: "))
        late = text_of(by_rules(**KILLED, timed_out=True))
        self.assertEqual(late, b"UNKNOWN: timeout: ran longer than 30 s and was ended\n")
