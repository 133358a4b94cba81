"""A logger of whole lines, for what is written once a request: there is no format to fill in, and nothing to look up.

To those who observe `twisted.logger` such a line is an event like any other; those who know `LINE_FORMAT` take the line
as it is.
"""

import time
from typing import Final

from twisted.logger import ILogObserver, LogLevel, globalLogPublisher

#: The format of these events: the line is all that they say.
LINE_FORMAT: Final = "{line}"


class LineLogger:
    """Logs lines; to log one is to call it.

    Args:
        namespace: As in `twisted.logger.Logger`.
        level: Of all its lines.
        observer: Who hears of them.
    """

    def __init__(
        self, namespace: str, level: LogLevel = LogLevel.info, observer: ILogObserver = globalLogPublisher
    ) -> None:
        self._observer = observer
        self._namespace = namespace
        self._level = level

    def __call__(self, line: str) -> None:
        """Log a line, without its end."""
        self._observer(
            {
                "log_level": self._level,
                "log_namespace": self._namespace,
                "log_source": None,
                "log_format": LINE_FORMAT,
                "log_time": time.time(),
                "line": line,
            }
        )
