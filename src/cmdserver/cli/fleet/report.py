"""What a caller sees of a question to a fleet: lines as answers come, a bar on a terminal, a summary; or JSON.

Whatever a host has said is shown so that it cannot act on a terminal.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TextIO

from cmdserver.core.errors import Code
from cmdserver.core.escaping import printable_line
from cmdserver.fleet.client.outcomes import Outcome, Summary
from cmdserver.frontends.common.text_width import cut

_BAR: Final = 24
_SHORTEST_BAR: Final = 4
#: Of a terminal that nobody has asked.
_USUAL_WIDTH: Final = 79
#: State, time and a few words, beside a host's name; and a name, however narrow the terminal is.
_BESIDE_NAME: Final = 43
_SHORTEST_NAME: Final = 8
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
        #: A row that is full to its last column may be two.
        self._width = max(width - 1, 1) if width else 0
        # One long name is not to hide how all the others are.
        most = max(self._width - _BESIDE_NAME, _SHORTEST_NAME) if width else _MOST_CHARACTERS
        self._count, self._longest = len(expected), min(max(map(len, expected), default=0), most)
        self._shows_output = shows_output
        self._is_coloured = is_coloured
        self._done = self._not_ok = 0
        self._draw()

    def tell(self, outcome: Outcome) -> None:
        """See `Report`."""
        self._done += 1
        self._not_ok += not outcome.is_ok
        self._erase()
        took = f"{outcome.seconds:6.2f} s" if outcome.seconds is not None else " " * 8
        state = f"{outcome.state:<11}"
        head = f"{cut(outcome.host, self._longest):<{self._longest}}  {state}  {took}"
        said = "" if self._shows_output and outcome.is_ok else _last_line(outcome)
        line = cut(f"{head}  {printable_line(said)}".rstrip(), self._width or _MOST_CHARACTERS)
        if self._is_coloured:
            start = self._longest + len("  ")
            end = start + len(state)
            line = f"{line[:start]}{_colour(outcome)}{line[start:end]}{_PLAIN}{line[end:]}"
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
            words.append(f"no verified answer from {len(summary.missing)}: {' '.join(summary.missing)}")
        if summary.not_asked:
            words.append(f"not asked any more: {' '.join(summary.not_asked)}")
        words += [
            f"besides its answer, something came for {each.host} that is not verified: {printable_line(each.besides)}"
            for each in summary.outcomes
            if each.besides
        ]
        self._output.write("\n".join(words) + "\n")
        self._output.flush()

    def _draw(self) -> None:
        if self._bar is None or not self._count:
            return
        failed = f", {self._not_ok} not ok" if self._not_ok else ""
        counts = f"{self._done}/{self._count}{failed}"
        room = min(_BAR, (self._width or _USUAL_WIDTH) - len(f"[] {counts}"))
        full = room * self._done // self._count
        text = f"[{'#' * full}{'.' * (room - full)}] {counts}" if room >= _SHORTEST_BAR else counts
        self._bar.write(cut(text, self._width or _USUAL_WIDTH))
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
        self._write(_json_of(outcome))

    def finish(self, summary: Summary, seconds: float) -> None:  # noqa: ARG002 - as `Report` has it
        """See `Report`."""
        self._write(json.dumps({"summary": summary.as_json()}))

    def _write(self, line: str) -> None:
        self._output.write(f"{line}\n")
        self._output.flush()


class OneJSON:
    """For programs: one object at the end."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def tell(self, outcome: Outcome) -> None:
        """See `Report`; it is in the summary."""

    def finish(self, summary: Summary, seconds: float) -> None:  # noqa: ARG002 - as `Report` has it
        """See `Report`."""
        hosts = ", ".join(map(_json_of, summary.outcomes))
        self._output.write(f'{{"hosts": [{hosts}], "summary": {json.dumps(summary.as_json())}}}\n')
        self._output.flush()


def _json_of(outcome: Outcome) -> str:
    """Write an outcome; what a host says that is no JSON, though Python reads it, is left out."""
    record = outcome.as_json()
    try:
        return json.dumps(record, allow_nan=False)
    except (ValueError, RecursionError):
        return json.dumps({**record, "answer": None, "why": "its answer cannot be written as JSON"})


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
