"""Tests of what is asked of every request before anything else."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Busy, Code, Denied, Fault, LoginRequired, RequestError, Throttled, UnknownRun
from cmdserver.core.events import EventLog
from cmdserver.core.model import Caller, Role, Stranger
from cmdserver.dispatch.admission import Admission
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.limits.rate_limit import Throttle
from tests.doubles import a_caller
from tests.running_doubles import MemoryLedger, TurnClock, command, user

ADA = user("ada")
OUTSIDE = a_caller(listener="tcp:2023")


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ledger = MemoryLedger()
        self.clock = TurnClock()
        policy = Policy([command()], [Role(name="admin", patterns=("*",), users=frozenset({"ada"}))], ["tcp:2023"])
        log = RequestLog(EventLog(self.ledger), self.clock.seconds)
        self.admission = Admission(policy, Throttle(2), log, self.clock)
        self.asked: list[str] = []

    def now(self, caller: Caller, answer: Callable[[], object]) -> object:
        """Ask what is answered at once; what is raised is returned."""

        def query() -> object:
            self.asked.append("now")
            return answer()

        try:
            return self.admission.consult(caller, "word", ("x",), query)
        except RequestError as error:
            return error

    def later(self, caller: Caller, answer: Callable[[], object]) -> object:
        """Ask what takes a while."""

        async def query() -> object:
            self.asked.append("later")
            return answer()

        deferred: Deferred[Any] = Deferred.fromCoroutine(self.admission.consult_later(caller, "word", ("x",), query))
        results: list[Any] = []
        deferred.addCallbacks(results.append, lambda failure: results.append(failure.value))
        return results[0]

    @property
    def written(self) -> list[tuple[str | None, tuple[str, ...], Code]]:
        """What was written down."""
        return [(event.command, event.arguments, event.outcome) for event in self.ledger.requests]

    def test_an_answer(self) -> None:
        """Is written down before it is given."""
        for ask in (self.now, self.later):
            self.setUp()
            self.assertEqual(ask(ADA, lambda: "answer"), "answer")
            self.assertEqual(self.written, [("word", ("x",), Code.OK)])

    def test_a_refusal(self) -> None:
        """Whatever the query says."""
        for ask in (self.now, self.later):
            self.setUp()

            def refuse() -> None:
                raise UnknownRun("x")

            self.assertIsInstance(ask(ADA, refuse), UnknownRun)
            self.assertEqual(self.written, [("word", ("x",), Code.UNKNOWN_RUN)])

    def test_who_asks_too_often(self) -> None:
        """Is not answered, and nothing is looked up for them; others are."""
        for ask in (self.now, self.later):
            self.setUp()
            for _ in range(2):
                ask(ADA, lambda: "answer")
            self.assertIsInstance(ask(ADA, lambda: "answer"), Throttled)
            self.assertEqual((len(self.asked), self.written[-1][-1]), (2, Code.THROTTLED))
            self.assertEqual(ask(user("guy"), lambda: "answer"), "answer")
            self.clock.advance(60)
            self.assertEqual(ask(ADA, lambda: "answer"), "answer")

    def test_who_has_to_log_in(self) -> None:
        """Is told so, and nothing is looked up for them."""
        for ask in (self.now, self.later):
            self.setUp()
            self.assertIsInstance(ask(OUTSIDE, lambda: "answer"), LoginRequired)
            self.assertEqual(self.asked, [])

    def test_the_end_of_the_daemon(self) -> None:
        """Nothing more is answered; that is no use of anybody's allowance."""
        self.admission.is_closed = True
        for ask in (self.now, self.later):
            self.assertIsInstance(ask(ADA, lambda: "answer"), Busy)
        for _ in range(3):
            self.assertRaises(Busy, self.admission.count, Stranger(protocol="line", source="192.0.2.1"))
        self.admission.is_closed = False
        self.admission.require_open()
        self.assertEqual((self.now(ADA, lambda: "answer"), self.asked), ("answer", ["now"]))

    def test_what_cannot_be_written_down(self) -> None:
        """Is not told."""
        self.ledger.is_full = True
        for ask in (self.now, self.later):
            self.assertIsInstance(ask(ADA, lambda: "answer"), Fault)

    def test_who_does_not_wait(self) -> None:
        """What they have asked for may be done all the same, so it is written down."""
        deferred: Deferred[None] = Deferred()

        async def query() -> None:
            await deferred

        asked = Deferred.fromCoroutine(self.admission.consult_later(ADA, "stop", ("x",), query))
        asked.cancel()

        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.written, [("stop", ("x",), Code.OK)])

    def test_the_policy_of_this_moment(self) -> None:
        """Is the one that a reload has put there."""
        self.admission.policy = Policy([command()], [], [])

        self.assertNotIsInstance(self.now(OUTSIDE, lambda: "answer"), Denied)
