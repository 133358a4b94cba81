"""Tests of which time zone the host has."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.triggers.time_zone import host_zone

SUMMER = datetime(2026, 7, 1)  # noqa: DTZ001 - of whichever zone
ZONES = next(Path(each) for each in TZPATH if Path(each, "Asia/Tokyo").exists())


class HostZoneTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.local_time = Path(directory.name, "localtime")

    def hours(self, environment: dict[str, str]) -> float:
        """Return the zone's distance from UTC in summer."""
        offset = host_zone(environment, self.local_time).utcoffset(SUMMER)
        assert offset is not None
        return offset.total_seconds() / 3600

    def test_the_environment_names_it(self) -> None:
        """With a colon before it or not, and as a path."""
        self.local_time.symlink_to(ZONES / "America/New_York")

        for name in ("Asia/Tokyo", ":Asia/Tokyo", str(ZONES / "Asia/Tokyo")):
            self.assertEqual(self.hours({"TZ": name}), 9, name)

    def test_a_name_of_nothing_names_none(self) -> None:
        """The host's file has it then."""
        self.local_time.symlink_to(ZONES / "Asia/Tokyo")

        for name in (
            "",
            ":",
            "Nowhere/Atlantis",
            "../../etc/passwd",
            "Asia",
            "/etc/passwd",
            "/none",
            "\0",
            "CET-1CEST",
        ):
            self.assertEqual(self.hours({"TZ": name}), 9, name)
        self.assertEqual(self.hours({}), 9)

    def test_the_file_tells_what_people_call_it(self) -> None:
        """So that what is printed can say so."""
        self.local_time.symlink_to(ZONES / "Asia/Tokyo")

        self.assertEqual(str(host_zone({}, self.local_time)), "Asia/Tokyo")

    def test_without_either_it_is_utc(self) -> None:
        """Or with what is no such file."""
        self.assertIs(host_zone({}, self.local_time), UTC)
        self.local_time.write_bytes(b"TZif, perhaps")
        self.assertIs(host_zone({}, self.local_time), UTC)

    def test_a_file_that_is_something_else_is_not_read_whole(self) -> None:
        """A zone is some kilobytes."""
        self.local_time.symlink_to("/dev/zero")

        self.assertIs(host_zone({}, self.local_time), UTC)

    def test_utc_may_be_named(self) -> None:
        """Many hosts do."""
        self.assertEqual(host_zone({"TZ": "UTC"}, self.local_time), ZoneInfo("UTC"))
