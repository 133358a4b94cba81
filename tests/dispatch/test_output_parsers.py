"""Output as data: what a parser makes of it, whatever it is, and once a run."""

import gc
import importlib
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable
from itertools import count
from types import CodeType, FrameType
from typing import Any
from unittest import TestCase
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent

from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch import output_parsers
from cmdserver.dispatch.output_parsers import PATIENCE, NotInstalled, json_of, load, load_if_installed, parse
from cmdserver.frontends.common.rendering import answer_json
from tests.doubles import LAW, a_grant, an_answer, without_jc

pytest.importorskip("jc", reason="jc is not installed")

DF = (
    b"Filesystem      Size  Used Avail Use% Mounted on\n"
    b"/dev/vda        252G   24G   78G  24% /\n"
)  # fmt: skip
IFCONFIG = b"lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n"
ROW = {
    "filesystem": "/dev/vda",
    "size": 252 << 30,
    "used": 24 << 30,
    "available": 78 << 30,
    "use_percent": 24,
    "mounted_on": "/",
}


class LoadTests(TestCase):
    def test_names(self) -> None:
        """Names are jc's, with dashes or with underscores."""
        for name in ("df", "uptime", "apt-cache-show", "apt_cache_show"):
            with self.subTest(name):
                self.assertEqual(load(name), name)

    def test_what_is_no_parser(self) -> None:
        """Mistakes are told with what may have been meant; no name reaches beyond jc's parsers."""
        cases = {
            "dff": "did you mean df?",
            "": "has no parser",
            "df.uptime": "has no parser",
            "../df": "has no parser",
            "abstract": "has no parser",
            "ls-s": "use ls",
        }
        for name, text in cases.items():
            with self.subTest(name), self.assertRaises(ValueError) as caught:
                load(name)
            self.assertIn(text, str(caught.exception))

    def test_without_jc(self) -> None:
        """Where jc is missing, it is said what to install; who can do without, does."""
        with without_jc():
            with self.assertRaisesRegex(NotInstalled, r"cmdserver\[structured\]"):
                load("df")
            self.assertIsNone(load_if_installed("df"))
        self.assertEqual("df", load_if_installed("df"))


class DataTests(TestCase):
    def test_df(self) -> None:
        """A table is a list of rows."""
        self.assertEqual([ROW], parse("df", DF))

    def test_what_cannot_be(self) -> None:
        """A share whose name has a blank moves the columns: none of it is believed, and the log says so once."""
        head = b"Filesystem                      1K-blocks        Used  Available Use% Mounted on\n"
        disk = b"/dev/sda1                        10190100     4061664    5587760  43% /\n"
        share = b"//nas.example/Common Files/Team 17179803648 15080666092 2099137556  88% /mnt/team\n"
        self.assertIsNotNone(parse("df", head + disk))
        output_parsers._complain.cache_clear()

        with capturedLogs() as logged:
            results = [parse("df", head + disk + share + b"\n" * number) for number in range(3)]

        self.assertEqual(results, [None] * 3)
        (event,) = logged
        self.assertIn("the parser df cannot read what its command prints: a value cannot be", formatEvent(event))

    def test_formats_call_their_values_as_they_like(self) -> None:
        """A file in YAML may have a percentage of -3; what a command prints may not."""
        pytest.importorskip("ruamel.yaml", reason="jc cannot read YAML here")

        self.assertEqual([{"use_percent": -3, "mounted_on": "x"}], parse("yaml", b"use_percent: -3\nmounted_on: x\n"))

    def test_commands_of_this_host(self) -> None:
        """What they print is believed."""
        for parser, output in (
            ("uptime", b" 04:37:01 up 57 min,  0 users,  load average: 0.10, 0.20, 0.30\n"),
            ("free", b"               total        used        free\nMem:            7935        1204        4200\n"),
            (
                "ps",
                b"USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\nroot 1 250 0.1 1 2 ? Ss 00:31 0:01 init\n",
            ),
            ("mount", b"proc on /proc type proc (rw,nosuid)\n/dev/vda on /mnt/a b type ext4 (rw)\n"),
        ):
            with self.subTest(parser):
                self.assertIsNotNone(parse(parser, output))

    def test_odd_output(self) -> None:
        """What a parser stumbles over has no data; so has more than is looked at."""
        for parser, output in (
            ("uptime", b"no such thing\n"),
            ("uptime", b"\xff\x00"),
            ("json", b"{"),
            ("df", DF + b" " * (1 << 17)),
        ):
            with self.subTest(parser):
                self.assertIsNone(parse(parser, output))

    def test_slow_parsers(self) -> None:
        """A parser that would take minutes is stopped, and left alone when that was so three times."""
        self.addCleanup(load, load("ifconfig"))

        for length in range(20_000, 20_000 + PATIENCE):
            self.assertIsNone(parse("ifconfig", b"x" * length))

        self.assertIsNone(parse("ifconfig", IFCONFIG))
        load("ifconfig")
        self.assertIsInstance(parse("ifconfig", IFCONFIG), list)

    def test_bounds(self) -> None:
        """A hundred bytes cannot become millions of values, and every number can be told."""
        pytest.importorskip("ruamel.yaml", reason="jc cannot read YAML here")
        levels = "\n".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        )
        bomb = f"a: &a [x]\n{levels}\n".encode()

        self.assertIsNone(parse("yaml", bomb))
        self.assertEqual([{"x": None, "y": 2.0**64}], parse("yaml", b"x: .nan\ny: 18446744073709551616\n"))

    @LAW
    @given(
        output=st.binary(max_size=200),
        parser=st.sampled_from(["df", "uptime", "ps", "free", "csv", "ini", "kv", "yaml"]),
    )
    def test_any_output_is_json(self, output: bytes, parser: str) -> None:
        """Any bytes give what JSON can say, or nothing."""
        json.dumps(parse(parser, output), allow_nan=False)

    def test_incomplete_output(self) -> None:
        """What was cut, ended or not kept has no data: its last row would be wrong."""
        grant = a_grant(parser="df")
        whole = an_answer(grant, stdout=DF, stdout_bytes=len(DF))
        cases = [
            an_answer(grant, stdout=DF, stdout_bytes=len(DF), truncated=True),
            an_answer(grant, stdout=DF, stdout_bytes=len(DF), timed_out=True),
            an_answer(grant, stdout=DF, stdout_bytes=len(DF), ended_by=EndedBy.STOP),
            an_answer(grant, stdout_bytes=len(DF)),
            an_answer(stdout=DF, stdout_bytes=len(DF)),
        ]

        self.assertEqual([ROW], json.loads(json_of(whole)))
        self.assertEqual([b"null"] * 5, [json_of(answer) for answer in cases])

    def test_once_a_run(self) -> None:
        """Those who share a run share its data."""
        output = DF + b"tmpfs            24G     0   24G   0% /dev/shm\n"
        finished = an_answer(a_grant(parser="df"), stdout=output, stdout_bytes=len(output))
        module = importlib.import_module("jc.parsers.df")

        with patch.object(module, "_process", wraps=module._process) as process:
            self.assertIs(json_of(finished), json_of(finished))

        self.assertEqual(1, process.call_count)


class AlarmTests(TestCase):
    """The time limit of a parser, whenever its alarm comes."""

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, self.foreign))
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        self.assertTrue(gc.isenabled())
        # The collector stays on, and does nothing: what it calls would be instructions of this thread as well.
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(0)

    def foreign(self, *_: object) -> None:
        """Somebody else's handler."""

    def assert_tidy(self, where: str = "") -> None:
        """All is as it was before."""
        self.assertTrue(gc.isenabled(), where)
        self.assertEqual(signal.getsignal(signal.SIGALRM), self.foreign, where)
        self.assertEqual(signal.getitimer(signal.ITIMER_REAL), (0.0, 0.0), where)

    def test_an_alarm_in_time(self) -> None:
        """Ends the work, be it here or in what is called from here."""
        for work in (lambda: signal.raise_signal(signal.SIGALRM), self.wait, lambda: None):
            with self.assertRaisesRegex(TimeoutError, r"longer than 0.01 s"), output_parsers._at_most(0.01):
                self.assertFalse(gc.isenabled())
                work()
                while True:
                    pass

            self.assert_tidy()

    def wait(self) -> None:
        """Take one's time."""
        while True:
            pass

    def test_work_that_fails(self) -> None:
        """What it raises goes through."""
        with self.assertRaises(ZeroDivisionError), output_parsers._at_most(9):
            _ = 1 / 0

        self.assert_tidy()

    def test_a_collector_that_is_off(self) -> None:
        """Stays off."""
        gc.disable()
        self.addCleanup(gc.enable)

        with output_parsers._at_most(9):
            pass

        self.assertFalse(gc.isenabled())

    def test_a_timer_of_somebody_else(self) -> None:
        """Goes on where it was; so does the one of an outer limit."""
        signal.setitimer(signal.ITIMER_REAL, 1000, 2000)

        with output_parsers._at_most(500):
            with output_parsers._at_most(9):
                pass
            outer, interval = signal.getitimer(signal.ITIMER_REAL)
        left, every = signal.getitimer(signal.ITIMER_REAL)

        self.assertEqual((outer <= 500, outer > 9, interval), (True, True, 500))
        self.assertEqual((left <= 1000, left > 500, every), (True, True, 2000))

    def test_no_alarm_is_left_to_somebody_else(self) -> None:
        """The timer runs only while the handler is ours: another's may be to end the process."""
        due: list[float] = []

        def look(_: FrameType) -> None:
            if signal.getsignal(signal.SIGALRM) == self.foreign:
                due.append(signal.getitimer(signal.ITIMER_REAL)[0])

        self.trace(self.succeed, look)

        self.assertEqual(set(due), {0.0})

    def test_an_alarm_at_any_moment(self) -> None:
        """At each instruction from the beginning to the end of the statement: whatever becomes of it, all is tidy."""
        for limited in (self.succeed, self.fail_in_vain):
            moments: list[CodeType] = []
            self.trace(limited, lambda frame: moments.append(frame.f_code))  # noqa: B023 - it is called at once
            results = Counter[object]()
            for moment, code in enumerate(moments):
                where = f"{limited.__name__}, instruction {moment} of {len(moments)}, in {code.co_name}"
                result = self.trace(limited, self.alarm_at(moment))
                self.assert_tidy(where)
                self.assertIn(result, {limited.__name__, "TimeoutError"}, where)
                if code in output_parsers._OURS:
                    self.assertEqual(result, limited.__name__, where)
                if code is self.work.__code__:
                    self.assertEqual(result, "TimeoutError", where)
                results[result] += 1
            self.assertGreater(results["TimeoutError"], 10)
            self.assertGreater(results[limited.__name__], 100)

    def succeed(self) -> str:
        """Do something within the time."""
        with output_parsers._at_most(9):
            return self.work("succeed")

    def fail_in_vain(self) -> str:
        """Do something that fails, within the time."""
        try:
            with output_parsers._at_most(9):
                return {"": ""}[self.work("fail_in_vain")]
        except KeyError as error:
            return str(error.args[0])

    def work(self, result: str) -> str:
        """Do something."""
        return "".join(list(result))

    def alarm_at(self, moment: int) -> Callable[[FrameType], None]:
        """Let the alarm come before one instruction."""
        numbers = count()

        def ring(frame: FrameType) -> None:
            handler = signal.getsignal(signal.SIGALRM)
            if next(numbers) == moment and callable(handler):
                handler(signal.SIGALRM, frame)

        return ring

    def trace(self, limited: Callable[[], str], call: Callable[[FrameType], None]) -> str:
        """Do something with a call before each instruction; return what came of it, or that it took too long."""

        def each(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
            frame.f_trace_opcodes = True
            if event == "opcode":
                call(frame)
            return each

        before = sys.gettrace()
        sys.settrace(each)
        try:
            return limited()
        except TimeoutError:
            return "TimeoutError"
        finally:
            sys.settrace(before)


class AnswerTests(TestCase):
    def test_json_answers_carry_data(self) -> None:
        """A command with a parser has ``data`` in its JSON answer; one without has no such key."""
        record = json.loads(answer_json(an_answer(a_grant(parser="df"), stdout=DF, stdout_bytes=len(DF))))

        self.assertEqual([ROW], record["data"])
        self.assertNotIn("data", json.loads(answer_json(an_answer(stdout=DF, stdout_bytes=len(DF)))))
