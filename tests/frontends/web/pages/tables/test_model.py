"""Tables of what commands print: which columns there are, in which order, and how their values are written."""

from unittest import TestCase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.data import Json
from cmdserver.core.output import Parsed
from cmdserver.frontends.web.pages.tables.meanings import Kind
from cmdserver.frontends.web.pages.tables.model import (
    COLUMNS,
    ROWS,
    memory_unit_of,
    parts_of,
    parts_of_run,
)
from cmdserver.frontends.web.pages.tables.table import Facts, Part, Table
from cmdserver.parsers.jc_library import parse
from tests.doubles import LAW
from tests.frontends.web.pages.tables import samples


def parts(parser: str, output: bytes, sort: str = "") -> tuple[Part, ...]:
    """Make the parts of what a command has printed."""
    pytest.importorskip("jc", reason="jc is not installed")
    return parts_of_run(Parsed(value=parse(parser, output)), parser, output, sort)


def table(parser: str, output: bytes, sort: str = "") -> Table:
    """Make the table of what a command has printed."""
    found = parts(parser, output, sort)[-1]
    assert isinstance(found, Table)
    return found


def table_of(data: Json) -> Table:
    """Make the table of data."""
    (found,) = parts_of(data)
    assert isinstance(found, Table)
    return found


def titles(found: Table) -> list[str]:
    """Name the columns, in their order."""
    return [each.title for each in found.columns]


def texts(found: Table, row: int = 0) -> list[str]:
    """Read a row."""
    return [cell.text for cell in found.rows[row]]


class CommandTests(TestCase):
    """What people look at."""

    def test_ps(self) -> None:
        """A process is its number; memory is KiB, time is hours; the command comes last."""
        found = table("ps", samples.PS)

        self.assertEqual(titles(found), ["PID", "CPU", "Memory", "User", "Time", "Start", "Command"])
        self.assertEqual(
            texts(found, 1),
            [
                *["2214", "12.4 %", "1.8 GiB", "postgres", "3:41:09", "08:02"],
                "postgres: shop shop_production [local] SELECT",
            ],
        )
        self.assertEqual(found.rows[0][0].text, "1")
        self.assertEqual((found.counted, found.has_long, found.columns[1].has_bar), ("3 processes", True, True))

    def test_ps_with_parents(self) -> None:
        """Another of its tables."""
        found = table("ps", samples.PS_EF)
        self.assertEqual(titles(found), ["PID", "User", "Parent", "Time", "Start", "Command"])
        self.assertEqual(texts(found, 1), ["4020", "ann", "4019", "0:00:01", "09:12", "-bash"])

    def test_ss(self) -> None:
        """Without the kind of sockets, too; who has them open is told as text."""
        found = table("ss", samples.SS)
        self.assertEqual(titles(found), ["Local address", "State", "Peer address", "Recv-Q", "Send-Q", "Process"])
        self.assertEqual(texts(found), ["0.0.0.0:80", "LISTEN", "0.0.0.0:*", "0", "511", "nginx (902), nginx (901)"])
        self.assertEqual(found.counted, "2 sockets")

    def test_systemctl(self) -> None:
        """A unit that has failed is marked, and is a unit all the same."""
        found = table("systemctl", samples.SYSTEMCTL)
        self.assertEqual(titles(found), ["Unit", "Load", "Active", "Sub", "Description"])
        self.assertEqual(texts(found, 1)[:4], ["nginx.service", "loaded", "failed", "failed"])
        self.assertEqual(found.counted, "3 units")

    def test_lsblk(self) -> None:
        """Sizes are numbers, written once."""
        found = table("lsblk", samples.LSBLK)
        self.assertEqual(titles(found), ["Name", "Size", "Read-only", "Type", "Mounted on"])
        self.assertEqual(texts(found, 1), ["sda1", "1.0 GiB", "no", "part", "/boot"])

    def test_ip(self) -> None:
        """Addresses as ip writes them; ``ip -j addr`` looks the same."""
        found = table("ip-addr", samples.IP)
        self.assertEqual(titles(found), ["Interface", "State", "Hardware address", "MTU", "Flags", "Addresses"])
        self.assertEqual(texts(found)[-1], "127.0.0.1/8, ::1/128")
        self.assertEqual(texts(found, 1)[:4], ["eth0", "UP", "02:fc:00:00:00:01", "1400"])

    def test_free(self) -> None:
        """KiB, unless a unit stands there; how much is used is a percentage."""
        found = table("free", samples.FREE)
        self.assertEqual(titles(found)[:5], ["Type", "Use", "Available", "Used", "Total"])
        self.assertEqual(texts(found)[:5], ["Mem", "4 %", "23 GiB", "921 MiB", "24 GiB"])
        self.assertEqual(texts(found, 1)[:5], ["Swap", "50 %", "", "1.0 GiB", "2.0 GiB"])
        self.assertEqual(found.columns[1].kind, Kind.PERCENT)
        self.assertEqual(texts(table("free", samples.FREE_H))[:5], ["Mem", "24 %", "2.7 GiB", "920 MiB", "3.8 GiB"])
        self.assertEqual(texts(table("free", samples.FREE_H), 1)[1], "")

    def test_units_of_free(self) -> None:
        """Its numbers say themselves which they are."""
        for total, unit in (
            (b"24684084", 1024),
            (b"24105", 1 << 20),
            (b"25276502016", 1),
            (b"23Gi", 1),
            (b"3.8Gi", 1),
            (b"nothing", 1),
        ):
            self.assertEqual(memory_unit_of(b"   total\nMem:   " + total + b"  1\n"), unit, total)

    def test_top(self) -> None:
        """Facts, and a table of processes; a number without a unit is KiB."""
        facts, found = parts("top", samples.TOP)
        assert isinstance(facts, Facts)
        assert isinstance(found, Table)
        said = {column.title: cell.text for column, cell in facts.facts}
        self.assertEqual(said["Mem total"], "24 GiB")
        self.assertNotIn("Uptime", said)
        self.assertEqual(titles(found), ["PID", "CPU", "Memory", "User", "Status", "Time", "Command"])
        self.assertEqual(texts(found)[:4], ["2571", "68.8 %", "101 MiB", "root"])
        self.assertEqual((texts(found, 1)[2], texts(found, 1)[5]), ("1.2 GiB", "0:03:59"))
        self.assertEqual(found.caption, "Processes")

    def test_last(self) -> None:
        """A user does not name a row: they may have many."""
        found = table("last", samples.LAST)
        self.assertNotEqual(titles(found)[0], "User")
        self.assertIn("still logged in", texts(found))

    def test_df(self) -> None:
        """What is nearly full has a bar; blocks are bytes; a file system is where it is mounted."""
        found = table("df", samples.DF)
        self.assertEqual(titles(found), ["Mounted on", "Use", "Available", "Used", "Size", "File system"])
        self.assertEqual(texts(found, 2), ["/var/backups", "93 %", "71 GiB", "953 GiB", "1.0 TiB", "/dev/vdc1"])
        self.assertEqual((found.columns[1].kind, found.counted), (Kind.FULL, "4 file systems"))

    def test_docker(self) -> None:
        """What has nothing in a column has nothing there."""
        found = table("docker-ps", samples.DOCKER)
        self.assertEqual(titles(found)[:2], ["Names", "Container ID"])
        self.assertEqual((found.counted, texts(found, 1)[0]), ("2 containers", "db"))
        self.assertEqual(titles(found)[-1], "Command")

    def test_apt(self) -> None:
        """Packages, and what is to be known of them."""
        found = table("apt-list", samples.APT)
        self.assertEqual(titles(found)[:3], ["Package", "Version", "Architecture"])
        self.assertEqual((found.counted, texts(found, 2)[:2]), ("3 packages", ["zsh", "5.9-4+b2"]))
        self.assertIn("upgradable from: 1.22.1-9", texts(found, 1))


class TableTests(TestCase):
    """Whatever data there are."""

    def test_bars_that_say_nothing(self) -> None:
        """Where nothing takes one per cent there is no bar."""
        self.assertFalse(table_of([{"pid": 1, "cpu_percent": 0.9}]).columns[1].has_bar)
        self.assertTrue(table_of([{"pid": 1, "cpu_percent": 1}]).columns[1].has_bar)

    def test_what_is_full(self) -> None:
        """A percentage is of something full only where file systems are."""
        self.assertEqual(table_of([{"mounted_on": "/", "use_percent": 5}]).columns[1].kind, Kind.FULL)
        self.assertEqual(table_of([{"name": "x", "use_percent": 5}]).columns[1].kind, Kind.PERCENT)

    def test_empty_columns(self) -> None:
        """A column in which there is nothing is not shown."""
        self.assertEqual(titles(table_of([{"name": "a", "x": None}, {"name": "b", "x": ""}])), ["Name"])

    def test_what_names_a_row(self) -> None:
        """By meaning, not by place; never a user, if there is anything else."""
        for keys, name in (
            (("user", "pid"), "PID"),
            (("user", "speed", "load"), "Speed"),
            (("filesystem", "mounted_on"), "Mounted on"),
            (("user",), "User"),
        ):
            self.assertEqual(titles(table_of([dict.fromkeys(keys, "x")]))[0], name)

    def test_the_longest_text_is_last(self) -> None:
        """Wherever it stands; a command is last, however short."""
        found = table_of([{"id": "1", "note": "a long, long story", "b": "x"}])
        self.assertEqual(titles(found), ["ID", "B", "Note"])
        self.assertEqual(titles(table_of([{"id": "1", "command": "x", "b": "long story"}]))[-1], "Command")
        self.assertFalse(table_of([{"id": "1", "n": 5}]).has_long)

    def test_tenths(self) -> None:
        """Percentages of a column have the same digits."""
        found = table_of([{"id": "a", "x_percent": 12.25}, {"id": "b", "x_percent": 3}])
        self.assertEqual([texts(found, row)[1] for row in (0, 1)], ["12.2 %", "3.0 %"])

    def test_cuts_are_told(self) -> None:
        """More rows or columns than a page shows are counted."""
        many: list[Json] = [{"id": number} for number in range(ROWS + 2)]
        found = table_of(many)
        self.assertEqual((len(found.rows), found.counted), (ROWS, "502 rows"))
        self.assertEqual(found.omitted, "Not shown here: 2 more rows. The text has them.")
        wide = table_of([{f"c{number}": number for number in range(COLUMNS + 1)}])
        self.assertEqual(
            (len(wide.columns), wide.omitted), (COLUMNS, "Not shown here: 1 more columns. The text has them.")
        )

    def test_objects(self) -> None:
        """Single values are facts, without parts of others; lists of objects are tables."""
        facts, found = parts_of({"time": "10:00", "time_hour": 10, "uptime_total_seconds": 90_061, "list": [{"x": 1}]})
        assert isinstance(facts, Facts)
        assert isinstance(found, Table)
        self.assertEqual(
            [(column.title, cell.text) for column, cell in facts.facts],
            [("Time", "10:00"), ("Uptime total seconds", "1 d 1:01:01")],
        )
        self.assertEqual(found.caption, "List")

    def test_nothing(self) -> None:
        """What is neither is not drawn."""
        cases: tuple[Json, ...] = (None, [], {}, "text", 5, [1, 2], [{}], True, [{"a": None}])
        for data in cases:
            with self.subTest(data):
                self.assertEqual(parts_of(data), ())

    def test_once_a_run(self) -> None:
        """Those who share a run share its table."""
        parsed = Parsed(value=[{"id": 1}])
        self.assertIs(parts_of_run(parsed, "x", b"")[0], parts_of_run(parsed, "x", b"")[0])
        self.assertIsNot(parts_of_run(parsed, "x", b"", "id")[0], parts_of_run(parsed, "x", b"")[0])

    @LAW
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.text() | st.sampled_from(["pid", "use_percent", "1k_blocks", "used", "size", "local_port"]),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=20,
        ),
        st.sampled_from(["", "pid", "-pid", "-use_percent"]),
    )
    def test_any_data(self, data: Json, sort: str) -> None:
        """Whatever they are, each row has a cell for each column."""
        for part in parts_of(data, memory_unit=1024, sort=sort):
            if isinstance(part, Table):
                self.assertEqual({len(row) for row in part.rows}, {len(part.columns)})
