"""Tests of which runs somebody asks for."""

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import BadArgument
from cmdserver.core.run_states import RunState
from cmdserver.runs.query import MOST, RUN_KEYS, USUAL_LIMIT, RunQuery
from cmdserver.runs.record import Asked
from tests.doubles import LAW
from tests.runs.doubles import a_record


def parse(*fields: tuple[str, str]) -> RunQuery:
    """Read fields."""
    return RunQuery.parse(fields)


class ParseTests(TestCase):
    def test_all_of_them(self) -> None:
        """Each key has its value."""
        query = parse(("command", "df"), ("user", "ada"), ("state", "failed"), ("limit", "7"), ("before", "x.1"))

        self.assertEqual(query, RunQuery(command="df", user="ada", state=RunState.FAILED, limit=7, before="x.1"))
        self.assertEqual(set(RUN_KEYS), {"command", "user", "state", "limit", "before"})

    def test_none_of_them(self) -> None:
        """What is not said, or has no value as in a form, is not asked for."""
        self.assertEqual(parse(), RunQuery(limit=USUAL_LIMIT))
        self.assertEqual(parse(*((key, "") for key in RUN_KEYS)), RunQuery())

    def test_states(self) -> None:
        """Each is one."""
        for state in RunState:
            self.assertIs(parse(("state", str(state))).state, state)

    def test_mistakes(self) -> None:
        """Unknown keys, keys that are given twice, and values that are none; what was given is told harmlessly."""
        cases = [
            (("colour", "red"), "runs has no colour; try command, user, state, limit, before"),
            (("", "x"), "runs has no ; try"),
            (("Command", "df"), "runs has no Command"),
            (("state", "done"), "there is no state done; try queued, running, ok"),
            (("state", "OK"), "there is no state OK"),
            (("limit", "0"), f"limit is a number from 1 to {MOST}, not 0"),
            (("limit", str(MOST + 1)), "limit is a number"),
            (("limit", "-1"), "limit is a number"),
            (("limit", "1.5"), "limit is a number"),
            (("limit", "\N{SUPERSCRIPT TWO}"), "limit is a number"),
            (("limit", "9" * 10_000), "limit is a number"),
            (("\x1b[2J", "x"), "runs has no \\x1b[2J"),
            (("state", "\x1b[2J"), "there is no state \\x1b[2J"),
            (("limit", "\n"), "limit is a number"),
        ]
        for field, told in cases:
            with self.subTest(field), self.assertRaises(BadArgument) as raised:
                parse(field)
            self.assertIn(told, str(raised.exception))
            self.assertLess(len(str(raised.exception)), 300)
        with self.assertRaisesRegex(BadArgument, "limit is given twice"):
            parse(("limit", "1"), ("limit", "1"))

    def test_limits(self) -> None:
        """Up to the most, and leading zeros are harmless."""
        self.assertEqual([parse(("limit", text)).limit for text in ("1", "01", str(MOST))], [1, 1, MOST])

    @given(st.lists(st.tuples(st.sampled_from([*RUN_KEYS, "x"]) | st.text(), st.text())))
    @LAW
    def test_anything(self, fields: list[tuple[str, str]]) -> None:
        """Is read, or refused in one harmless line."""
        try:
            query = RunQuery.parse(fields)
        except BadArgument as error:
            self.assertTrue(str(error).isprintable(), str(error))
        else:
            self.assertLessEqual(query.limit, MOST)


class MatchTests(TestCase):
    def test_each_key(self) -> None:
        """All that are asked for count."""
        record = a_record(command="df", user="ada", state=RunState.OK, others=(Asked(id="b", user="guy"),))
        for query, matches in (
            (RunQuery(), True),
            (RunQuery(command="df"), True),
            (RunQuery(command="d"), False),
            (RunQuery(user="ada"), True),
            (RunQuery(user="guy"), True),
            (RunQuery(user="bob"), False),
            (RunQuery(state=RunState.OK), True),
            (RunQuery(state=RunState.FAILED), False),
            (RunQuery(command="df", user="bob"), False),
            (RunQuery(command="df", user="guy", state=RunState.OK), True),
        ):
            with self.subTest(query):
                self.assertIs(query.matches(record), matches)
