"""Tests of what is remembered of earlier lines."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.ssh.terminal.earlier_lines import LINE_BYTES, MOST_LINES, EarlierLines


class EarlierLinesTests(SynchronousTestCase):
    def test_what_is_worth_remembering(self) -> None:
        """Neither blank lines, nor repetitions, nor very long ones."""
        lines = EarlierLines(["one", " ", "one", "two", "one", "", "\u00e9" * (LINE_BYTES // 2 + 1), "x" * LINE_BYTES])

        self.assertEqual(list(lines), ["one", "two", "one", "x" * LINE_BYTES])
        self.assertEqual((lines.add("y"), lines.add("y"), len(lines)), (True, False, 5))

    def test_bounds(self) -> None:
        """The newest are kept."""
        lines = EarlierLines(map(str, range(MOST_LINES + 3)))

        self.assertEqual((len(lines), lines.back(1), lines.back(MOST_LINES)), (MOST_LINES, str(MOST_LINES + 2), "3"))

    def test_finding(self) -> None:
        """From some line on, to older ones."""
        lines = EarlierLines(["df", "uptime", "df -h"])

        self.assertEqual([lines.find("df", first) for first in (1, 2, 3, 4)], [1, 3, 3, None])
        self.assertIsNone(lines.find("DF", 1))
