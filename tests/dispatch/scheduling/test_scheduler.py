"""Tests of who shares a process, who waits for a place, and who is told what."""

import errno
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import CancelledError, fail
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import AuditError, Busy, Denied, Refusal, Throttled
from cmdserver.core.model import Caller, Rate
from cmdserver.core.output import ProcessResult
from cmdserver.core.run_states import EndedBy, OnDisconnect, RunState, WhenRunning
from cmdserver.dispatch import requests
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.output_parsers import OutputParsers
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.requests import JOINED, Request, Run
from cmdserver.dispatch.scheduling.answering import BYTES_A_TURN
from cmdserver.dispatch.scheduling.run_directory import RunDirectory
from cmdserver.dispatch.scheduling.scheduler import Scheduler
from cmdserver.execution.runner import Runner
from cmdserver.limits.fair_queue import FairQueue
from cmdserver.runs.history import NoHistory
from cmdserver.runs.recording import PIECE_BYTES, READERS_A_TURN
from tests.doubles import ParserHere, a_caller
from tests.running_doubles import STRANGER, Asked, FakeProcess, RecordingSink, fake_host, grant, user

ADA, GUY, BOB = user("ada"), user("guy"), user("bob")


class FakeRequestLog:
    """A `RequestLog` that keeps what it is told, and tells the questions what the dispatcher would."""

    def __init__(self) -> None:
        self.reports: list[str] = []
        self.ends: list[ProcessResult] = []
        #: For whom each process was about to be started.
        self.started: list[list[str]] = []
        #: What the processes of those that were turned away had done.
        self.so_far: list[ProcessResult | None] = []
        #: Whether those who asked may be told.
        self.consents = True
        self.mistake: Exception | None = None
        #: Why nothing may be run, at the moment at which it would be.
        self.trouble: AuditError | None = None

    def starting(self, run: Run) -> None:
        self.started.append([each.id for each in run.requests])
        if self.trouble is not None:
            raise self.trouble

    def ended(self, run: Run) -> bool:
        if self.mistake is not None:
            raise self.mistake
        asked_ids, departed_ids = (",".join(each.id for each in requests) for requests in (run.asked, run.departed))
        self.reports.append(f"settled {asked_ids} departed {departed_ids}".rstrip())
        assert run.result is not None
        self.ends.append(run.result)
        return self.consents

    def turned_away(self, request: Request, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        self.reports.append(f"turned away {request.id}")
        self.so_far.append(so_far)
        request.answered.errback(refusal)

    def failed(self, request: Request, failure: Failure) -> None:
        self.reports.append(f"failed {request.id}")
        request.answered.errback(failure)

    def abandoned(self, request: Request) -> None:
        self.reports.append(f"abandoned {request.id}")


class SchedulerTestCase(SynchronousTestCase):
    """A scheduler on a host of fake processes; to be subclassed."""

    def setUp(self) -> None:
        self.host = fake_host(self)
        self.clock = self.host.clock
        self.runner = Runner(self.host, self.clock)
        self.log = FakeRequestLog()
        self.happened: list[str] = []
        self.mistakes: list[Exception] = []
        self.let(running=4, queued=10)

    def let(self, *, running: int, queued: int) -> None:
        """Begin with these limits."""
        self.fair_queue: FairQueue[Run] = FairQueue(running, queued)
        self.directory = RunDirectory(self.clock, self.clock.seconds, NoHistory(), lambda: 1 << 18)
        self.scheduler = Scheduler(
            self.fair_queue,
            self.runner,
            self.clock,
            cast("RequestLog", self.log),
            self.directory,
            Assessor(OutputParsers(ParserHere(), self.clock)),
        )

    def ask(self, name: str, caller: Caller = ADA, sink: RecordingSink | None = None, /, **differences: Any) -> Asked:
        """Enter a question under a name of its own."""
        request = Request(name, caller, ["uptime"], grant(**differences))
        request.sink = sink
        self.scheduler.enter(request)
        return Asked(request.answered, self.happened)

    def share(self, name: str, caller: Caller = ADA, sink: RecordingSink | None = None) -> Asked:
        """The same, for a command that is shared."""
        return self.ask(name, caller, sink, share=True)

    def on_end(self, asked: Asked, call: Callable[[], object]) -> None:
        """Do something as soon as a question has its answer or its error; what it raises is kept."""

        def done(result: object) -> object:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - none is expected
                self.mistakes.append(error)
            return result

        asked.deferred.addBoth(done)

    def turn(self) -> None:
        """Let what waits for the reactor's next turn happen."""
        self.clock.advance(0)

    @property
    def processes(self) -> list[FakeProcess]:
        """All that were started."""
        return self.host.processes


class UnsharedTests(SchedulerTestCase):
    """Questions that have a process each."""

    def test_each_has_its_own_process(self) -> None:
        """Two who ask the same of a command that is not shared get what two processes said."""
        asked = [self.ask("a"), self.ask("b")]

        for process, said in zip(self.processes, (b"1", b"2"), strict=True):
            process.says(said)
            process.ends()

        self.assertEqual([each.answer.finished.stdout for each in asked], [b"1", b"2"])
        self.assertEqual([each.answer.shared for each in asked], [False, False])
        self.assertEqual([each.answer.id for each in asked], ["a", "b"])

    def test_output_is_streamed(self) -> None:
        """A sink hears what its process says while it runs, and the answer holds none of it."""
        sink = RecordingSink(self.happened)
        asked = self.ask("a", ADA, sink)

        self.processes[0].says(b"said")
        self.assertEqual(self.happened, ["started", "out"])
        self.processes[0].ends()

        self.assertEqual(self.happened, ["started", "out", "answered"])
        self.assertEqual((asked.answer.finished.stdout, asked.answer.finished.stdout_bytes), (b"", 4))

    def test_a_start_is_reported_when_it_comes(self) -> None:
        """Not when a question enters the line, and with all who share what is started."""
        self.let(running=1, queued=10)
        self.ask("x")
        for name in "ab":
            self.share(name)
        self.assertEqual(self.log.started, [["x"]])

        self.processes[0].ends()

        self.assertEqual(self.log.started, [["x"], ["a", "b"]])

    def test_an_answer_is_told_after_the_report(self) -> None:
        """Nobody is told before the end has been reported; nobody at all if the reporter does not consent."""
        asked = self.ask("a")
        self.log.consents = False

        self.processes[0].ends()

        self.assertEqual(self.log.reports, ["settled a departed"])
        self.assertTrue(asked.is_open)

    def test_who_leaves_ends_the_process(self) -> None:
        """A process whose one caller has gone is asked to end, and its end is reported as departed."""
        asked = self.ask("a")

        asked.leave()
        self.assertEqual([name for _, name in self.host.signals], ["SIGTERM"])
        self.turn()

        self.assertIsInstance(asked.error, CancelledError)
        self.assertEqual(self.log.reports, ["settled  departed a"])
        self.assertEqual(self.fair_queue.running, 0)

    def test_who_leaves_hears_no_more(self) -> None:
        """What the process says between the leaving and its end reaches no sink any more."""
        sink = RecordingSink(self.happened)
        asked = self.ask("a", ADA, sink)
        self.processes[0].ignores.update(range(1, 64))  # type: ignore[arg-type]

        asked.leave()
        self.processes[0].says(b"late")

        self.assertEqual(self.happened, ["started", "failed"])

    def test_who_leaves_at_the_start_ends_the_process(self) -> None:
        """A caller who goes away at the very moment at which its waiting is over leaves no process behind."""
        self.let(running=1, queued=1)
        self.ask("a")
        sink = RecordingSink()
        asked = self.ask("b", ADA, sink)
        sink.when_started = asked.leave

        self.processes[0].ends()
        self.turn()

        self.assertEqual(len(self.processes), 2)
        self.assertFalse(self.processes[1].is_alive)

    def test_who_leaves_the_line_is_not_started(self) -> None:
        """A question whose caller leaves while it waits is forgotten, and said to be withdrawn."""
        self.let(running=1, queued=1)
        self.ask("a")
        waiting = self.ask("b")

        waiting.leave()
        self.processes[0].ends()

        self.assertEqual(len(self.processes), 1)
        self.assertEqual(self.log.reports, ["abandoned b", "settled a departed"])
        self.assertEqual(self.fair_queue.queued, 0)

    def test_to_leave_after_the_answer_is_harmless(self) -> None:
        """There is nothing left to leave."""
        asked = self.ask("a")
        self.processes[0].ends()

        asked.leave()

        self.assertEqual(asked.answer.id, "a")
        self.assertEqual(self.log.reports, ["settled a departed"])


class PlacesTests(SchedulerTestCase):
    """Waiting for a place."""

    def test_no_more_run_than_may(self) -> None:
        """Those beyond the limit wait, and start in turn as places come free."""
        self.let(running=2, queued=10)
        for name in "abcd":
            self.ask(name)
        self.assertEqual((len(self.processes), self.fair_queue.queued), (2, 2))

        self.processes[0].ends()
        self.assertEqual((len(self.processes), self.fair_queue.queued), (3, 1))
        self.processes[1].ends()

        self.assertEqual((len(self.processes), self.fair_queue.queued, self.fair_queue.running), (4, 0, 2))

    def test_a_full_line_is_busy(self) -> None:
        """Who finds no room is refused at once, and nothing of the question is left."""
        self.let(running=1, queued=1)
        self.ask("a")
        self.ask("b")

        self.assertRaises(Busy, self.ask, "c")

        self.processes[0].ends()
        self.processes[1].ends()
        self.assertEqual(len(self.processes), 2)
        self.assertEqual((self.fair_queue.running, self.fair_queue.queued), (0, 0))

    def test_a_refused_question_may_be_asked_again(self) -> None:
        """A shared question that was refused for lack of room founds a group like any other later on."""
        self.let(running=1, queued=0)
        self.ask("a")
        self.assertRaises(Busy, self.share, "b")
        self.processes[0].ends()

        asked = self.share("c")
        self.processes[1].ends()

        self.assertEqual(asked.answer.id, "c")

    def test_who_has_most_waiting_makes_room(self) -> None:
        """Who comes last takes the place of the last in the longest lane, who is told that it is busy."""
        self.let(running=1, queued=3)
        self.ask("a1")
        greedy = [self.ask("a2"), self.ask("a3"), self.ask("a4")]

        modest = self.ask("b1", GUY)

        self.assertIsInstance(greedy[2].error, Busy)
        self.assertEqual(self.log.reports, ["turned away a4"])
        self.assertTrue(modest.is_open)
        self.assertEqual(self.fair_queue.queued, 3)

    def test_lanes_take_turns(self) -> None:
        """A caller with one request is not served after another's many."""
        self.let(running=1, queued=10)
        for name in ("a1", "a2", "a3"):
            self.ask(name, ADA)
        self.ask("b1", GUY)
        for index in range(4):
            self.processes[index].ends()

        self.assertEqual(self.log.reports, [f"settled {name} departed" for name in ("a1", "a2", "b1", "a3")])

    def test_one_network_has_one_lane(self) -> None:
        """Addresses of one IPv6 network do not get a turn each."""
        self.let(running=1, queued=10)
        for number in (1, 2, 3):
            self.ask(f"a{number}", a_caller(source=f"2001:db8::{number}"))
        self.ask("b1", a_caller(source="2001:db8:0:1::1"))
        for index in range(4):
            self.processes[index].ends()

        self.assertEqual(self.log.reports, [f"settled {name} departed" for name in ("a1", "a2", "b1", "a3")])

    def test_a_command_may_have_a_limit_of_its_own(self) -> None:
        """One command at its own limit does not hold others up."""
        self.let(running=4, queued=10)
        self.ask("a", name="df", max_running=1)
        self.ask("b", name="df", max_running=1)

        self.ask("c", name="uptime")
        self.assertEqual(len(self.processes), 2)
        self.processes[0].ends()

        self.assertEqual(len(self.processes), 3)

    def test_greater_limits_count_at_once(self) -> None:
        """When the limits have grown, those who wait are started without waiting for an end."""
        self.let(running=1, queued=10)
        for name in "abc":
            self.ask(name)

        self.fair_queue.running_limit = 3
        self.scheduler.start_all_that_may()

        self.assertEqual(len(self.processes), 3)

    def test_the_place_goes_on_before_anybody_is_told(self) -> None:
        """When an answer is told, the next process has been started already, and asking again waits behind it."""
        self.let(running=1, queued=10)
        first = self.ask("a")
        self.ask("b")
        seen: list[int] = []
        self.on_end(first, lambda: seen.append(len(self.processes)))

        self.processes[0].ends()

        self.assertEqual(seen, [2])


class TurnedAwayTests(SchedulerTestCase):
    """Refusing all that wait."""

    def setUp(self) -> None:
        super().setUp()
        self.let(running=1, queued=10)

    def turn_all_away(self) -> None:
        """Refuse them."""
        self.scheduler.review(lambda _, is_running: None if is_running else Busy("stopping", 10))

    def test_those_who_wait_are_told(self) -> None:
        """All who wait, alone, in a group or for a run's end, are told that it is busy; what runs goes on."""
        running = self.share("a")
        waiting = [self.share("b"), self.share("c", GUY), self.ask("d")]

        self.turn_all_away()

        self.assertEqual({type(each.error) for each in waiting}, {Busy})
        self.processes[0].ends()
        self.assertEqual(running.answer.id, "a")
        self.assertEqual(len(self.processes), 1)
        self.assertEqual((self.fair_queue.running, self.fair_queue.queued), (0, 0))

    def test_who_is_told_may_leave_another_run(self) -> None:
        """A caller who hears the bad news and takes another of its waiting questions back does no harm to the rest."""
        self.ask("a")
        first, second, third = self.ask("b"), self.ask("c"), self.ask("d")
        self.on_end(first, second.leave)

        self.turn_all_away()

        self.assertEqual(self.mistakes, [])
        self.assertIsInstance(first.error, Busy)
        self.assertFalse(second.is_open)
        self.assertIsInstance(third.error, Busy)
        self.assertEqual(self.log.reports, ["turned away b", "abandoned c", "turned away d"])

    def test_who_is_told_may_leave_the_same_run(self) -> None:
        """The same within one group that waits."""
        self.ask("a")
        first, second, third = self.share("b"), self.share("c"), self.share("d")
        self.on_end(first, second.leave)

        self.turn_all_away()

        self.assertEqual(self.mistakes, [])
        self.assertIsInstance(first.error, Busy)
        self.assertFalse(second.is_open)
        self.assertIsInstance(third.error, Busy)


class ReviewTests(SchedulerTestCase):
    """Judging again what was granted before."""

    def refuse(self, *names: str) -> list[tuple[str, bool]]:
        """Refuse the questions with these names; return which were judged, and whether as running."""
        judged = []

        def judge(request: Request, is_running: bool) -> Denied | None:
            judged.append((request.id, is_running))
            return Denied("not any more") if request.id in names else None

        self.scheduler.review(judge)
        return judged

    def share_two(self) -> tuple[list[RecordingSink], list[Asked]]:
        """Let two have a part in one process, which runs."""
        self.let(running=1, queued=10)
        self.ask("x")
        sinks = [RecordingSink(), RecordingSink()]
        asked = [self.share("a", ADA, sinks[0]), self.share("b", GUY, sinks[1])]
        self.processes[0].ends()
        return sinks, asked

    def test_all_are_judged(self) -> None:
        """Those that run, those in line, and those that wait for an end of others; nobody who has an answer."""
        self.let(running=1, queued=10)
        self.ask("z")
        self.processes[0].ends()
        self.share("a")
        self.share("b")
        self.ask("c")

        self.assertEqual(self.refuse(), [("a", True), ("b", False), ("c", False)])
        self.assertEqual(self.log.reports, ["settled z departed"])

    def test_one_in_line_is_not_started(self) -> None:
        """Who is refused while it waits is told, gives its place in line back, and is never run."""
        self.let(running=1, queued=10)
        self.ask("a")
        waiting = [self.ask("b"), self.ask("c")]

        self.refuse("b")
        self.processes[0].ends()

        self.assertIsInstance(waiting[0].error, Denied)
        self.assertIsNone(self.directory.find("b"))
        self.assertNotIn("b", [run.id for run in self.directory])
        self.assertEqual(self.log.so_far, [None])
        self.processes[1].ends()
        self.assertEqual(waiting[1].answer.id, "c")
        self.assertEqual((len(self.processes), self.fair_queue.queued), (2, 0))

    def test_one_of_a_group_in_line(self) -> None:
        """Of those who wait for the same process one may be refused, and the others are answered."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share("a"), self.share("b", GUY)]

        self.refuse("a")
        self.processes[0].ends()
        self.processes[1].ends()

        self.assertIsInstance(asked[0].error, Denied)
        self.assertEqual((asked[1].answer.id, asked[1].answer.shared), ("b", False))

    def test_one_that_runs_is_ended(self) -> None:
        """A process of somebody who is refused is ended as if its caller had left, and says no more to anybody."""
        sink = RecordingSink()
        asked = self.ask("a", ADA, sink)
        self.clock.advance(1.5)
        self.processes[0].says(b"before")

        self.refuse("a")
        self.processes[0].says(b"after")
        self.turn()

        self.assertIsInstance(asked.error, Denied)
        self.assertEqual(sink.stdout, b"before")
        self.assertFalse(self.processes[0].is_alive)
        (so_far,) = self.log.so_far
        assert so_far is not None
        self.assertEqual((so_far.duration_seconds, so_far.stdout_bytes, so_far.is_over), (1.5, 6, False))
        self.assertEqual(self.log.reports, ["turned away a", "settled  departed"])
        self.assertEqual([end.ended_by for end in self.log.ends], [EndedBy.STOP])
        self.assertEqual(self.fair_queue.running, 0)

    def test_one_of_those_who_share_what_runs(self) -> None:
        """Of those who hear the same process only who is refused hears no more; the process goes on for the others."""
        sinks, asked = self.share_two()
        self.processes[1].says(b"before")

        self.refuse("a")
        self.processes[1].says(b"after")
        self.assertTrue(self.processes[1].is_alive)
        self.processes[1].ends()

        self.assertIsInstance(asked[0].error, Denied)
        self.assertEqual([sink.stdout for sink in sinks], [b"before", b"beforeafter"])
        self.assertEqual(asked[1].answer.id, "b")
        self.assertEqual(self.log.reports[1:], ["turned away a", "settled b departed"])

    def test_all_who_share_what_runs(self) -> None:
        """When all are refused, nobody waits for the process, and it is ended."""
        self.share_two()

        self.refuse("a", "b")
        self.turn()

        self.assertFalse(self.processes[1].is_alive)

    def test_one_that_is_slow_to_hear_what_has_ended(self) -> None:
        """A reader who lags behind a process that is over hears no more of it either."""
        sinks, asked = self.share_two()
        sinks[0].when_out = sinks[0].pause
        self.processes[1].says(b"one")
        self.processes[1].says(b"two")
        self.processes[1].ends()
        self.assertEqual(asked[1].answer.id, "b")

        self.assertEqual(self.refuse("a"), [("a", True)])
        sinks[0].resume()

        self.assertIsInstance(asked[0].error, Denied)
        self.assertEqual(sinks[0].stdout, b"one")
        (so_far,) = self.log.so_far
        assert so_far is not None
        self.assertTrue(so_far.is_over)
        self.assertEqual(self.refuse("a"), [], "nothing is left of it")

    def test_one_that_has_heard_all_is_not_judged(self) -> None:
        """A slow reader who has caught up has its answer, and is forgotten; so is one who has left."""
        sinks, asked = self.share_two()
        for sink in sinks:
            sink.when_out = sink.pause
        self.processes[1].says(b"one")
        self.processes[1].ends()
        sinks[0].resume()
        asked[1].leave()

        self.assertEqual(self.refuse("a", "b"), [])
        self.assertEqual(asked[0].answer.id, "a")

    def test_who_is_told_may_leave_another(self) -> None:
        """A caller who is refused, and takes another of its refused questions back, does no harm."""
        self.let(running=1, queued=10)
        self.ask("x")
        first, second = self.ask("a"), self.ask("b")
        self.on_end(first, second.leave)

        self.refuse("a", "b")

        self.assertEqual(self.mistakes, [])
        self.assertIsInstance(second.error, CancelledError)
        self.assertEqual(self.log.reports, ["turned away a", "abandoned b"])

    def test_who_is_told_may_ask_again(self) -> None:
        """What is asked from within the telling is not judged by this review."""
        self.let(running=1, queued=10)
        self.ask("x")
        again: list[Asked] = []
        self.on_end(self.ask("a"), lambda: again.append(self.ask("a")))

        self.assertEqual([name for name, _ in self.refuse("a")], ["x", "a"])
        self.assertTrue(again[0].is_open)


class SharedTests(SchedulerTestCase):
    """Questions that have a process together."""

    def test_those_who_wait_together_share(self) -> None:
        """Three who wait for a place get the answer of one process, each under their own id."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share("a"), self.share("b", GUY), self.share("c", STRANGER)]
        self.processes[0].ends()
        self.assertEqual(len(self.processes), 2)

        self.processes[1].says(b"said")
        self.processes[1].ends()

        self.assertEqual([each.answer.finished.stdout for each in asked], [b"said"] * 3)
        self.assertEqual([each.answer.id for each in asked], ["a", "b", "c"])
        self.assertEqual([each.answer.shared for each in asked], [True] * 3)
        self.assertEqual(self.log.reports[1:], ["settled a,b,c departed"])

    def test_who_comes_alone_does_not_share(self) -> None:
        """A shared command that answered one question says so."""
        asked = self.share("a")

        self.processes[0].ends()

        self.assertIs(asked.answer.shared, False)

    def test_an_answer_is_never_older_than_its_question(self) -> None:
        """Who finds a run under way waits for the next one, together with all who arrive meanwhile."""
        early = self.share("a")
        late = [self.share("b"), self.share("c", GUY)]
        self.assertEqual(len(self.processes), 1)
        self.processes[0].says(b"old")
        self.processes[0].ends()
        self.assertEqual(early.answer.finished.stdout, b"old")
        self.assertEqual(len(self.processes), 2)

        self.processes[1].says(b"new")
        self.processes[1].ends()

        self.assertEqual([each.answer.finished.stdout for each in late], [b"new", b"new"])
        self.assertEqual([each.answer.shared for each in late], [True, True])

    def test_different_grants_do_not_share(self) -> None:
        """What would run differently runs apart, be it only as another user."""
        self.ask("a", share=True, user="root")
        self.ask("b", share=True, user="nobody")

        self.assertEqual(len(self.processes), 2)

    def test_the_last_who_leaves_ends_the_process(self) -> None:
        """A shared process goes on while anybody waits for it."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share("a"), self.share("b")]
        self.processes[0].ends()

        asked[0].leave()
        self.assertTrue(self.processes[1].is_alive)
        self.assertNotIn("SIGTERM", [name for _, name in self.host.signals])
        asked[1].leave()
        self.turn()

        self.assertFalse(self.processes[1].is_alive)
        self.assertEqual(self.log.reports[1:], ["settled  departed a,b"])

    def test_who_stays_is_answered(self) -> None:
        """One who leaves a shared run costs the other nothing."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share("a"), self.share("b")]
        self.processes[0].ends()
        asked[0].leave()

        self.processes[1].ends()

        self.assertEqual(asked[1].answer.id, "b")
        self.assertIsInstance(asked[0].error, CancelledError)
        self.assertEqual(self.log.reports[1:], ["settled b departed a"])

    def test_who_leaves_while_waiting_for_an_end_is_withdrawn(self) -> None:
        """A group that nobody waits for any more is not started when the run before it has ended."""
        self.share("a")
        late = self.share("b")

        late.leave()
        self.processes[0].ends()

        self.assertEqual(len(self.processes), 1)
        self.assertEqual(self.log.reports, ["abandoned b", "settled a departed"])

    def test_a_group_stands_in_all_its_lanes(self) -> None:
        """A group waits no longer than the best placed of those who share it."""
        self.let(running=1, queued=10)
        self.ask("a0", ADA)
        for index in range(1, 4):
            self.ask(f"a{index}", ADA)
        self.share("a4", ADA)
        self.ask("g0", GUY)
        shared = self.share("g1", BOB)

        for index in range(4):
            self.processes[index].ends()

        self.assertEqual(shared.answer.id, "g1")

    def test_the_following_group_may_find_no_room(self) -> None:
        """Those who waited for an end, and find the line full then, are told that it is busy."""
        self.let(running=2, queued=1)
        self.share("a", ADA)
        self.ask("y", ADA)
        late = [self.share("b", GUY), self.share("c", BOB)]
        self.ask("x", ADA)
        self.fair_queue.running_limit = 1  # as after a reload

        self.processes[0].ends()

        self.assertEqual({type(each.error) for each in late}, {Busy})
        self.assertEqual(self.log.reports[:2], ["turned away b", "turned away c"])

    def test_an_answer_may_be_asked_for_again_at_once(self) -> None:
        """Who asks again when it is told joins those who wait already, and never the run that has just ended."""
        again: list[Asked] = []
        first = self.share("a")
        self.on_end(first, lambda: again.append(self.share("b")))

        self.processes[0].says(b"old")
        self.processes[0].ends()
        self.assertEqual(len(self.processes), 2)
        self.processes[1].says(b"new")
        self.processes[1].ends()

        self.assertEqual(again[0].answer.finished.stdout, b"new")

    def test_an_answer_may_make_another_of_the_same_run_leave(self) -> None:
        """A client that has one answer and gives up its other question of the same process harms nobody."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share("a"), self.share("b"), self.share("c")]
        self.processes[0].ends()
        self.on_end(asked[0], asked[1].leave)

        self.processes[1].ends()

        self.assertEqual(self.mistakes, [])
        self.assertIsInstance(asked[1].error, CancelledError)
        self.assertEqual([asked[0].answer.id, asked[2].answer.id], ["a", "c"])


class ToldTests(SchedulerTestCase):
    """Telling those who share a run what it says."""

    def setUp(self) -> None:
        super().setUp()
        self.let(running=1, queued=10)
        self.ask("x")
        self.happened.clear()
        self.sinks = [RecordingSink(), RecordingSink()]
        self.asked = [self.share("a", ADA, self.sinks[0]), self.share("b", GUY, self.sinks[1])]
        self.processes[0].ends()
        self.said = b"o" * PIECE_BYTES + b"end"

    def finish(self) -> None:
        """Let the shared process say something and end."""
        self.processes[1].says(self.said, b"err")
        self.processes[1].ends()

    def test_each_sink_hears_everything(self) -> None:
        """Both are told the whole output, then that it is over."""
        self.finish()

        for sink, asked in zip(self.sinks, self.asked, strict=True):
            self.assertEqual(sink.happened, ["started", "out", "err"])
            self.assertEqual((sink.stdout, sink.stderr), (self.said, b"err"))
            self.assertTrue(asked.answer.shared)

    def test_sinks_hear_what_is_said_when_it_is_said(self) -> None:
        """Who shares need not wait for the end, nor for one another."""
        self.sinks[0].when_started = self.sinks[0].pause
        self.assertEqual([sink.happened for sink in self.sinks], [["started"], ["started"]])
        self.processes[1].says(b"one")
        self.assertEqual(self.sinks[1].stdout, b"one")
        self.processes[1].says(b"two")

        self.assertEqual([sink.stdout for sink in self.sinks], [b"onetwo", b"onetwo"])
        self.assertEqual([asked.is_open for asked in self.asked], [True, True])

    def test_who_has_no_sink_has_it_in_the_answer(self) -> None:
        """Some who share a run may listen while others wait: both get all of it."""
        self.finish()
        listening, waiting = RecordingSink(), None
        first = self.ask("x2")
        asked = [self.share("c", ADA, listening), self.share("d", GUY, waiting)]
        self.processes[2].ends()
        self.processes[3].says(b"out", b"err")
        self.processes[3].ends()

        self.assertEqual(first.answer.id, "x2")
        self.assertEqual((listening.stdout, listening.stderr), (b"out", b"err"))
        for each in asked:
            self.assertEqual((each.answer.finished.stdout, each.answer.finished.stderr), (b"out", b"err"))

    def test_the_last_listener_who_leaves_ends_the_process(self) -> None:
        """One who leaves hears no more while the other goes on; when both have, so has the process."""
        self.processes[1].says(b"one")
        self.asked[0].leave()
        self.processes[1].says(b"two")

        self.assertEqual([sink.stdout for sink in self.sinks], [b"one", b"onetwo"])
        self.assertTrue(self.processes[1].is_alive)
        self.asked[1].leave()
        self.turn()

        self.assertFalse(self.processes[1].is_alive)

    def test_nobody_hears_more_than_may_be_written_down(self) -> None:
        """If the end cannot be written down, a slow reader is told of nothing that it has not heard before."""
        self.sinks[0].when_out = self.sinks[0].pause
        self.processes[1].says(b"one")
        self.processes[1].says(b"two")
        self.log.consents = False

        self.processes[1].ends()
        self.sinks[0].resume()

        self.assertEqual(self.sinks[0].stdout, b"one")

    def test_a_slow_reader_holds_nobody_up(self) -> None:
        """One who pauses gets the rest, and the answer, when it resumes; the others, and the place, do not wait."""
        self.sinks[0].when_out = self.sinks[0].pause

        self.finish()

        self.assertTrue(self.asked[0].is_open)
        self.assertEqual(self.asked[1].answer.id, "b")
        self.assertEqual(self.fair_queue.running, 0)
        self.sinks[0].when_out = lambda: None
        self.sinks[0].resume()
        self.assertEqual((self.sinks[0].stdout, self.asked[0].answer.id), (self.said, "a"))

    def test_a_slow_reader_may_leave(self) -> None:
        """Who goes away while it is being told hears no more, and its end is not reported a second time."""
        self.sinks[0].when_out = self.sinks[0].pause
        self.finish()
        reports = list(self.log.reports)

        self.asked[0].leave()
        self.sinks[0].resume()

        self.assertEqual(self.sinks[0].happened, ["started", "out"])
        self.assertIsInstance(self.asked[0].error, CancelledError)
        self.assertEqual(self.log.reports, reports)

    def test_a_reader_may_leave_while_it_is_told(self) -> None:
        """The same from within the telling: the first chunk of a connection that turns out to be broken."""
        self.sinks[0].when_out = self.asked[0].leave

        self.finish()

        self.assertIsInstance(self.asked[0].error, CancelledError)
        self.assertEqual(self.sinks[0].happened, ["started", "out"])
        self.assertEqual(self.asked[1].answer.id, "b")
        self.assertEqual([each for each in self.log.reports if "failed" in each], [])


class TurnTests(SchedulerTestCase):
    """Answering more who share a process than one turn of the reactor is good for."""

    def setUp(self) -> None:
        super().setUp()
        self.let(running=2, queued=10)
        self.ask("x", ADA, None, name="df", max_running=1)
        self.asked = [
            self.ask(f"a{number}", ADA, None, share=True, name="df", max_running=1)
            for number in range(2 * READERS_A_TURN + 20)
        ]
        self.processes[0].ends()

    def answered(self) -> int:
        """Count those who have an answer."""
        return sum(bool(asked.answers) for asked in self.asked)

    def test_so_many_in_a_turn(self) -> None:
        """The first are answered at once, as many in each turn after that; all ends were reported before."""
        self.processes[1].ends()
        self.assertEqual(self.log.reports[1].count(","), len(self.asked) - 1)

        told = [self.answered()]
        while self.clock.turn():
            told.append(self.answered())

        self.assertEqual(told[:3], [READERS_A_TURN, 2 * READERS_A_TURN, len(self.asked)])
        self.assertEqual({asked.answer.shared for asked in self.asked}, {True})

    def test_much_output_is_fewer_answers(self) -> None:
        """As much output as is made into answers in one turn is one answer a turn."""
        self.processes[1].says(b"x" * BYTES_A_TURN)
        self.processes[1].ends()

        told = [self.answered()]
        for _ in range(3):
            self.clock.turn()
            told.append(self.answered())

        self.assertEqual(told, [1, 2, 3, 4])

    def test_others_do_not_wait_for_all(self) -> None:
        """Whoever has another process is answered when that ends, not behind the many."""
        other = self.ask("b", GUY)
        self.processes[1].ends()
        self.processes[2].ends()

        self.assertEqual((other.answer.id, self.answered()), ("b", READERS_A_TURN))

    def test_who_leaves_before_its_turn(self) -> None:
        """Has no answer, and its end was reported already; the others are answered."""
        self.processes[1].ends()
        reports = list(self.log.reports)
        self.asked[-1].leave()
        self.on_end(self.asked[READERS_A_TURN], self.asked[-2].leave)
        for _ in range(2):
            self.clock.turn()

        self.assertEqual(self.answered(), len(self.asked) - 2)
        self.assertEqual((self.mistakes, self.log.reports), ([], reports))

    def test_who_is_refused_before_its_turn(self) -> None:
        """Somebody whose role was taken away in between gets no answer, though there is one."""
        self.processes[1].ends()
        self.scheduler.review(lambda request, _: Denied("not any more") if request.id == "a119" else None)
        for _ in range(2):
            self.clock.turn()

        self.assertIsInstance(self.asked[119].error, Denied)
        self.assertEqual(self.answered(), len(self.asked) - 1)

    def test_a_mistake_in_a_later_turn_leaves_nobody_without_an_answer(self) -> None:
        """All who have none yet are told of a fault."""
        self.processes[1].ends()
        self.patch(requests, "Answer", lambda **_: 1 / 0)
        for _ in range(2):
            self.clock.turn()

        self.assertEqual(self.answered(), READERS_A_TURN)
        self.assertEqual({type(asked.error) for asked in self.asked[READERS_A_TURN:]}, {ZeroDivisionError})
        self.assertEqual(self.log.reports[-1], "failed a119")


class LostTests(SchedulerTestCase):
    """A process that turns out not to have been started."""

    def test_nobody_hears_of_it_after_the_bad_news(self) -> None:
        """Those whose turn to hear of the start has not come yet hear nothing."""
        sinks = [RecordingSink() for _ in range(READERS_A_TURN + 1)]
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share(f"a{number}", ADA, sink) for number, sink in enumerate(sinks)]
        self.processes[0].ends()
        self.clock.turn()
        self.assertEqual((sinks[0].happened, sinks[-1].happened), (["started"], []))

        self.processes[1].is_lost(OSError(errno.ENOENT, "gone"))
        self.turn()

        self.assertEqual({type(each.error) for each in asked}, {FileNotFoundError})
        self.assertEqual(sinks[-1].happened, [])


class FailureTests(SchedulerTestCase):
    """What goes wrong on our side."""

    def trouble(self, number: int) -> None:
        """Let no process be started."""
        self.host.trouble = OSError(number, "trouble")

    def test_nothing_waits_past_the_audit_file(self) -> None:
        """What has waited for a place is not run if by then it could not be written down."""
        self.let(running=1, queued=1)
        self.ask("a")
        waiting = self.ask("b")
        self.log.trouble = AuditError("no room")
        self.processes[0].ends()
        self.turn()

        self.assertEqual(len(self.processes), 1)
        self.assertIsNotNone(waiting.error)
        self.assertIn("failed b", self.log.reports)

    def test_a_host_without_room_is_busy(self) -> None:
        """What the kernel has too little of may be there in a moment."""
        for number in (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            self.trouble(number)
            self.assertIsInstance(self.ask("a").error, Busy)

        self.assertEqual(self.log.reports, ["turned away a"] * 4)
        self.assertEqual(self.fair_queue.running, 0)

    def test_a_mistake_of_ours_gives_the_place_back(self) -> None:
        """Whatever the start of a process raises, its question is told, and others have their turn."""
        self.let(running=1, queued=10)
        self.host.trouble = ValueError("mistake")  # type: ignore[assignment]
        first = self.ask("a")
        self.host.trouble = None

        second = self.ask("b")
        self.processes[0].ends()

        self.assertIsInstance(first.error, ValueError)
        self.assertEqual((second.answer.id, self.fair_queue.running), ("b", 0))

    def test_a_sink_that_raises_has_no_answer(self) -> None:
        """A mistake while output is told, to one who shares with nobody, ends the process; its place is free again."""
        for what in ("when_started", "when_out"):
            with self.subTest(what):
                self.setUp()
                sink = RecordingSink()
                setattr(sink, what, lambda: 1 / 0)
                asked = self.ask("a", ADA, sink)
                self.processes[0].says(b"one")
                self.processes[0].says(b"two")
                self.turn()

                self.assertFalse(self.processes[0].is_alive)
                self.assertIsInstance(asked.error, ZeroDivisionError)
                self.assertEqual(self.log.reports, ["failed a", "settled  departed"])
                self.assertNotIn(b"two", sink.stdout)
                self.assertEqual(self.fair_queue.running, 0)

    def test_a_sink_that_raises_after_its_caller_has_left(self) -> None:
        """Is nobody's answer; that its caller left is reported."""
        sink = RecordingSink()
        asked = self.ask("a", ADA, sink)

        def leave() -> None:
            asked.leave()
            raise ValueError("mistake")

        sink.when_out = leave
        self.processes[0].says(b"one")
        self.turn()

        self.assertIsInstance(asked.error, CancelledError)
        self.assertEqual(self.log.reports, ["settled  departed a"])

    def test_who_leaves_when_another_hears_of_it_is_withdrawn(self) -> None:
        """Whoever takes a question back because another one failed has its end reported all the same."""
        for number, report in ((errno.EAGAIN, "turned away a"), (errno.ENOENT, "failed a")):
            with self.subTest(number):
                self.setUp()
                self.let(running=1, queued=10)
                self.ask("x")
                first, second = self.share("a"), self.share("b")
                self.on_end(first, second.leave)
                self.trouble(number)
                self.processes[0].ends()

                self.assertEqual(self.log.reports, [report, "abandoned b", "settled x departed"])

    def test_any_other_trouble_is_a_fault(self) -> None:
        """A program that is not there any more is reported with the kernel's error."""
        self.trouble(errno.ENOENT)

        asked = self.ask("a")

        self.assertIsInstance(asked.error, OSError)
        self.assertEqual(self.log.reports, ["failed a"])
        self.assertEqual(self.fair_queue.running, 0)

    def test_all_who_share_hear_of_it(self) -> None:
        """A process that cannot be started fails everyone who waited for it, and the next in line has its turn."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share("a"), self.share("b"), self.ask("c")]
        self.trouble(errno.ENOENT)

        self.processes[0].ends()

        self.assertEqual([isinstance(each.error, OSError) for each in asked], [True] * 3)
        self.assertEqual((self.fair_queue.running, self.fair_queue.queued), (0, 0))

    def test_a_mistake_in_the_report_leaves_nobody_without_an_answer(self) -> None:
        """If writing the end down raises what it never should, all who asked are told of a fault."""
        asked = self.ask("a")
        self.log.mistake = ValueError("mistake")

        self.processes[0].ends()

        self.assertIsInstance(asked.error, ValueError)
        self.assertEqual(self.fair_queue.running, 0)

    def test_a_mistake_in_one_sink_leaves_nobody_without_an_answer(self) -> None:
        """A sink that raises while it is told costs neither itself nor the others the end of their question."""

        def fail() -> None:
            raise ValueError("mistake")

        self.let(running=1, queued=10)
        self.ask("x")
        sinks = [RecordingSink(), RecordingSink()]
        sinks[0].when_out = fail
        asked = [self.share("a", ADA, sinks[0]), self.share("b", GUY, sinks[1])]
        self.processes[0].ends()

        self.processes[1].says(b"said")
        self.processes[1].ends()

        self.assertIsInstance(asked[0].error, ValueError)
        self.assertFalse(asked[1].is_open)


class RateTests(SchedulerTestCase):
    """``rate_limit``: how many processes of a command are started, whoever asks."""

    RATE = Rate(2, 600)

    def limited(self, name: str, caller: Caller = ADA, **differences: Any) -> Asked:
        """Ask for a command that may run twice in ten minutes."""
        try:
            return self.ask(name, caller, None, rate_limit=self.RATE, **differences)
        except Refusal as refusal:
            return Asked(fail(refusal), self.happened)

    def test_over_all_callers(self) -> None:
        """Who comes too late is told how long to wait, to the second."""
        self.limited("a")
        self.clock.advance(100)
        self.limited("b", GUY)
        self.clock.advance(99.5)

        error = self.limited("c", BOB).error
        assert isinstance(error, Throttled)
        self.assertEqual((401, 2), (error.retry_after_seconds, len(self.processes)))
        self.assertEqual("uptime may run 2 times in 10m, and has; try again in 401 s", str(error))

        self.clock.advance(401)
        self.assertTrue(self.limited("d", BOB).is_open)
        self.assertEqual(3, len(self.processes))

    def test_who_joins_costs_nothing(self) -> None:
        """What counts are processes."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.limited(name, share=True) for name in "abcd"]
        self.processes[0].ends()
        self.processes[1].ends()
        self.assertEqual([True] * 4, [each.answer.shared for each in asked])

        self.assertTrue(self.limited("e", share=True).is_open)
        self.assertIsInstance(self.limited("f", share=True).error, Throttled)

    def test_who_waits(self) -> None:
        """Those whose turn comes when it is too late are refused then, and others have their places."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.limited(name) for name in "abc"]
        other = self.ask("y")
        for number in range(3):
            self.processes[number].ends()
        self.assertIsInstance(asked[2].error, Throttled)
        self.assertIn("turned away c", self.log.reports)
        self.processes[3].ends()
        self.assertEqual(0, other.answer.finished.exit_status)
        self.assertEqual(4, len(self.processes))

    def test_what_did_not_run(self) -> None:
        """Is not counted: there was no room, nothing could be written, or the host could not."""
        self.let(running=1, queued=0)
        self.ask("x")
        for name in "ab":
            self.assertIsInstance(self.limited(name).error, Busy)
        self.let(running=4, queued=0)
        for trouble in (FileNotFoundError(errno.ENOENT, "no"), OSError(errno.E2BIG, "no"), OSError(errno.EAGAIN, "no")):
            self.host.trouble = trouble
            self.assertFalse(self.limited("c").is_open)
        self.host.trouble = None
        self.log.trouble = AuditError("no")
        self.assertFalse(self.limited("d").is_open)
        self.log.trouble = None
        for _ in range(3):
            asked = self.limited("e")
            self.processes[-1].is_lost(FileNotFoundError(errno.ENOENT, "no"))
            self.assertFalse(asked.is_open)
        for name in "fg":
            self.assertTrue(self.limited(name).is_open)
        self.assertIsInstance(self.limited("h").error, Throttled)

    def test_what_ran_and_was_lost(self) -> None:
        """Is counted: it may have done what it does."""
        for name in "ab":
            self.limited(name)
            self.processes[-1].is_lost(OSError(errno.EPIPE, "the process that ran it died"))
        self.assertIsInstance(self.limited("c").error, Throttled)

    def test_who_left(self) -> None:
        """Nothing is counted for who left the line, and what was begun is."""
        self.let(running=1, queued=10)
        self.ask("x")
        for name in "abc":
            self.limited(name).leave()
        self.processes[0].ends()
        for _ in range(2):
            self.limited("d").leave()
            self.clock.advance(1)
            self.turn()
        self.assertIsInstance(self.limited("e").error, Throttled)

    def test_another_rate(self) -> None:
        """After a reload what was started before counts too."""
        self.limited("a")
        self.RATE = Rate(1, 600)
        self.assertIsInstance(self.limited("b").error, Throttled)
        self.RATE = Rate(3, 600)
        for name in "cd":
            self.assertTrue(self.limited(name).is_open)
        self.assertIsInstance(self.limited("e").error, Throttled)


class OnceTests(SchedulerTestCase):
    """Commands that say what becomes of a request while they run as often as they may."""

    def once(self, name: str, when: WhenRunning, sink: RecordingSink | None = None, **differences: Any) -> Asked:
        """Ask for a command that runs once at a time."""
        once = {"max_running": 1, "when_running": when, **differences}
        try:
            return self.ask(name, GUY if name == "b" else ADA, sink, **once)
        except Refusal as refusal:
            return Asked(fail(refusal), self.happened)

    def test_refused(self) -> None:
        """Whoever comes while it runs, or waits, is told that it is busy, and costs nothing."""
        first, second = self.once("a", WhenRunning.REFUSE), self.once("b", WhenRunning.REFUSE)

        self.assertIsInstance(second.error, Busy)
        self.assertEqual((len(self.processes), self.fair_queue.queued), (1, 0))
        self.assertIsNone(self.directory.find("b"))
        self.processes[0].ends()
        self.assertEqual(first.answer.id, "a")
        self.assertTrue(self.once("c", WhenRunning.REFUSE).is_open)

    def test_what_waits_runs_soon(self) -> None:
        """It counts as well."""
        self.let(running=1, queued=10)
        self.ask("x", ADA, None, name="df")
        self.once("a", WhenRunning.REFUSE)

        self.assertIsInstance(self.once("b", WhenRunning.REFUSE).error, Busy)

    def test_as_often_as_it_may(self) -> None:
        """Nobody is refused, or joins, before that; other commands do not count."""
        self.let(running=9, queued=0)
        self.ask("x", ADA, None, name="df")
        for when in (WhenRunning.REFUSE, WhenRunning.JOIN):
            self.assertTrue(self.once(f"a{when}", when, max_running=3).is_open)
            self.assertTrue(self.once(f"b{when}", when, max_running=None).is_open)
        self.assertEqual(len(self.processes), 5)

    def test_who_joins(self) -> None:
        """Is shown the run from its beginning, is told so, and has the same answer under an id of their own."""
        first = self.once("a", WhenRunning.JOIN)
        self.processes[0].says(b"before,")
        sink = RecordingSink()
        second = self.once("b", WhenRunning.JOIN, sink)
        self.assertEqual((sink.notices, sink.stdout), ([JOINED], b"before,"))
        self.processes[0].says(b"after")
        self.processes[0].ends(3)

        self.assertEqual(len(self.processes), 1)
        self.assertEqual(sink.stdout, b"before,after")
        self.assertEqual((first.answer.joined, second.answer.joined), (False, True))
        self.assertEqual((first.answer.shared, second.answer.shared), (True, True))
        self.assertEqual((second.answer.id, second.answer.finished.exit_status), ("b", 3))
        self.assertEqual(self.log.reports, ["settled a,b departed"])

    def test_who_joins_without_listening(self) -> None:
        """Has the output in the answer, whether somebody listens or not."""
        for sink in (None, RecordingSink()):
            self.setUp()
            self.once("a", WhenRunning.JOIN, sink)
            self.processes[0].says(b"said")
            second = self.once("b", WhenRunning.JOIN)
            self.processes[0].ends()
            self.assertEqual(second.answer.finished.stdout, b"said")

    def test_who_joins_is_no_pacer(self) -> None:
        """Whoever has asked first sets the pace, and nobody else."""
        pacer, sink = RecordingSink(), RecordingSink()
        self.once("a", WhenRunning.JOIN, pacer)
        self.once("b", WhenRunning.JOIN, sink)
        sink.pause()
        self.assertFalse(self.processes[0].is_paused)
        pacer.pause()
        self.assertTrue(self.processes[0].is_paused)

    def test_who_joins_what_waits(self) -> None:
        """Waits with it, and hears it from its beginning."""
        self.let(running=1, queued=10)
        self.ask("x", ADA, None, name="df")
        self.once("a", WhenRunning.JOIN)
        sink = RecordingSink()
        second = self.once("b", WhenRunning.JOIN, sink)
        self.assertEqual(sink.happened, [])
        self.processes[0].ends()
        self.processes[1].says(b"said")
        self.processes[1].ends()

        self.assertEqual((sink.happened, second.answer.joined), (["started", "out"], True))

    def test_other_values(self) -> None:
        """What runs with other values, or as somebody else, is not what was asked for: it is waited for."""
        self.once("a", WhenRunning.JOIN)
        second = self.once("b", WhenRunning.JOIN, None, user="root")

        self.assertEqual((len(self.processes), second.is_open), (1, True))
        self.processes[0].ends()
        self.processes[1].ends()
        self.assertIs(second.answer.joined, False)

    def test_what_everybody_has_left(self) -> None:
        """Is not joined: it is being ended."""
        self.once("a", WhenRunning.JOIN).leave()
        second = self.once("b", WhenRunning.JOIN)
        self.turn()
        self.processes[1].ends()

        self.assertIs(second.answer.joined, False)

    def test_who_leaves_what_was_joined(self) -> None:
        """Whoever came first may go first; the other has their answer."""
        first, second = self.once("a", WhenRunning.JOIN), self.once("b", WhenRunning.JOIN)
        first.leave()
        self.turn()
        self.assertTrue(self.processes[0].is_alive)
        self.processes[0].ends()

        self.assertEqual(second.answer.id, "b")
        self.assertEqual(self.log.reports, ["settled b departed a"])


class DetachedTests(SchedulerTestCase):
    """What goes on without its caller."""

    def enter(self, name: str, sink: RecordingSink | None = None, **differences: Any) -> tuple[Request, Asked]:
        """Ask for a command that goes on when its caller is gone."""
        request = Request(name, ADA, ["uptime"], grant(**{"on_disconnect": OnDisconnect.CONTINUE, **differences}))
        request.sink = sink
        self.scheduler.enter(request)
        return request, Asked(request.answered, self.happened)

    def test_who_disconnects(self) -> None:
        """Hears no more, and the run goes on, is written down at its end, and can be looked up then."""
        sink = RecordingSink()
        _, asked = self.enter("a", sink)
        asked.leave()
        self.processes[0].says(b"on its own")
        self.turn()
        self.assertEqual((self.host.signals, sink.stdout, self.log.reports), ([], b"", []))
        self.processes[0].ends()

        self.assertIsInstance(asked.error, CancelledError)
        self.assertEqual(self.log.reports, ["settled a departed"])
        run = self.directory.find("a")
        assert run is not None
        self.assertEqual(run.answer("a", has_output=True).finished.stdout, b"on its own")

    def test_who_was_slow(self) -> None:
        """Holds nothing up any more."""
        sink = RecordingSink()
        _, asked = self.enter("a", sink)
        sink.pause()
        self.assertTrue(self.processes[0].is_paused)
        asked.leave()

        self.assertFalse(self.processes[0].is_paused)

    def test_who_disconnects_while_it_waits(self) -> None:
        """Has it run all the same."""
        self.let(running=1, queued=10)
        self.ask("x")
        _, asked = self.enter("a")
        asked.leave()
        self.processes[0].ends()

        self.assertEqual(len(self.processes), 2)
        self.processes[1].ends()
        self.assertEqual(self.log.reports, ["settled x departed", "settled a departed"])

    def test_who_wants_it_not_to_begin(self) -> None:
        """There is nothing to be known of it."""
        self.let(running=1, queued=10)
        self.ask("x")
        request, asked = self.enter("a")
        asked.leave()
        self.scheduler.interrupt(request)

        self.assertEqual((self.directory.find("a"), [run.id for run in self.directory]), (None, ["x"]))
        self.assertEqual(self.log.reports, ["abandoned a"])

    def test_who_wants_it_to_end(self) -> None:
        """Ends it, whatever becomes of it without a caller; so do commands that say nothing else."""
        for before in (False, True):
            self.setUp()
            request, asked = self.enter("a")
            if before:
                asked.leave()
            self.scheduler.interrupt(request)
            self.turn()

            self.assertFalse(self.processes[0].is_alive)
            self.assertEqual(self.log.reports, ["settled  departed a"])
            (end,) = self.log.ends
            self.assertEqual((end.ended_by, end.stopped_by), (EndedBy.CALLER, "ada"))
        self.setUp()
        self.enter("a", on_disconnect=OnDisconnect.END)[1].leave()
        self.turn()
        self.assertEqual([(end.ended_by, end.stopped_by) for end in self.log.ends], [(EndedBy.DISCONNECT, None)])

    def test_a_reload(self) -> None:
        """What runs goes on as it was begun; what waits is judged, and is known to have been refused."""
        self.let(running=1, queued=10)
        _, running = self.enter("a")
        _, waiting = self.enter("b")
        running.leave()
        waiting.leave()
        self.scheduler.review(lambda *_: Denied("not any more"))
        self.turn()

        self.assertTrue(self.processes[0].is_alive)
        self.assertEqual(self.log.reports, ["abandoned b"])
        run = self.directory.find("b")
        assert run is not None
        self.assertEqual((run.state, run.problem), (RunState.FAULT, "not any more"))
        self.processes[0].ends()
        self.assertEqual(len(self.processes), 1)

    def test_what_cannot_be_started(self) -> None:
        """Is known to have failed."""
        self.let(running=1, queued=10)
        self.ask("x")
        _, asked = self.enter("a")
        asked.leave()
        self.host.trouble = FileNotFoundError(errno.ENOENT, "no such file")
        self.processes[0].ends()

        self.assertEqual(self.log.reports, ["abandoned a", "settled x departed"])
        run = self.directory.find("a")
        assert run is not None
        self.assertIs(run.state, RunState.FAULT)
        self.assertTrue(run.recording.is_over)


class StopTests(SchedulerTestCase):
    """Ending a run for all who have asked for it."""

    def test_what_runs(self) -> None:
        """All are answered, and told by whom."""
        self.let(running=1, queued=10)
        self.ask("x")
        asked = [self.share("a"), self.share("b", GUY)]
        self.processes[0].ends()
        run = self.directory.find("a")
        assert run is not None
        self.scheduler.stop(run, EndedBy.STOP, "bob")
        self.turn()

        self.assertEqual([each.answer.problem for each in asked], ["stopped by bob"] * 2)
        self.assertEqual([each.answer.finished.ended_by for each in asked], [EndedBy.STOP] * 2)
        self.assertEqual(self.fair_queue.running, 0)

    def test_what_waits(self) -> None:
        """Is answered at once, gives its place in line back, and is never begun; so is what waits for an end."""
        self.let(running=1, queued=10)
        self.share("x")
        asked = [self.ask("a"), self.share("b")]
        for name, queued in (("a", 1), ("b", 0)):
            run = self.directory.find(name)
            assert run is not None
            self.assertEqual(self.fair_queue.queued, queued)
            self.scheduler.stop(run, EndedBy.CALLER, "ada")
            self.scheduler.stop(run, EndedBy.CALLER, "ada")

        self.assertEqual([each.answer.state for each in asked], [RunState.STOPPED] * 2)
        self.assertEqual(self.log.reports, ["settled a departed", "settled b departed"])
        self.processes[0].ends()
        self.assertEqual((len(self.processes), self.fair_queue.running), (1, 0))

    def test_what_is_over(self) -> None:
        """Nothing becomes of it."""
        asked = self.ask("a")
        run = self.directory.find("a")
        assert run is not None
        self.processes[0].ends()
        self.scheduler.stop(run, EndedBy.STOP, "bob")

        self.assertIs(asked.answer.state, RunState.OK)
        self.assertNotIn("SIGTERM", [name for _, name in self.host.signals])


class HearAgainTests(SchedulerTestCase):
    """Those who have lost what they had heard."""

    def enter(self, name: str, sink: RecordingSink | None) -> tuple[Request, Asked]:
        """Ask for a command."""
        request = Request(name, ADA, ["uptime"], grant())
        request.sink = sink
        self.scheduler.enter(request)
        return request, Asked(request.answered, self.happened)

    def test_while_it_runs(self) -> None:
        """All is told again, once, and what comes then; the end comes once, and the pace is theirs as before."""
        sink = RecordingSink()
        request, asked = self.enter("a", sink)
        self.processes[0].says(b"one")
        sink.pause()
        self.scheduler.answering.hear_again(request)
        self.assertFalse(self.processes[0].is_paused)
        self.processes[0].says(b"two")
        sink.pause()
        self.assertTrue(self.processes[0].is_paused)
        sink.resume()
        self.turn()
        self.processes[0].ends()

        self.assertEqual(sink.stdout, b"oneonetwo")
        self.assertEqual((sink.happened.count("started"), asked.answer.id), (2, "a"))

    def test_after_its_end(self) -> None:
        """One who has not heard all of it has the answer behind it."""
        sink = RecordingSink()
        request, asked = self.enter("a", sink)
        sink.pause()
        self.processes[0].resumeProducing()
        self.turn()
        self.processes[0].says(b"one")
        self.processes[0].ends()
        self.assertTrue(asked.is_open)
        self.scheduler.answering.hear_again(request)

        self.assertEqual((sink.stdout, asked.answer.id), (b"one", "a"))

    def test_who_does_not_listen(self) -> None:
        """Or has an answer already: nothing is told."""
        request, asked = self.enter("a", None)
        self.scheduler.answering.hear_again(request)
        self.processes[0].ends()
        self.scheduler.answering.hear_again(request)

        self.assertEqual(asked.answer.id, "a")
