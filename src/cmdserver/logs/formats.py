"""How events are written: as twistd writes them, or as systemd's journal wants them."""

from typing import Final, TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, formatEventAsClassicLogText, formatTime
from zope.interface import implementer

from cmdserver.logs.line_logger import LINE_FORMAT

#: sd-daemon(3): what stands before a line for the journal, by level.
_PRIORITIES: Final = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
#: What is said at no level, by libraries' old ways of logging.
_USUAL_PRIORITY: Final = 6


@implementer(ILogObserver)
class TextLog:
    """Writes events as twistd does, and lines that are whole already without looking at them again.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        #: The last second that was written, and how.
        self._second = 0
        self._said_second = ""

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_format") == LINE_FORMAT:
            time, level = int(event["log_time"]), event["log_level"].name
            if time != self._second:
                self._second, self._said_second = time, formatTime(time)
            line = event["line"].replace("\n", "\n\t")
            text: str | None = f"{self._said_second} [{event['log_namespace']}#{level}] {line}\n"
        else:
            text = formatEventAsClassicLogText(event)
        if text is not None:
            self._stream.write(text)
            self._stream.flush()


@implementer(ILogObserver)
class JournalLog:
    """Writes events as the journal wants them: each line with its priority, and the time left to the journal.

    Args:
        stream: What systemd listens to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_format") == LINE_FORMAT:
            text = event["line"]
        else:
            text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        priority = _PRIORITIES.get(event.get("log_level"), _USUAL_PRIORITY)
        # Each line has one, or the next ones of a traceback would be less than an error.
        self._stream.write("".join(f"<{priority}>{line}\n" for line in text.splitlines()))
        self._stream.flush()
