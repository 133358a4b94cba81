"""Tests of how the two streams of a run, and its end, are told as text."""

import unittest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Fault
from cmdserver.core.output import Producer, Stream
from cmdserver.frontends.common.text_sink import Style, TextSink
from tests.doubles import LAW, a_grant, an_answer

OUT, ERR = Stream.STDOUT, Stream.STDERR
FOR_TERMINALS = [style for style in Style if style is not Style.VERBATIM]


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

    @given(st.sampled_from(FOR_TERMINALS), st.lists(st.tuples(st.sampled_from(Stream), st.binary(max_size=9))))
    @LAW
    def test_nothing_acts_on_a_terminal(self, style: Style, chunks: list[tuple[Stream, bytes]]) -> None:
        """However it is cut, what is not raw has no control character in it; what is raw is as it was."""
        self.assertNotRegex(told(style, *chunks).text(), rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
        raw = told(style, *chunks, raw=True)
        for stream in Stream:
            self.assertEqual(raw.text(stream), b"".join(chunk for each, chunk in chunks if each is stream))
