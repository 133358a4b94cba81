"""Tests of what is due, and what was missed."""

from datetime import UTC

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.triggers.crontab import Schedule
from cmdserver.triggers.due import MOST_COUNTED, MOST_TOLD, Look, Missed, look


def lines(*texts: str) -> tuple[Schedule, ...]:
    """Read lines."""
    return tuple(map(Schedule.parse, texts))


HOURLY = {"df": lines("0 * * * *")}
MINUTELY = {"df": lines("* * * * *")}


class LookTests(SynchronousTestCase):
    def test_a_time_is_due_when_it_has_come(self) -> None:
        """Not before, and not again."""
        for after, now, expected in (
            (3500, 3599.9, ()),
            (3500, 3600, ("df",)),
            (3599.9, 3600.1, ("df",)),
            (3500, 3659.9, ("df",)),
            (3600, 3601, ()),
            (3600, 3600, ()),
        ):
            self.assertEqual(look(HOURLY, after, now, UTC), Look(expected), (after, now))

    def test_a_time_that_is_seen_too_late_was_missed(self) -> None:
        """A minute is too late: then the next one may be there."""
        self.assertEqual(look(HOURLY, 3500, 3660, UTC), Look((), {"df": Missed((3600,))}))
        self.assertEqual(look(HOURLY, 3500, 3 * 3600, UTC), Look(("df",), {"df": Missed((3600, 7200))}))

    def test_of_all_minutes_one_is_due(self) -> None:
        """Whenever it is looked, the minutes are due or missed, each once."""
        for now, missed in ((119.9, ()), (120, (60,)), (120.1, (60,)), (179.9, (60,)), (180, (60, 120))):
            found = look(MINUTELY, 0, now, UTC)
            self.assertEqual(found.due, ("df",))
            self.assertEqual(found.missed, {"df": Missed(missed)} if missed else {})

    def test_while_nobody_was_there_all_were_missed(self) -> None:
        """That of this very moment, too."""
        for most_seconds_late in (0.0, -1.0):
            self.assertEqual(look(HOURLY, 0, 3600, UTC, most_seconds_late), Look((), {"df": Missed((3600,))}))
            self.assertEqual(look(HOURLY, 0, 3601, UTC, most_seconds_late), Look((), {"df": Missed((3600,))}))

    def test_there_is_a_most_of_what_is_told(self) -> None:
        """And of what is counted."""
        times = tuple(60 * each for each in range(1, MOST_TOLD + 1))

        for minutes, expected in (
            (MOST_TOLD, Missed(times)),
            (MOST_TOLD + 1, Missed(times, 1)),
            (MOST_COUNTED, Missed(times, MOST_COUNTED - MOST_TOLD)),
            (MOST_COUNTED + 1, Missed(times, MOST_COUNTED - MOST_TOLD, is_uncounted=True)),
            (10**6, Missed(times, MOST_COUNTED - MOST_TOLD, is_uncounted=True)),
        ):
            self.assertEqual(look(MINUTELY, 0, 60 * minutes, UTC, 0.0).missed, {"df": expected})

    def test_lines_that_mean_the_same_minute_are_one_time(self) -> None:
        """A command runs once."""
        both = {"df": lines("0 * * * *", "*/30 * * * *"), "up": lines("0 1 * * *")}

        self.assertEqual(look(both, 3599, 3600, UTC), Look(("df", "up")))
        self.assertEqual(look(both, 1799, 3661, UTC).missed, {"df": Missed((1800, 3600)), "up": Missed((3600,))})
        self.assertEqual(look({}, 0, 10**6, UTC), Look())
