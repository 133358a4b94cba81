"""Tests of when a schedule's times come."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.triggers.crontab import MOST_CHARACTERS, NICKNAMES, Schedule, next_time, times_between

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> float:
    """Say when something is, by the clock on the wall."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def shown(times: list[int], zone: ZoneInfo = BERLIN) -> list[str]:
    """Show times with their distance from UTC, so that no hour is taken for another."""
    return [datetime.fromtimestamp(each, zone).isoformat(timespec="minutes") for each in times]


def times(line: str, after: str, until: str, zone: ZoneInfo = BERLIN) -> list[str]:
    """List the times of a line, the ends as the wall has them."""
    return shown(list(times_between([Schedule.parse(line)], at(after, zone), at(until, zone), zone)), zone)


class ParseTests(SynchronousTestCase):
    def test_fields_of_all_forms_are_read(self) -> None:
        """Stars, numbers, lists, ranges, steps, names in any case; Sunday is 0 and 7; blanks of any width."""
        for line in (
            "* * * * *",
            "*/15 * * * *",
            "0,30 8-18 * * MON-FRI",
            "5-59/10 0 1,15 jan,JUL *",
            "0 0 * * 7",
            "0 0 * * 5-7",
            "0 0 * * Mon-Fri/2",
            "0 0 29 2 *",
            "0 0 30 2 mon",
            "00 04 * * 0",
        ):
            self.assertEqual(Schedule.parse(line).fields, line)
        self.assertEqual(Schedule.parse("  0\t 4  * * *  ").fields, "0 4 * * *")

    def test_nicknames_are_read(self) -> None:
        """As crontab(5) has them."""
        for name, line in NICKNAMES.items():
            self.assertEqual(Schedule.parse(name), Schedule.parse(line))

    def test_what_is_no_schedule_is_refused(self) -> None:
        """Neither fewer fields than five nor more, nor what cronsim takes beyond crontab(5)."""
        for line in (
            "",
            " ",
            "@reboot",
            "@daily now",
            "daily",
            "* * * *",
            "0 * * * * *",
            "60 * * * *",
            "-1 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 0 *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5/10 * * * *",
            "30-10 * * * *",
            "0 0 * * FRI-MON",
            "1-5/2/3 * * * *",
            "1,,2 * * * *",
            "1, * * * *",
            "? * * * *",
            "0 0 L * *",
            "0 0 LW * *",
            "0 0 * * 5L",
            "0 0 * * MON#1",
            "JAN * * * *",
            "0 0 * MON *",
            "0 0 * * JAN",
            "MONDAY * * * *",
            "\u0661 * * * *",
            "*\x1b * * * *",
            "9999999999 * * * *",
            "0 0 * * *; rm -rf /",
            "1," * MOST_CHARACTERS + "1 * * * *",
        ):
            with self.assertRaises(ValueError, msg=line) as caught:
                Schedule.parse(line)
            self.assertTrue(str(caught.exception).isprintable(), line)

    def test_a_range_of_one_value_has_no_steps(self) -> None:
        """Cronsim would read 5-5/10 as 5,15,25,35,45,55."""
        for line in ("5-5/10 * * * *", "05-5/10 * * * *", "0 0 * * MON-1/2", "0 0 * JAN-jan/3 *", "1,5-5/10 * * * *"):
            self.assertRaises(ValueError, Schedule.parse, line)
        self.assertEqual(Schedule.parse("5-5 * * * *").fields, "5-5 * * * *")

    def test_what_means_no_time_is_refused(self) -> None:
        """There is no 30 February; but either field of the day may match where both are restricted."""
        for line in ("0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30-31 FEB */2"):
            with self.assertRaises(ValueError) as caught:
                Schedule.parse(line)
            self.assertIn("no time at all", str(caught.exception))
        self.assertIsNotNone(Schedule.parse("0 0 30 2 MON").next_after(0, UTC))


class TimesTests(SynchronousTestCase):
    def test_a_time_is_later_than_the_one_before(self) -> None:
        """Never the same; parts of a second do not matter."""
        schedule = Schedule.parse("*/15 * * * *")

        self.assertEqual(
            [schedule.next_after(each, UTC) for each in (0, 0.5, 899.9, 900, 900.1)], [900] * 3 + [1800] * 2
        )

    def test_either_day_matches_where_both_are_restricted(self) -> None:
        """Day of month and day of week: crontab(5)'s well known rule."""
        days = times("0 0 13 * FRI", "2026-11-01", "2026-11-30")

        self.assertEqual([each[8:10] for each in days], ["06", "13", "20", "27"])
        self.assertEqual([each[8:10] for each in times("0 0 15 * FRI", "2026-11-10", "2026-11-21")], ["13", "15", "20"])

    def test_both_days_match_where_one_begins_with_a_star(self) -> None:
        """As crontab(5) says: a field that begins with a star is not restricted."""
        self.assertEqual([each[8:10] for each in times("0 0 */13 * FRI", "2026-11-01", "2026-11-30")], ["27"])
        self.assertEqual([each[8:10] for each in times("0 0 13 * *", "2026-11-01", "2026-11-30")], ["13"])
        self.assertEqual([each[8:10] for each in times("0 0 * * 0", "2026-11-01", "2026-11-09")], ["08"])
        self.assertEqual(times("0 0 * * 0", "2026-11-01", "2026-12-31"), times("0 0 * * 7", "2026-11-01", "2026-12-31"))

    def test_an_hour_that_is_left_out_is_made_up_at_its_end(self) -> None:
        """On 29 March 2026 it is 03:00 after 01:59."""
        self.assertEqual(
            times("30 2 * * *", "2026-03-28T12:00", "2026-03-30T12:00"),
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
        )
        self.assertEqual(times("15,45 2 * * *", "2026-03-29T00:00", "2026-03-29T12:00"), ["2026-03-29T03:00+02:00"])

    def test_an_hour_that_there_is_twice_has_its_times_once(self) -> None:
        """On 25 October 2026 it is 02:00 after 02:59, once."""
        self.assertEqual(
            times("30 2 * * *", "2026-10-25T00:00", "2026-10-26T12:00"),
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
        )

    def test_in_the_second_pass_nothing_of_the_first_is_found(self) -> None:
        """A time is never before the one that it is to be after."""
        for wall in ("2026-10-25T02:00", "2026-10-25T02:10", "2026-10-25T02:30", "2026-10-25T02:59"):
            now = at(wall, fold=1)
            found = Schedule.parse("0,30 2 * * *").next_after(now, BERLIN)
            self.assertEqual(shown([found or 0]), ["2026-10-26T02:00+01:00"], wall)

    def test_stars_go_by_the_hours_as_they_pass(self) -> None:
        """A minute or hour that begins with a star is no appointment."""
        self.assertEqual(
            times("30 * * * *", "2026-10-25T01:00", "2026-10-25T03:59"),
            ["2026-10-25T01:30+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"],
        )
        self.assertEqual(len(times("*/15 * * * *", "2026-03-29T00:00", "2026-03-29T06:00")), 20)
        self.assertEqual(len(times("*/15 * * * *", "2026-10-25T00:00", "2026-10-25T06:00")), 28)

    def test_half_an_hour_of_daylight_saving_is_known(self) -> None:
        """On Lord Howe Island it is 02:30 after 01:59 on 4 October 2026."""
        self.assertEqual(
            times("15 2 * * *", "2026-10-03T12:00", "2026-10-05T12:00", LORD_HOWE),
            ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
        )

    def test_a_leap_day_is_waited_for(self) -> None:
        """Over a year that is divisible by four and has none, too."""
        schedule = Schedule.parse("0 0 29 2 *")

        self.assertEqual(schedule.next_after(at("2097-01-01"), BERLIN), at("2104-02-29"))

    def test_times_of_several_lines_come_once(self) -> None:
        """What two lines mean is one time."""
        lines = [Schedule.parse(each) for each in ("0 * * * *", "*/30 * * * *", "@daily")]

        self.assertEqual(list(times_between(lines, 0, 7200, UTC)), [1800, 3600, 5400, 7200])
        self.assertEqual(list(times_between(lines, 3600, 3600, UTC)), [])
        self.assertEqual(list(times_between([], 0, 7200, UTC)), [])

    def test_the_next_of_several_is_the_first(self) -> None:
        """Without any there is none."""
        lines = [Schedule.parse(each) for each in ("0 5 * * *", "0 3 * * *")]

        self.assertEqual(next_time(lines, 0, UTC), 3 * 3600)
        self.assertIsNone(next_time([], 0, UTC))


def _field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    ranges = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1]).map("{0[0]}-{0[1]}".format)
    steps = st.builds("{}/{}".format, st.one_of(st.just("*"), ranges), st.integers(1, 40))
    part = st.one_of(st.just("*"), number.map(str), ranges, steps)
    return st.lists(part, min_size=1, max_size=3).map(",".join)


def _means(field: str, least: int, most: int) -> set[int]:
    """Read a field in a second way, as crontab(5) describes it."""
    found: set[int] = set()
    for part in field.split(","):
        first, _, step = part.partition("/")
        low, _, high = (f"{least}-{most}" if first == "*" else first).partition("-")
        found |= set(range(int(low), int(high or low) + 1, int(step or 1)))
    return found


class MeaningTests(SynchronousTestCase):
    @given(_field(0, 59), _field(0, 23), _field(1, 31), _field(1, 12), _field(0, 7), st.integers(0, 2**31))
    @settings(max_examples=150, deadline=None)
    def test_the_next_time_is_the_one_that_crontab_means(
        self, minute: str, hour: str, day: str, month: str, weekday: str, now: int
    ) -> None:
        """In UTC, where all days are alike: it matches, and nothing before it does."""
        try:
            schedule = Schedule.parse(f"{minute} {hour} {day} {month} {weekday}")
        except ValueError:
            return
        minutes, hours = _means(minute, 0, 59), _means(hour, 0, 23)
        days, months, weekdays = _means(day, 1, 31), _means(month, 1, 12), {each % 7 for each in _means(weekday, 0, 7)}

        def is_day(time: datetime) -> bool:
            is_either = time.day in days, time.isoweekday() % 7 in weekdays
            any_or_all = all if day.startswith("*") or weekday.startswith("*") else any
            return time.month in months and any_or_all(is_either)

        found = schedule.next_after(now, UTC)

        assert found is not None
        time = datetime.fromtimestamp(found, UTC)
        self.assertGreater(found, now)
        self.assertTrue(is_day(time) and time.hour in hours and time.minute in minutes)
        for moment in range(now // 86400 * 86400, min(found, now + 400 * 86400), 86400):
            if is_day(datetime.fromtimestamp(moment, UTC)):
                clock = [moment + 3600 * hour + 60 * minute for hour in hours for minute in minutes]
                self.assertFalse([each for each in clock if now < each < found])

    @given(st.text(st.characters(codec=None), max_size=30) | st.text("0123456789*/-,LW#@? MONJAN", max_size=30))
    @settings(deadline=None)
    def test_any_text_is_a_schedule_or_a_mistake(self, text: str) -> None:
        """And nothing else is raised."""
        try:
            found = Schedule.parse(text)
        except ValueError as error:
            self.assertTrue(str(error).isprintable())
        else:
            self.assertEqual(Schedule.parse(found.fields), found)
