"""Which values cannot be."""

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.parsers.plausible import is_plausible
from tests.doubles import LAW


class PlausibleTests(TestCase):
    def check(self, name: str, right: tuple[object, ...], wrong: tuple[object, ...]) -> None:
        """Say what may be, and what may not."""
        for value in (*right, None, "", True, [], {}) if name not in {"mounted_on", "mount_point"} else right:
            self.assertTrue(is_plausible(name, value), f"{name} {value}")
        for value in wrong:
            self.assertFalse(is_plausible(name, value), f"{name} {value}")

    def test_shares_of_a_whole(self) -> None:
        """A file system may be a little more than full, and no fuller."""
        for name in ("use_percent", "capacity_percent", "iused_percent", "mem_percent", "packet_loss_percent"):
            self.check(name, (0, 43, 100, 99.9, 108, 125), (-1, 126, 2099137556, -0.5))
        self.check("battery_percentage", (0, 100), (-1, 300))

    def test_shares_of_many(self) -> None:
        """A process may keep many processors busy."""
        for name in ("cpu_percent", "percent_cpu", "percent_usr", "percent_util"):
            self.check(name, (0, 100, 350.5, 819_200), (-1, 2099137556))

    def test_what_is_counted(self) -> None:
        """Sizes, loads and numbers of processes begin with nothing; there is no most."""
        for name in ("size", "used", "1k_blocks", "rss", "pid", "load_1m", "mem_bytes", "uptime_total_seconds"):
            self.check(name, (0, 1, 0.5, 1 << 60), (-1, -0.5))

    def test_what_may_be_less_than_nothing(self) -> None:
        """Room that only root may use, a temperature, anything of which nothing is known."""
        for name in ("available", "temperature_c", "offset", "percentile", "used_by"):
            self.check(name, (-7, 0, 7, 1 << 60), ())

    def test_mount_points(self) -> None:
        """They are paths; what stands before them is none."""
        for name in ("mounted_on", "mount_point"):
            self.check(name, ("/", "/mnt/a b", None), ("88% /mnt/team", "-", ""))
        self.check("filesystem", ("tmpfs", "//nas/x", "-"), ())

    def test_ports_and_units(self) -> None:
        """A port has sixteen bits, a unit its kind."""
        self.check("local_port_num", (0, 22, 65_535), (-1, 65_536))
        self.assertTrue(is_plausible("unit", "nginx.service"))
        self.assertTrue(is_plausible("unit_file", "*"))
        self.assertFalse(is_plausible("unit", "*"))

    @LAW
    @given(st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text())
    def test_any_value(self, name: str, value: object) -> None:
        """There is an answer for whatever a parser makes."""
        self.assertIsInstance(is_plausible(name, value), bool)
