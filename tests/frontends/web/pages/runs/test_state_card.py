"""Tests of the card with the state of a run, as far as it is a check's; `test_run_pages` has the others."""

from typing import Any
from unittest import TestCase

from hypothesis import given

from cmdserver.checks.states import CheckState
from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.frontends.web.pages.runs.state_card import state_card
from tests.doubles import LAW, a_command
from tests.frontends.web.pages.checks.samples import a_day, result
from tests.frontends.web.pages.runs.test_run_list import ANN, NOON
from tests.frontends.web.reading import HOSTILE, Read
from tests.runs.doubles import a_record

LOAD = a_command(schedule=("*/5 * * * *",))


def card(text: str, found: CheckState | None = CheckState.WARNING, **differences: Any) -> Read:
    """Read the card of a check that has found something at noon."""
    facts = RunFacts(way=Way.WATCHED, trend=a_day(result(), NOON), last_success=a_record())
    given = {"state": RunState.FAILED, "exit_status": 1, "asked_at": NOON - 1, "started_at": NOON - 0.6, **differences}
    record = a_record(check_state=found, check_text=text, duration_seconds=0.6, **given)
    html = state_card(ANN, Shown(record, LOAD), facts, NOON, class_="card state")
    return Read(html.encode(errors="replace"))


class CheckTests(TestCase):
    def test_what_it_says(self) -> None:
        """The state, its words without it, and the facts: not why the run has failed, which it has not."""
        text = "|".join(card("WARNING - 14 wait").text)

        self.assertTrue(text.startswith("WARNING|14 wait|"), text)
        self.assertIn("|took |600 ms|", text)
        self.assertIn("|WARNING for |2 h 10 min|", text)
        self.assertTrue(text.endswith("|Every 5 min by |schedule"), text)
        self.assertNotIn("Exit status", text)
        self.assertNotIn("Last success", text)

    def test_without_words(self) -> None:
        """How long it took stands in their place."""
        self.assertEqual(card("WARNING").text[:4], ["WARNING", "Exit status 1", " after ", "600 ms"])
        self.assertNotIn("took ", card("WARNING").text)

    def test_one_that_was_stopped(self) -> None:
        """It is shown as any run: who has stopped it is what one wants to know."""
        text = "|".join(card("stopped by ben", CheckState.UNKNOWN, state=RunState.STOPPED, stopped_by="ben").text)
        self.assertTrue(text.startswith("Stopped by ben|600 ms|"), text)
        self.assertNotIn("UNKNOWN", text)

    def test_another_state_than_the_last(self) -> None:
        """Nobody knows how long that was so."""
        self.assertNotIn(" for ", "|".join(card("x", CheckState.CRITICAL).text))

    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """Whatever a plugin says."""
        self.assertEqual(card(f"x{words}").outline, card("x").outline)
