"""The colours of labels."""

import unittest

from cmdserver.core.site import NAMED_COLOURS, parse_colour


def _luminance(colour: str) -> float:
    """Say how bright a colour is (WCAG 2.2, "relative luminance"), from 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class ColourTests(unittest.TestCase):
    def test_names_and_numbers(self) -> None:
        """Each name is a colour, and a colour is spelled in one way."""
        for name, colour in NAMED_COLOURS.items():
            self.assertEqual(colour, parse_colour(name))
            self.assertEqual(colour, parse_colour(colour.upper().replace("X", "x")))
        self.assertEqual("#00ff7f", parse_colour("#00Ff7F"))

    def test_what_is_none(self) -> None:
        """Nothing else gets into a page: the names are said."""
        for text in ("", "pink", "Red", "#fff", "#12345g", "#1234567", "#123456\n", " red", "red;x:y"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "^must be #rrggbb or one of red, orange, "):
                parse_colour(text)

    def test_white_text_can_be_read(self) -> None:
        """On every colour that has a name (WCAG 2.2 asks for a contrast of 4.5)."""
        for name, colour in NAMED_COLOURS.items():
            self.assertGreaterEqual(1.05 / (_luminance(colour) + 0.05), 4.5, name)
