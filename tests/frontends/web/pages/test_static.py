"""Tests of the files beside the pages, and of the colour of a host's label."""

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.site import NAMED_COLOURS, Site
from cmdserver.frontends.web.pages.static import FILES, compact, compact_sheet, on_colour, sheet_of
from tests.doubles import LAW


def luminance(colour: str) -> float:
    """Work out the relative luminance of a colour, by the words of WCAG 2.2."""
    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Work out the contrast of two colours."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


class ColourTests(TestCase):
    @LAW
    @given(number=st.integers(0, 0xFFFFFF))
    def test_what_is_written_can_be_read(self, number: int) -> None:
        """On every colour that there is."""
        colour = f"#{number:06x}"
        self.assertGreaterEqual(contrast(colour, on_colour(colour)), 4.58)

    def test_named_colours(self) -> None:
        """They have white on them, in both themes."""
        self.assertEqual({on_colour(colour) for colour in NAMED_COLOURS.values()}, {"#ffffff"})

    def test_the_sheet(self) -> None:
        """It has the colour, and another entity tag for another one; without a label there is nothing in it."""
        red, blue = (sheet_of(Site(name="a", label="b", colour=each)) for each in ("#b3261e", "#1a5c9e"))
        self.assertEqual(red.body, b":root{--site:#b3261e;--on-site:#ffffff}\n")
        self.assertNotEqual(red.etag, blue.etag)
        self.assertEqual(sheet_of(Site(name="a", colour="#b3261e")).body, b"")


class CompactTests(TestCase):
    def test_what_is_left_out(self) -> None:
        """What only readers of the sources need."""
        self.assertEqual(compact("// why\n  a();\n\n  b('// no');\n"), "a();\nb('// no');\n")

    def test_sheets(self) -> None:
        """Blanks that mean something stay."""
        self.assertEqual(
            compact_sheet("/* why */\n.a .b:not(:hover) > i {\n  margin: 0 -1px;\n  top: 0.5rem;\n}\n"),
            ".a .b:not(:hover) > i{margin:0 -1px;top:.5rem}\n",
        )

    def test_all_are_there(self) -> None:
        """A sheet and a script for lists, and for other pages."""
        self.assertLessEqual({"list.css", "list.js", "page.css", "page.js", "icon.svg", "marks.svg"}, set(FILES))
        self.assertTrue(all(file.body for file in FILES.values()))
