"""Who is answered by which process: the law of freshness."""

import heapq
import itertools
import unittest
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.dispatch.scheduling.coalescing import Coalescing, Group
from tests.doubles import LAW

#: Keys are letters, questions are numbers.
Questions = Coalescing[Group[str, int]]


@dataclass
class Process:
    """What the simulated runner did for one group."""

    key: str
    started: int
    ended: int
    answered: list[int] = field(default_factory=list)


def _simulate(asked: list[tuple[int, str]], waits: list[int], durations: list[int]) -> list[Process]:
    """Answer questions as the scheduler does, with a wait for a place before each start.

    Questions come at odd times, processes start and end at even ones, so that before and after are always clear.

    Args:
        asked: When, and what; the question is the index.
        waits: Half of how long the n-th process of a key waits for its place, in turn.
        durations: Half of how long it runs.
    """
    coalescing = Questions()
    processes: list[Process] = []
    under_way: dict[Group[str, int], Process] = {}
    numbers = itertools.count()
    per_key: dict[str, int] = {}
    events: list[tuple[int, int, str, Group[str, int] | int]] = []

    def stand_in_line(group: Group[str, int], now: int) -> None:
        wait = 2 * waits[per_key.get(group.key, 0) % len(waits)]
        heapq.heappush(events, (now + now % 2 + wait, next(numbers), "start", group))

    for request, (time, _) in enumerate(asked):
        heapq.heappush(events, (2 * time + 1, next(numbers), "ask", request))
    seen: set[Group[str, int]] = set()
    while events:
        now, _, event, what = heapq.heappop(events)
        if isinstance(what, int):
            group = coalescing.ask(asked[what][1], what, Group)
            if group not in seen and coalescing.may_start(group):
                stand_in_line(group, now)
            seen.add(group)
        elif event == "start":
            coalescing.start(what)
            number = per_key.get(what.key, 0)
            per_key[what.key] = number + 1
            ended = now + 2 * durations[number % len(durations)]
            process = under_way[what] = Process(what.key, now, ended)
            processes.append(process)
            heapq.heappush(events, (ended, next(numbers), "end", what))
        else:
            following = coalescing.end(what)
            under_way[what].answered = list(what.requests)
            if following is not None:
                stand_in_line(following, now)
    return processes


def _by_the_book(times: list[int], waits: list[int], durations: list[int]) -> list[tuple[int, int, set[int]]]:
    """Work out for one key, from the law alone, when processes run and whom they answer.

    The next process gets in line as soon as there is a question without a process and nothing runs, and answers all
    that came before it started. To start later would break no law, to start sooner or with fewer would cost more.
    """
    runs: list[tuple[int, int, set[int]]] = []
    left = sorted(2 * time + 1 for time in times)
    free = 0
    while left:
        first = left[0] + 1
        started = max(first, free) + 2 * waits[len(runs) % len(waits)]
        free = started + 2 * durations[len(runs) % len(durations)]
        runs.append((started, free, {time for time in left if time < started}))
        left = [time for time in left if time > started]
    return runs


_ASKED = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), max_size=25)
_WAITS = st.lists(st.integers(0, 5), min_size=1, max_size=4)
_DURATIONS = st.lists(st.integers(1, 8), min_size=1, max_size=4)


class LawTests(unittest.TestCase):
    @given(_ASKED, _WAITS, _DURATIONS)
    @LAW
    def test_no_old_news(self, asked: list[tuple[int, str]], waits: list[int], durations: list[int]) -> None:
        """Every question is answered once, by a process of its own key that was started after it came."""
        answered = []
        for process in _simulate(asked, waits, durations):
            self.assertTrue(process.answered, "a process for nobody")
            for request in process.answered:
                time, key = asked[request]
                self.assertEqual(key, process.key)
                self.assertGreater(process.started, 2 * time + 1)
                answered.append(request)
        self.assertEqual(list(range(len(asked))), sorted(answered))

    @given(_ASKED, _WAITS, _DURATIONS)
    @LAW
    def test_one_at_a_time(self, asked: list[tuple[int, str]], waits: list[int], durations: list[int]) -> None:
        """Never do two processes of one key run at once."""
        last: dict[str, int] = {}
        for process in _simulate(asked, waits, durations):
            self.assertGreaterEqual(process.started, last.get(process.key, 0))
            last[process.key] = process.ended

    @given(_ASKED, _WAITS, _DURATIONS)
    @LAW
    def test_nobody_is_left_waiting(self, asked: list[tuple[int, str]], waits: list[int], durations: list[int]) -> None:
        """Everyone who was waiting when a process of their key started is answered by it."""
        open_questions = dict(enumerate(asked))
        for process in _simulate(asked, waits, durations):
            waiting = {
                request
                for request, (time, key) in open_questions.items()
                if key == process.key and 2 * time + 1 < process.started
            }
            self.assertEqual(waiting, set(process.answered))
            for request in waiting:
                del open_questions[request]

    @given(_ASKED, _WAITS, _DURATIONS)
    @LAW
    def test_no_more_than_needed(self, asked: list[tuple[int, str]], waits: list[int], durations: list[int]) -> None:
        """There are as few processes as the law allows, at the times and for those that the law says."""
        processes = _simulate(asked, waits, durations)
        for key in "ab":
            expected = _by_the_book([time for time, each in asked if each == key], waits, durations)
            mine = [process for process in processes if process.key == key]
            self.assertEqual(
                expected,
                [(each.started, each.ended, {2 * asked[request][0] + 1 for request in each.answered}) for each in mine],
            )

    @given(
        st.lists(st.tuples(st.sampled_from(["ask", "ask", "start", "end", "leave"]), st.integers(0, 99)), max_size=60),
    )
    @LAW
    def test_any_order_of_events(self, steps: list[tuple[str, int]]) -> None:
        """Whoever asks, starts, ends and leaves in whatever order: the groups are what two plain lists a key say."""
        coalescing = Questions()
        waiting: dict[str, list[int]] = {}
        running: dict[str, list[int]] = {}
        groups: dict[int, Group[str, int]] = {}
        runs: dict[str, Group[str, int]] = {}
        for step, (event, number) in enumerate(steps):
            key = "abc"[number % 3]
            if event == "ask":
                groups[step] = coalescing.ask(key, step, Group)
                waiting.setdefault(key, []).append(step)
            elif event == "start" and key in waiting:
                group = groups[waiting[key][0]]
                self.assertIs(key not in running, coalescing.may_start(group))
                if key in running:
                    self.assertRaises(ValueError, coalescing.start, group)
                else:
                    coalescing.start(group)
                    running[key], runs[key] = waiting.pop(key), group
                    self.assertFalse(coalescing.may_start(group))
            elif event == "end" and key in running:
                following = coalescing.end(runs.pop(key))
                for request in running.pop(key):
                    del groups[request]
                self.assertIs(groups[waiting[key][0]] if key in waiting else None, following)
            elif event == "leave" and groups:
                request = sorted(groups)[number % len(groups)]
                group = groups.pop(request)
                before = waiting.get(group.key, []) if not group.is_started else running[group.key]
                before.remove(request)
                self.assertIs(not before, coalescing.leave(group, request))
                if not group.is_started and not before:
                    del waiting[group.key]
            for request, group in groups.items():
                self.assertEqual((running if group.is_started else waiting)[group.key], list(group.requests), request)


class SharingTests(unittest.TestCase):
    def setUp(self) -> None:
        self.coalescing = Questions()

    def test_together(self) -> None:
        """Questions that wait for the same are one group, until its process starts."""
        group = self.coalescing.ask("a", 1, Group)
        self.assertIs(group, self.coalescing.ask("a", 2, Group))
        self.assertTrue(self.coalescing.may_start(group))
        self.coalescing.start(group)
        self.assertEqual([1, 2], list(group.requests))

    def test_not_the_same(self) -> None:
        """Other keys are other groups, which wait for nothing of one another."""
        first, second = self.coalescing.ask("a", 1, Group), self.coalescing.ask("b", 2, Group)
        self.assertIsNot(first, second)
        self.coalescing.start(first)
        self.assertTrue(self.coalescing.may_start(second))

    def test_too_late(self) -> None:
        """Who comes at the very moment after the start waits for the next process, with all who come meanwhile."""
        first = self.coalescing.ask("a", 1, Group)
        self.coalescing.start(first)
        second = self.coalescing.ask("a", 2, Group)
        self.assertIsNot(first, second)
        self.assertIs(second, self.coalescing.ask("a", 3, Group))
        self.assertFalse(self.coalescing.may_start(second))
        self.assertRaises(ValueError, self.coalescing.start, second)
        self.assertIs(second, self.coalescing.end(first))
        self.assertIs(second, self.coalescing.ask("a", 4, Group))
        self.coalescing.start(second)
        self.assertEqual([[1], [2, 3, 4]], [list(first.requests), list(second.requests)])

    def test_a_group_starts_once(self) -> None:
        """A group that has started, or has ended, does not start again."""
        group = self.coalescing.ask("a", 1, Group)
        self.coalescing.start(group)
        self.assertRaises(ValueError, self.coalescing.start, group)

    def test_nobody_follows(self) -> None:
        """When nobody waits, nobody is named."""
        group = self.coalescing.ask("a", 1, Group)
        self.coalescing.start(group)
        self.assertIsNone(self.coalescing.end(group))

    def test_leaving_a_waiting_group(self) -> None:
        """A group is forgotten with its last question; who asks then founds another."""
        group = self.coalescing.ask("a", 1, Group)
        self.coalescing.ask("a", 2, Group)
        self.assertFalse(self.coalescing.leave(group, 1))
        self.assertIs(group, self.coalescing.ask("a", 3, Group))
        self.assertFalse(self.coalescing.leave(group, 2))
        self.assertTrue(self.coalescing.leave(group, 3))
        self.assertIsNot(group, self.coalescing.ask("a", 4, Group))

    def test_leaving_a_running_group(self) -> None:
        """A process that nobody waits for any more still runs: nobody joins it, and the next waits for its end."""
        group = self.coalescing.ask("a", 1, Group)
        self.coalescing.start(group)
        self.assertTrue(self.coalescing.leave(group, 1))
        following = self.coalescing.ask("a", 2, Group)
        self.assertIsNot(group, following)
        self.assertFalse(self.coalescing.may_start(following))
        self.assertIs(following, self.coalescing.end(group))

    def test_nobody_follows_who_has_left(self) -> None:
        """A group that was left while it waited for an end does not follow."""
        group = self.coalescing.ask("a", 1, Group)
        self.coalescing.start(group)
        self.coalescing.leave(self.coalescing.ask("a", 2, Group), 2)
        self.assertIsNone(self.coalescing.end(group))

    def test_leaving_twice(self) -> None:
        """Who leaves twice takes nothing from those who came after."""
        group = self.coalescing.ask("a", 1, Group)
        self.coalescing.leave(group, 1)
        later = self.coalescing.ask("a", 2, Group)
        self.assertTrue(self.coalescing.leave(group, 1))
        self.assertIs(later, self.coalescing.ask("a", 3, Group))
