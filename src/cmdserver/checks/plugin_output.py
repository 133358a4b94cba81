"""What a Nagios plugin has printed (Monitoring Plugins Guidelines, "Plugin Output"; Nagios Plugin API).

The first line is ``TEXT | PERFORMANCE DATA``; lines of long text follow, the last of which may have ``|`` again, behind
which all is performance data.
"""

from typing import Final

from cmdserver.checks import performance
from cmdserver.checks.result import MOST_CHARACTERS, MOST_LONG_CHARACTERS, CheckResult, shortened
from cmdserver.checks.states import EXIT_STATUSES, CheckState

#: Why a plugin is not believed that has exited as it should.
NO_TEXT: Final = "the plugin has printed what is no text"


def parse(output: bytes, exit_status: int | None, problem: str | None) -> CheckResult:
    """Read the output of a plugin that has ended.

    Args:
        output: Its standard output.
        exit_status: None if a signal has ended it.
        problem: Why it is not to be believed, whatever it has printed: its time was over, say. None if it is.

    Returns:
        The state that its exit status says. It is `UNKNOWN` for each other status, for one that was ended, and for what
        is no text: then `CheckResult.text` says so, before what was printed.
    """
    text = output.decode(errors="backslashreplace")
    first, measured, long_text = _parts(text)
    values, omitted = performance.parse(measured)
    state = CheckState(exit_status) if exit_status in EXIT_STATUSES else CheckState.UNKNOWN
    if problem is None and not _is_text(output):
        problem = NO_TEXT
    if problem is not None:
        state = CheckState.UNKNOWN
        first = f"{problem}: {first}" if first else problem
    return CheckResult(
        state=state,
        text=shortened(first, MOST_CHARACTERS) or f"{state.name} (the plugin has printed nothing)",
        long_text=shortened(long_text, MOST_LONG_CHARACTERS),
        performance=values,
        omitted_values=omitted,
    )


def _parts(text: str) -> tuple[str, str, str]:
    """Return the first line, all performance data, and the long text."""
    first_line, _, others = text.lstrip("\n").partition("\n")
    first, _, measured = first_line.partition("|")
    long_text, _, more = others.partition("|")
    if "\n" in measured or not more:
        return first.strip(), measured, long_text.rstrip()
    return first.strip(), f"{measured} {more}", long_text.rstrip()


def _is_text(output: bytes) -> bool:
    try:
        text = output.decode()
    except UnicodeDecodeError:
        return False
    return "\0" not in text
