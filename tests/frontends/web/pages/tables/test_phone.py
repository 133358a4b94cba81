"""A row on a phone."""

from unittest import TestCase

from cmdserver.checks.data import Json
from cmdserver.frontends.web.pages.tables.model import parts_of
from cmdserver.frontends.web.pages.tables.phone import key_column, more, shape_of, telling
from cmdserver.frontends.web.pages.tables.table import Table


def table(*rows: dict[str, Json], sort: str = "") -> Table:
    """Make a table."""
    (found,) = parts_of(rows, sort=sort)
    assert isinstance(found, Table)
    return found


def second_line(found: Table) -> list[str]:
    """Say what the second line has of the first row."""
    return list(more(found, found.rows[0], shape_of(found), key_column(found)))


PS: dict[str, Json] = {
    "user": "ann",
    "pid": 7,
    "rss": 2048,
    "start": "08:02",
    "cpu_percent": 12.5,
    "command": "a command with many words",
}
DF: dict[str, Json] = {
    "filesystem": "/dev/x",
    "size": 1 << 40,
    "used": 1 << 39,
    "available": 1 << 39,
    "use_percent": 50,
    "mounted_on": "/",
}


class PhoneTests(TestCase):
    def test_shapes(self) -> None:
        """A bar, a long text, or the name comes first."""
        self.assertEqual(shape_of(table(DF)), "full")
        self.assertEqual(shape_of(table(PS)), "long")
        self.assertEqual(shape_of(table(PS, PS | {"command": ""})), "plain")
        self.assertEqual(shape_of(table(PS | {"command": "short"})), "plain")
        self.assertEqual(shape_of(table({"id": 1, "n": 2})), "plain")

    def test_the_number_at_the_edge(self) -> None:
        """That by which the rows are in order; else the first that is understood without its head."""
        found = table(PS)
        self.assertEqual(
            [found.columns[each or 0].key for each in (key_column(found), telling(found, 1))], ["cpu_percent", "rss"]
        )
        found = table(PS, sort="-rss")
        self.assertEqual(found.columns[key_column(found) or 0].key, "rss")
        self.assertIsNone(key_column(table({"name": "a", "n": 5})))
        self.assertIsNotNone(key_column(table({"name": "a", "n": 5}, sort="n")))
        self.assertEqual(key_column(table(PS, sort="user")), key_column(table(PS)))

    def test_second_lines(self) -> None:
        """What the first does not say, understood without heads."""
        self.assertEqual(second_line(table(PS)), ["ann", "since 08:02"])
        self.assertEqual(second_line(table(DF)), ["512 GiB free of 1.0 TiB"])
        self.assertEqual(
            second_line(table({"name": "a", "n": 5, "on": True, "off": False, "x": "yellow"})), ["yellow", "On", "N 5"]
        )
        self.assertEqual(second_line(table({"name": "a", "n": 5, "m": 6})), ["N 5", "M 6"])
        self.assertEqual(second_line(table({"mounted_on": "/", "use_percent": 5})), [])
