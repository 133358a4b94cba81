"""Tests of the list of runs as a page."""

from collections.abc import Sequence
from typing import Any
from unittest import TestCase

from hypothesis import given

from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.runs.run_list import NOW, group_of, list_page, row
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.runs.query import RunQuery
from tests.doubles import LAW, a_command
from tests.frontends.web.pages.runs.test_run_marks import local
from tests.frontends.web.reading import HOSTILE, Read, shown
from tests.frontends.web.samples import SHOP
from tests.runs.doubles import a_record

ANN = Visitor(site=SHOP, name="ann", may_log_in=True, token="t0ken", root="../", running=1)
ALL = RunQuery()
NOON = local(2026, 11, 28, 12, 0, 0)


def a_run(*, may_stop: bool = False, **differences: Any) -> Shown:
    """Make a run of today that is shown."""
    differences = {"asked_at": NOON - 60, "started_at": NOON - 59, **differences}
    return Shown(a_record(**differences), a_command(), may_stop=may_stop)


def read(*runs: Shown, query: RunQuery = ALL, visitor: Visitor = ANN, now: float = NOON, **more: Any) -> Read:
    """Read the page of some runs, newest first."""
    counts = more.get("counts", {})
    return Read(list_page(visitor, runs, query, more.get("commands", ["df", "uptime"]), counts, now))


def links(page: Read, words: Sequence[str]) -> dict[str, str | None]:
    """Say where links lead to, by the texts right behind them."""
    hrefs = [each["href"] for each in page.all("a") if "chip" in (each.get("class") or "")]
    return dict(zip(words, hrefs, strict=True))


class GroupTests(TestCase):
    def test_groups(self) -> None:
        """What is alive comes first, then a group a day, by when it was asked for; the newest comes first in each."""
        midnight = local(2026, 11, 28, 0, 0, 0)
        page = read(
            a_run(id="5", number=5, state=RunState.OK),
            a_run(id="4", number=4, asked_at=midnight, started_at=midnight),
            a_run(id="3", number=3, asked_at=midnight - 1, started_at=midnight + 1),
            a_run(id="2", number=2, asked_at=midnight - 90000, state=RunState.RUNNING),
            a_run(id="1", number=1, asked_at=midnight - 90000, started_at=midnight - 90000),
        )
        self.assertEqual([each.get("data-run") for each in page.all("tr") if "data-run" in each], list("25431"))
        heads = [text for text in page.text if text in {"Now", "Today", "Yesterday", "Thursday, 26 November 2026"}]
        self.assertEqual(heads, ["Now", "Today", "Yesterday", "Thursday, 26 November 2026"])
        keys = [each["data-group"] for each in page.all("tbody")]
        self.assertEqual(keys, ["now", "2026-11-28", "2026-11-27", "2026-11-26"])

    def test_groups_wait_for_rows(self) -> None:
        """What may come has its place, unseen; not on a page of what was before, where nothing comes."""
        hidden = {each["data-group"]: "hidden" in each for each in read().all("tbody")}

        self.assertEqual(hidden, {"now": True, "2026-11-28": True})
        self.assertEqual(read(query=RunQuery(before="a7")).all("tbody"), [])

    def test_the_group_of_a_run(self) -> None:
        """Alive or over, and then its day."""
        self.assertEqual(group_of(a_run(state=RunState.QUEUED)), NOW)
        self.assertEqual(group_of(a_run()), "2026-11-28")

    def test_nothing(self) -> None:
        """It is said that there is nothing, and whether that is for the filters; else that is hidden."""
        self.assertIn("Nothing has run yet.", read().text)
        self.assertIn("No run matches that.", read(query=RunQuery(user="ben")).text)
        said = [each for each in read(a_run()).all("p") if each.get("class") == "empty"]
        self.assertTrue(all("hidden" in each for each in said))


class RowTests(TestCase):
    def test_stop_is_for_who_may(self) -> None:
        """The button is there only for who may stop the run, and has the token."""
        may = Read(row(ANN, a_run(state=RunState.RUNNING, may_stop=True), NOON))
        may_not = Read(row(ANN, a_run(state=RunState.RUNNING), NOON))

        self.assertEqual([each["action"] for each in may.all("form")], ["../-/runs/00000000000000a7/stop"])
        self.assertEqual([each["value"] for each in may.all("input")], ["t0ken"])
        self.assertEqual(may_not.all("form"), [])

    def test_links(self) -> None:
        """A row leads to the run's page; long values are said in full."""
        short = Read(row(ANN, a_run(arguments=("to=s3",)), NOON))
        long = Read(row(ANN, a_run(arguments=(f"to={'x' * 40}",)), NOON))

        self.assertEqual(short.all("a")[0]["href"], "../-/runs/00000000000000a7")
        self.assertNotIn("title", short.all("span")[-2])
        self.assertIn("x" * 40, [each.get("title") for each in long.all("span")])

    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """Whatever values, users and commands are called; in a command that is no more in the file, too."""

        def outline(text: str) -> Read:
            record = a_record(
                command=text, arguments=(f"a={text}",), user=text, state=RunState.STOPPED, stopped_by=text
            )
            visitor = Visitor(site=SHOP, name="ann", may_log_in=True, token=text, running=1)
            rows = [Shown(record, None), Shown(record, a_command(title=text), may_stop=True)]
            return Read(list_page(visitor, rows, RunQuery(user=text, command=text), [text], {}, NOON))

        hostile, plain = outline(words), outline("x" * 30)
        titled = [[(tag, names - {"title"}) for tag, names in each.outline] for each in (hostile, plain)]
        self.assertEqual(*titled)
        self.assertIn(shown(words), "".join(hostile.text))


class FilterTests(TestCase):
    STATES = ("All", "Running", "Waiting", "Failed", "Timed out", "Stopped", "Mine")

    def test_they_keep_each_other(self) -> None:
        """A chip changes what it says and nothing else; where the list began is forgotten."""
        query = RunQuery(state=RunState.FAILED, command="df", user="ben", limit=50, before="a7")
        chips = links(read(query=query), self.STATES)

        self.assertEqual(chips["All"], "../-/runs?command=df&user=ben&limit=50")
        self.assertEqual(chips["Running"], "../-/runs?state=running&command=df&user=ben&limit=50")
        self.assertEqual(chips["Mine"], "../-/runs?state=failed&command=df&user=ann&limit=50")
        fields = {
            each["name"]: each["value"] for each in read(query=query).all("input") if each.get("type") == "hidden"
        }
        self.assertEqual(fields, {"csrf-token": "t0ken", "state": "failed", "limit": "50"})  # the token is of *Log out*
        self.assertEqual(links(read(), self.STATES)["All"], "../-/runs")

    def test_the_current_one_is_marked(self) -> None:
        """For those who cannot see colours as well; *Mine* is switched off by itself."""
        for query, expected in (
            (RunQuery(), ["../-/runs"]),
            (RunQuery(state=RunState.FAILED), ["../-/runs?state=failed"]),
            (RunQuery(state=RunState.OK), []),
            (RunQuery(user="ann"), ["../-/runs?user=ann", "../-/runs"]),
        ):
            chips = [each for each in read(query=query).all("a") if "chip" in (each.get("class") or "")]
            self.assertEqual([each["href"] for each in chips if each.get("aria-current") == "true"], expected)

    def test_who_has_no_name_has_no_runs(self) -> None:
        """There is no *Mine* for the anonymous."""
        self.assertNotIn(
            "Mine", read(visitor=Visitor(site=SHOP, name=None, may_log_in=True, token=None, running=0)).text
        )

    def test_counts(self) -> None:
        """Of what is alive, and nothing else."""
        page = read(counts={RunState.RUNNING: 2, RunState.QUEUED: 0, RunState.FAILED: 9})

        self.assertEqual(
            [each["data-count"] for each in page.all("span") if "data-count" in each], ["running", "queued"]
        )
        self.assertIn(" 2", page.text)
        self.assertNotIn(" 9", page.text)

    def test_commands(self) -> None:
        """What somebody may see runs of can be chosen, and what is chosen is selected."""
        options = read(query=RunQuery(command="df")).all("option")

        self.assertEqual(
            [(each["value"], "selected" in each) for each in options], [("", False), ("df", True), ("uptime", False)]
        )

    def test_older(self) -> None:
        """There is a way on if there may be more: before the oldest, whatever is alive."""
        runs = (a_run(id="2", number=2), a_run(id="1", number=1, state=RunState.RUNNING))
        full, partial = read(*runs, query=RunQuery(limit=2)), read(*runs)

        (link,) = (each for each in full.all("a") if each.get("rel") == "next")
        self.assertEqual(link["href"], "../-/runs?limit=2&before=1")
        self.assertEqual(
            [["hidden" in each for each in page.all("p") if "data-older" in each] for page in (full, partial)],
            [[False], [True]],
        )


class NavigationTests(TestCase):
    def test_where_one_is(self) -> None:
        """*Runs* is marked on its pages, and says how many are alive; who can see none has no way there."""
        page = read()
        (runs,) = (each for each in page.all("a") if each["href"] == "../-/runs" and "class" not in each)

        self.assertEqual(runs["aria-current"], "true")
        self.assertIn("1 running", page.text)
        nobody = read(visitor=Visitor(site=SHOP, name="ann", may_log_in=True, token=None))
        self.assertFalse([each for each in nobody.all("a") if each["href"] == "../-/runs" and "class" not in each])
