"""Output as jc's parsers expect it: what stands in for names, and what is left alone."""

from typing import Any
from unittest import TestCase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.parsers.jc_library import parse
from cmdserver.parsers.repairs import Repaired, repair
from tests.doubles import LAW
from tests.frontends.web.pages.tables import samples

HEAD = "Filesystem  1K-blocks  Used  Available Use% Mounted on\n"


def rows(text: str) -> Any:
    """Read a table of df's."""
    pytest.importorskip("jc", reason="jc is not installed")
    return parse("df", text.encode())


class DfTests(TestCase):
    def test_blanks_in_names(self) -> None:
        """A share, and where it is mounted, may have blanks in their names."""
        (row,) = rows(HEAD + "//nas/Common Files/Team 17179803648 15080666092 2099137556  88% /mnt/our team\n")

        self.assertEqual((row["filesystem"], row["mounted_on"]), ("//nas/Common Files/Team", "/mnt/our team"))
        self.assertEqual((row["1k_blocks"], row["use_percent"]), (17179803648, 88))

    def test_numbers_in_names(self) -> None:
        """A name that ends like a table is read from the right, as far as can be."""
        (row,) = rows(HEAD + "//nas/1 2 3 10 4 5 43% /mnt\n")
        self.assertEqual((row["filesystem"], row["1k_blocks"], row["used"]), ("//nas/1 2 3", 10, 4))

    def test_wrapped_lines(self) -> None:
        """An older df gives a long name a line of its own."""
        first, second = rows(HEAD + "/dev/mapper/a-long-one\n   10 4 5 43% /\ntmpfs 5 0 5 0% /dev/shm\n")
        self.assertEqual((first["filesystem"], first["mounted_on"]), ("/dev/mapper/a-long-one", "/"))
        self.assertEqual(second["filesystem"], "tmpfs")

    def test_dashes(self) -> None:
        """What has no size has none, and does not push the next column into its place."""
        head = "Filesystem    Type 1024-blocks      Used Available Capacity Mounted on\n"
        first, second = rows(f"{head}/dev/root ext3 60 11 45 21% /\nproc proc 0 0 0 - /proc\n")
        self.assertEqual((first["capacity_percent"], first["type"], first["mounted_on"]), (21, "ext3", "/"))
        self.assertEqual((second["capacity_percent"], second["mounted_on"]), (None, "/proc"))

    def test_sizes_for_people(self) -> None:
        """-h has units."""
        (row,) = rows("Filesystem      Size  Used Avail Use% Mounted on\na b  1.5G  0  1,5G 100% /\n")
        self.assertEqual((row["filesystem"], row["size"], row["use_percent"]), ("a b", 3 << 29, 100))

    def test_what_is_left_alone(self) -> None:
        """Other parsers' output, other tables, and tables with a line that fits not."""
        for parser, text in (
            ("ps", HEAD + "a 10 4 5 43% /\n"),
            ("df", ""),
            ("df", "Dateisystem 1K-Blöcke Benutzt\na 1 2\n"),
            ("df", HEAD + "a 10 4 5 43% /\nsomething else\n"),
            ("df", HEAD + "a 10 4 5 43% relative\n"),
            ("df", HEAD + "a 10 4 5 43% /\n" * 5001),
        ):
            self.assertEqual(repair(parser, text), Repaired(text))

    def test_names_come_back_where_they_were(self) -> None:
        """Only whole values are names, and only in rows."""
        repaired = Repaired("", {"x": "name"})
        self.assertEqual(
            repaired.restore([{"a": "x", "b": "xx", "c": 1}, "x"]), [{"a": "name", "b": "xx", "c": 1}, "x"]
        )
        self.assertEqual(repaired.restore({"a": "x"}), {"a": "x"})

    @LAW
    @given(
        st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs")), min_size=1),
        st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs"))),
        st.integers(0, 1 << 50),
    )
    def test_any_name(self, source: str, target: str, size: int) -> None:
        """Whatever they are called, file systems have their own sizes."""
        (row,) = rows(f"{HEAD}{source} {source} {size} 0 {size} 0% /{target}\n")
        self.assertEqual((row["filesystem"], row["mounted_on"]), (f"{source} {source}", f"/{target}"))
        self.assertEqual((row["1k_blocks"], row["used"]), (size, 0))


class OtherTests(TestCase):
    """What other programs print otherwise than is expected."""

    def parsed(self, parser: str, output: bytes) -> Any:
        """Parse output."""
        pytest.importorskip("jc", reason="jc is not installed")
        return parse(parser, output)

    def test_ss(self) -> None:
        """Without the kind of sockets, which is not made up."""
        (row, _) = self.parsed("ss", samples.SS)
        self.assertNotIn("netid", row)
        self.assertEqual((row["local_address"], row["local_port"], row["state"]), ("0.0.0.0", "80", "LISTEN"))
        (row,) = self.parsed(
            "ss",
            b"Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
            b"udp   UNCONN 0      0            0.0.0.0:68        0.0.0.0:*\n",
        )
        self.assertEqual(row["netid"], "udp")

    def test_systemctl(self) -> None:
        """A mark is no unit, whichever the language has."""
        for mark in ("*", "\u25cf"):
            output = samples.SYSTEMCTL.replace(b"* nginx", f"{mark} nginx".encode())
            rows = self.parsed("systemctl", output)
            self.assertEqual([each["unit"] for each in rows], ["boot.mount", "nginx.service", "ssh.service"])
            self.assertEqual(rows[1]["load"], "loaded")

    def test_top(self) -> None:
        """Numbers without a unit are KiB; how long a host has been up is not guessed."""
        (row,) = self.parsed("top", samples.TOP)
        first, second = row["processes"]
        self.assertEqual((first["resident_mem_bytes"], first["resident_mem_unit"]), (103_676 * 1024, "KiB"))
        self.assertEqual(second["virtual_mem_unit"], "g")
        self.assertEqual(second["virtual_mem_bytes"], int(3.1 * 2**30))
        self.assertIsNone(row["uptime"])
