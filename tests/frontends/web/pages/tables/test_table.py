"""The order of rows."""

from unittest import TestCase

from cmdserver.checks.data import Json
from cmdserver.frontends.web.pages.tables.model import parts_of
from cmdserver.frontends.web.pages.tables.table import Table, next_sort, sorted_by, sorted_column

DATA: Json = [
    {"name": "b", "size_bytes": 9, "at": 1},
    {"name": "A", "size_bytes": 10_000_000, "at": 2},
    {"name": "c", "size_bytes": None, "at": 3},
    {"name": "a", "size_bytes": 9, "at": 4},
]


def in_order(sort: str) -> tuple[Table, list[str]]:
    """Put the rows in order; name them."""
    (found,) = parts_of(DATA, sort=sort)
    assert isinstance(found, Table)
    return found, [row[0].text for row in found.rows]


class OrderTests(TestCase):
    def test_numbers(self) -> None:
        """By what they are, not by how they are written; what is missing comes last, whichever way."""
        self.assertEqual(in_order("-size_bytes")[1], ["A", "b", "a", "c"])
        self.assertEqual(in_order("size_bytes")[1], ["b", "a", "A", "c"])

    def test_texts(self) -> None:
        """Large letters are as small ones; equal ones stay as they were."""
        self.assertEqual(in_order("name")[1], ["A", "a", "b", "c"])
        self.assertEqual(in_order("-name")[1], ["c", "b", "A", "a"])

    def test_as_given(self) -> None:
        """What is no column means nothing."""
        for sort in ("", "-", "nothing", "--name", "Name"):
            found, names = in_order(sort)
            self.assertEqual((names, found.sort), (["b", "A", "c", "a"], None))
            self.assertIsNone(sorted_column(found))

    def test_clicks(self) -> None:
        """The first goes to the top of numbers and to A of texts, the next one turns round."""
        found, _ = in_order("")
        name, size, *_ = found.columns
        self.assertEqual((next_sort(found, name), next_sort(found, size)), ("name", "-size_bytes"))
        found = sorted_by(found, "-size_bytes")
        self.assertEqual((next_sort(found, name), next_sort(found, size)), ("name", "size_bytes"))
        self.assertEqual(sorted_column(found), size)
        self.assertEqual(next_sort(sorted_by(found, "name"), name), "-name")
        self.assertEqual(next_sort(sorted_by(found, "size_bytes"), size), "-size_bytes")
