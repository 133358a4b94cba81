"""Tests of the loop over lines."""

from twisted.internet.task import Clock

from cmdserver.frontends.common.line_loop import LINES_IN_A_ROW, LineLoop


class Lines(LineLoop):
    """So many lines, each of which calls for the next one, as an answer that is there at once does."""

    _clock = Clock()

    def __init__(self, count: int) -> None:
        self.rest = count
        self.depth = 0
        self.may_proceed = True

    @property
    def _may_proceed(self) -> bool:
        return self.may_proceed

    def _take_line(self) -> bool:
        if not self.rest:
            return False
        assert not self.depth, "a line within a line"
        self.depth += 1
        self.rest -= 1
        self.proceed()
        self.depth -= 1
        return True


def test_lines_are_taken_one_after_the_other() -> None:
    """However often the loop is called meanwhile."""
    lines = Lines(5)
    lines.proceed()

    assert lines.rest == 0


def test_others_have_a_turn() -> None:
    """So many lines in a row, and the rest after a turn of the reactor."""
    lines = Lines(2 * LINES_IN_A_ROW + 1)
    lines.proceed()
    assert lines.rest == LINES_IN_A_ROW + 1
    lines._clock.pump([0, 0])

    assert lines.rest == 0


def test_nothing_is_taken_that_has_to_wait() -> None:
    """Until the loop is called again."""
    lines = Lines(1)
    lines.may_proceed = False
    lines.proceed()
    assert lines.rest == 1
    lines.may_proceed = True
    lines.proceed()

    assert lines.rest == 0


def test_a_mistake_does_not_stop_the_loop_for_good() -> None:
    """What is raised over a line passes, and the next call takes lines again."""
    lines = Lines(2)
    lines.depth = 1
    for _ in range(2):
        try:
            lines.proceed()
        except AssertionError:
            lines.depth = 0

    assert lines.rest == 0
