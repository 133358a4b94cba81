"""The data of a run on a page."""

from dataclasses import replace
from unittest import TestCase

from cmdserver.core.output import Json, Parsed
from cmdserver.frontends.web.pages.drawing import html_of
from tests.doubles import a_grant, an_answer


class DrawingTests(TestCase):
    def test_answers(self) -> None:
        """One with data is drawn, in the order that is asked for; its output says in which unit free counts."""
        output = b"       total  used  free\nMem:  4194304  1048576  3145728\n"
        row: Json = {"type": "Mem", "total": 4_194_304, "used": 1_048_576, "free": 3_145_728}
        answer = an_answer(a_grant(parser="free"), stdout=output, stdout_bytes=len(output))
        self.assertIsNone(html_of(answer))
        parsed = replace(answer, parsed=Parsed(value=[row]))

        self.assertIn("4.0 GiB", html_of(parsed) or "")
        self.assertIn('aria-sort="descending"', html_of(parsed, "-used") or "")
        self.assertIn('href="?sort=-used"', html_of(parsed, "", lambda sort: f"?sort={sort}") or "")
