"""Places: who may start, who waits, who is turned away."""

import unittest

from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.core.errors import Busy
from cmdserver.limits.fair_queue import Admission, Ticket
from tests.doubles import LAW


class NamedTicket(Ticket):
    """A ticket that failures can name."""

    def __init__(self, name: str, command: str = "df", max_running: int | None = None) -> None:
        super().__init__(command, max_running)
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _grant_all(admission: Admission[NamedTicket]) -> list[str]:
    """Name those who get the places that are free, in their order."""
    names = []
    while (ticket := admission.grant()) is not None:
        names.append(ticket.name)
    return names


def _ask(
    admission: Admission[NamedTicket], *names: str, command: str = "df", most: int | None = None
) -> list[NamedTicket]:
    """Ask for tickets; the lane is the first letter of the name."""
    tickets = [NamedTicket(name, command, most) for name in names]
    for ticket in tickets:
        admission.ask(ticket, ticket.name[0])
    return tickets


class GrantTests(unittest.TestCase):
    def test_places(self) -> None:
        """There are as many places as the limit says; who gives one back makes room for the next."""
        admission = Admission[NamedTicket](2, 10)
        tickets = _ask(admission, "a1", "b1", "c1")
        self.assertEqual((0, 3), (admission.running, admission.queued))
        self.assertEqual(["a1", "b1"], _grant_all(admission))
        self.assertEqual((2, 1), (admission.running, admission.queued))
        self.assertEqual([True, True, False], [ticket.is_running for ticket in tickets])
        admission.leave(tickets[1], 1.0)
        self.assertFalse(tickets[1].is_running)
        self.assertEqual(["c1"], _grant_all(admission))
        self.assertEqual((2, 0), (admission.running, admission.queued))

    def test_in_turn(self) -> None:
        """Lanes are served in turn, each in its own order."""
        admission = Admission[NamedTicket](10, 10)
        _ask(admission, "a1", "a2", "a3", "b1", "b2", "c1")
        self.assertEqual(["a1", "b1", "c1", "a2", "b2", "a3"], _grant_all(admission))

    def test_the_turn_is_remembered(self) -> None:
        """A lane that has had its turn waits for the others, also for those that came since."""
        admission = Admission[NamedTicket](1, 10)
        (first, *_) = _ask(admission, "a1", "a2", "a3")
        self.assertEqual(["a1"], _grant_all(admission))
        _ask(admission, "b1")
        admission.leave(first, 1.0)
        (second, *_) = _ask(admission, "c1")
        self.assertEqual(["a2"], _grant_all(admission))
        admission.running_limit = 9
        self.assertEqual(["b1", "c1", "a3"], _grant_all(admission))
        self.assertFalse(second.lanes)

    def test_limits_of_commands(self) -> None:
        """A command that has all its own places is passed over, and costs nobody else a turn."""
        admission = Admission[NamedTicket](3, 10)
        (first, *_) = _ask(admission, "a1", "a2", command="slow", most=1)
        _ask(admission, "a3", "b1")
        self.assertEqual(["a1", "b1", "a3"], _grant_all(admission))
        admission.leave(first, 1.0)
        self.assertEqual(["a2"], _grant_all(admission))

    def test_smaller_limits(self) -> None:
        """A limit that has become smaller counts for those who start, and ends nobody."""
        admission = Admission[NamedTicket](3, 10)
        tickets = _ask(admission, "a1", "a2", "a3", "a4")
        _grant_all(admission)
        admission.running_limit = 1
        for ticket in tickets[:2]:
            admission.leave(ticket, 1.0)
            self.assertEqual([], _grant_all(admission))
        admission.leave(tickets[2], 1.0)
        self.assertEqual(["a4"], _grant_all(admission))


class QueueTests(unittest.TestCase):
    def setUp(self) -> None:
        self.admission = Admission[NamedTicket](1, 3)
        (self.running,) = _ask(self.admission, "z1")
        _grant_all(self.admission)

    def test_full(self) -> None:
        """When as many wait as may, the next is turned away, told how many there are, and not counted."""
        _ask(self.admission, "a1", "b1", "c1")
        with self.assertRaises(Busy) as raised:
            _ask(self.admission, "d1")
        self.assertEqual("1 commands are running and 3 are waiting; try again in 1 s", str(raised.exception))
        self.assertEqual((1, 3), (self.admission.running, self.admission.queued))
        self.admission.leave(self.running, 1.0)
        self.assertEqual(["a1"], _grant_all(self.admission))

    def test_room_for_a_newcomer(self) -> None:
        """The last one of the longest lane makes room for a lane that has fewer."""
        (_, _, loser) = _ask(self.admission, "a1", "a2", "a3")
        newcomer = NamedTicket("b1")
        self.assertIs(loser, self.admission.ask(newcomer, "b"))
        self.assertFalse(loser.lanes)
        self.assertEqual(3, self.admission.queued)
        self.admission.running_limit = 9
        self.assertEqual(["a1", "b1", "a2"], _grant_all(self.admission))

    def test_no_room_for_the_chatty(self) -> None:
        """The lane that has most, or would have as many, makes nobody else leave."""
        _ask(self.admission, "a1", "a2", "b1")
        for name in ("a3", "b2"):
            with self.subTest(name):
                self.assertRaises(Busy, _ask, self.admission, name)
        self.admission.running_limit = 9
        self.assertEqual(["a1", "b1", "a2"], _grant_all(self.admission))

    def test_nobody_waits(self) -> None:
        """Where nobody may wait, there are free places and refusals."""
        admission = Admission[NamedTicket](1, 0)
        _ask(admission, "a1")
        self.assertEqual(["a1"], _grant_all(admission))
        self.assertRaises(Busy, _ask, admission, "b1")

    def test_a_full_queue_and_a_free_place(self) -> None:
        """Who may run at once needs no room to wait, even if others wait for a place of their command's."""
        admission = Admission[NamedTicket](2, 1)
        _ask(admission, "a1", command="slow", most=1)
        _grant_all(admission)
        _ask(admission, "a2", command="slow", most=1)
        _ask(admission, "b1")
        self.assertEqual(["b1"], _grant_all(admission))
        self.assertEqual((2, 1), (admission.running, admission.queued))

    def test_withdraw(self) -> None:
        """Who withdraws makes room; twice, or while running, is harmless."""
        (first, second) = _ask(self.admission, "a1", "b1")
        for ticket in (first, first, self.running):
            self.admission.withdraw(ticket)
        self.assertEqual((1, 1), (self.admission.running, self.admission.queued))
        self.admission.leave(self.running, 1.0)
        self.assertEqual(["b1"], _grant_all(self.admission))
        self.admission.withdraw(second)
        self.assertEqual((1, 0), (self.admission.running, self.admission.queued))


class MemoryTests(unittest.TestCase):
    def test_nobody_is_remembered(self) -> None:
        """Of a thousand callers and commands that have come and gone nothing is left."""
        admission = Admission[NamedTicket](1, 2)
        for number in range(1000):
            ran, withdrew = NamedTicket(f"r{number}", f"c{number}"), NamedTicket(f"w{number}", f"c{number}")
            admission.ask(ran, f"user r{number}")
            admission.join(ran, f"user j{number}")
            admission.grant()
            admission.ask(withdrew, f"user w{number}")
            admission.withdraw(withdrew)
            admission.leave(ran, 0.1)
        self.assertEqual(({}, {}), (admission._lanes, admission._running))


class JoinTests(unittest.TestCase):
    def setUp(self) -> None:
        self.admission = Admission[NamedTicket](1, 3)
        (self.running,) = _ask(self.admission, "z1")
        _grant_all(self.admission)

    def test_the_first_turn_counts(self) -> None:
        """A ticket that stands in several lanes is served in the first whose turn it is, and once."""
        _ask(self.admission, "a1")
        (shared,) = _ask(self.admission, "a2")
        _ask(self.admission, "b1")
        self.admission.join(shared, "c")
        self.assertEqual(3, self.admission.queued)
        self.admission.running_limit = 9
        self.assertEqual(["a1", "b1", "a2"], _grant_all(self.admission))
        self.assertEqual(0, self.admission.queued)

    def test_twice(self) -> None:
        """To join the same lane twice is the same as once."""
        (shared,) = _ask(self.admission, "a1")
        for _ in range(2):
            self.admission.join(shared, "a")
        self.admission.withdraw(shared)
        self.assertEqual(0, self.admission.queued)
        self.admission.leave(self.running, 1.0)
        self.assertEqual([], _grant_all(self.admission))

    def test_too_late(self) -> None:
        """A ticket that does not wait, not yet or no more, stands in no lane."""
        self.admission.join(self.running, "a")
        never = NamedTicket("n1")
        self.admission.join(never, "a")
        self.assertEqual(0, self.admission.queued)
        self.admission.leave(self.running, 1.0)
        self.assertEqual([], _grant_all(self.admission))

    def test_the_hope_of_several_is_kept(self) -> None:
        """A newcomer does not take the place of a ticket that several lanes wait for."""
        tickets = _ask(self.admission, "a1", "a2", "a3")
        self.admission.join(tickets[2], "b")
        self.assertIs(tickets[1], self.admission.ask(NamedTicket("c1"), "c"))


class WaitTests(unittest.TestCase):
    def test_longer_with_the_line(self) -> None:
        """The guess grows with the line and with what runs have taken, and shrinks with the places."""
        admission = Admission[NamedTicket](1, 10)
        before = admission.wait_seconds()
        (ticket, *_) = _ask(admission, "a1", "a2")
        self.assertAlmostEqual(3 * before, admission.wait_seconds())
        admission.running_limit = 2
        self.assertAlmostEqual(1.5 * before, admission.wait_seconds())
        admission.grant()
        admission.leave(ticket, 1000.0)
        self.assertGreater(admission.wait_seconds(), 50.0)

    def test_it_comes_to_what_runs_take(self) -> None:
        """After many runs of one duration that is the guess for an empty line."""
        admission = Admission[NamedTicket](1, 10)
        for _ in range(200):
            (ticket,) = _ask(admission, "a1")
            admission.grant()
            admission.leave(ticket, 7.0)
        self.assertAlmostEqual(7.0, admission.wait_seconds(), places=3)


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
        self.admission = Admission[NamedTicket](limit, queued)
        self.waiting: dict[NamedTicket, set[int]] = {}
        self.running: list[NamedTicket] = []
        #: For each lane: the ticket that was alone in it when it came, and who was served since, by lane.
        self.firsts: dict[int, tuple[NamedTicket, list[set[int]]]] = {}

    def may_run(self, ticket: NamedTicket) -> bool:
        """Say whether there is a place for a ticket."""
        same = [each for each in self.running if each.command == ticket.command]
        return len(self.running) < self.admission.running_limit and len(same) < (ticket.max_running or 99)

    def step(self, event: str, lane: int, number: int) -> None:
        """Let one thing happen, and then everyone start who may."""
        waiting = list(self.waiting)
        if event == "ask":
            command, most = _COMMANDS[number % 3]
            self.ask(NamedTicket(f"{lane}{command}{number}", command, most), lane)
        elif event == "join" and waiting:
            ticket = waiting[number % len(waiting)]
            self.admission.join(ticket, str(lane))
            self.waiting[ticket].add(lane)
        elif event == "withdraw" and waiting:
            ticket = waiting[number % len(waiting)]
            self.admission.withdraw(ticket)
            self.gone(ticket)
        elif event == "leave" and self.running:
            self.admission.leave(self.running.pop(number % len(self.running)), number / 10)
        self.grant()

    def ask(self, ticket: NamedTicket, lane: int) -> None:
        """Ask, and check who had to make room."""
        lengths = {each: sum(each in lanes for lanes in self.waiting.values()) for each in range(4)}
        is_full = len(self.waiting) >= self.admission.queued_limit and not self.may_run(ticket)
        try:
            loser = self.admission.ask(ticket, str(lane))
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
        while (ticket := self.admission.grant()) is not None:
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
            self.assertLessEqual(simulation.admission.queued, queued)
            self.assertEqual(len(simulation.waiting), simulation.admission.queued)
            self.assertEqual(len(simulation.running), simulation.admission.running)
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
        admission = Admission[NamedTicket](1, queued + 2)
        for number in range(chatter):
            try:
                _ask(admission, f"a{number}")
            except Busy:
                break
            if number == 0:
                admission.grant()
        _ask(admission, "b1")
        self.assertLessEqual(admission.queued, queued + 2)
