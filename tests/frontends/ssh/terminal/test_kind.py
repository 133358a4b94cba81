"""Tests of what is known of a terminal."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.ssh.terminal.kind import TerminalKind


class TerminalKindTests(SynchronousTestCase):
    def test_names(self) -> None:
        """All terminals obey control sequences but those that say otherwise."""
        for name in (b"xterm-256color", b"linux", b"vt100", b"\xff"):
            self.assertEqual(TerminalKind.of(name, 80), TerminalKind(80, is_plain=False))
        for name in (b"dumb", b"unknown", b""):
            self.assertEqual(TerminalKind.of(name, 0), TerminalKind(0, is_plain=True))
