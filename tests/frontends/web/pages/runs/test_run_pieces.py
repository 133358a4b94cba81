"""Tests of what the script of a run's page is told."""

from unittest import TestCase

from msgspec.structs import replace

from cmdserver.core.output import Parsed
from cmdserver.frontends.web.pages.runs import run_pieces
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from tests.doubles import a_command, a_grant, an_answer
from tests.frontends.web.pages.runs.test_run_list import ANN, NOON
from tests.frontends.web.reading import Read
from tests.runs.doubles import a_record


def ending(parsed: Parsed) -> Read:
    """Read what is told when a run is over."""
    answer = replace(an_answer(a_grant()), parsed=parsed)
    shown = Shown(a_record(), a_command())
    return Read(run_pieces.ending(ANN, shown, answer, RunFacts(way=Way.ASKED), NOON))


class EndingTests(TestCase):
    def test_data(self) -> None:
        """Data have a tab beside the text; why there are none is said below the text, not in its place."""
        data = ending(Parsed(value=[{"name": "a"}]))
        self.assertEqual([each["href"] for each in data.all("a")][:2], ["#data", "#text"])
        self.assertEqual(len(data.all("table")), 1)

        none = ending(Parsed(problem="it is too long"))
        self.assertNotIn("#data", [each["href"] for each in none.all("a")])
        self.assertIn("There is no table: it is too long. The output is shown as text.", none.text)
