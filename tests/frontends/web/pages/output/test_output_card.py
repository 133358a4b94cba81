"""Tests of the card with what a run says."""

from unittest import TestCase

from hypothesis import given

from cmdserver.frontends.web.pages.markup import element
from cmdserver.frontends.web.pages.output import output_card
from cmdserver.frontends.web.pages.output.output_card import View
from tests.doubles import LAW
from tests.frontends.web.reading import HOSTILE, Read


def card(name: str = "df", *, is_alive: bool = False, has_data: bool = False) -> Read:
    """Read a card without output."""
    views = [View("Table", "data", element("table"))] if has_data else []
    return Read(output_card.opening(name, is_alive=is_alive) + output_card.closing(views=views))


class OutputCardTests(TestCase):
    def test_what_needs_no_script(self) -> None:
        """Of the tools only the link to the end is there without a script."""
        tools = [each for each in card(is_alive=True).all("button") + card().all("input") if "hidden" not in each]

        self.assertEqual(tools, [])
        self.assertEqual([each["href"] for each in card().all("a")], ["#end"])

    def test_follow(self) -> None:
        """What is over cannot be followed."""
        self.assertIn("Follow", card(is_alive=True).text)
        self.assertNotIn("Follow", card().text)

    def test_views(self) -> None:
        """Data and text are views of the same, each with an address; without data there is the text alone."""
        views = card(has_data=True)

        self.assertEqual([each["href"] for each in views.all("a")], ["#end", "#data", "#text"])
        self.assertLess({"data", "text"}, {attributes.get("id") for _, attributes in views.elements})
        self.assertEqual(card().all("table"), [])

    def test_the_text_can_be_reached(self) -> None:
        """The keyboard can scroll it, and it is called what it is."""
        (text,) = card().all("pre")

        self.assertEqual((text["tabindex"], text["role"], text["aria-label"]), ("0", "region", "Output of df"))

    def test_a_note(self) -> None:
        """What there is to say of the text stands behind it."""
        html = output_card.closing(note=element("p", "cut"))
        self.assertEqual(html, "</pre><p>cut</p></div>")

    @LAW
    @given(name=HOSTILE)
    def test_no_name_becomes_markup(self, name: str) -> None:
        """Whatever a command is called."""
        self.assertEqual(card(name).outline, card("df").outline)
