"""Times as systemd.time(7) and journalctl take them: ``2026-11-28 12:00``, ``today``, ``-2h``, ``3 days ago``."""

import re
from datetime import date, datetime, time, timedelta
from typing import Final

from cmdserver.core.escaping import visible

_UNITS: Final = {
    "seconds": ("s", "sec", "second", "seconds"),
    "minutes": ("m", "min", "minute", "minutes"),
    "hours": ("h", "hr", "hour", "hours"),
    "days": ("d", "day", "days"),
    "weeks": ("w", "week", "weeks"),
}
_SECONDS: Final = {
    word: timedelta(**{unit: 1}).total_seconds() for unit, words in _UNITS.items() for word in words
}  # fmt: skip
_SPAN: Final = re.compile(r"([0-9]{1,9})\s*([a-z]+)\s*", re.ASCII)
_HOUR: Final = re.compile(r"[0-9]{1,2}(:[0-9]{2}){1,2}", re.ASCII)
_DAYS: Final = {"today": 0, "yesterday": -1, "tomorrow": 1}
_EXAMPLES: Final = "write 2026-11-28, '2026-11-28 12:00', 12:00, today, yesterday, -2h or '2 days ago'"


def parse_time(text: str, now: datetime) -> datetime:
    """Read a time.

    Args:
        text: What somebody typed.
        now: With the time zone in which a time without one is meant.

    Raises:
        ValueError: It is none; the text says how it could be written.
    """
    text = text.strip()
    try:
        return _parse(text, now)
    except (ValueError, OverflowError):
        raise ValueError(f"{visible(text)!r} is no time: {_EXAMPLES}") from None


def _parse(text: str, now: datetime) -> datetime:
    word = text.lower()
    if word == "now":
        return now
    if word in _DAYS:
        return _at(now, now.date() + timedelta(days=_DAYS[word]), time())
    if word.startswith("@"):
        return datetime.fromtimestamp(float(word[1:]), now.tzinfo)
    return _by_span(word, now) or _moment(text, now)


def _by_span(word: str, now: datetime) -> datetime | None:
    """Read ``-2h``, ``+1d`` and ``2 hours ago``; None if it is something else."""
    if word.endswith(" ago"):
        return now - _span(word.removesuffix(" ago"))
    if word.startswith(("-", "+")):
        return now + _span(word[1:]) * (1 if word[0] == "+" else -1)
    return None


def _moment(text: str, now: datetime) -> datetime:
    """Read a day, an hour of today, or both."""
    if _HOUR.fullmatch(text):
        return _at(now, now.date(), time.fromisoformat(text.rjust(text.count(":") * 3 + 2, "0")))
    meant = datetime.fromisoformat(re.sub(r"\s+UTC\Z", "+00:00", text))
    return meant if meant.tzinfo is not None else _at(now, meant.date(), meant.time())


def _at(now: datetime, day: date, hour: time) -> datetime:
    """Return a local time; the time zone's offset may be another than now."""
    return datetime.combine(day, hour, now.tzinfo)


def _span(text: str) -> timedelta:
    """Read ``1d 12h``; a number alone is seconds."""
    text = text.strip()
    if text.isdigit():
        return timedelta(seconds=int(text))
    seconds, end = 0.0, 0
    while found := _SPAN.match(text, end):
        if found[2] not in _SECONDS:
            raise ValueError(found[2])
        seconds += int(found[1]) * _SECONDS[found[2]]
        end = found.end()
    if not end or end != len(text):
        raise ValueError(text)
    return timedelta(seconds=seconds)
