"""Tests of colour sequences; what they look like in output is in `output_cases.json`."""

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.frontends.web.pages.output.sgr import PLAIN
from tests.doubles import LAW


class RenditionTests(TestCase):
    def test_the_palette_of_256(self) -> None:
        """The nearest by hue: dark and light shades of a colour are that colour, and greys are black or white."""
        cases = {
            15: "c7 b",
            17: "c4",
            52: "c1",
            22: "c2",
            94: "c3",
            90: "c5",
            30: "c6",
            231: "c7",
            232: "c0",
            255: "c7",
        }
        for index, classes in cases.items():
            self.assertEqual(PLAIN.after(f"38;5;{index}").classes, classes, index)

    def test_what_follows_is_not_lost(self) -> None:
        """The numbers of an extended colour are taken, and no others."""
        self.assertEqual(PLAIN.after("38;2;255;0;0;1;48;5;4;4").classes, "k c4 b u")
        self.assertEqual(PLAIN.after("38:5:1;4").classes, "c1 u")
        self.assertEqual(PLAIN.after("38;9;1").classes, "b")

    @LAW
    @given(parameters=st.lists(st.text(st.sampled_from("0123456789;:"), max_size=64)))
    def test_any_parameters(self, parameters: list[str]) -> None:
        """Nothing but the classes of the style sheet comes of any sequence, and 0 takes everything back."""
        rendition = PLAIN
        for each in parameters:
            rendition = rendition.after(each)
            self.assertRegex(rendition.classes, r"\A(k\b ?)?(c[0-7]\b ?)?(b\b ?)?(u)?\Z")
        self.assertEqual(rendition.after(""), PLAIN)
        self.assertEqual(rendition.after("1;4;0"), PLAIN)
