"""Tests of first lines; any bytes are an identification, or none, or not enough."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.identification import MAX_LINE_BYTES, NotSSH, read


class ReadTests(SynchronousTestCase):
    def test_lines_of_clients(self) -> None:
        """With LF alone too, and with what is only said to be old."""
        for line in (b"SSH-2.0-OpenSSH_9.2p1 Debian-2", b"SSH-1.99-x", b"SSH-2.0-"):
            for end in (b"\r\n", b"\n"):
                with self.subTest(line=line, end=end):
                    self.assertEqual(read(line + end + b"rest\n"), (line, len(line) + len(end)))

    def test_what_is_none_is_refused_at_once(self) -> None:
        """Other protocols, other versions, what is not printable, and lines that do not end."""
        for data in (
            b"GET / HTTP/1.1\r\n",
            b"G",
            b"\r\nSSH-2.0-x\r\n",
            b"SSH-1.5-x\r\n",
            b"SSH-2.0\r\n",
            b"SSH-3.0-x\r\n",
            b"SSH_2.0-x\r\n",
            b"SSH-2.0-\0\r\n",
            b"SSH-2.0-a\rb\r\n",
            b"SSH-2.0-\xff\r\n",
            b"SSH-2.0-" + b"x" * MAX_LINE_BYTES,
            b"SSH-2.0-" + b"x" * (MAX_LINE_BYTES - 9) + b"\r\n",
        ):
            with self.subTest(data=data), self.assertRaises(NotSSH):
                read(data)

    def test_the_longest_line_is_taken(self) -> None:
        """RFC 4253 section 4.2: 255 bytes with the end."""
        line = b"SSH-2.0-" + b"x" * (MAX_LINE_BYTES - 10)

        self.assertEqual(read(line + b"\r\n"), (line, MAX_LINE_BYTES))

    @given(st.binary(max_size=20), st.booleans())
    def test_less_is_waited_for_only_if_more_can_help(self, data: bytes, is_prefixed: bool) -> None:
        """What was waited for is never refused only because it came in pieces."""
        data = b"SSH-2.0-" * is_prefixed + data
        try:
            whole = read(data)
        except NotSSH:
            whole = None
        for end in range(len(data)):
            try:
                part = read(data[:end])
            except NotSSH:
                self.assertIsNone(whole)
            else:
                self.assertTrue(part is None or part == whole)
