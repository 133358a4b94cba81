"""What data looks like."""

import json
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.frontends.web.pages.picture import COLUMNS, ROWS, Cell, Facts, Kind, Table, for_scripts, picture
from tests.doubles import LAW

DF = [
    {"filesystem": "/dev/vda", "size": 252 << 30, "used": 1536, "mounted_on": "/", "available": 99, "use_percent": 24},
    {"filesystem": "tmpfs", "size": 1 << 40, "used": 0, "mounted_on": "/tmp", "available": 0, "use_percent": None},
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def table(data: object) -> Table:
    """Make the one table of data."""
    (part,) = picture(data)  # type: ignore[arg-type]
    assert isinstance(part, Table)
    return part


def facts(data: object) -> dict[str, str]:
    """Make the facts of data, as they are read."""
    part = picture(data)[0]  # type: ignore[arg-type]
    assert isinstance(part, Facts)
    return {column.name: cell.text for column, cell in part.facts}


class TableTests(TestCase):
    def test_columns(self) -> None:
        """First what names a row, then bars, texts and numbers."""
        columns = [(column.name, column.kind) for column in table(DF).columns]

        self.assertEqual(
            [
                ("Filesystem", Kind.TEXT),
                ("Use", Kind.FULL),
                ("Mounted on", Kind.TEXT),
                ("Size", Kind.NUMBER),
                ("Used", Kind.NUMBER),
                ("Available", Kind.NUMBER),
            ],
            columns,
        )

    def test_cells(self) -> None:
        """Sizes are read as df writes them, what is missing is empty."""
        texts = [[cell.text for cell in row] for row in table(DF).rows]

        self.assertEqual(["/dev/vda", "24 %", "/", "252 GiB", "1.5 KiB", "99 B"], texts[0])
        self.assertEqual(["tmpfs", "", "/tmp", "1.0 TiB", "0 B", "0 B"], texts[1])
        self.assertEqual(Cell(text="24 %", number=24), table(DF).rows[0][1])

    def test_long_texts_come_last(self) -> None:
        """A column of long texts would push the others away."""
        names = [
            column.name for column in table([{"user": "ann", "command": "x " * 40, "cpu_percent": 1, "pid": 7}]).columns
        ]

        self.assertEqual(["User", "Cpu", "Pid", "Command"], names)

    def test_cuts_are_visible(self) -> None:
        """Rows and columns that are left out are counted."""
        cut = table([{f"c{each}": each for each in range(COLUMNS + 2)}] * (ROWS + 1007))

        self.assertEqual((ROWS, COLUMNS), (len(cut.rows), len(cut.columns)))
        self.assertEqual("Not shown here: 1,007 more rows and 2 more columns. The output below has them.", cut.omitted)
        self.assertIsNone(table([{"x": 1}] * ROWS).omitted)


class FactTests(TestCase):
    def test_parts_of_others_are_left_out(self) -> None:
        """What says an hour of a time that is there is no fact of its own."""
        data = {"time": "09:45:43", "time_hour": 9, "uptime": "3:26", "uptime_total_seconds": 12360, "load_1m": 1.01}

        self.assertEqual({"Time": "09:45:43", "Uptime": "3:26", "Load 1m": "1.01"}, facts(data))

    def test_values(self) -> None:
        """Every value is told."""
        data = {
            "a": True,
            "b": None,
            "c": 2026,
            "d": 123456,
            "e": 12345.67,
            "f": [1],
            "g_bytes": 5 << 20,
            "h_percent": 5.5,
        }

        self.assertEqual(
            ["yes", "", "2026", "123,456", "12,345.7", "[1]", "5.0 MiB", "5.5 %"], list(facts(data).values())
        )

    def test_tables_among_facts(self) -> None:
        """Rows within facts are tables with captions."""
        first, second = picture({"id": 1, "answer_list": [{"x": 1}]})

        self.assertIsInstance(first, Facts)
        assert isinstance(second, Table)
        self.assertEqual("Answer list", second.caption)


class LawTests(TestCase):
    @LAW
    @given(data=JSON)
    def test_any_data(self, data: object) -> None:
        """Whatever a parser says can be drawn and told to scripts; rows are as wide as their table."""
        parts = picture(data)  # type: ignore[arg-type]

        json.dumps(for_scripts(parts), allow_nan=False)
        for part in parts:
            if isinstance(part, Table):
                self.assertEqual({len(part.columns)}, {len(row) for row in part.rows})
