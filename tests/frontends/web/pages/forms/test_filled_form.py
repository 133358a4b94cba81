"""Tests of a form with what somebody has typed."""

from unittest import TestCase
from urllib.parse import parse_qsl

from cmdserver.frontends.web.pages.forms.filled_form import FilledForm, is_sent_by_get, short_texts
from tests.frontends.web.samples import EVERY, JOURNAL, PEEK, RESTART, SETPW
from tests.running_doubles import command


class FilledFormTests(TestCase):
    def test_values(self) -> None:
        """Those that are accepted are known, in their canonical form; defaults are, and false flags are not."""
        form = FilledForm(command=JOURNAL, texts={"unit": ("pg",), "grep": ("-x",), "utc": ("no",)})
        self.assertEqual(form.values, {"unit": ["pg"], "lines": ["50"]})
        self.assertEqual(FilledForm(command=JOURNAL, texts={"lines": ("007",)}).values, {"lines": ["7"]})

    def test_the_question(self) -> None:
        """It says what is known."""
        self.assertEqual(FilledForm(command=RESTART).question, "Restart …?")
        self.assertEqual(FilledForm(command=RESTART, texts={"unit": ("pg",)}).question, "Restart pg?")

    def test_the_address(self) -> None:
        """It has what was typed, as it was typed, unless there may be a secret, or too much."""
        texts = {"unit": ("nginx",), "grep": ("ä&=+ /",)}
        path, _, query = (FilledForm(command=JOURNAL, texts=texts).address or "").partition("?")
        self.assertEqual((path, parse_qsl(query)), ("/journal", [("unit", "nginx"), ("grep", "ä&=+ /")]))
        self.assertIsNone(FilledForm(command=JOURNAL).address)
        self.assertIsNone(FilledForm(command=SETPW, texts={"user": ("ann",)}).address)
        self.assertIsNone(FilledForm(command=EVERY, texts={"note": ("x" * 4000,)}).address)

    def test_what_fits_into_an_address(self) -> None:
        """Long texts are left out."""
        texts = {"hosts": ("a",), "note": ("x" * 4000,)}
        self.assertEqual(short_texts(EVERY, texts), {"hosts": ("a",)})
        self.assertEqual(short_texts(EVERY, {"note": ("x",)}), {"note": ("x",)})

    def test_how_it_is_sent(self) -> None:
        """By an address only where that may be opened by anybody."""
        self.assertTrue(is_sent_by_get(JOURNAL))
        self.assertTrue(is_sent_by_get(command()))
        for each in (RESTART, SETPW, PEEK, command(confirm=("Really?",)), command(read_only=False)):
            self.assertFalse(is_sent_by_get(each))
