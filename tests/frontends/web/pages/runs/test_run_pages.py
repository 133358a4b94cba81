"""Tests of the page of one run."""

from typing import Any
from unittest import TestCase

from hypothesis import given
from msgspec.structs import replace

from cmdserver.core.model import Command, Grant
from cmdserver.core.output import Parsed
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.markup import join
from cmdserver.frontends.web.pages.output import output_card
from cmdserver.frontends.web.pages.runs import run_pages
from cmdserver.frontends.web.pages.runs.run_again import run_again
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.runs.kept_output import KeptOutput
from tests.doubles import LAW, a_command, a_grant, an_answer
from tests.frontends.web.pages.checks.samples import result
from tests.frontends.web.pages.runs.test_run_list import ANN, NOON
from tests.frontends.web.reading import HOSTILE, Read, shown
from tests.frontends.web.samples import JOURNAL, PEEK, RESTART, SETPW
from tests.runs.doubles import a_record

GONE = replace(a_command(), argv=())


def head(
    of: Command, *, may_stop: bool = False, visitor: Visitor = ANN, more: RunFacts | None = None, **differences: Any
) -> Read:
    """Read the beginning of a page."""
    record = a_record(asked_at=NOON - 60, started_at=NOON - 59, **differences)
    grant = Grant(command=of, arguments=record.arguments)
    facts = more or RunFacts(way=Way.WATCHED, may_run=True)
    return Read(run_pages.head(visitor, SeenRun(record, KeptOutput(), grant, may_stop), facts, NOON))


def tail(
    *,
    was_alive: bool = False,
    may_run: bool = True,
    omitted_bytes: int = 0,
    parsed: Parsed | None = None,
    **differences: Any,
) -> Read:
    """Read the end of a page."""
    shown_run = Shown(a_record(**differences), a_command())
    answer = replace(an_answer(a_grant()), omitted_bytes=omitted_bytes, parsed=parsed)
    facts = RunFacts(way=Way.WATCHED, may_run=may_run)
    return Read(run_pages.tail(ANN, shown_run, answer, facts, NOON, was_alive=was_alive))


def views(**differences: Any) -> list[str | None]:
    """Say where the views of a run lead, in their order."""
    answer = replace(an_answer(a_grant()), parser="df", **differences)
    _, found = run_pages.note_and_views(answer, RunFacts(way=Way.WATCHED), NOON)
    html = output_card.closing(views=found)
    return [each["href"] for each in Read(html).all("a")]


def again(command: Command | None, *arguments: str) -> Read:
    """Read the button that runs the same again."""
    return Read(join(run_again(ANN, Shown(a_record(arguments=arguments), command))))


class HeadTests(TestCase):
    def test_facts(self) -> None:
        """When, by whom, with which values, by what people call them; what a parameter was called that is no more."""
        text = "|".join(
            head(JOURNAL, arguments=("unit=nginx", "lines=50", "colour=red", "colour=blue"), user="ann").text
        )

        self.assertIn("|Today 11:59:01|", text)
        self.assertIn("by |ann| (you), line", text)
        self.assertIn("Service |nginx|Lines |50|colour |red, blue", text)

    def test_a_command_that_is_gone(self) -> None:
        """Its runs are shown as they were."""
        self.assertIn("a |b", "|".join(head(GONE, arguments=("a=b",)).text))

    def test_what_is_alive(self) -> None:
        """It goes on without its reader, the script follows it, and who may stop it can; what is over does nothing."""
        alive = head(JOURNAL, state=RunState.RUNNING, duration_seconds=72.0, may_stop=True)
        over = head(JOURNAL)

        self.assertIn("Goes on if you leave this page", alive.text)
        self.assertIn("1 min 12 s", alive.text)
        self.assertEqual([each.get("data-watch") for each in alive.all("section")], ["00000000000000a7"])
        self.assertEqual(
            [each["action"] for each in alive.all("form") if each.get("class") == "stops"],
            ["../-/runs/00000000000000a7/stop"],
        )
        self.assertNotIn("Goes on if you leave this page", over.text)
        self.assertNotIn("data-watch", over.all("section")[0])
        self.assertNotIn("Stop", over.text)
        self.assertNotIn("Stop", head(JOURNAL, state=RunState.RUNNING).text)

    def test_titles(self) -> None:
        """The window's title begins with the state's sign, so that a row of tabs can be read."""
        for state, expected in ((RunState.RUNNING, "●"), (RunState.OK, "✓"), (RunState.FAILED, "✗")):
            self.assertIn(f"{expected} Journal of a service – shop1", head(JOURNAL, state=state).text)

    def test_why_it_failed(self) -> None:
        """The word, then why, then how long; of what ran out of time its word says how long."""
        self.assertIn(
            "Failed|Exit status 3| after |250 ms", "|".join(head(JOURNAL, state=RunState.FAILED, exit_status=3).text)
        )
        timed_out = head(JOURNAL, state=RunState.TIMEOUT, duration_seconds=5.0)
        self.assertIn("Timed out after 5 s|Change values|", "|".join(timed_out.text))

    def test_leading_line_breaks_are_kept(self) -> None:
        """HTML drops the first line break in a ``pre``; the output's own is not the first."""
        self.assertTrue(run_pages.output_start(a_command(), is_alive=False).endswith(b">\n"))

    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """Whatever users, values, commands and reasons are called."""

        def page(text: str) -> Read:
            differences: dict[str, Any] = {
                "command": text,
                "user": text,
                "arguments": (f"a={text}",),
                "stopped_by": text,
            }
            command = a_command(title=text, read_only=False)
            begun = head(command, state=RunState.STOPPED, may_stop=True, **differences)
            ended = tail(was_alive=True, state=RunState.STOPPED, **differences)
            gone = Read(run_pages.gone(ANN, text, has_output=True))
            begun.elements += ended.elements + gone.elements
            begun.text += ended.text + gone.text
            return begun

        hostile, plain = page(words), page("plain")
        self.assertEqual(hostile.outline, plain.outline)
        self.assertGreaterEqual("".join(hostile.text).count(shown(words)), 5)


class TailTests(TestCase):
    def test_the_end_of_what_was_alive(self) -> None:
        """It is told again, for the style sheet to put in the place of what the page began with."""
        self.assertIn("Done", tail(was_alive=True).text)
        cards = [each["class"] for each in tail(was_alive=True).all("div")]
        self.assertEqual([each for each in cards if each and "ended" in each], ["card state ended"])
        self.assertNotIn("Done", tail().text)

    def test_what_is_missing(self) -> None:
        """A cut is told."""
        self.assertIn("Output was cut: 1,234 bytes are missing in the middle.", tail(omitted_bytes=1234).text)
        self.assertNotIn("cut", "".join(tail().text))

    def test_data(self) -> None:
        """They come first, and the text is behind a tab; why there are none is said beside the text."""
        data = tail(parsed=Parsed(value=[{"name": "a"}]))
        self.assertEqual([each["href"] for each in data.all("a")][:2], ["#data", "#text"])
        self.assertEqual(len(data.all("table")), 1)

        none = tail(parsed=Parsed(problem="it is too long"))
        self.assertNotIn("#data", [each["href"] for each in none.all("a")])
        self.assertIn("There is no table: it is too long. The output is shown as text.", none.text)

    def test_who_may_not_run_it(self) -> None:
        """Somebody who may only look is not asked to run it."""
        self.assertIn("Run again", tail(was_alive=True).text)
        self.assertEqual(tail(was_alive=True, may_run=False).all("form"), [])


class RunAgainTests(TestCase):
    def test_what_only_reads(self) -> None:
        """It is run at once, by GET, with the same values; the page says that a form was sent, if it has none."""
        page = again(JOURNAL, "unit=nginx", "lines=50")

        (form,) = page.all("form")
        self.assertEqual((form["method"], form["action"]), ("get", "../journal"))
        fields = [(each["name"], each["value"]) for each in page.all("input")]
        self.assertEqual(fields, [("form-sent", "yes"), ("unit", "nginx"), ("lines", "50")])
        self.assertEqual(again(a_command()).all("input"), [])

    def test_what_changes_something(self) -> None:
        """With values it opens the form that has them; without any it is a POST with the token."""
        link = again(RESTART, "unit=nginx")
        self.assertEqual([each["href"] for each in link.all("a")], ["../", "../restart?unit=nginx"])
        self.assertEqual(link.all("form"), [])
        self.assertEqual(link.text, ["All commands", "Run again…"])

        plain = again(a_command(read_only=False))
        self.assertEqual([(each["method"], each["action"]) for each in plain.all("form")], [("post", "../df")])
        self.assertEqual([each["value"] for each in plain.all("input")], ["t0ken"])
        self.assertEqual(plain.text, ["All commands", "Run again"], "after a success it is not the first button")

    def test_no_secret_is_ever_given_again(self) -> None:
        """What was masked is asked for anew, of what only reads, too."""
        for command, arguments in ((SETPW, ("user=ann", "password=***")), (PEEK, ("user=ann", "pin=***"))):
            page = again(command, *arguments)
            self.assertEqual([each["href"] for each in page.all("a")][-1], f"../{command.name}?user=ann")
            self.assertEqual(page.all("input"), [])

    def test_what_asks_first(self) -> None:
        """A command that only reads but asks opens its form, too, if it has values."""
        asks = replace(JOURNAL, confirm=RESTART.confirm)
        self.assertEqual([each["href"] for each in again(asks, "unit=pg").all("a")], ["../journal?unit=pg"])

    def test_what_is_not_there(self) -> None:
        """What is in the file no more cannot be run again."""
        self.assertEqual(again(GONE).elements, [])
        self.assertEqual(again(None).elements, [])


class ViewTests(TestCase):
    def test_order(self) -> None:
        """Values, then the table, then the text; each only if there is something in it."""
        data, none = Parsed(value=[{"a": 1}]), Parsed(problem="odd")
        self.assertEqual(views(check=result(), parsed=data), ["#values", "#data", "#text"])
        self.assertEqual(views(check=result(), parsed=none), ["#values", "#text"])
        self.assertEqual(views(check=result("")), [])
        self.assertEqual(views(parsed=data), ["#data", "#text"])
