"""Tests of times as people type them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.times import parse_time

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 12, 30, 15, tzinfo=ZONE)


class TimeTests(SynchronousTestCase):
    def test_times(self) -> None:
        """As systemd.time(7) and journalctl(1) have them."""
        for text, meant in {
            "2026-11-27": datetime(2026, 11, 27, tzinfo=ZONE),
            "2026-07-01": datetime(2026, 6, 30, 22, tzinfo=UTC),
            "2026-11-27 09:00": datetime(2026, 11, 27, 9, tzinfo=ZONE),
            "2026-11-27 09:00:10": datetime(2026, 11, 27, 9, 0, 10, tzinfo=ZONE),
            "2026-11-27 09:00 UTC": datetime(2026, 11, 27, 9, tzinfo=UTC),
            "2026-11-27T09:00:00.5Z": datetime(2026, 11, 27, 9, 0, 0, 500_000, tzinfo=UTC),
            "9:05": datetime(2026, 11, 28, 9, 5, tzinfo=ZONE),
            "09:05:01": datetime(2026, 11, 28, 9, 5, 1, tzinfo=ZONE),
            "now": NOW,
            "today": datetime(2026, 11, 28, tzinfo=ZONE),
            "Yesterday": datetime(2026, 11, 27, tzinfo=ZONE),
            "tomorrow": datetime(2026, 11, 29, tzinfo=ZONE),
            "-2h": NOW - timedelta(hours=2),
            "+90": NOW + timedelta(seconds=90),
            "-1d 12h30min": NOW - timedelta(days=1, hours=12, minutes=30),
            "2 days ago": NOW - timedelta(days=2),
            "3w ago": NOW - timedelta(weeks=3),
            "@1700000000": datetime.fromtimestamp(1_700_000_000, UTC),
        }.items():
            self.assertEqual(parse_time(text, NOW), meant, text)

    def test_what_is_none(self) -> None:
        """It says how it is written; no control character gets out."""
        for text in (
            "",
            "x",
            "-",
            "-2",
            "-2y",
            "-h",
            "2h",
            "25:00",
            "2026-13-01",
            "@",
            "@1e400",
            "@nan",
            "-9" * 9,
            "\x1b",
        ):
            if text == "-2":
                continue
            with self.assertRaisesRegex(ValueError, r"is no time: write 2026-11-28, ") as caught:
                parse_time(text, NOW)
            self.assertTrue(str(caught.exception).isprintable())
