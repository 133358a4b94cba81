"""Tests of how the two streams of a run, and its end, are told as text."""

import unittest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cmdserver.core.errors import Fault
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.core.run_states import RunState
from cmdserver.frontends.common.check_text import plugin_text
from cmdserver.frontends.common.text_sink import Style, TextSink
from tests.checks.doubles import RULES, by_rules, plugin
from tests.doubles import LAW, a_grant, an_answer

OUT, ERR = Stream.STDOUT, Stream.STDERR
FOR_TERMINALS = [style for style in Style if style not in {Style.VERBATIM, Style.FOLLOWED}]


class TwoStreams:
    """An `Output` that keeps the order in which its streams were written."""

    def __init__(self) -> None:
        self.written: list[tuple[Stream, bytes]] = []
        self.producer: Producer | None = None

    def write(self, data: bytes, stream: Stream = OUT) -> None:
        assert data, "nothing was written"
        self.written.append((stream, data))

    def follow(self, producer: Producer | None) -> None:
        self.producer = producer

    def text(self, *streams: Stream) -> bytes:
        """What was written to these streams, in order."""
        return b"".join(data for stream, data in self.written if stream in (streams or Stream))


class Steered:
    """A run that nobody pauses."""

    def pauseProducing(self) -> None:
        raise AssertionError

    def resumeProducing(self) -> None:
        raise AssertionError


def told(style: Style, *chunks: tuple[Stream, bytes], raw: bool = False, **finished: Any) -> TwoStreams:
    """Tell a whole run."""
    output, grant = TwoStreams(), a_grant(raw=raw, timeout_seconds=1, output_limit_bytes=9)
    sink = TextSink(output, style)
    sink.started(grant, Steered())
    assert output.producer is not None
    for stream, chunk in chunks:
        sink.write(stream, chunk)
    answer = an_answer(grant, **finished)
    assert sink.finish(answer) is answer
    return output


class StyleTests(unittest.TestCase):
    def test_order(self) -> None:
        """Standard error waits where there is one stream, and nowhere else."""
        chunks = (ERR, b"e"), (OUT, b"o"), (ERR, b"E")
        self.assertEqual(told(Style.IN_ONE, *chunks).text(), b"oeE")
        for style in (Style.AS_IT_COMES, Style.APART):
            self.assertEqual(told(style, *chunks).written, list(chunks))

    def test_who_has_an_exit_status(self) -> None:
        """Who gets an exit status is told only what that does not say; everybody else is told how it ended."""
        self.assertEqual(told(Style.APART, exit_status=3).text(), b"")
        for style in (Style.IN_ONE, Style.AS_IT_COMES):
            self.assertEqual(told(style, exit_status=3).text(), b"cmdserver: df: exit status 3\n")
        for style in Style:
            self.assertIn(b"timeout", told(style, exit_status=None, signal="SIGTERM", timed_out=True).text(ERR))
            self.assertIn(b"truncated", told(style, exit_status=None, signal="SIGTERM", truncated=True).text(ERR))

    def test_pace(self) -> None:
        """The run is followed while it lasts, and no longer."""
        self.assertIsNone(told(Style.APART).producer)

    def test_complaints_begin_a_line(self) -> None:
        """After output that does not end its line; only standard error's counts where the two are apart."""
        for style, breaks in ((Style.IN_ONE, 1), (Style.AS_IT_COMES, 1), (Style.APART, 0)):
            text = told(style, (OUT, b"half"), truncated=True).text(ERR)
            self.assertEqual(text.index(b"cmdserver"), breaks, style)
        self.assertTrue(told(Style.APART, (ERR, b"half"), truncated=True).text().startswith(b"half\ncmdserver"))

    def test_failing(self) -> None:
        """What became of a run without an answer is said behind what it has written."""
        output = TwoStreams()
        sink = TextSink(output, Style.APART)
        sink.write(ERR, b"half")
        sink.fail(Fault("q1"))

        self.assertRegex(output.text(ERR), rb"\Ahalf\ncmdserver: fault: [^\n]+\n\Z")

    def test_verbatim(self) -> None:
        """Output is as it was; standard error and how it ended are told behind it, and of a failure only."""
        chunks = (ERR, b"\x1be"), (OUT, b"\x1bo"), (OUT, b"\x00\r")
        self.assertEqual(told(Style.VERBATIM, *chunks).written, [(OUT, b"\x1bo"), (OUT, b"\x00\r")])
        self.assertEqual(
            told(Style.VERBATIM, *chunks, exit_status=3).text(),
            b"\x1bo\x00\r\x1be\ncmdserver: df: exit status 3\n",
        )

    def test_followed(self) -> None:
        """Output is as it was, each piece in its place, and the last line says how it ended, be it well."""
        chunks = (ERR, b"\x1be\n"), (OUT, b"o")
        for status, end in ((0, b"exit status 0"), (3, b"exit status 3")):
            followed = told(Style.FOLLOWED, *chunks, exit_status=status)
            self.assertEqual(followed.text(), b"\x1be\no\ncmdserver: df: " + end + b"\n")
            self.assertEqual(followed.written[:2], list(chunks))

    @given(st.sampled_from(FOR_TERMINALS), st.lists(st.tuples(st.sampled_from(Stream), st.binary(max_size=9))))
    @LAW
    def test_nothing_acts_on_a_terminal(self, style: Style, chunks: list[tuple[Stream, bytes]]) -> None:
        """However it is cut, what is not raw has no control character in it; what is raw is as it was."""
        self.assertNotRegex(told(style, *chunks).text(), rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
        raw = told(style, *chunks, raw=True)
        for stream in Stream:
            self.assertEqual(raw.text(stream), b"".join(chunk for each, chunk in chunks if each is stream))


class CheckTests(unittest.TestCase):
    """Checks, as a plugin prints them."""

    def told(self, style: Style, answer: Answer) -> TwoStreams:
        """Tell a whole run that has printed what its answer has."""
        output = TwoStreams()
        grant = a_grant(check=answer.examines)
        sink = TextSink(output, style)
        sink.started(grant, Steered())
        sink.notice("x")
        for stream, chunk in ((OUT, answer.finished.stdout), (ERR, answer.finished.stderr)):
            if chunk:
                sink.write(stream, chunk)
        self.assertIs(sink.finish(answer), answer)
        self.assertIsNone(output.producer)
        notice = [(ERR, b"cmdserver: x\n")] if style is not Style.VERBATIM else []
        self.assertEqual(output.written[: len(notice)], notice)
        del output.written[: len(notice)]
        return output

    def test_plugins(self) -> None:
        """What it prints is all that there is to say, whatever its state."""
        for status in range(4):
            for style in (Style.IN_ONE, Style.AS_IT_COMES, Style.APART):
                text = self.told(style, plugin(b"BAD | x=1\n", status, stderr=b"e\n")).text()
                self.assertEqual(text, b"BAD | x=1\ne\n", style)
            self.assertEqual(self.told(Style.VERBATIM, plugin(b"BAD\n", status, stderr=b"e\n")).text(), b"BAD\n")

    def test_silent_plugins(self) -> None:
        """Its state is told all the same; its complaint, if there is one, is told as such."""
        said = b"CRITICAL (the plugin has printed nothing)\n"
        for style in Style:
            expected = b"cmdserver: df: CRITICAL: exit status 2\n" if style is Style.FOLLOWED else said
            self.assertEqual(self.told(style, plugin(b"", 2)).text(), expected)
            complaining = self.told(style, plugin(b"", 2, stderr=b"usage\n"))
            self.assertTrue(complaining.text().startswith(b"usage\n"), style)
            self.assertEqual(complaining.text().count(b"usage"), 1)
            self.assertNotIn(b"nothing", complaining.text())

    def test_plugins_that_are_not_believed(self) -> None:
        """Their exit status says something else: why is told, whatever the client gets besides."""
        for style in Style:
            self.assertIn(b"what is no text\n", self.told(style, plugin(b"\xff", 0)).text(ERR), style)
            for status in (0, 3):
                told = self.told(style, plugin(b"x", status, truncated=True))
                self.assertIn(b"truncated at", told.text(ERR), (style, status))

    def test_plugins_with_another_status(self) -> None:
        """Who gets that is not told it again."""
        self.assertEqual(self.told(Style.APART, plugin(b"x\n", 4)).text(), b"x\n")
        self.assertEqual(self.told(Style.APART, plugin(b"", 4)).text(), b"")
        for style in (Style.IN_ONE, Style.AS_IT_COMES, Style.VERBATIM):
            self.assertEqual(self.told(style, plugin(b"x\n", 4)).text(), b"x\ncmdserver: df: exit status 4\n")
        followed = self.told(Style.FOLLOWED, plugin(b"x\n", 4)).text()
        self.assertEqual(followed, b"x\ncmdserver: df: UNKNOWN: exit status 4\n")

    def test_rules(self) -> None:
        """What they find takes the place of what was printed."""
        for style in Style:
            told = self.told(style, by_rules(stdout=b"table\n", stderr=b"e\n"))
            if style is Style.FOLLOWED:
                last = b"cmdserver: df: CRITICAL: use_percent of /var is 93 (over 90)\n"
                self.assertEqual(told.text(), b"table\ne\n" + last)
            else:
                self.assertEqual(told.written, [(OUT, plugin_text(by_rules()))])

    def test_rules_on_what_is_missing(self) -> None:
        """What is left out of the middle of output is nobody's concern who sees none of it."""
        for style, expected in ((Style.IN_ONE, b""), (Style.FOLLOWED, b"7 bytes are left out")):
            output = TwoStreams()
            sink = TextSink(output, style)
            sink.started(a_grant(check=RULES), Steered())
            sink.missed(7)
            self.assertIn(expected, output.text())
            self.assertEqual(bool(expected), bool(output.text()))

    def test_rules_without_a_judgement(self) -> None:
        """Nobody knows how it ended: that is told, behind what it had printed."""
        lost = replace(by_rules(stdout=b"half"), check=None, state=RunState.LOST, problem="the daemon was gone")
        for style in (Style.IN_ONE, Style.AS_IT_COMES, Style.VERBATIM):
            self.assertEqual(self.told(style, lost).text(), b"half\ncmdserver: df: the daemon was gone\n")

    def test_nothing_acts_on_a_terminal(self) -> None:
        """Names in data are a stranger's; what is raw is as it was."""
        hostile = b"\x1b[2J\x1b]0;x\x07BAD\n"
        rows = by_rules([{"mounted_on": "\x1b[2J", "use_percent": 95}])
        for style in FOR_TERMINALS:
            for answer in (plugin(hostile, 2), rows, by_rules(None, "no", stderr=b"\x1b[2J\n")):
                self.assertNotIn(b"\x1b", self.told(style, answer).text())
        self.assertEqual(self.told(Style.VERBATIM, plugin(hostile, 2)).text(), hostile)


RED, RESET = b"\x1b[31m", b"\x1b[0m"


class ColourTests(unittest.TestCase):
    """A command that says ``colours``."""

    def begin(self, style: Style, *, colours: bool = True, is_at_terminal: bool = False) -> TextSink:
        """Begin a run."""
        self.output = TwoStreams()
        sink = TextSink(self.output, style, is_at_terminal=is_at_terminal)
        self.grant = a_grant(colours=colours)
        sink.started(self.grant, Steered())
        return sink

    def test_they_are_left_alone(self) -> None:
        """In both streams, and nothing else is; without its word, they are not."""
        for style in FOR_TERMINALS:
            sink = self.begin(style)
            sink.write(OUT, RED + b"out\x1b[2J")
            sink.write(ERR, RED + b"err\x1b[2J")
            sink.finish(an_answer(self.grant))
            text = self.output.text()
            self.assertEqual((text.count(RED), text.count(b"^[[2J")), (2, 2), text)
            self.assertTrue(text.endswith(RESET))
        sink = self.begin(Style.APART, colours=False)
        sink.write(OUT, RED)
        self.assertEqual(self.output.text(), b"^[[31m")

    def test_complaints_have_none(self) -> None:
        """What we say is not painted by a command, nor does what it has left open cost a line."""
        for style in FOR_TERMINALS:
            sink = self.begin(style)
            sink.write(OUT, RED + b"out\n")
            sink.write(ERR, RED + b"err\n")
            sink.finish(an_answer(self.grant, exit_status=None, signal=None, timed_out=True))
            text = self.output.text()
            self.assertRegex(text, rb"\n(\x1b\[0m)+cmdserver: [^\x1b]+\Z")
            self.assertNotIn(RESET + b"\n", text)

    def test_what_interrupts(self) -> None:
        """Colours are taken back before what is missing, what is to be known, and what went wrong."""
        for interrupt in (
            lambda sink: sink.missed(3),
            lambda sink: sink.notice("look"),
            lambda sink: sink.fail(Fault("0")),
        ):
            sink = self.begin(Style.AS_IT_COMES)
            sink.write(OUT, RED + b"out\n")
            interrupt(sink)
            self.assertTrue(self.output.text().startswith(RED + b"out\n" + RESET + b"cmdserver: "))

    def test_who_leaves(self) -> None:
        """They are taken back, and nothing else is written."""
        sink = self.begin(Style.AS_IT_COMES)
        sink.write(OUT, RED)
        sink.leave()
        sink.leave()
        self.assertEqual(self.output.text(), RED + RESET)


class TerminalTests(unittest.TestCase):
    """A person's terminal, where both streams are one."""

    def test_progress(self) -> None:
        """A CR begins the line anew there, and only there."""
        for is_at_terminal, shown in ((True, b"10%\r20%\r"), (False, b"10%^M20%")):
            output = TwoStreams()
            sink = TextSink(output, Style.APART, is_at_terminal=is_at_terminal)
            sink.started(a_grant(), Steered())
            sink.write(OUT, b"10%\r")
            sink.write(OUT, b"20%\r")
            self.assertEqual(output.text(), shown)

    def test_no_complaint_is_overwritten(self) -> None:
        """It begins a line, whichever stream was within one, and nothing comes behind it."""
        for stream in Stream:
            output = TwoStreams()
            sink = TextSink(output, Style.APART, is_at_terminal=True)
            sink.started(a_grant(), Steered())
            sink.write(stream, b"cmdserver: all is well\r")
            sink.finish(an_answer(a_grant(), exit_status=None, signal=None, timed_out=True))
            self.assertRegex(output.text(), rb"\Acmdserver: all is well\r\ncmdserver: [^\r]*timeout[^\r]*\n\Z")
