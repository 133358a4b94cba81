"""Tests of how much room text takes."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.frontends.common.text_width import clusters_of, cut, width_of
from tests.doubles import LAW


class WidthTests(unittest.TestCase):
    def test_widths(self) -> None:
        """Some characters take two columns, and some none."""
        widths = {"a": 1, "\u00e9": 1, "e\u0301": 1, "日": 2, "\u200d": 0, "\u0301": 0}
        for cluster, width in widths.items():
            self.assertEqual(width_of(cluster), width, ascii(cluster))

    def test_clusters(self) -> None:
        """What is drawn over a character goes with it; at the beginning there is none."""
        self.assertEqual(clusters_of("ae\u0301\u0302日"), ["a", "e\u0301\u0302", "日"])
        self.assertEqual(clusters_of("\u0301a"), ["\u0301", "a"])


class CutTests(unittest.TestCase):
    def test_cutting(self) -> None:
        """What fits stays as it is; what does not says so."""
        cases = {
            ("abc", 3): "abc",
            ("abcd", 3): "ab\u2026",
            ("abcd", 1): "\u2026",
            ("日本", 3): "日\u2026",
            ("a", 0): "a",
        }
        for (text, columns), kept in cases.items():
            self.assertEqual(cut(text, columns), kept)

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"])), st.integers(1, 20))
    @LAW
    def test_it_fits(self, text: str, columns: int) -> None:
        """Whatever it is."""
        self.assertLessEqual(sum(map(width_of, clusters_of(cut(text, columns)))), columns)
