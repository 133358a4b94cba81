"""Tests of the runner's loop, over a real socket pair."""

import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from cmdserver.privsep.messages import (
    REQUEST_BYTES,
    SIGKILL,
    Adopt,
    Fetch,
    Fetched,
    Ready,
    Report,
    Request,
    Reread,
    Signal,
    Start,
    Trouble,
    encode,
)
from cmdserver.privsep.runner.serving import Server
from cmdserver.privsep.runner.standby import HEARTBEAT_SECONDS
from tests.contracts import open_descriptors
from tests.privsep.channels import ChannelTestCase


class _Runs:
    """A table of processes that only note what they are asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.posts: Callable[[object], object] = lambda _: None
        self.dead: list[int] = []
        self.wait: float | None = None
        self.count = 2

    def allow(self, commands: object, most: int) -> None:
        self.asked.append(("allow", most))

    def start(self, request: Start, now: float) -> None:
        self.asked.append(request)
        self.posts(request)

    def signal(self, request: Signal, now: float) -> None:
        self.asked.append(request)

    def seconds_to_wait(self, now: float) -> float | None:
        return self.wait

    def pass_time(self, now: float) -> None:
        pass

    def reap(self, now: float) -> list[int]:
        dead, self.dead = self.dead, []
        return dead

    def end_all(self) -> None:
        self.asked.append("end all")


class _AllowList:
    commands = ()
    most = 7
    checksum = 42

    def reread(self) -> tuple[Report, tuple[int, ...]]:
        return Trouble("read"), ()

    def adopt(self, checksum: int) -> bool:
        return checksum == 43


class _Credentials:
    def open(self, name: str) -> int:
        if name != "passwd":
            raise PermissionError(1, "no")
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


class _Succession:
    generation = 3

    def __init__(self) -> None:
        self.pid: int | None = None
        self.asked: list[str] = []
        self.signs = 0

    def require(self) -> None:
        self.asked.append("require")
        self.pid = 1000 + len(self.asked)

    def send_heartbeat(self) -> None:
        self.signs += 1

    def reaped(self, pid: int) -> None:
        if pid == self.pid:
            self.pid = None

    def replace(self) -> None:
        self.asked.append("replace")

    def stop(self) -> None:
        self.asked.append("stop")


class ServerTests(ChannelTestCase):
    """The loop; the test has said everything before it begins, and it ends when it has heard it all."""

    def setUp(self) -> None:
        super().setUp()
        self.runs, self.standby = _Runs(), _Succession()
        self.deaths, self.dying = os.pipe()
        self.addCleanup(os.close, self.deaths)
        self.addCleanup(os.close, self.dying)
        os.set_blocking(self.deaths, False)
        runs: Any = self.runs
        allow_list: Any = _AllowList()
        credentials: Any = _Credentials()
        standby: Any = self.standby
        self.server = Server(self.channel, runs, allow_list, credentials, standby, self.deaths)

    def serve(self, *packets: bytes) -> list[Report]:
        """Say packets, hang up, and let the loop go on until it has seen that; return what was reported."""
        for packet in packets:
            self.daemon.send(packet)
        self.daemon.shutdown(socket.SHUT_WR)
        self.server.serve()
        return self.heard()

    def before_polling(self, call: Callable[[], object]) -> None:
        """Have something done each time before the loop waits."""
        poll = select.poll
        self.patch(select, "poll", lambda: _Polled(poll(), call))

    def test_it_introduces_itself(self) -> None:
        """The first report says who it is and by which text it goes; a standby is there by then."""
        self.assertEqual(self.serve(), [Ready(3, os.getpid(), 42)])
        self.assertEqual(self.standby.asked, ["require"])
        self.assertEqual(self.runs.asked, [("allow", 7)])

    def test_requests_are_done_in_their_order(self) -> None:
        """What is asked of this generation is done."""
        requests: list[Request] = [Start(3, 0, "a", ()), Signal(3, 0, SIGKILL), Start(3, 1, "b", ("x",))]

        self.serve(*(encode(each) for each in requests))

        self.assertEqual(self.runs.asked[1:], requests)

    def test_what_was_meant_for_another_is_not_done(self) -> None:
        """Starts and signals of an earlier or later generation mean other runs."""
        for generation in (0, 2, 4, 1 << 61):
            self.daemon.send(encode(Start(generation, 0, "a", ())))
            self.daemon.send(encode(Signal(generation, 0, SIGKILL)))

        self.serve()

        self.assertEqual(self.runs.asked, [("allow", 7)])

    def test_nonsense_is_complained_of_once(self) -> None:
        """What is no request is told to the administrator, one time, and what follows is done."""
        nonsense = [b"\xc1", b"x" * 100, encode(Ready(0, 0, 0)), b"\x00" * (REQUEST_BYTES + 1000)]

        heard = self.serve(*nonsense, encode(Start(3, 0, "a", ())))

        self.assertEqual([type(each) for each in heard], [Ready, Trouble])
        self.assertEqual(self.runs.asked[1:], [Start(3, 0, "a", ())])

    def test_the_configuration_is_read_when_asked(self) -> None:
        """The allow_list's answer is the report; nothing is run by it yet."""
        self.assertEqual(self.serve(encode(Reread()))[1:], [Trouble("read")])
        self.assertEqual(self.runs.asked, [("allow", 7)])

    def test_readings_do_not_make_it_unresponsive(self) -> None:
        """After each one the loop looks around, however many are asked for in a row."""

        def ask_once() -> None:
            rounds.append(len(self.heard()))
            if len(rounds) == 1:
                for _ in range(5):
                    self.daemon.send(encode(Reread()))
            elif len(rounds) > 6:
                self.daemon.close()

        rounds: list[int] = []
        self.before_polling(ask_once)
        self.server.serve()

        self.assertEqual(rounds[:7], [1, 1, 1, 1, 1, 1, 0])

    def test_what_was_read_is_adopted(self) -> None:
        """By its own checksum only; then it counts for runs, and the standby is another who knows it."""
        self.serve(encode(Adopt(44)), encode(Adopt(42)))
        self.assertEqual((self.runs.asked, self.standby.asked), ([("allow", 7)], ["require"]))

    def test_files_are_opened_when_asked(self) -> None:
        """A descriptor comes with the answer, or the kernel's reason does; nothing of it stays open here."""
        before = open_descriptors()
        self.daemon.send(encode(Fetch("passwd")))
        self.daemon.send(encode(Fetch("shadow")))
        heard = self.serve()

        self.assertEqual([each.errno for each in heard if isinstance(each, Fetched)], [0, 1])
        self.assertEqual(open_descriptors(), before)

    def test_adopted_for_runs_and_standby(self) -> None:
        """With the right checksum both are told."""
        self.serve(encode(Adopt(43)))
        self.assertEqual((self.runs.asked, self.standby.asked), ([("allow", 7)] * 2, ["require", "replace"]))

    def test_a_dead_standby_is_replaced(self) -> None:
        """When it is among the dead there is another at once; other deaths are none of its business."""
        self.runs.dead = [1001, 77]
        os.write(self.dying, b"\0")
        self.serve()

        self.assertEqual(self.standby.asked, ["require", "require"])

    def test_a_standby_that_could_not_be_forked_is_forked_later(self) -> None:
        """A host that was out of processes for a moment has a standby again soon."""
        required = self.standby.require

        def fails_once() -> None:
            required()
            if len(self.standby.asked) == 1:
                self.standby.pid = None

        self.standby.require = fails_once  # type: ignore[method-assign]
        self.runs.dead = [77]
        os.write(self.dying, b"\0")
        self.serve()

        self.assertGreaterEqual(self.standby.asked.count("require"), 2)

    def test_signs_of_life_are_shown_at_leisure(self) -> None:
        """One at once, and another when it is time; not one each time that something happens."""
        now = [100.0]
        self.patch(time, "monotonic", lambda: now[0])
        seen: list[int] = []

        def let_time_pass() -> None:
            seen.append(self.standby.signs)
            now[0] += HEARTBEAT_SECONDS * 0.4
            if len(seen) == 7:
                self.daemon.close()

        self.before_polling(let_time_pass)
        self.server.serve()

        self.assertEqual(seen, [1, 1, 1, 2, 2, 2, 3])

    def test_an_idle_loop_wakes_up_for_its_signs_alone(self) -> None:
        """It waits as long as a sign is not due, and shorter for what comes sooner."""
        self.standby.require()
        self.assertEqual(self.server._seconds_to_wait(100.0), HEARTBEAT_SECONDS)
        self.assertEqual(self.server._seconds_to_wait(100.5), HEARTBEAT_SECONDS - 0.5)
        self.runs.wait = 0.25
        self.assertEqual(self.server._seconds_to_wait(100.5), 0.25)

    def test_everything_ends_at_the_end(self) -> None:
        """The standby goes first, as it would take the place; then whatever runs."""
        self.serve()
        self.server.end()

        self.assertEqual(self.standby.asked[1:], ["stop"])
        self.assertEqual(self.runs.asked[-1], "end all")

    def test_no_request_is_lost_when_the_daemon_is_slow(self) -> None:
        """If a report finds no room in the middle of a row of requests, the rest is done as soon as there is room."""

        def post_much(request: object) -> None:
            if request == Start(3, 1, "a", ()):
                self.clog()

        self.runs.posts = post_much
        self.before_polling(lambda: self.heard() if self.channel.is_clogged else None)

        self.serve(*(encode(Start(3, number, "a", ())) for number in range(10)))

        self.assertEqual(self.runs.asked[1:], [Start(3, number, "a", ()) for number in range(10)])

    def test_a_daemon_that_does_not_listen_is_not_listened_to(self) -> None:
        """While a report waits no request is taken, so that a flood is the daemon's memory and not ours."""
        self.runs.posts = lambda request: self.clog() if request == Start(3, 0, "a", ()) else None
        for number in range(10):
            self.daemon.send(encode(Start(3, number, "a", ())))
        rounds: list[list[object]] = []

        def hang_up_after_a_while() -> None:
            rounds.append(list(self.runs.asked))
            if len(rounds) == 5:
                self.daemon.close()

        self.before_polling(hang_up_after_a_while)
        self.server.serve()

        self.assertEqual(rounds[1:5], [[("allow", 7), Start(3, 0, "a", ())]] * 4)


class _Polled:
    """A poll that lets the test do something each time before it waits."""

    def __init__(self, poll: Any, before: Callable[[], object]) -> None:
        self._poll = poll
        self._before = before
        self.register = poll.register

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait, but not for ever: a test that would hang fails."""
        self._before()
        events: list[tuple[int, int]] = self._poll.poll(50)
        return events
