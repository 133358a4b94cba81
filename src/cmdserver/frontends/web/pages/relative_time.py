"""Times as people say them: how long ago, how long it takes. The time is an argument; days are the host's."""

from datetime import UTC, date, datetime
from typing import Final

from cmdserver.frontends.web.pages.markup import Markup, element

#: From here on tenths of a second tell nobody anything.
_LONG_SECONDS: Final = 10.0
_MINUTE, _HOUR, _HOURS_OF_DAY, _WEEK_DAYS = 60, 3600, 12, 7


def ago(seconds: float, now: float, *, running: float | None = None) -> Markup:
    """Make a time in the past as a list shows it; all of it is its title.

    Args:
        seconds: Since the epoch.
        now: The same.
        running: How long what began then has gone on, which is shown in its place; None if it does not go on.
    """
    begun = local(seconds)
    return element(
        "time",
        _words(begun, now - seconds, day_of(now)) if running is None else whole(running),
        datetime=begun.isoformat(timespec="seconds"),
        title=full(begun),
    )


def _words(begun: datetime, seconds: float, today: date) -> str:
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min ago"
    if seconds < _HOURS_OF_DAY * _HOUR:
        return f"{seconds // _HOUR:.0f} h ago"
    days = (today - begun.date()).days
    if days < _WEEK_DAYS:
        return (f"{seconds // _HOUR:.0f} h ago", "yesterday")[days] if days <= 1 else begun.strftime("%a")
    return begun.strftime("%d %b").lstrip("0") if begun.year == today.year else begun.strftime("%Y-%m-%d")


def day_of(seconds: float) -> date:
    """Return the day of a time, in the host's time zone.

    Args:
        seconds: Since the epoch.
    """
    return local(seconds).date()


def local(seconds: float) -> datetime:
    """Return a time in the host's time zone.

    Args:
        seconds: Since the epoch.
    """
    return datetime.fromtimestamp(seconds, UTC).astimezone()


def full(moment: datetime) -> str:
    """Say all of a time."""
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z")


def short(seconds: float) -> str:
    """Say how long something took: to the millisecond, if it was short."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _LONG_SECONDS else whole(seconds)


def roughly(seconds: float) -> str:
    """Say how long something usually takes: to the second, if it takes one."""
    return whole(seconds) if seconds >= 1 else short(seconds)


def whole(seconds: float) -> str:
    """Say how long something takes, to the second, and no more than two units."""
    count = int(seconds)
    for size, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if count >= size:
            rest = count % size // smaller
            return f"{count // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{count} s"
