"""Places: who may start, who waits, who is turned away."""

import unittest

from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.core.errors import Busy
from cmdserver.limits.fair_queue import FairQueue, QueueEntry
from tests.doubles import LAW


class NamedTicket(QueueEntry):
    """A ticket that failures can name."""

    def __init__(self, name: str, command: str = "df", max_running: int | None = None) -> None:
        super().__init__(command, max_running)
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _grant_all(fair_queue: FairQueue[NamedTicket]) -> list[str]:
    """Name those who get the places that are free, in their order."""
    names = []
    while (ticket := fair_queue.grant()) is not None:
        names.append(ticket.name)
    return names


def _ask(
    fair_queue: FairQueue[NamedTicket], *names: str, command: str = "df", most: int | None = None
) -> list[NamedTicket]:
    """Ask for tickets; the lane is the first letter of the name."""
    tickets = [NamedTicket(name, command, most) for name in names]
    for ticket in tickets:
        fair_queue.ask(ticket, ticket.name[0])
    return tickets


class GrantTests(unittest.TestCase):
    def test_places(self) -> None:
        """There are as many places as the limit says; who gives one back makes room for the next."""
        fair_queue = FairQueue[NamedTicket](2, 10)
        tickets = _ask(fair_queue, "a1", "b1", "c1")
        self.assertEqual((0, 3), (fair_queue.running, fair_queue.queued))
        self.assertEqual(["a1", "b1"], _grant_all(fair_queue))
        self.assertEqual((2, 1), (fair_queue.running, fair_queue.queued))
        self.assertEqual([True, True, False], [ticket.is_running for ticket in tickets])
        fair_queue.leave(tickets[1], 1.0)
        self.assertFalse(tickets[1].is_running)
        self.assertEqual(["c1"], _grant_all(fair_queue))
        self.assertEqual((2, 0), (fair_queue.running, fair_queue.queued))

    def test_in_turn(self) -> None:
        """Lanes are served in turn, each in its own order."""
        fair_queue = FairQueue[NamedTicket](10, 10)
        _ask(fair_queue, "a1", "a2", "a3", "b1", "b2", "c1")
        self.assertEqual(["a1", "b1", "c1", "a2", "b2", "a3"], _grant_all(fair_queue))

    def test_the_turn_is_remembered(self) -> None:
        """A lane that has had its turn waits for the others, also for those that came since."""
        fair_queue = FairQueue[NamedTicket](1, 10)
        (first, *_) = _ask(fair_queue, "a1", "a2", "a3")
        self.assertEqual(["a1"], _grant_all(fair_queue))
        _ask(fair_queue, "b1")
        fair_queue.leave(first, 1.0)
        (second, *_) = _ask(fair_queue, "c1")
        self.assertEqual(["a2"], _grant_all(fair_queue))
        fair_queue.running_limit = 9
        self.assertEqual(["b1", "c1", "a3"], _grant_all(fair_queue))
        self.assertFalse(second.lanes)

    def test_limits_of_commands(self) -> None:
        """A command that has all its own places is passed over, and costs nobody else a turn."""
        fair_queue = FairQueue[NamedTicket](3, 10)
        (first, *_) = _ask(fair_queue, "a1", "a2", command="slow", most=1)
        _ask(fair_queue, "a3", "b1")
        self.assertEqual(["a1", "b1", "a3"], _grant_all(fair_queue))
        fair_queue.leave(first, 1.0)
        self.assertEqual(["a2"], _grant_all(fair_queue))

    def test_smaller_limits(self) -> None:
        """A limit that has become smaller counts for those who start, and ends nobody."""
        fair_queue = FairQueue[NamedTicket](3, 10)
        tickets = _ask(fair_queue, "a1", "a2", "a3", "a4")
        _grant_all(fair_queue)
        fair_queue.running_limit = 1
        for ticket in tickets[:2]:
            fair_queue.leave(ticket, 1.0)
            self.assertEqual([], _grant_all(fair_queue))
        fair_queue.leave(tickets[2], 1.0)
        self.assertEqual(["a4"], _grant_all(fair_queue))


class QueueTests(unittest.TestCase):
    def setUp(self) -> None:
        self.fair_queue = FairQueue[NamedTicket](1, 3)
        (self.running,) = _ask(self.fair_queue, "z1")
        _grant_all(self.fair_queue)

    def test_full(self) -> None:
        """When as many wait as may, the next is turned away, told how many there are, and not counted."""
        _ask(self.fair_queue, "a1", "b1", "c1")
        with self.assertRaises(Busy) as raised:
            _ask(self.fair_queue, "d1")
        self.assertEqual("1 commands are running and 3 are waiting; try again in 1 s", str(raised.exception))
        self.assertEqual((1, 3), (self.fair_queue.running, self.fair_queue.queued))
        self.fair_queue.leave(self.running, 1.0)
        self.assertEqual(["a1"], _grant_all(self.fair_queue))

    def test_room_for_a_newcomer(self) -> None:
        """The last one of the longest lane makes room for a lane that has fewer."""
        (_, _, loser) = _ask(self.fair_queue, "a1", "a2", "a3")
        newcomer = NamedTicket("b1")
        self.assertIs(loser, self.fair_queue.ask(newcomer, "b"))
        self.assertFalse(loser.lanes)
        self.assertEqual(3, self.fair_queue.queued)
        self.fair_queue.running_limit = 9
        self.assertEqual(["a1", "b1", "a2"], _grant_all(self.fair_queue))

    def test_no_room_for_the_chatty(self) -> None:
        """The lane that has most, or would have as many, makes nobody else leave."""
        _ask(self.fair_queue, "a1", "a2", "b1")
        for name in ("a3", "b2"):
            with self.subTest(name):
                self.assertRaises(Busy, _ask, self.fair_queue, name)
        self.fair_queue.running_limit = 9
        self.assertEqual(["a1", "b1", "a2"], _grant_all(self.fair_queue))

    def test_nobody_waits(self) -> None:
        """Where nobody may wait, there are free places and refusals."""
        fair_queue = FairQueue[NamedTicket](1, 0)
        _ask(fair_queue, "a1")
        self.assertEqual(["a1"], _grant_all(fair_queue))
        self.assertRaises(Busy, _ask, fair_queue, "b1")

    def test_a_full_queue_and_a_free_place(self) -> None:
        """Who may run at once needs no room to wait, even if others wait for a place of their command's."""
        fair_queue = FairQueue[NamedTicket](2, 1)
        _ask(fair_queue, "a1", command="slow", most=1)
        _grant_all(fair_queue)
        _ask(fair_queue, "a2", command="slow", most=1)
        _ask(fair_queue, "b1")
        self.assertEqual(["b1"], _grant_all(fair_queue))
        self.assertEqual((2, 1), (fair_queue.running, fair_queue.queued))

    def test_withdraw(self) -> None:
        """Who withdraws makes room; twice, or while running, is harmless."""
        (first, second) = _ask(self.fair_queue, "a1", "b1")
        for ticket in (first, first, self.running):
            self.fair_queue.withdraw(ticket)
        self.assertEqual((1, 1), (self.fair_queue.running, self.fair_queue.queued))
        self.fair_queue.leave(self.running, 1.0)
        self.assertEqual(["b1"], _grant_all(self.fair_queue))
        self.fair_queue.withdraw(second)
        self.assertEqual((1, 0), (self.fair_queue.running, self.fair_queue.queued))


class MemoryTests(unittest.TestCase):
    def test_nobody_is_remembered(self) -> None:
        """Of a thousand callers and commands that have come and gone nothing is left."""
        fair_queue = FairQueue[NamedTicket](1, 2)
        for number in range(1000):
            ran, withdrew = NamedTicket(f"r{number}", f"c{number}"), NamedTicket(f"w{number}", f"c{number}")
            fair_queue.ask(ran, f"user r{number}")
            fair_queue.join(ran, f"user j{number}")
            fair_queue.grant()
            fair_queue.ask(withdrew, f"user w{number}")
            fair_queue.withdraw(withdrew)
            fair_queue.leave(ran, 0.1)
        self.assertEqual(({}, {}), (fair_queue._lanes, fair_queue._by_command))


class JoinTests(unittest.TestCase):
    def setUp(self) -> None:
        self.fair_queue = FairQueue[NamedTicket](1, 3)
        (self.running,) = _ask(self.fair_queue, "z1")
        _grant_all(self.fair_queue)

    def test_the_first_turn_counts(self) -> None:
        """A ticket that stands in several lanes is served in the first whose turn it is, and once."""
        _ask(self.fair_queue, "a1")
        (shared,) = _ask(self.fair_queue, "a2")
        _ask(self.fair_queue, "b1")
        self.fair_queue.join(shared, "c")
        self.assertEqual(3, self.fair_queue.queued)
        self.fair_queue.running_limit = 9
        self.assertEqual(["a1", "b1", "a2"], _grant_all(self.fair_queue))
        self.assertEqual(0, self.fair_queue.queued)

    def test_twice(self) -> None:
        """To join the same lane twice is the same as once."""
        (shared,) = _ask(self.fair_queue, "a1")
        for _ in range(2):
            self.fair_queue.join(shared, "a")
        self.fair_queue.withdraw(shared)
        self.assertEqual(0, self.fair_queue.queued)
        self.fair_queue.leave(self.running, 1.0)
        self.assertEqual([], _grant_all(self.fair_queue))

    def test_too_late(self) -> None:
        """A ticket that does not wait, not yet or no more, stands in no lane."""
        self.fair_queue.join(self.running, "a")
        never = NamedTicket("n1")
        self.fair_queue.join(never, "a")
        self.assertEqual(0, self.fair_queue.queued)
        self.fair_queue.leave(self.running, 1.0)
        self.assertEqual([], _grant_all(self.fair_queue))

    def test_the_hope_of_several_is_kept(self) -> None:
        """Who comes last does not take the place of a ticket that several lanes wait for."""
        tickets = _ask(self.fair_queue, "a1", "a2", "a3")
        self.fair_queue.join(tickets[2], "b")
        self.assertIs(tickets[1], self.fair_queue.ask(NamedTicket("c1"), "c"))


class WaitTests(unittest.TestCase):
    def test_longer_with_the_line(self) -> None:
        """The guess grows with the line and with what runs have taken, and shrinks with the places."""
        fair_queue = FairQueue[NamedTicket](1, 10)
        before = fair_queue.wait_seconds()
        (ticket, *_) = _ask(fair_queue, "a1", "a2")
        self.assertAlmostEqual(3 * before, fair_queue.wait_seconds())
        fair_queue.running_limit = 2
        self.assertAlmostEqual(1.5 * before, fair_queue.wait_seconds())
        fair_queue.grant()
        fair_queue.leave(ticket, 1000.0)
        self.assertGreater(fair_queue.wait_seconds(), 50.0)

    def test_it_comes_to_what_runs_take(self) -> None:
        """After many runs of one duration that is the guess for an empty line."""
        fair_queue = FairQueue[NamedTicket](1, 10)
        for _ in range(200):
            (ticket,) = _ask(fair_queue, "a1")
            fair_queue.grant()
            fair_queue.leave(ticket, 7.0)
        self.assertAlmostEqual(7.0, fair_queue.wait_seconds(), places=3)


#: A command and its own limit.
_COMMANDS = (("free", None), ("one", 1), ("two", 2))
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "join", "leave", "withdraw"]), st.integers(0, 3), st.integers(0, 99)
    ),
    max_size=60,
)
_LIMIT = st.integers(1, 4)
_QUEUED = st.integers(0, 6)


class Simulation:
    """An Admission under random steps, and plain sets beside it that say how it ought to be."""

    def __init__(self, case: unittest.TestCase, limit: int, queued: int) -> None:
        self.case = case
        self.fair_queue = FairQueue[NamedTicket](limit, queued)
        self.waiting: dict[NamedTicket, set[int]] = {}
        self.running: list[NamedTicket] = []
        #: For each lane: the ticket that was alone in it when it came, and who was served since, by lane.
        self.firsts: dict[int, tuple[NamedTicket, list[set[int]]]] = {}

    def may_run(self, ticket: NamedTicket) -> bool:
        """Say whether there is a place for a ticket."""
        same = [each for each in self.running if each.command == ticket.command]
        return len(self.running) < self.fair_queue.running_limit and len(same) < (ticket.max_running or 99)

    def step(self, event: str, lane: int, number: int) -> None:
        """Let one thing happen, and then everyone start who may."""
        waiting = list(self.waiting)
        if event == "ask":
            command, most = _COMMANDS[number % 3]
            self.ask(NamedTicket(f"{lane}{command}{number}", command, most), lane)
        elif event == "join" and waiting:
            ticket = waiting[number % len(waiting)]
            self.fair_queue.join(ticket, str(lane))
            self.waiting[ticket].add(lane)
        elif event == "withdraw" and waiting:
            ticket = waiting[number % len(waiting)]
            self.fair_queue.withdraw(ticket)
            self.gone(ticket)
        elif event == "leave" and self.running:
            self.fair_queue.leave(self.running.pop(number % len(self.running)), number / 10)
        self.grant()

    def ask(self, ticket: NamedTicket, lane: int) -> None:
        """Ask, and check who had to make room."""
        lengths = {each: sum(each in lanes for lanes in self.waiting.values()) for each in range(4)}
        is_full = len(self.waiting) >= self.fair_queue.queued_limit and not self.may_run(ticket)
        try:
            loser = self.fair_queue.ask(ticket, str(lane))
        except Busy:
            self.case.assertTrue(is_full, "turned away though there was room")
            self.case.assertFalse(ticket.lanes)
            return
        self.case.assertIs(is_full, loser is not None)
        if loser is not None:
            lanes = self.waiting[loser]
            self.case.assertEqual(1, len(lanes))
            self.case.assertEqual(max(lengths.values()), lengths[min(lanes)])
            self.case.assertGreater(lengths[min(lanes)], lengths[lane] + 1)
            self.gone(loser)
        if not lengths[lane]:
            self.firsts[lane] = (ticket, [])
        self.waiting[ticket] = {lane}

    def grant(self) -> None:
        """Let everyone start who may, and check each."""
        while (ticket := self.fair_queue.grant()) is not None:
            self.case.assertTrue(self.may_run(ticket), "started without a place")
            lanes = self.waiting[ticket]
            self.gone(ticket)
            self.running.append(ticket)
            for _, served in self.firsts.values():
                served.append(lanes)

    def gone(self, ticket: NamedTicket) -> None:
        """Forget a ticket that waits no more."""
        del self.waiting[ticket]
        self.firsts = {lane: first for lane, first in self.firsts.items() if first[0] is not ticket}


class LawTests(unittest.TestCase):
    @given(_LIMIT, _QUEUED, _STEPS)
    @LAW
    def test_limits(self, limit: int, queued: int, steps: list[tuple[str, int, int]]) -> None:
        """No more run than may, of any command and together, no more wait than may, and those who do are counted."""
        simulation = Simulation(self, limit, queued)
        for step in steps:
            simulation.step(*step)
            self.assertLessEqual(len(simulation.running), limit)
            for command, most in _COMMANDS:
                of_it = [ticket for ticket in simulation.running if ticket.command == command]
                self.assertLessEqual(len(of_it), most or limit)
            self.assertLessEqual(simulation.fair_queue.queued, queued)
            self.assertEqual(len(simulation.waiting), simulation.fair_queue.queued)
            self.assertEqual(len(simulation.running), simulation.fair_queue.running)
            for ticket, lanes in simulation.waiting.items():
                self.assertEqual({str(lane) for lane in lanes}, ticket.lanes)

    @given(_LIMIT, _QUEUED, _STEPS)
    @LAW
    def test_no_place_is_left_free(self, limit: int, queued: int, steps: list[tuple[str, int, int]]) -> None:
        """When no more is granted, nobody waits who could run."""
        simulation = Simulation(self, limit, queued)
        for step in steps:
            simulation.step(*step)
            self.assertEqual([], [ticket for ticket in simulation.waiting if simulation.may_run(ticket)])

    @given(_LIMIT, _QUEUED, _STEPS)
    @example(1, 6, [("ask", 0, 0)] * 5 + [("ask", 1, 0)] + [("leave", 0, 0)] * 3)
    @LAW
    def test_fairness(self, limit: int, queued: int, steps: list[tuple[str, int, int]]) -> None:
        """However many a lane asks for, it delays another lane's first ticket by one place at most.

        A ticket counts that needs no place of its command's; one that stands in several lanes is the turn of one.
        """
        simulation = Simulation(self, limit, queued)
        for event, lane, number in steps:
            if event != "join":
                simulation.step(event, lane, number)
            for lane_of_first, (ticket, served) in simulation.firsts.items():
                if ticket.max_running is None:
                    for other in range(4):
                        before = sum(other in lanes for lanes in served)
                        self.assertLessEqual(before, int(other != lane_of_first), (ticket, other, served))

    @given(_QUEUED, st.integers(1, 50))
    @LAW
    def test_nobody_is_kept_out(self, queued: int, chatter: int) -> None:
        """However much one lane asks for, another's first ticket finds room where two may wait."""
        fair_queue = FairQueue[NamedTicket](1, queued + 2)
        for number in range(chatter):
            try:
                _ask(fair_queue, f"a{number}")
            except Busy:
                break
            if number == 0:
                fair_queue.grant()
        _ask(fair_queue, "b1")
        self.assertLessEqual(fair_queue.queued, queued + 2)
