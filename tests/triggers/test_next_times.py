"""Tests of what people are told of the next times."""

from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.triggers.next_times import next_times
from tests.running_doubles import command

BERLIN = ZoneInfo("Europe/Berlin")


class NextTimesTests(SynchronousTestCase):
    def test_each_command_has_three(self) -> None:
        """Of all its lines together, in the host's time; who has no schedule has none."""
        commands = [
            command("df", schedule=("0 3 * * *", "0,30 3 * * *")),
            command("uptime"),
            command("leap", schedule=("0 0 29 2 *",)),
        ]

        self.assertEqual(
            list(next_times(commands, 1_782_864_000.0, BERLIN)),
            [
                "df runs by itself, next at 2026-07-01 03:00+02:00, 2026-07-01 03:30+02:00, 2026-07-02 03:00+02:00",
                "leap runs by itself, next at 2028-02-29 00:00+01:00, 2032-02-29 00:00+01:00, 2036-02-29 00:00+01:00",
            ],
        )
        self.assertEqual(list(next_times([], 0.0, BERLIN)), [])
