"""An event as one line for people: when, who, from where, how, how it ended, how long it took, and what was asked for.

Whatever a client has sent is shown so that it cannot act on a terminal, nor look like another column.
"""

import shlex
from datetime import tzinfo
from typing import Final

from cmdserver.audit.filters import Record, time_of, user_of
from cmdserver.core.escaping import visible

#: Columns are no wider than that, for the sake of what comes behind them; a wider cell pushes its own line alone.
_MOST_COLUMNS: Final = 24
#: Of the reason of a refused login, or of the arguments of a command.
_MOST_CHARACTERS: Final = 2000


class Layout:
    """Lays out lines below each other, as they come: a column becomes as wide as it had to be so far.

    Args:
        zone: In which times are told.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._widths = [19, 9, 12, 16, 7, 7]

    def line(self, record: Record) -> str:
        """Lay out an event."""
        time = time_of(record)
        cells = (
            time.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S") if time is not None else "-",
            _word(user_of(record)),
            _word(record.get("source")),
            _how(record),
            _outcome(record),
            _seconds(record.get("duration_seconds")),
        )
        self._widths = [
            max(width, min(len(cell), _MOST_COLUMNS)) for width, cell in zip(self._widths, cells, strict=True)
        ]
        *rest, seconds = (f"{cell:<{width}}" for cell, width in zip(cells, self._widths, strict=True))
        return f"{'  '.join(rest)}  {seconds.strip():>{self._widths[-1]}}  {_cut(_what(record))}".rstrip()


def malformed(data: bytes) -> str:
    """Show what is no event."""
    return _cut(visible(data[: 4 * _MOST_CHARACTERS].decode("utf-8", "backslashreplace")))


def _how(record: Record) -> str:
    method = _word(record.get("method"))
    protocol = _word(record.get("protocol")) + ("+tls" if record.get("tls") is True else "")
    return protocol if method in {"none", "-"} else f"{protocol}/{method}"


def _outcome(record: Record) -> str:
    if record.get("event") == "started":
        return "started"
    text = _word(record.get("outcome"))
    for key in ("signal", "exit_status"):
        value = record.get(key)
        if value is not None and (key == "signal" or value != 0):
            text += f":{_word(value)}"
    by = record.get("ended_by")
    return f"{text} ({_word(by)})" if by is not None else text


def _seconds(seconds: object) -> str:
    return f"{seconds:.3f}" if isinstance(seconds, int | float) else "-"


def _what(record: Record) -> str:
    """Say what was asked for, as a shell would spell it; of a login, that it is one and why it was refused."""
    if record.get("event") == "login":
        return " ".join(["(login)", *(_text(record.get(key)) for key in ("reason", "fingerprint") if record.get(key))])
    arguments = record.get("arguments")
    words: list[object] = [record.get("command") or "-", *(arguments if isinstance(arguments, list) else ())]
    return " ".join(_quoted(each) for each in words)


def _quoted(value: object) -> str:
    text = _text(value)
    # A value, name=..., is quoted behind its name.
    name, equals, rest = text.partition("=")
    return f"{name}={shlex.quote(rest)}" if equals and rest and name.isidentifier() else shlex.quote(text)


def _word(value: object) -> str:
    """Show a value as one word, which ``awk`` finds."""
    return "-" if value is None else _text(value).replace(" ", "\\x20") or "''"


def _text(value: object) -> str:
    return visible(str(value))


def _cut(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}... ({len(text) - _MOST_CHARACTERS} characters more)"
