"""Tests of times as people say them."""

from datetime import datetime
from unittest import TestCase

from cmdserver.frontends.web.pages.relative_time import ago, short
from tests.frontends.web.reading import Read

#: A Saturday's noon, in the host's time zone.
NOON = datetime(2026, 11, 28, 12, 0, 0).astimezone()


def said(moment: datetime, *, running: float | None = None) -> str:
    """Say when something was, at noon."""
    return Read(ago(moment.timestamp(), NOON.timestamp(), running=running)).text[0]


class AgoTests(TestCase):
    def test_what_is_said(self) -> None:
        """The longer ago, the less exactly."""
        for moment, words in (
            (NOON.replace(hour=11, minute=59, second=1), "just now"),
            (NOON.replace(hour=11, minute=59, second=0), "1 min ago"),
            (NOON.replace(hour=11, minute=1), "59 min ago"),
            (NOON.replace(hour=11), "1 h ago"),
            (NOON.replace(hour=0, minute=30), "11 h ago"),
            (NOON.replace(day=27, hour=20), "yesterday"),
            (NOON.replace(day=26, hour=8), "Thu"),
            (NOON.replace(day=22), "Sun"),
            (NOON.replace(day=21), "21 Nov"),
            (NOON.replace(month=3, day=5), "5 Mar"),
            (NOON.replace(year=2025), "2025-11-28"),
        ):
            self.assertEqual(said(moment), words)

    def test_what_goes_on(self) -> None:
        """Of what runs it is said for how long."""
        self.assertEqual(said(NOON.replace(hour=11), running=72.0), "1 min 12 s")

    def test_all_of_it_is_there(self) -> None:
        """For the mouse, and for programs."""
        (time,) = Read(ago(NOON.timestamp(), NOON.timestamp())).all("time")
        self.assertTrue(str(time["title"]).startswith("2026-11-28 12:00:00"))
        self.assertEqual(datetime.fromisoformat(str(time["datetime"])), NOON)


class ShortTests(TestCase):
    def test_short(self) -> None:
        """Milliseconds, tenths, seconds, and more than that."""
        self.assertEqual([short(each) for each in (0.0124, 2.34, 12.6, 75)], ["12 ms", "2.3 s", "12 s", "1 min 15 s"])
