"""Tests of the list of commands."""

from typing import Any
from unittest import TestCase

from cmdserver.core.model import Command
from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.pages.command_list import MOST_CARDS, Listing, index, last_run
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from tests.doubles import a_command
from tests.frontends.web.pages.runs.test_run_list import ANN, NOON
from tests.frontends.web.reading import Read
from tests.frontends.web.samples import JOURNAL, SETPW, SHOP
from tests.runs.doubles import a_record


def many(count: int = MOST_CARDS + 1, **differences: Any) -> list[Command]:
    """Make so many commands."""
    return [a_command(name=f"c{each}", **differences) for each in range(count)]


def read(*commands: Command, visitor: Visitor = ANN, **listing: Any) -> Read:
    """Read the page."""
    return Read(index(visitor, Listing(commands=commands, now=NOON, **listing)))


def links(page: Read, kind: str) -> list[str | None]:
    """Say where the links of a class lead to."""
    return [each["href"] for each in page.all("a") if kind in (each.get("class") or "").split()]


class ShapeTests(TestCase):
    def test_cards_and_rows(self) -> None:
        """Up to a dozen commands are cards; more are rows."""
        for count, kind in ((MOST_CARDS, "cards"), (MOST_CARDS + 1, "rows")):
            lists = [each.get("class") for each in read(*many(count)).all("ul")]
            self.assertEqual(set(lists), {kind})

    def test_what_changes_something(self) -> None:
        """It is marked, and its button asks; what only reads is run at once."""
        for commands in (many(1), many()):
            self.assertNotIn("changes", read(*commands).text)
            self.assertEqual(set(read(*commands).text) & {"Run", "Run…"}, {"Run"})
        for commands in (many(1, read_only=False), many(read_only=False)):
            self.assertIn("changes", read(*commands).text)
            self.assertEqual(set(read(*commands).text) & {"Run", "Run…"}, {"Run…"})

    def test_nothing(self) -> None:
        """Who may run nothing is told so, and whether a login could help."""
        self.assertIn("There is nothing here that you may run.", read().text)
        stranger = Visitor(site=SHOP, name=None, may_log_in=True, token=None)
        self.assertIn("There is nothing here that you may run without a login.", read(visitor=stranger).text)


class SearchTests(TestCase):
    def found(self, search: str, *commands: Command) -> list[str | None]:
        """Look for something; return where the buttons lead to."""
        return links(read(*commands, search=search), "run")

    def test_all_words_are_looked_for(self) -> None:
        """In names, titles, help and what runs, in small letters and capitals."""
        commands = (
            a_command(name="df", title="Disk space", help="How full", run=("df", "-h")),
            a_command(name="ps", title="Processes", help="What runs", run=("ps", "aux")),
        )
        for search, expected in (
            ("", ["../df", "../ps"]),
            ("DISK full", ["../df"]),
            ("disk aux", []),
            ("aux", ["../ps"]),
            ("-h", ["../df"]),
            ("<b>", []),
        ):
            self.assertEqual(self.found(search, *commands), expected, search)

    def test_what_was_typed_is_kept(self) -> None:
        """And it is said that nothing matches, if nothing does."""
        page = read(*many(2), search='"><b>')
        (box,) = (each for each in page.all("input") if each["type"] == "search")
        self.assertEqual(box["value"], '"><b>')
        self.assertEqual(["hidden" in each for each in page.all("p") if "data-nothing" in each], [False])


class LastRunTests(TestCase):
    def test_what_is_said(self) -> None:
        """A state that its shape does not say, when, and who."""
        for differences, words in (
            ({"state": RunState.OK}, "2 min ago, ada"),
            ({"state": RunState.FAILED, "exit_status": 3}, "exit 3, 2 min ago, ada"),
            ({"state": RunState.FAILED, "exit_status": None, "signal": "SIGKILL"}, "KILL, 2 min ago, ada"),
            ({"state": RunState.RUNNING}, "running 2 min, ada"),
            ({"state": RunState.STOPPED, "stopped_by": "ben"}, "stopped by ben, 2 min ago, ada"),
            ({"state": RunState.OK, "user": None}, "2 min ago"),
        ):
            record = a_record(asked_at=NOON - 120, **differences)
            self.assertEqual("".join(Read(last_run(record, NOON)).text), words)

    def test_where_it_stands(self) -> None:
        """At its command, whose place is there all the same if there was none."""
        record = a_record(command="c1", state=RunState.FAILED, exit_status=3, asked_at=NOON)
        page = read(*many(), latest={"c1": record})
        places = {each["data-last"]: each["class"] for each in page.all("span") if "data-last" in each}
        self.assertEqual((places["c1"], places["c2"]), ("last mark failed", "last"))


class RecentTests(TestCase):
    def test_values(self) -> None:
        """A chip has the values that were given, and no secret."""
        journal = Shown(a_record(command="journal", arguments=("unit=nginx", "lines=50")), JOURNAL)
        setpw = Shown(a_record(command="setpw", arguments=("user=ann", "password=***")), SETPW)
        gone = Shown(a_record(command="gone"), None)

        self.assertEqual(
            links(read(JOURNAL, SETPW, recent=[journal, setpw, gone]), "chip"),
            ["../journal?unit=nginx&lines=50", "../setpw?user=ann"],
        )
        self.assertEqual(links(read(JOURNAL), "chip"), [])
