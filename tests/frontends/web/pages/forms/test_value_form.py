"""Tests of forms and of the question before a run: their controls, and that nothing in them becomes markup."""

from typing import Any
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cmdserver.core.model import Command, Grant
from cmdserver.core.run_states import RunState
from cmdserver.core.site import Site
from cmdserver.frontends.web.pages import command_list, command_pages
from cmdserver.frontends.web.pages.command_list import Listing
from cmdserver.frontends.web.pages.forms.beside_form import Experience
from cmdserver.frontends.web.pages.forms.filled_form import FilledForm
from cmdserver.frontends.web.pages.forms.value_form import form
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.mistakes import BadValues, ValueMistake
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.text_types import Choice, Flag, String, Text
from tests.doubles import LAW
from tests.frontends.web.reading import HOSTILE, Read, shown
from tests.frontends.web.samples import EVERY, JOURNAL, PEEK, PICK, RESTART, SETPW, SHOP, UNIT, taking
from tests.runs.doubles import a_record

NONE = Experience(now=0.0)
ANN = Visitor(site=SHOP, name="ann", may_log_in=True, token="t0ken")


def controls(command: Command, mistakes: tuple[ValueMistake, ...] = (), **texts: tuple[str, ...]) -> dict[str, Any]:
    """Read the controls of a form, by the names of their fields; the first of each."""
    read = Read(form(ANN, FilledForm(command=command, texts=texts, mistakes=mistakes), NONE))
    found: dict[str, Any] = {}
    for tag, attributes in read.elements:
        if tag in {"input", "select", "textarea"}:
            found.setdefault(str(attributes["name"]), {"tag": tag, **attributes})
    return found


class ControlTests(TestCase):
    def test_each_type_has_its_control(self) -> None:
        """With what helps to type it."""
        journal, every = controls(JOURNAL), controls(EVERY)
        self.assertEqual(journal["unit"]["tag"], "select")
        self.assertEqual([journal["lines"][key] for key in ("type", "min", "max", "step")], ["number", "1", "500", "1"])
        self.assertEqual((journal["since"]["type"], journal["since"]["step"]), ("datetime-local", "1"))
        self.assertEqual((journal["grep"]["type"], journal["grep"]["maxlength"]), ("text", "60"))
        self.assertEqual((journal["utc"]["type"], journal["utc"]["value"]), ("checkbox", "true"))
        self.assertEqual([every["port"][key] for key in ("type", "min", "max")], ["number", "1", "65535"])
        self.assertEqual((every["ratio"]["step"], every["ratio"]["max"]), ("any", "1.5"))
        self.assertEqual(every["day"]["type"], "date")
        self.assertEqual((every["wait"]["type"], every["hosts"]["maxlength"]), ("text", "253"))
        self.assertEqual(every["note"]["tag"], "textarea")
        self.assertEqual((every["tags"]["tag"], "multiple" in every["tags"]), ("select", True))
        secret = controls(SETPW, password=("hunter2",))["password"]
        self.assertEqual((secret["type"], secret["autocomplete"], "value" in secret), ("password", "off", False))

    def test_what_must_be_given(self) -> None:
        """Only a field that is not accepted empty is required."""
        for command, required in (
            (JOURNAL, {"unit"}),
            (EVERY, {"hosts"}),
            (SETPW, {"user", "password", "run-confirmed"}),
        ):
            found = {name for name, each in controls(command).items() if "required" in each}
            self.assertEqual(found, required)

    def test_a_flag_that_is_on_unless_switched_off(self) -> None:
        """An empty box would send nothing: it has a list."""
        self.assertEqual(controls(EVERY)["loud"]["tag"], "select")

    def test_choices(self) -> None:
        """Labels are shown; there is an empty one unless there is a default."""
        options = Read(form(ANN, FilledForm(command=JOURNAL), NONE)).all("option")
        self.assertEqual([each["value"] for each in options], ["", "nginx", "pg"])
        preset = taking("x", ["{unit}"], replace(UNIT, is_required=False, default=("pg",)))
        options = Read(form(ANN, FilledForm(command=preset), NONE)).all("option")
        self.assertEqual(options, [{"value": "nginx"}, {"value": "pg", "selected": None}])
        self.assertEqual(controls(PICK)["unit"]["tag"], "input", "a list that could not be made")

    def test_what_a_control_would_drop_is_text(self) -> None:
        """So that what was typed is there."""
        found = controls(JOURNAL, lines=("many",), since=("2026-11-28T09:30+01:00",))
        self.assertEqual([found["lines"].get(key) for key in ("type", "value", "min")], ["text", "many", None])
        self.assertEqual([found["since"].get(key) for key in ("type", "value")], ["text", "2026-11-28T09:30+01:00"])
        self.assertEqual(controls(EVERY, day=("tomorrow",))["day"]["type"], "text")
        self.assertEqual(controls(EVERY, ratio=("-0.5",))["ratio"]["type"], "number")

    def test_several(self) -> None:
        """One field more than there are values, up to as many as may be."""
        for count, fields in ((0, 1), (1, 2), (2, 3), (3, 3)):
            read = Read(form(ANN, FilledForm(command=EVERY, texts={"hosts": ("a",) * count}), NONE))
            hosts = [each for each in read.all("input") if each["name"] == "hosts"]
            self.assertEqual(len(hosts), fields)
            self.assertEqual(len({each.get("id") for each in hosts if each.get("id")}), 1)
            self.assertTrue(all(each.get("aria-label") for each in hosts[1:]))

    def test_labels_and_descriptions(self) -> None:
        """Every control has a label, and what it is described by is there."""
        mistakes = (ValueMistake("grep", "must not"), ValueMistake("lines", "must"))
        for command in (JOURNAL, RESTART, SETPW, PEEK, EVERY):
            read = Read(form(ANN, FilledForm(command=command, mistakes=mistakes), NONE))
            ids = [str(attributes["id"]) for _, attributes in read.elements if "id" in attributes]
            self.assertEqual(len(ids), len(set(ids)))
            for _, attributes in read.elements:
                self.assertLessEqual(set((attributes.get("aria-describedby") or "").split()), set(ids))
            self.assertLessEqual({each["for"] for each in read.all("label")}, set(ids))

    def test_what_is_said(self) -> None:
        """Help, what is accepted, an example, and that it may be left out."""
        text = Read(form(ANN, FilledForm(command=JOURNAL, host="shop1"), NONE)).text
        for said in ("Which service", "1 to 500", "Time of shop1", "Up to 60 characters. Example: upstream timed out"):
            self.assertIn(said, text)
        self.assertEqual(text.count("optional"), 2)
        self.assertIn("As user ", text)

    def test_who_may_be_told_of_the_address(self) -> None:
        """The link has the values, and there is none where there may be a secret."""
        link = Read(form(ANN, FilledForm(command=JOURNAL, texts={"unit": ("pg",)}), NONE)).all("a")
        self.assertEqual([each["href"] for each in link], ["./journal?unit=pg"])
        self.assertEqual(Read(form(ANN, FilledForm(command=SETPW, texts={"user": ("ann",)}), NONE)).all("a"), [])


def every_page(words: str) -> dict[str, bytes]:
    """Make all pages of a command that takes values with a stranger's words wherever there is room for words."""
    parameters = (
        Parameter(name="line", label=words, help=words, example=words, type=String()),
        Parameter(name="one", label=words, help=words, type=Choice(choices={words: words, "b": words})),
        Parameter(name="some", label=words, type=String(), repeat=3, is_required=False),
        Parameter(name="note", label=words, type=Text()),
        Parameter(name="on", label=words, help=words, type=Flag(gives=(words,)), is_required=False),
    )
    command = taking(
        "df",
        [words.replace("{", "").replace("}", "") + "={line}", "{one}", ["{some}"], "{on}"],
        *parameters,
        stdin="{note}",
        title=words,
        section=words,
        help=words,
        user=words,
        variables={"A": "{line}"},
        confirm="Really {line}?",
    )
    values = (("line", (words,)), ("one", (words,)), ("some", (words, words)), ("note", (words,)), ("on", ("true",)))
    texts = {name: each for name, each in values if name != "on"} | {"on": ("yes",)}
    mistakes = tuple(ValueMistake(name, words, (words,)) for name in (*texts, None, "x"))
    filled = FilledForm(command=command, texts=texts, host=words)
    site = Site(name=words, label=words, notice=words)
    visitor = Visitor(site=site, name=words, roles=(words,), may_log_in=True, token=words)
    grant = Grant(command=command, values=values)
    record = a_record(user=words, arguments=(f"line={words}",), state=RunState.STOPPED, stopped_by=words)
    ran = Shown(record, command)
    known = Experience(usual_seconds=2.0, last=[ran], now=record.asked_at + 7)
    return {
        "list": command_list.index(visitor, Listing(commands=[command], recent=[ran], latest={"df": record}, now=0.0)),
        "rows": command_list.index(visitor, Listing(commands=[command] * 13, latest={"df": record}, now=0.0)),
        "form": command_pages.form(visitor, filled, known, words),
        "mistakes": command_pages.form(visitor, replace(filled, mistakes=mistakes), known, ""),
        "question": command_pages.confirmation(visitor, filled, grant, known),
    }


class EscapingTests(TestCase):
    @LAW
    @given(words=HOSTILE)
    def test_no_words_become_markup(self, words: str) -> None:
        """A page has the same elements and attributes whatever strangers say, and their words are read as text."""
        plain, hostile = every_page("plain"), every_page(words)

        for name, page in hostile.items():
            read = Read(page)
            if name != "form":  # what is not accepted is not drawn among what runs
                tags = {tag for tag, _ in read.elements} - {tag for tag, _ in Read(plain[name]).elements}
                self.assertEqual(tags, set(), name)
            self.assertEqual([each for each in read.all("script") if "src" not in each], [], name)
            names = {key for _, attributes in read.elements for key in attributes}
            self.assertFalse(any(key.startswith("on") or key == "style" for key in names), name)
            values = {value for _, attributes in read.elements for value in attributes.values()}
            self.assertTrue(shown(words) in "".join(read.text) or shown(words) in values, name)

    def test_it_is_the_same_outline(self) -> None:
        """For words that are accepted everywhere, element for element."""
        for words in ("<b>x</b>", "&lt;b&gt;", "\" onload='x"):
            for name, page in every_page(words).items():
                self.assertEqual(len(Read(page).elements), len(Read(every_page("plain")[name]).elements), name)

    @LAW
    @given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=50))
    def test_lines_survive_a_text_area(self, text: str) -> None:
        """Those that are accepted are read as they were typed."""
        try:
            EVERY.parameters.bind(["--"], [("hosts", "a"), ("note", text)])
        except BadValues:
            return
        read = Read(form(ANN, FilledForm(command=EVERY, texts={"note": (text,)}), NONE))
        self.assertIn("\n" + text, "".join(read.text))


def listed(*commands: Command) -> Read:
    """Read the list of some commands."""
    return Read(command_list.index(ANN, Listing(commands=commands, now=0.0)))


class ListTests(TestCase):
    def test_sections(self) -> None:
        """Commands without one come first, then sections as they first appear; titles stand before names."""
        page = listed(JOURNAL, RESTART, EVERY, replace(PICK, section="Logs"))
        names = [(each["href"] or "")[2:] for each in page.all("a") if "run" in (each.get("class") or "").split()]
        self.assertEqual(names, ["every", "journal", "pick", "restart"])
        text = "|".join(page.text)
        self.assertLess(text.index("Logs"), text.index("Services"))
        self.assertIn("Journal of a service|journal", text)
        self.assertEqual(
            [each["data-section"] for each in page.all("details") if "data-section" in each], ["Logs", "Services"]
        )

    def test_what_asks_first(self) -> None:
        """Its button opens a page, and says so."""
        for command, label in (
            (JOURNAL, "Run…"),
            (RESTART, "Run…"),
            (replace(JOURNAL, parameters=ParameterList()), "Run"),
        ):
            page = listed(command)
            self.assertIn(label, page.text)
            self.assertNotIn({"Run…": "Run", "Run": "Run…"}[label], page.text)
