"""Dates and moments."""

import os
import time

from cmdserver.parameters.time_types import Date, DateTime
from tests.parameters.test_number_types import TypeTestCase


class DateTests(TypeTestCase):
    def test_forms(self) -> None:
        """ISO 8601, whichever of its ways."""
        self.assert_forms(
            Date(),
            {
                "2026-11-28": "2026-11-28",
                "20261128": "2026-11-28",
                "2026-W48-6": "2026-11-28",
                "2024-02-29": "2024-02-29",
                "0001-01-01": "0001-01-01",
                "9999-12-31": "9999-12-31",
            },
        )
        no_dates = (
            *(
                "",
                "2026",
                "2026-11",
                "28.11.2026",
                "2026-02-29",
                "2026-13-01",
                "2026-00-01",
                "0000-01-01",
                "2026-11-28\n",
            ),
            *(
                "2026-11-28T09:30",
                "-2026-11-28",
                "+2026-11-28",
                "2026/11/28",
                "٢٠٢٦-11-28",
                "2026-W54-1",
                "today",
                "2026-1128",
            ),
        )
        self.assert_forms(Date(), dict.fromkeys(no_dates))
        self.assert_refusal("must be a date such as 2026-11-28", Date(), "tomorrow")

    def test_format(self) -> None:
        """The command is given it so; the canonical form, which roles and the audit file have, is the same."""
        date = Date(format="%d.%m.%y")
        self.assert_forms(date, {"2026-11-28": "2026-11-28", "28.11.26": None})
        self.assertEqual(("28.11.26",), date.words("2026-11-28"))
        self.assertEqual(("2026-11-28",), Date().words("2026-11-28"))


class DateTimeTests(TypeTestCase):
    def setUp(self) -> None:
        zone = os.environ.get("TZ")
        os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
        time.tzset()

        def restore() -> None:
            if zone is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = zone
            time.tzset()

        self.addCleanup(restore)

    def test_forms(self) -> None:
        """ISO 8601; what has no zone gets none, as it is the host's."""
        self.assert_forms(
            DateTime(),
            {
                "2026-11-28T09:30": "2026-11-28T09:30:00",
                "2026-11-28 09:30:15": "2026-11-28T09:30:15",
                "20261128T093015": "2026-11-28T09:30:15",
                "2026-11-28T09": "2026-11-28T09:00:00",
                "2026-11-28T09:30:15.25": "2026-11-28T09:30:15.250000",
                "2026-11-28T09:30Z": "2026-11-28T09:30:00+00:00",
                "2026-11-28T09:30+01:00": "2026-11-28T09:30:00+01:00",
                "2026-11-28T09:30-0530": "2026-11-28T09:30:00-05:30",
            },
        )
        no_moments = (
            *(
                "",
                "2026-11-28",
                "09:30",
                "2026-11-28T",
                "2026-11-28T25:00",
                "2026-11-28T09:60",
                "2026-11-28T09:30+24:00",
            ),
            *(
                "2026-11-28t09:30",
                "2026-11-28_09:30",
                "2026-11-28T09:30 CET",
                "2026-11-28T09:30\n",
                "now",
                "@0",
                "-1 day",
            ),
            *("2026-11-28\x0009:30", "2026-11-28\u206809:30", "2026-11-28T09:30:15.1234567"),
        )
        self.assert_forms(DateTime(), dict.fromkeys(no_moments))
        self.assert_refusal("must be a date and time such as 2026-11-28T09:30", DateTime(), "now")

    def test_format(self) -> None:
        """The command is given it by the host's clock."""
        moment = DateTime(format="%Y-%m-%d %H:%M")
        for text, word in (
            ("2026-11-28T09:30", "2026-11-28 09:30"),
            ("2026-11-28T09:30Z", "2026-11-28 10:30"),
            ("2026-07-01T09:30Z", "2026-07-01 11:30"),
        ):
            self.assertEqual((word,), moment.words(moment.canonical(text)))
        self.assertEqual(("2026-11-28T09:30:00",), DateTime().words("2026-11-28T09:30:00"))

    def test_the_ends_of_the_calendar(self) -> None:
        """A moment that is in no year by our clock cannot be formatted, and is not accepted; it is no exception."""
        texts = ("0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00")
        self.assert_forms(DateTime(format="%Y"), dict.fromkeys(texts))
        self.assert_forms(DateTime(), {text: text.replace("00+", "00:00+").replace("59-", "59:00-") for text in texts})
