"""Numbers as people read them."""

from unittest import TestCase

from cmdserver.frontends.web.pages.tables.units import (
    bytes_text,
    clock_text,
    number_text,
    percent_text,
    seconds_of,
)


class UnitsTests(TestCase):
    def test_bytes(self) -> None:
        """Two or three digits, in powers of 1024."""
        for value, text in (
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10_240, "10 KiB"),
            (12.5 * 2**30, "12 GiB"),
            (1.84 * 2**30, "1.8 GiB"),
            (2**40, "1.0 TiB"),
            (5000 * 2**50, "5,000.0 PiB"),
            (-2048, "-2.0 KiB"),
        ):
            self.assertEqual(bytes_text(value), text)

    def test_others(self) -> None:
        """Percentages, numbers and durations."""
        self.assertEqual(percent_text(12.44, has_tenths=True), "12.4 %")
        self.assertEqual(percent_text(1200, has_tenths=False), "1,200 %")
        self.assertEqual(
            [number_text(each) for each in (2026, 0.25, 65_536, 65_536.5)], ["2026", "0.25", "65,536", "65,536.5"]
        )
        self.assertEqual([clock_text(each) for each in (9, 13_269, 90_061.5)], ["0:00:09", "3:41:09", "1 d 1:01:01"])

    def test_processor_time(self) -> None:
        """As ps and top write it."""
        for text, seconds in (
            ("0:09", 9),
            ("221:09", 13_269),
            ("00:00:09", 9),
            ("2-01:00:00", 176_400),
            ("3:59.87", 239),
        ):
            self.assertEqual(seconds_of(text), seconds, text)
        for text in ("", "9", "1:2", "x:00", "1:00:00:00", "still running"):
            self.assertIsNone(seconds_of(text), text)
