"""What a caller sees of a question to a fleet: lines as answers come, a bar on a terminal, a summary; or JSON.

Whatever a host has said is shown so that it cannot act on a terminal.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TextIO

from cmdserver.core.errors import Code
from cmdserver.core.escaping import printable_line
from cmdserver.fleet.client.outcomes import UNVERIFIED, Outcome, Summary

_BAR: Final = 24
_CUT: Final = "…"
#: Of a line that no terminal cuts.
_MOST_CHARACTERS: Final = 500
_GREEN, _YELLOW, _RED, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"
_ERASE_LINE: Final = "\r\x1b[K"


class Report(Protocol):
    """Where outcomes go."""

    def tell(self, outcome: Outcome) -> None:
        """Take what came of asking one host."""

    def finish(self, summary: Summary, seconds: float) -> None:
        """Take what came of all, and how long that took."""


class Lines:
    """For people: a line for each host as soon as it is known, and a bar below if that is a terminal.

    Args:
        output: Where lines go.
        bar: Where the bar is drawn: a terminal; None: nowhere.
        expected: The hosts that there will be outcomes of.
        width: Of the terminal, in columns; 0: there is none.
        shows_output: Whether all of a host's output is shown, and not its last line alone.
        is_coloured: Whether the terminal shows colours.
    """

    def __init__(
        self,
        output: TextIO,
        bar: TextIO | None,
        expected: Sequence[str],
        *,
        width: int = 0,
        shows_output: bool = False,
        is_coloured: bool = False,
    ) -> None:
        self._output = output
        self._bar = bar
        self._count, self._longest = len(expected), max(map(len, expected), default=0)
        self._width = width
        self._shows_output = shows_output
        self._is_coloured = is_coloured
        self._done = self._not_ok = 0
        self._draw()

    def tell(self, outcome: Outcome) -> None:
        """See `Report`."""
        if outcome.state != UNVERIFIED:
            self._done += 1
            self._not_ok += not outcome.is_ok
        self._erase()
        took = f"{outcome.seconds:6.2f} s" if outcome.seconds is not None else " " * 8
        state = f"{outcome.state:<11}"
        head = f"{outcome.host:<{self._longest}}  {state}  {took}"
        said = "" if self._shows_output and outcome.is_ok else _last_line(outcome)
        line = _cut(f"{head}  {printable_line(said)}".rstrip(), self._width or _MOST_CHARACTERS)
        if self._is_coloured:
            line = line.replace(state, f"{_colour(outcome)}{state}{_PLAIN}", 1)
        self._output.write(f"{line}\n")
        if self._shows_output:
            for each in _output_lines(outcome):
                self._output.write(f"{outcome.host}: {printable_line(each)}\n")
        self._output.flush()
        self._draw()

    def finish(self, summary: Summary, seconds: float) -> None:
        """See `Report`."""
        self._erase()
        counts = f"{summary.asked} asked, {summary.ok + summary.failed} answered"
        words = [f"{counts}: {summary.ok} ok, {summary.failed} failed; {seconds:.2f} s"]
        if summary.missing:
            words.append(f"no answer from {len(summary.missing)}: {' '.join(summary.missing)}")
        if summary.not_asked:
            words.append(f"not asked any more: {' '.join(summary.not_asked)}")
        self._output.write("\n".join(words) + "\n")
        self._output.flush()

    def _draw(self) -> None:
        if self._bar is None or not self._count:
            return
        full = _BAR * self._done // self._count
        failed = f", {self._not_ok} not ok" if self._not_ok else ""
        text = f"[{'#' * full}{'.' * (_BAR - full)}] {self._done}/{self._count}{failed}"
        self._bar.write(text)
        self._bar.flush()

    def _erase(self) -> None:
        if self._bar is not None and self._count:
            self._bar.write(_ERASE_LINE)
            self._bar.flush()


class JSONLines:
    """For programs: an object a line, as they come, and the summary last."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def tell(self, outcome: Outcome) -> None:
        """See `Report`."""
        self._write(outcome.as_json())

    def finish(self, summary: Summary, seconds: float) -> None:  # noqa: ARG002 - as `Report` has it
        """See `Report`."""
        self._write({"summary": summary.as_json()})

    def _write(self, record: dict[str, object]) -> None:
        self._output.write(json.dumps(record) + "\n")
        self._output.flush()


class OneJSON:
    """For programs: one object at the end."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def tell(self, outcome: Outcome) -> None:
        """See `Report`; it is in the summary."""

    def finish(self, summary: Summary, seconds: float) -> None:  # noqa: ARG002 - as `Report` has it
        """See `Report`."""
        record = {"hosts": [each.as_json() for each in summary.outcomes], "summary": summary.as_json()}
        self._output.write(json.dumps(record) + "\n")
        self._output.flush()


def _cut(line: str, width: int) -> str:
    """Cut a line so that it fits, and show that it was."""
    return line if len(line) < width else line[: width - 2] + _CUT


def _colour(outcome: Outcome) -> str:
    if outcome.is_ok:
        return _GREEN
    return _RED if outcome.is_answer else _YELLOW


def _last_line(outcome: Outcome) -> str:
    """Return what says most in a line: why there is nothing, what was refused, or the end of the output."""
    answer = outcome.answer or {}
    error = answer.get("error")
    if outcome.why or not answer:
        return outcome.why
    if isinstance(error, dict) and outcome.state != Code.FAILED:
        return str(error.get("message", ""))
    last = ""
    for name in ("stdout", "stderr") if outcome.is_ok else ("stderr", "stdout"):
        last = last or next(reversed(str(answer.get(name) or "").strip().splitlines()), "").strip()
    status = answer.get("exit_status")
    ended = f"exit status {status}" if isinstance(status, int) and status else ""
    return last if outcome.is_ok else ": ".join(filter(None, [ended, last]))


def _output_lines(outcome: Outcome) -> Iterator[str]:
    answer = outcome.answer or {}
    for name in ("stdout", "stderr"):
        yield from str(answer.get(name) or "").splitlines()
    if answer.get("truncated"):
        yield "(the output was cut here)"
