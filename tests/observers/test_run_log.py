"""The lines of the daemon's log about runs and logins."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from cmdserver.core.events import Event, LoggedIn, Started
from cmdserver.core.run_states import EndedBy
from cmdserver.observers.run_log import LONGEST_ARGUMENTS, log_event, login_line, run_line
from tests.doubles import a_caller
from tests.running_doubles import finished, requested


def a_login(outcome: Code = Code.DENIED, user: str | None = "root", reason: str | None = "no such user") -> LoggedIn:
    """Somebody tried."""
    return LoggedIn(
        time=0.0,
        id="0123456789abcdef",
        protocol="ssh",
        source="192.0.2.1",
        user=user,
        method="password",
        outcome=outcome,
        reason=reason,
    )


class RunLogTests(SynchronousTestCase):
    def said(self, event: Event) -> list[tuple[object, str]]:
        """Say at which levels what is logged of an event."""
        with capturedLogs() as logs:
            log_event(event)
        return [(each["log_level"], formatEvent(each)) for each in logs]

    def test_a_run(self) -> None:
        """Who, how, what, outcome, seconds and id, in one line."""
        caller = a_caller("ann", protocol="web", method="token", source="192.0.2.1")
        event = requested(caller=caller, arguments=("a b", '"'), answers=1)

        line = (
            'run: user="ann" protocol=web method=token source=192.0.2.1 command=uptime arguments=["a b", "\\""]'
            " outcome=ok exit_status=0 seconds=0.250 answers=1 id=0123456789abcdef"
        )
        self.assertEqual([(LogLevel.info, line)], self.said(event))

    def test_how_it_ended(self) -> None:
        """By which signal, and by whom; somebody without a name has none."""
        event = requested(
            outcome=Code.FAILED,
            ended_by=EndedBy.STOP,
            finished=finished(exit_status=None, signal="SIGTERM"),
            answers=3,
        )
        line = run_line(event)
        self.assertTrue(line.startswith("run: user=null protocol=line method=none source="), line)
        self.assertIn(" outcome=failed signal=SIGTERM ended_by=stop seconds=", line)
        self.assertIn(" answers=3 ", line)
        self.assertNotIn("exit_status", line)
        self.assertIn(" seconds=0.000 ", run_line(requested(finished=None, answers=1)))

    def test_what_is_no_run(self) -> None:
        """What nobody was started for, those who share what one line tells of, and starts."""
        for event in (
            requested(finished=None, outcome=Code.DENIED),
            requested(shared=True),
            Started(time=0.0, id="a", caller=a_caller(), command="uptime", arguments=()),
            a_login(Code.OK),
        ):
            self.assertEqual([], self.said(event), event)

    def test_a_failed_login(self) -> None:
        """Where from before what a client has said, which is written as JSON writes it."""
        user = 'x" source=192.0.2.9 \n\x1b[2J\u2028'
        line = (
            "login failed from 192.0.2.1: protocol=ssh method=password outcome=denied id=0123456789abcdef"
            ' reason="no such user" user="x\\" source=192.0.2.9 \\n\\u001b[2J\\u2028"'
        )
        self.assertEqual([(LogLevel.warn, line)], self.said(a_login(user=user)))
        ((level, _),) = self.said(replace(a_login(), method="publickey"))
        self.assertEqual(LogLevel.info, level, "clients offer what keys they have")
        for outcome in (Code.THROTTLED, Code.BUSY, Code.FAULT):
            ((_, said),) = self.said(a_login(outcome, None))
            self.assertIn(f" outcome={outcome} ", said)
            self.assertTrue(said.endswith(" user=null"), said)

    def test_long_arguments(self) -> None:
        """They are cut, visibly; what comes behind them is there."""
        line = run_line(requested(arguments=("x" * 70_000,), answers=1))

        self.assertLess(len(line), LONGEST_ARGUMENTS + 300)
        self.assertIn("xxx... outcome=ok ", line)
        self.assertTrue(line.endswith(" id=0123456789abcdef"), line)

    @given(st.text(), st.text())
    def test_nothing_ends_a_line(self, name: str, word: str) -> None:
        """Whatever a client says."""
        for line in (
            login_line(a_login(user=name, reason=word)),
            run_line(requested(caller=a_caller(name), arguments=(word,), answers=1)),
        ):
            self.assertTrue(line.isascii() and line.isprintable(), line)
